"""Max-min-fair rates of flows on links, and when the flows end: numpy arrays in, numpy arrays out.

Rates are *max-min fair* when no flow could be faster but at the cost of one that is no faster than itself. Every flow
then has a *bottleneck*: a full link on which no other flow (by weight) is faster. ``rates`` finds them in rounds: a
link whose flows could none of them be held back more elsewhere is a bottleneck whatever the rest does, so all such
links are settled at once, their flows frozen, and what is left of the capacities goes round again.

**One solve is enough** for flows of one size that start together. Let f end first of those that share its bottleneck l:
until then l is full with the same flows, and f keeps its share. No flow of l ends before the fastest, f has the highest
rate of l, so f is no later than any of them; so until f ends nothing changes on l. That holds for every flow, so each
ends after size / first rate. The same with weights that go by size (then all flows of one bottleneck end together).
``ends`` uses it where it holds, and otherwise goes from end to end (and start to start) of flows.

A *path* is a row of link numbers, filled up with -1: ``paths[flow, hop]``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Paths = NDArray[np.integer[Any]]
Numbers = NDArray[np.float64]

EXACT = 0.0
TOLERANCE = 0.01
"""Of the time passed: ends that are nearer to each other share their links as if they came together."""


def rates(paths: Paths, capacity: Numbers, weights: Numbers | None = None, use: Numbers | None = None) -> Numbers:
    """Each flow's max-min-fair rate in the unit of ``capacity`` (one per link); infinite for a flow without links.

    ``paths`` (flows, hops) of link numbers, -1 where there is no further hop; a link may be there more than once.
    ``weights`` (flows,), above 0: flows of one bottleneck have rates in their proportion; a weight of k is k like flows
    in one row. ``use`` (flows, hops): what a flow takes of the link for each unit of its rate, 1 if not given.
    """
    num_links, hops = len(capacity), paths.shape[1]
    rows = np.where(paths < 0, num_links, paths)
    found = np.full(len(rows), np.inf)
    left = np.append(np.asarray(capacity, dtype=np.float64), np.inf)
    active = np.arange(len(rows))
    weight = np.ones(len(rows)) if weights is None else np.asarray(weights, dtype=np.float64)
    taking = np.repeat(weight, hops).reshape(rows.shape) if use is None else use * weight[:, None]
    while len(active):
        load = np.bincount(rows.reshape(-1), taking.reshape(-1), num_links + 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(load > 0, left / load, np.inf)
        share[num_links] = np.inf
        fair = share[rows].min(axis=1)
        lowest = np.full(num_links + 1, np.inf)
        np.minimum.at(lowest, rows, fair[:, None])
        settled = lowest >= share
        settled[num_links] = False
        frozen = settled[rows].any(axis=1) | np.isinf(fair)
        found[active[frozen]] = (fair * weight)[frozen]
        bound = frozen & np.isfinite(fair)
        taken = taking[bound] * fair[bound, None]
        left -= np.bincount(rows[bound].reshape(-1), taken.reshape(-1), num_links + 1)
        left[num_links] = np.inf
        np.maximum(left, 0.0, out=left)
        kept = ~frozen
        active, rows, weight, taking = active[kept], rows[kept], weight[kept], taking[kept]
    return found


def ends(
    paths: Paths,
    capacity: Numbers,
    amount: Numbers,
    start: Numbers | None = None,
    weights: Numbers | None = None,
    tolerance: float = TOLERANCE,
) -> Numbers:
    """When each flow has moved its ``amount`` (in capacity times seconds), as rates follow who is there.

    ``start`` (flows,) in seconds, 0 if not given. Exact where all start together with amounts in proportion to their
    weights, or with ``tolerance`` 0; else flows that end within ``tolerance`` times the time since the first start are
    taken to leave together, each at its own end: no end is off by more than that share of it.
    """
    amount = np.asarray(amount, dtype=np.float64)
    begin = np.zeros(len(amount)) if start is None else np.asarray(start, dtype=np.float64)
    weight = np.ones(len(amount)) if weights is None else np.asarray(weights, dtype=np.float64)
    if not len(amount):
        return np.zeros(0)
    if _one_solve_does(amount, begin, weight):
        return begin + amount / rates(paths, capacity, weight)
    return _event_by_event(paths, capacity, amount, begin, weight, tolerance)


def _one_solve_does(amount: Numbers, begin: Numbers, weight: Numbers) -> bool:
    per_weight = amount / weight
    return bool(begin.min() == begin.max() and per_weight.max() - per_weight.min() <= 1e-12 * per_weight.max())


def _event_by_event(
    paths: Paths, capacity: Numbers, amount: Numbers, begin: Numbers, weight: Numbers, tolerance: float
) -> Numbers:
    found = np.full(len(amount), np.inf)
    waiting = np.argsort(begin, kind="stable")
    first = now = begin[waiting[0]]
    active, left = waiting[:0], amount[:0]
    while len(active) or len(waiting):
        come = int(np.searchsorted(begin[waiting], now, side="right"))
        active = np.concatenate([active, waiting[:come]])
        left = np.concatenate([left, amount[waiting[:come]]])
        waiting = waiting[come:]
        rate = rates(paths[active], capacity, weight[active])
        lasting = left / rate
        until = max(float(lasting.min()), tolerance * (now - first))
        if len(waiting):
            until = min(until, float(begin[waiting[0]] - now))
        ending = lasting <= until
        found[active[ending]] = now + lasting[ending]
        stay = ~ending
        left = left[stay] - np.where(np.isinf(rate[stay]), 0.0, rate[stay] * until)
        active = active[stay]
        now = float(begin[waiting[0]]) if not len(active) and len(waiting) else now + until
    return found
