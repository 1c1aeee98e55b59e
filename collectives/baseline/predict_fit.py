"""Fits the four figures of networks to sweeps, and leaves sweeps out to see how good that is.

Theory of operation. What is fitted are the logarithms of the figures, to the logarithm of predicted over measured time:
an error of a tenth counts the same at 8 bytes and at 8 GB. Errors count by their absolute value (rounded off near 0),
so one wild size does not pull the rest. Few data must not run away: each figure is drawn to where it starts, by how
far it usually varies (``SPREADS``). Where it starts goes from far to near: a default, then the kind (half of one
network's weight stays with the default), the site, the network. Sites of a kind count the same, however many sweeps.

scipy's Nelder-Mead does it (imported late), from two starts, without randomness: the same data give the same figures.
"""
# ruff: noqa: N815 - GBps and Gbps are not the same

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from collectives.baseline.model import Baseline
from collectives.baseline.predict_network import INSIDE, SPREAD, Figures, Key, bounded, default, key_of
from collectives.baseline.predict_paths import TREE_HOP_US, paths
from collectives.baseline.predictor import line_GBps_of, question_of

SITE_SPREADS = (0.5, 1.5, 0.8, 0.8)
NETWORK_SPREADS = (0.2, 0.8, 0.4, 0.8)
"""How far latency, threshold, cost and efficiency vary (natural logarithm) between sites of a kind; and between
versions of NCCL at a site, where the efficiency varies most (sockets: 9.4 GB/s with 2.18, 3.1 with 2.21)."""

PULL = 0.01
"""Weight of the pull towards the start, per sweep."""

DEFAULT_WEIGHT, DEFAULT_WEIGHT_INSIDE = 0.5, 3.0
"""The default counts as half a site; inside a node, where NVIDIA measured NCCL's own constants, as three."""

MOST_POINTS = 60
"""Of a sweep; a longer one (268 sizes in steps of 2 MB) is thinned out evenly."""

Numbers = npt.NDArray[np.float64]
Logs = Sequence[float] | Numbers


@dataclass(frozen=True, slots=True)
class Sweep:
    """A published sweep, ready to be fitted: for every path (row) and size (column) what ``time_us`` takes."""

    name: str
    key: Key
    line_GBps: float
    sizes: Numbers
    times_us: Numbers
    terms: Numbers

    def predicted_us(self, logs: Logs) -> Numbers:
        """As ``predict_network.time_us`` of the quickest path, for all sizes at once."""
        latency, threshold, cost, efficiency = (math.exp(value) for value in logs)
        begun, hops, hop, message, bandwidth, plateau = self.terms
        way = plateau * (begun + hops * np.maximum(0.0, hop + latency - TREE_HOP_US))
        way = way + hops * cost / (1 + (threshold / message) ** (1 / SPREAD))
        quickest: Numbers = (way + self.sizes / (1000 * bandwidth * efficiency)).min(axis=0)
        return quickest

    def errors(self, logs: Logs) -> Numbers:
        """log(predicted / measured) of every size."""
        ratio: Numbers = np.log(self.predicted_us(logs) / self.times_us)
        return ratio


