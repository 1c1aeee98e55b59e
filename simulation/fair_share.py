"""Max-min-fair rates of flows on links, and when the flows end: numpy arrays in, numpy arrays out.

Rates are *max-min fair* when no flow could be faster but at the cost of one that is no faster than itself. Every flow
then has a *bottleneck*: a full link on which no other flow (by weight) is faster. ``rates`` finds them in rounds: a
link whose flows could none of them be held back more elsewhere is a bottleneck whatever the rest does, so all such
links are settled at once, their flows frozen, and what is left of the capacities goes round again.

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

A *path* is a row of link numbers, filled up with -1: ``paths[flow, hop]``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Paths = NDArray[np.integer[Any]]
Numbers = NDArray[np.float64]
Index = NDArray[np.intp]

EXACT = 0.0
TOLERANCE = 0.01
"""Of the time passed: how long a window is."""


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
    """``taking`` (hops, flows): what a flow takes of each link for each unit of its share; its weight if None."""
    if taking is None and weights is not None:
        taking = np.repeat(np.asarray(weights, dtype=np.float64)[None, :], len(rows), axis=0)
    found = np.full(rows.shape[1], np.inf)
    left = np.append(np.asarray(capacity, dtype=np.float64), np.inf)
    active = np.arange(rows.shape[1])
    while len(active):
        fair, stays = _round(rows, left, taking)
        kept, gone = np.flatnonzero(stays), np.flatnonzero(~stays)
        found[active.take(gone)] = fair.take(gone)
        if not len(kept):
            break
        taken = np.where(np.isinf(fair), 0.0, fair).take(gone)
        taken = np.repeat(taken[None, :], len(rows), axis=0) if taking is None else taking.take(gone, axis=1) * taken
        left -= _sums(rows.take(gone, axis=1), taken, len(left))
        left[-1] = np.inf
        np.maximum(left, 0.0, out=left)
        active, rows = active.take(kept), rows.take(kept, axis=1)
        taking = None if taking is None else taking.take(kept, axis=1)
    return found if weights is None else found * weights


def _round(rows: Index, left: Numbers, taking: Numbers | None) -> tuple[Numbers, NDArray[np.bool_]]:
    """Each flow's share of its tightest link, and whether it stays: whether none of its links is a bottleneck yet."""
    load = _sums(rows, taking, len(left))
    with np.errstate(divide="ignore", invalid="ignore"):  # where nobody crosses
        share = left / load
    if taking is not None:
        share[load <= 0] = np.inf  # who takes nothing of a link is not held back by it
    share[-1] = np.inf
    offered = share.take(rows)
    fair = offered.min(axis=0, initial=np.inf)
    held_back = _sums(rows, offered > fair, len(left)) > 0  # links with flows that have less elsewhere
    held_back[-1] = True
    return fair, held_back.take(rows).all(axis=0) & (fair < np.inf)


def _sums(rows: Index, values: NDArray[Any] | None, number: int) -> NDArray[Any]:
    return np.bincount(rows.reshape(-1), None if values is None else values.reshape(-1), number)


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
    rows = _columns(paths, len(capacity))
    weights = None if (weight == 1).all() else weight
    found = np.full(len(amount), np.inf)
    waiting = np.argsort(begin, kind="stable")
    first = now = float(begin[waiting[0]])
    active, left = waiting[:0], amount[:0]
    rate, idle_s = left, 0.0  # in the last window, and how long what was freed in it lay idle

    def rates_now() -> Numbers:
        return _rates(rows.take(active, axis=1), capacity, None if weights is None else weights[active])

    while len(active) or len(waiting):
        come = int(np.searchsorted(begin[waiting], now, side="right"))
        if idle_s and len(active):
            before, rate = rate, rates_now()
            left = left - (rate - before) * idle_s
        if come:
            active = np.concatenate([active, waiting[:come]])
            left = np.concatenate([left, amount[waiting[:come]]])
            waiting = waiting[come:]
        if come or not idle_s:
            rate = rates_now()
        lasting = _lasting(left, rate)
        until = max(float(lasting.min()), tolerance * (now - first), 0.0)
        if len(waiting):
            until = min(until, float(begin[waiting[0]] - now))
        ending = lasting <= until
        found[active[ending]] = now + lasting[ending]
        idle_s = _idle_s(until, lasting[ending], rate[ending])
        stay = np.flatnonzero(~ending)
        active, rate = active[stay], rate[stay]
        left = left[stay] - rate * until
        now = float(begin[waiting[0]]) if not len(active) and len(waiting) else now + until
    return found


def _idle_s(until: float, lasting: Numbers, rate: Numbers) -> float:
    """The mean by rate of how long before ``until`` flows have ended."""
    moving = (rate > 0) & np.isfinite(rate)
    freed = float(rate[moving].sum())
    return until - float(lasting[moving] @ rate[moving]) / freed if freed else 0.0
