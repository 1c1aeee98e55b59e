"""Max-min-fair rates of flows on links, and when the flows end: numpy arrays in, numpy arrays out.

Rates are *max-min fair* when no flow could be faster but at the cost of one that is no faster than itself. Every flow
then has a *bottleneck*: a full link on which no other flow (by weight) is faster. ``bottlenecks`` finds them all.

**One solve is enough** for flows of one size that start together. Let f end first of those that share its bottleneck l:
until then l is full with the same flows, and f keeps its share. No flow of l ends before the fastest, f has the highest
rate of l, so f is no later than any of them; so until f ends nothing changes on l. That holds for every flow, so each
ends after size / first rate. The same with weights that go by size (then all flows of one bottleneck end together).
``ends`` uses it where it holds, and otherwise goes from moment to moment.

**Windows** instead of moments, where many flows end one soon after the other: in the loop, those that end within a
window leave together, each at its own end, and only then are the rates found anew. What they have freed meanwhile is
made up for: each of those that stay is moved on by what its rate has changed, for as long as the freed share (its mean
by rate) lay idle. On one link that is just what it would have carried; elsewhere single flows are given a little too
much or too little. Without it, ends came up to 5.5 windows late: each window loses what its flows have freed.

Few flows leave in a window, and most of the others keep their rates: ``shares`` finds only those that change, a tenth
of the tolerance near. Without windows all rates are solved anew each time: what those are measured against.

A *path* is a row of link numbers, filled up with -1: ``paths[flow, hop]``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulation.bottlenecks import Index, Numbers, solved
from simulation.shares import Shares

__all__ = ["EXACT", "TOLERANCE", "Numbers", "Paths", "ends", "rates"]

Paths = NDArray[np.integer[Any]]

EXACT = 0.0
TOLERANCE = 0.01
"""Of the time passed: how long a window is."""

NEAR = 0.1
"""Of the tolerance: by how much of itself a link's share may be off within windows."""


def rates(paths: Paths, capacity: Numbers, weights: Numbers | None = None, use: Numbers | None = None) -> Numbers:
    """Each flow's max-min-fair rate in the unit of ``capacity`` (one per link); infinite for a flow without links.

    ``paths`` (flows, hops) of link numbers, -1 where there is no further hop; a link may be there more than once.
    ``weights`` (flows,), above 0: flows of one bottleneck have rates in their proportion; a weight of k is k like flows
    in one row. ``use`` (flows, hops): what a flow takes of the link for each unit of its rate, 1 if not given.
    """
    rows = _columns(paths, len(capacity))
    if use is None:
        return _rates(rows, capacity, weights)
    taking = use.T if weights is None else use.T * weights
    return _rates(rows, capacity, weights, np.ascontiguousarray(taking, dtype=np.float64))


def _columns(paths: Paths, num_links: int) -> Index:
    """``rows[hop, flow]``, a link more than there are instead of -1: this way round, hops are whole vectors."""
    return np.where(paths.T < 0, num_links, paths.T).astype(np.intp, order="C")


def _rates(rows: Index, capacity: Numbers, weights: Numbers | None, taking: Numbers | None = None) -> Numbers:
    """``taking`` (hops, flows): what a flow takes of each link for each unit of its level; its weight if None."""
    if taking is None and weights is not None:
        taking = np.repeat(np.asarray(weights, dtype=np.float64)[None, :], len(rows), axis=0)
    level, _ = solved(rows, capacity, taking)
    return level if weights is None else level * weights


def ends(
    paths: Paths,
    capacity: Numbers,
    amount: Numbers,
    start: Numbers | None = None,
    weights: Numbers | None = None,
    tolerance: float = TOLERANCE,
) -> Numbers:
    """When each flow has moved its ``amount`` (in capacity times seconds), as rates follow who is there.

    Infinite where a link carries nothing. ``start`` (flows,) in seconds, 0 if not given. Exact where all start together
    with amounts in proportion to their weights, or with ``tolerance`` 0. Else windows last ``tolerance`` times the time
    since the first start, or until the next start, and no end is off by more than 1.2 times that share of itself: so
    measured, on fabrics with ten flows a host, on small networks at random and on sizes chosen against it; not proven.
    """
    amount = np.asarray(amount, dtype=np.float64)
    begin = np.zeros(len(amount)) if start is None else np.asarray(start, dtype=np.float64)
    weight = np.ones(len(amount)) if weights is None else np.asarray(weights, dtype=np.float64)
    if not len(amount):
        return np.zeros(0)
    if _one_solve_does(amount, begin, weight):
        return begin + _lasting(amount, rates(paths, capacity, weights))
    return _event_by_event(paths, capacity, amount, begin, weight, tolerance)


