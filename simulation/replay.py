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
        self._active = np.zeros(0, dtype=np.int64)
        self._left = np.zeros(0)
        self._rate = np.zeros(0)
        self._freed = np.zeros(0), np.zeros(0)  # rates of those that ended last, and how long before now

    def run(self) -> tuple[Numbers, Numbers]:
        now = 0.0
        while len(self._active) or self._due:
            late_s = self._share_out(now)
            lasting = np.divide(self._left, self._rate, out=np.full(len(late_s), np.inf), where=self._rate > 0)
            lasting[(self._left <= 0) & (self._rate <= 0)] = 0.0
            lasting -= late_s
            until = self._until(now, lasting)
            ending = lasting <= until * (1 + 1e-12)
            if ending.any():
                self._end(self._active[ending], now + lasting[ending])
            self._freed = self._rate[ending], until - lasting[ending]
            stay = ~ending
            self._active, self._rate = self._active[stay], self._rate[stay]
            self._left = self._left[stay] - self._rate * (until + late_s[stay])
            now += until
        if not np.isfinite(self._ended).all():
            raise StalledError(np.flatnonzero(~np.isfinite(self._ended)).tolist())
        return self._begun, self._ended

    def _share_out(self, now: float) -> Numbers:
        """Let come who is due, and find the rates anew if anything has changed; how late each of the active comes."""
        changed = self._change(now)
        come = self._come(now)
        stayed = len(self._active)
        late_s = np.zeros(stayed + len(come))
        if come:
            self._active = np.concatenate([self._active, come])
            self._left = np.concatenate([self._left, self._flows.amount[come]])
            late_s[stayed:] = np.maximum(now - self._begun[come], 0.0) if self._slack_s else 0.0
        if changed or come or len(self._freed[0]):
            before, self._rate = (
                self._rate,
                rates(self._rows[self._active], self._capacity, use=self._use[self._active]),
            )
            if self._slack_s and not changed:
                since_s = _mean_s(
                    np.concatenate([self._freed[0], self._rate[stayed:]]),
                    np.concatenate([self._freed[1], late_s[stayed:]]),
                )
                self._left[:stayed] -= (self._rate[:stayed] - before) * since_s
        return late_s

    def _until(self, now: float, lasting: Numbers) -> float:
        """How long to go on as it is: to the next moment, or for the slack; not beyond a link's change."""
        until = float(lasting.min(initial=np.inf))
        if self._due:
            until = min(until, self._due[0][0] - now)
        until = max(until, self._slack_s) if until > 0 else 0.0
        if self._changes:
            until = min(until, self._changes[0].at_s - now)
        if until == np.inf:
            raise StalledError(self._active.tolist())
        return max(until, 0.0)

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


def _mean_s(rate: Numbers, since_s: Numbers) -> float:
    """The mean by rate of how long ago flows have come or gone; 0 if none has."""
    moving = np.isfinite(rate)
    total = float(rate[moving].sum())
    return float(rate[moving] @ since_s[moving]) / total if total else 0.0
