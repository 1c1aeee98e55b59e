"""``predict()``: how long a collective takes on a real machine, with an interval.

NCCL's model with four figures of the network put in (``predict_paths``, ``predict_network``). The quickest path by
these figures is taken. The figures come from ``predictor.json``: of the network itself, where sweeps of it were fitted;
else of its site with another version of NCCL; else of its kind; else a default. The file also holds how far sweeps that
were left out of the fit were from what was predicted: four in five of their sizes lie in the interval.

``benchmarks/predictor.py --fit`` makes the file.
"""
# ruff: noqa: N803, N815 - GBps and Gbps are not the same

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from typing import Any

from collectives.baseline.model import Baseline
from collectives.baseline.nccl import Graph, NcclError, System, nccl_time
from collectives.baseline.nccl.graphs import system_of
from collectives.baseline.nccl.published import forced_algorithm, hardware_of, is_gpu, nccl_version, nics_of
from collectives.baseline.predict_network import Figures, Key, bounded, default, key_of, time_us
from collectives.baseline.predict_paths import Question, paths
from collectives.metrics import busbw_factor

BANDS = (("small", 32 << 10), ("medium", 32 << 20), ("large", 1 << 62))
"""Sizes up to these: the intervals differ, as latency, the steps in between and the wire are differently certain."""


@dataclass(frozen=True, slots=True)
class Known:
    """A network's figures, and from what: ``evidence`` is network, site, kind or default."""

    figures: Figures
    evidence: str
    fitted_on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a call takes. ``low_us`` to ``high_us`` holds it four times in five; ``nccl_us`` is NCCL's own expectation.

    ``nccl_us`` is None where NCCL has no model: all-to-all, and host memory.
    """

    size_bytes: int
    time_us: float
    low_us: float
    high_us: float
    algbw_GBps: float
    busbw_GBps: float
    algorithm: str
    protocol: str
    nccl_us: float | None


def predict(question: Question, key: Key, size_bytes: int) -> Prediction:
    """The time of a call over the network ``key``. NcclError for what makes no sense."""
    known = network(key, _line_GBps(question.system))
    path, time = quickest(question, known.figures, size_bytes)
    low, high = interval(known.evidence, size_bytes)
    algbw = size_bytes / time / 1e3
    return Prediction(
        size_bytes,
        time,
        time * low,
        time * high,
        algbw,
        algbw * busbw_factor(question.collective, question.system.ranks),
        path[0],
        path[1],
        _nccl_us(question, size_bytes),
    )


def question_of(baseline: Baseline, nodes: int | None = None, collective: str | None = None) -> Question:
    """What a published sweep asks; with ``nodes`` or ``collective`` what it would ask of other nodes, another one.

    NcclError where too little is known of its machine.
    """
    if baseline.nodes is None or baseline.gpus_per_node is None:
        raise NcclError(f"baseline {baseline.name}: how many nodes and GPUs a node is not stated")
    wanted = nodes or baseline.nodes
    if (wanted == 1) != (baseline.nodes == 1):
        why = "one node says nothing of a network, and a network nothing of the links in a node"
        raise NcclError(f"{baseline.name} has {baseline.nodes} nodes, not {wanted}: {why}; take another system")
    forced = forced_algorithm(baseline) if collective in {None, baseline.collective} else None
    name = collective or baseline.collective
    if not is_gpu(baseline):
        return Question(_host_system(baseline, wanted, baseline.gpus_per_node), name, mpi=True)
    system = system_of(hardware_of(baseline, wanted, baseline.gpus_per_node))
    return Question(system, name, nccl_version(baseline), forced)


def key_for(baseline: Baseline, collective: str | None = None) -> Key:
    """The network of a published sweep, for this collective."""
    key = key_of(replace(baseline, collective=collective or baseline.collective))
    assert key.kind
    return key


def network(key: Key, line_GBps: float | None) -> Known:
    """The nearest known figures of a network."""
    fitted = _fitted()
    for evidence, rows in (("network", fitted["networks"]), ("site", fitted["sites"])):
        for row in rows:
            same = (row["kind"], row["hardware"]) == key.site
            if same and (evidence == "site" or row["version"] == key.version):
                return Known(_figures(row), evidence, tuple(row["fitted_on"]))
    for row in fitted["kinds"]:
        if row["kind"] == key.kind:
            return Known(bounded(_figures(row), key.kind, line_GBps), "kind", tuple(row["fitted_on"]))
    return Known(default(key.kind, line_GBps), "default", ())


def interval(evidence: str, size_bytes: int) -> tuple[float, float]:
    """What the time is multiplied by for its low and high end."""
    rows: Mapping[str, Any] = _fitted()["intervals"]["network" if evidence in {"network", "site"} else "kind"]
    band = next(name for name, most in BANDS if size_bytes <= most)
    low, high = rows[band]
    return float(low), float(high)


def quickest(question: Question, figures: Figures, size_bytes: int) -> tuple[tuple[str, str], float]:
    """The path that is the quickest by these figures, and its time in us."""
    times = [
        ((path.algorithm, path.protocol), time_us(figures, path, size_bytes)) for path in paths(question, size_bytes)
    ]
    return min(times, key=lambda pair: pair[1])


def line_GBps_of(question: Question) -> float:  # noqa: N802 - likewise
    """What NCCL thinks the NICs of a node carry."""
    return _line_GBps(question.system)


def _nccl_us(question: Question, size_bytes: int) -> float | None:
    if question.mpi or question.collective == "alltoall":
        return None
    return nccl_time(question.system, question.collective, size_bytes, question.version, question.algorithm)


def _line_GBps(system: System) -> float:  # noqa: N802 - likewise
    return system.ring.channels * system.ring.bw_inter_GBps


def _host_system(baseline: Baseline, nodes: int, ranks_per_node: int) -> System:
    """Hosts that add in their own memory; only their number and their wires matter."""
    nics, nic = nics_of(baseline, 1)
    wire = Graph(nics, nic, nic)
    return System(baseline.name, "volta", nodes, ranks_per_node, wire, wire, intra="PCI", ll128=False)


def _figures(row: Mapping[str, Any]) -> Figures:
    return Figures(row["latency_us"], row["rendezvous_bytes"], row["rendezvous_us"], row["efficiency"])


@lru_cache(maxsize=1)
def _fitted() -> Mapping[str, Any]:
    text = (files("collectives.baseline") / "predictor.json").read_text(encoding="utf-8")
    data: Mapping[str, Any] = json.loads(text)
    return data
