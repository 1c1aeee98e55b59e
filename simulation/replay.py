"""Flows that wait for each other, on links that they share and that may change: when each begins and ends.

Theory of operation. A flow begins ``lag_s`` after the last of those it waits for has ended, and moves its ``amount`` at
its max-min-fair rate. Rates change when a flow begins or ends, or a link changes: between two such moments everything
is a straight line. ``slack_s`` makes moments that are nearer to each other one: a flow is then given its own end, by
the rates before, but whoever waits for a share hears of it up to so much later.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulation.fair_share import Numbers, rates

Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Flows:
    """``rows`` and ``use`` (flows, hops) as ``fair_share.rates`` takes them; ``amount`` in bits.

    Flow i waits for the flows ``needs[starts[i]:starts[i + 1]]``.
    """

    rows: NDArray[np.int64]
    use: Numbers
    amount: Numbers
    lag_s: Numbers
    starts: Index
    needs: Index

    def __len__(self) -> int:
        return len(self.amount)


@dataclass(frozen=True, eq=False)
class Change:
    """From ``at_s`` on links have these capacities, and flows take these ways, as long as nothing else is said."""

    at_s: float
    capacity: Numbers
    rows: NDArray[np.int64] | None = None
    use: Numbers | None = None


class StalledError(ValueError):
    """Flows that can never end: no link of theirs carries anything, or they wait for each other."""

    def __init__(self, flows: Sequence[int]) -> None:
        self.flows = tuple(flows)
        super().__init__(f"{len(flows)} flows can never end, among them number {flows[0]}")


def replay(
    flows: Flows, capacity: Numbers, changes: Sequence[Change] = (), slack_s: float = 0.0
) -> tuple[Numbers, Numbers]:
    """Start and end of every flow, in seconds; ``changes`` rise in time. StalledError where one has no end."""
    return _Replay(flows, capacity, changes, slack_s).run()


class _Replay:
    def __init__(self, flows: Flows, capacity: Numbers, changes: Sequence[Change], slack_s: float) -> None:
        self._flows, self._capacity, self._slack_s = flows, capacity, slack_s
        self._rows, self._use = flows.rows, flows.use
        self._changes = list(changes)
        self._begun = np.full(len(flows), np.inf)
        self._ended = np.full(len(flows), np.inf)
        self._missing = np.diff(flows.starts)
        waiter = np.repeat(np.arange(len(flows)), self._missing)
        order = np.argsort(flows.needs, kind="stable")
        self._waiters = waiter[order]
        self._first = np.searchsorted(flows.needs[order], np.arange(len(flows) + 1))
        self._known_s = np.zeros(len(flows))  # the latest end, so far, of those waited for
        free = np.flatnonzero(self._missing == 0)
        self._due = [(float(flows.lag_s[flow]), int(flow)) for flow in free]
        heapq.heapify(self._due)

    def run(self) -> tuple[Numbers, Numbers]:
        now = 0.0
        active = np.zeros(0, dtype=np.int64)
        left = np.zeros(0)
        rate = np.zeros(0)
        while len(active) or self._due:
            changed = self._change(now)
            come = self._come(now)
            if come:
                active = np.concatenate([active, come])
                left = np.concatenate([left, self._flows.amount[come]])
            if changed or come or len(rate) != len(active):
                rate = rates(self._rows[active], self._capacity, use=self._use[active])
            lasting = np.divide(left, rate, out=np.full(len(left), np.inf), where=rate > 0)
            lasting[left <= 0] = 0.0
            until = max(float(lasting.min(initial=np.inf)), self._slack_s) if len(active) else np.inf
            if self._due:
                until = min(until, self._due[0][0] - now)
            if self._changes:
                until = min(until, self._changes[0].at_s - now)
            if until == np.inf:
                raise StalledError(active.tolist())
            until = max(until, 0.0)
            ending = lasting <= until * (1 + 1e-12)
            if ending.any():
                self._end(active[ending], now + lasting[ending])
                stay = ~ending
                active, left, rate_left = active[stay], left[stay], rate[stay]
                left = left - np.where(np.isinf(rate_left), 0.0, rate_left * until)
                rate = np.zeros(0)
            else:
                left = left - rate * until
            now += until
        if not np.isfinite(self._ended).all():
            raise StalledError(np.flatnonzero(~np.isfinite(self._ended)).tolist())
        return self._begun, self._ended

    def _change(self, now: float) -> bool:
        changed = False
        while self._changes and self._changes[0].at_s <= now:
            change = self._changes.pop(0)
            self._capacity, changed = change.capacity, True
            self._rows = self._rows if change.rows is None else change.rows
            self._use = self._use if change.use is None else change.use
        return changed

    def _come(self, now: float) -> list[int]:
        """Those that begin by now; a little rounding is no reason to wait."""
        come = []
        while self._due and self._due[0][0] <= now * (1 + 1e-12):
            at_s, flow = heapq.heappop(self._due)
            self._begun[flow] = at_s
            come.append(flow)
        return come

    def _end(self, flows: Index, at_s: Numbers) -> None:
        self._ended[flows] = at_s
        first, last = self._first[flows], self._first[flows + 1]
        counts = last - first
        waiters = self._waiters[
            np.repeat(first, counts) + np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        ]
        np.maximum.at(self._known_s, waiters, np.repeat(at_s, counts))
        np.subtract.at(self._missing, waiters, 1)
        for flow in np.unique(waiters[self._missing[waiters] == 0]).tolist():
            heapq.heappush(self._due, (float(self._known_s[flow] + self._flows.lag_s[flow]), flow))