@lru_cache(maxsize=256)
def sweep_of(baseline: Baseline, *, thinned: bool = True) -> Sweep:
    """A sweep's paths as columns of numbers."""
    question = question_of(baseline)
    every = -(-len(baseline.points) // MOST_POINTS) if thinned else 1
    points = baseline.points[::every]
    rows = [
        [
            (p.fixed_us + p.steps * p.step_us, p.hops, p.hop_us, p.message_bytes, p.bandwidth_GBps, p.plateau)
            for p in paths(question, point.size_bytes)
        ]
        for point in points
    ]
    return Sweep(
        baseline.name,
        key_of(baseline),
        line_GBps_of(question),
        np.array([point.size_bytes for point in points], dtype=float),
        np.array([point.time_us for point in points]),
        np.array(rows).transpose(2, 1, 0),
    )


def fit(sweeps: Sequence[Sweep], start: Figures, spreads: Sequence[float]) -> Figures:
    """The figures that suit ``sweeps``, drawn to ``start``."""
    from scipy.optimize import minimize  # noqa: PLC0415 - slow to import

    begin, width = np.array(start.logs()), np.array(spreads)

    def loss(logs: Numbers) -> float:
        misfit = math.fsum(np.mean(np.sqrt(sweep.errors(logs) ** 2 + 0.0025) - 0.05) for sweep in sweeps)
        return misfit + PULL * float(np.sum(((logs - begin) / width) ** 2))

    steps = np.diag([0.5, 1.2, 0.5, -0.15])
    best: Any = None
    for side in (-0.7, 0.7):
        first = begin + np.array([side, 0.0, 0.3 * side, -0.05])
        options = {"maxfev": 400, "xatol": 0.005, "fatol": 1e-5, "initial_simplex": np.vstack([first, first + steps])}
        found = minimize(loss, first, method="Nelder-Mead", options=options)
        best = found if best is None or found.fun < best.fun else best
    return Figures(*(math.exp(value) for value in best.x))


def kind_figures(sweeps: Sequence[Sweep], kind: str) -> Figures:
    """The mean of a kind's sites (of the logarithms), with the default as half a site."""
    sites: dict[tuple[str, str], list[Sweep]] = {}
    for sweep in sweeps:
        if sweep.key.kind == kind:
            sites.setdefault(sweep.key.site, []).append(sweep)
    weight = DEFAULT_WEIGHT_INSIDE if kind in INSIDE else DEFAULT_WEIGHT
    total = weight * np.array(default(kind, None).logs())
    for group in sites.values():
        start = default(kind, group[0].line_GBps)
        total, weight = total + np.array(fit(group, start, SITE_SPREADS).logs()), weight + 1
    return Figures(*(math.exp(value) for value in total / weight))


def figures_for(target: Sweep, sweeps: Sequence[Sweep]) -> tuple[Figures, str]:
    """The figures for ``target`` from ``sweeps`` (without it, if it is left out), and from what they are."""
    same_kind = [sweep for sweep in sweeps if sweep.key.kind == target.key.kind]
    kind = kind_figures(sweeps, target.key.kind) if same_kind else default(target.key.kind, target.line_GBps)
    found = bounded(kind, target.key.kind, target.line_GBps)
    site = [sweep for sweep in same_kind if sweep.key.site == target.key.site]
    if not site:
        return found, "kind" if same_kind else "default"
    found = fit(site, found, SITE_SPREADS)
    own = [sweep for sweep in site if sweep.key == target.key]
    if own and len(own) < len(site):
        found = fit(own, found, NETWORK_SPREADS)
    return found, "network" if own else "site"


def fit_all(sweeps: Sequence[Sweep]) -> dict[str, list[dict[str, Any]]]:
    """Every kind, site and network, as ``predictor.json`` has them."""
    kinds = list(dict.fromkeys(sweep.key.kind for sweep in sweeps))
    sites = list(dict.fromkeys(sweep.key.site for sweep in sweeps))
    keys = list(dict.fromkeys(sweep.key for sweep in sweeps))
    rows: dict[str, list[dict[str, Any]]] = {"kinds": [], "sites": [], "networks": []}
    for kind in kinds:
        group = [sweep for sweep in sweeps if sweep.key.kind == kind]
        rows["kinds"].append({"kind": kind, **_row(kind_figures(sweeps, kind), group)})
    for site in sites:
        group = [sweep for sweep in sweeps if sweep.key.site == site]
        start = bounded(kind_figures(sweeps, site[0]), site[0], group[0].line_GBps)
        row = _row(fit(group, start, SITE_SPREADS), group)
        rows["sites"].append({"kind": site[0], "hardware": site[1], **row})
    for key in keys:
        group = [sweep for sweep in sweeps if sweep.key == key]
        figures, _ = figures_for(group[0], sweeps)
        names = {"kind": key.kind, "hardware": key.hardware, "version": key.version}
        rows["networks"].append({**names, **_row(figures, group)})
    return rows


def leave_out(sweeps: Sequence[Sweep], target: Sweep, *, site: bool) -> tuple[Figures, str]:
    """The figures for ``target`` without it; with ``site``, without all sweeps of its hardware and kind."""
    if site:
        kept: Iterable[Sweep] = (sweep for sweep in sweeps if sweep.key.site != target.key.site)
    else:
        kept = (sweep for sweep in sweeps if sweep.name != target.name)
    return figures_for(target, list(kept))


def _row(figures: Figures, group: Sequence[Sweep]) -> dict[str, Any]:
    return {
        "latency_us": round(figures.latency_us, 3),
        "rendezvous_bytes": round(figures.rendezvous_bytes),
        "rendezvous_us": round(figures.rendezvous_us, 3),
        "efficiency": round(figures.efficiency, 4),
        "fitted_on": [sweep.name for sweep in group],
    }