def _one_solve_does(amount: Numbers, begin: Numbers, weight: Numbers) -> bool:
    per_weight = amount / weight
    return bool(begin.min() == begin.max() and per_weight.max() - per_weight.min() <= 1e-12 * per_weight.max())


def _lasting(left: Numbers, rate: Numbers) -> Numbers:
    """Seconds that flows still take: none where there is nothing left, for ever where nothing moves."""
    lasting = np.divide(left, rate, out=np.full(len(left), np.inf), where=rate > 0)
    return np.where((left <= 0) & (rate <= 0), 0.0, lasting)


def _event_by_event(
    paths: Paths, capacity: Numbers, amount: Numbers, begin: Numbers, weight: Numbers, tolerance: float
) -> Numbers:
    """What is kept of a flow is when it would end: that stands until its rate changes."""
    rows = _finite(_columns(paths, len(capacity)), capacity)
    linked = (rows < len(capacity)).any(axis=0)
    found = np.where(linked, np.inf, begin)  # who has no links ends as it begins
    waiting = np.flatnonzero(linked)
    waiting = waiting[np.argsort(begin[waiting], kind="stable")]
    find = _Anew(rows, capacity, weight) if tolerance <= EXACT else _Followed(rows, capacity, weight, tolerance)
    ending, rate = np.full(len(amount), np.inf), np.zeros(len(amount))
    first = now = float(begin[waiting].min(initial=np.inf))
    gone, idle_s = waiting[:0], 0.0  # who has ended in the last window, and how long what they freed lay idle
    remaining = len(waiting)
    while remaining and now < np.inf:
        come, waiting = np.split(waiting, [int(np.searchsorted(begin[waiting], now, side="right"))])
        before, rate = rate, find.change(gone, come)
        changed = rate != before
        changed[come], changed[gone] = True, False
        flows = np.flatnonzero(changed)
        had = ending.take(flows), before.take(flows)
        ending[flows] = _ending(now, *had, rate.take(flows), amount.take(flows), idle_s)
        until = max(float(ending.min()), now + tolerance * (now - first), now)
        until = min(until, float(begin[waiting].min(initial=np.inf)))
        gone = np.flatnonzero(ending <= until) if until < np.inf else waiting
        found[gone] = ending[gone]
        idle_s = _idle_s(until, ending[gone], rate[gone])
        ending[gone] = np.inf
        remaining -= len(gone)
        now = until
    return found


def _finite(rows: Index, capacity: Numbers) -> Index:
    """Without the links that hold nobody back."""
    return np.where(np.append(np.isfinite(capacity), False)[rows], rows, len(capacity))


def _ending(now: float, ending: Numbers, before: Numbers, rate: Numbers, amount: Numbers, idle_s: float) -> Numbers:
    """When flows whose rate was ``before`` end now; who had none yet has all of its amount left."""
    left = amount.copy()
    moving = before > 0
    np.multiply(ending - now, before, out=left, where=moving)
    np.subtract(left, (rate - before) * idle_s, out=left, where=moving)
    return now + _lasting(left, rate)


def _idle_s(until: float, ended: Numbers, rate: Numbers) -> float:
    """The mean by rate of how long before ``until`` flows have ended."""
    freed = float(rate.sum())
    return until - float(ended @ rate) / freed if freed else 0.0


class _Anew:
    """Rates of the flows that are there, solved anew each time."""

    def __init__(self, rows: Index, capacity: Numbers, weight: Numbers) -> None:
        self._rows, self._capacity = rows, capacity
        self._weight = None if (weight == 1).all() else weight
        self._there = np.zeros(rows.shape[1], dtype=bool)

    def change(self, gone: Index, come: Index) -> Numbers:
        self._there[gone], self._there[come] = False, True
        flows = np.flatnonzero(self._there)
        rate = np.zeros(len(self._there))
        weight = None if self._weight is None else self._weight.take(flows)
        rate[flows] = _rates(self._rows.take(flows, axis=1), self._capacity, weight)
        return rate


class _Followed:
    """The same, found anew where they change, as near to right as a window of ``tolerance`` needs."""

    def __init__(self, rows: Index, capacity: Numbers, weight: Numbers, tolerance: float) -> None:
        self._weight = weight
        taking = None if (weight == 1).all() else np.repeat(weight[None, :], len(rows), axis=0)
        self._shares = Shares(rows, capacity, taking, NEAR * tolerance)

    def change(self, gone: Index, come: Index) -> Numbers:
        self._shares.change(gone, come)
        return self._shares.level * self._weight
