"""Max-min-fair levels of flows that come and go: found anew only where they change.

Theory of operation. Each link offers its flows a *share*; a flow's *level* is the least that it is offered, by the link
that it is *bound* to. A share is right where the link's flows fill it, each capped by what it is offered elsewhere; it
is infinite where they would not, uncapped by this link. Where all shares are right, every flow has a full link on which
nobody is faster: that is max-min fairness, and its levels are unique.

When flows come or go, their links are *unsettled*. Each is given its share anew, by one step of Newton's method: what
is free there, over what the flows bound to it take for each unit of their level, is added. A share that has moved binds
other flows, or changes levels, and so unsettles other links. These are next, round after round, until no share moves
by more than ``near`` of itself. What is free is counted as it is: moves too small to be made wait, and do not add up.

That this ends, and right: no share is ever below the *even* one, capacity over what all its flows take. To the tightest
link that one is right, and is kept from then on. Its flows' levels are then as good as given, and the same holds for
the tightest of the other links, where Newton's steps come from below (what flows take is concave in the share), each
past the level of a flow at least. Changes fade much sooner: within 19 rounds on a fabric of 10,000 hosts. Should they
not, all is solved at once; so it is after a good part of the flows has come or gone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulation.bottlenecks import Index, Numbers, solved, sums

ANEW = 0.25
"""Of the flows that are held: when so many have come or gone, all is solved at once. From 0.1 to 0.5 costs the same."""

MOST_ROUNDS = 200
"""Ten times as many as were needed."""

ROUNDING = 1e-12


class Shares:
    """``level[flow]`` of the flows that are there, 0 of the others; rows and taking as ``bottlenecks.solved`` has them.

    Flows without links have no place here.
    """

    def __init__(self, rows: Index, capacity: Numbers, taking: Numbers | None, near: float) -> None:
        self._nowhere, number = len(capacity), rows.shape[1]
        rows, taking = _each_link_once(rows, taking, self._nowhere)
        self._ways = np.ascontiguousarray(rows.T)  # this way round, as few flows are looked at together
        self._taking = None if taking is None else np.ascontiguousarray(taking.T)
        self._capacity = np.append(capacity, np.inf)
        self._near = max(near, ROUNDING)
        self.level = np.zeros(number)
        self._bound = np.full(number, self._nowhere)
        self._there, self._gone = np.zeros(number, dtype=bool), np.zeros(number, dtype=bool)
        self._unsettled = np.zeros(self._nowhere + 1, dtype=bool)
        self._place = np.zeros(number, dtype=np.intp)  # of flows, in the list that is at hand
        self._solve_anew()

    def change(self, gone: Index, come: Index) -> None:
        """These flows go for good, those come; all levels are right afterwards, as near as shares are."""
        self._there[gone], self._gone[gone], self._there[come] = False, True, True
        self._changed += len(gone) + len(come)
        if self._changed > ANEW * self._held:
            self._solve_anew()
            return
        self._part_with(gone)
        self._welcome(come)
        if not self._settle():
            self._solve_anew()

    def _taken(self, flows: Index, level: Numbers | float = 1.0) -> Numbers:
        """(flows, hops): what they take of their links at such levels."""
        if self._taking is None:
            return np.broadcast_to(np.reshape(level, (-1, 1)), (len(flows), self._ways.shape[1]))
        taken: Numbers = self._taking.take(flows, axis=0) * np.reshape(level, (-1, 1))
        return taken

    # -- all at once ---------------------------------------------------------------------

    def _solve_anew(self) -> None:
        """Levels by bottlenecks, and from them what links must count."""
        there = np.flatnonzero(self._there)
        ways, takes = self._ways.take(there, axis=0), self._taken(there)
        taking = None if self._taking is None else np.ascontiguousarray(takes.T)
        _, self._share = solved(np.ascontiguousarray(ways.T), self._capacity[:-1], taking)
        bound, level = _tightest(ways, self._share)
        self._bound[:], self.level[:] = self._nowhere, 0.0
        self._bound[there], self.level[there] = bound, level
        number = self._nowhere + 1
        self._free = self._capacity - sums(ways, self._taken(there, level), number)
        self._load = sums(ways, takes * (ways == bound[:, None]), number)
        self._count = np.bincount(bound, minlength=number)
        self._all = sums(ways, takes, number)
        self._even = _evenly(self._capacity, self._all)
        self._index()

    def _index(self) -> None:
        """Which flows, not gone, cross each link: ``_crossing[_first[link]:_first[link + 1]]``."""
        flows = np.flatnonzero(~self._gone)
        links = self._ways.take(flows, axis=0).reshape(-1)
        self._crossing = np.repeat(flows, self._ways.shape[1])[np.argsort(links, kind="stable")]
        self._first = np.concatenate([[0], np.cumsum(np.bincount(links, minlength=self._nowhere + 1))])
        self._held, self._changed = len(flows), 0
        self._unsettled[:] = False

    # -- only where it changes -------------------------------------------------------------

    def _part_with(self, gone: Index) -> None:
        ways = self._ways.take(gone, axis=0)
        np.subtract.at(self._all, ways.reshape(-1), self._taken(gone).reshape(-1))
        self._even = _evenly(self._capacity, self._all)
        self._bind(gone, ways, np.full(len(gone), self._nowhere), np.zeros(len(gone)))

    def _welcome(self, come: Index) -> None:
        """Links that had some to spare offer it to those that come, an even share at least."""
        if not len(come):
            return
        asked = sums(self._ways.take(come, axis=0), self._taken(come), self._nowhere + 1)
        self._all += asked
        self._even = _evenly(self._capacity, self._all)
        links = np.flatnonzero((asked > 0) & np.isinf(self._share))
        links = links[links != self._nowhere]
        offer = np.maximum(self._free[links] / asked[links], self._even[links])
        self._offer(links, offer, come)

    def _settle(self) -> bool:
        """Round after round until no share moves; whether that came to an end."""
        for _ in range(MOST_ROUNDS):
            self._unsettled[self._nowhere] = False
            links = np.flatnonzero(self._unsettled)
            self._unsettled[links] = False
            before = self._share.take(links)
            share = self._right_share(links, before)
            moves = np.flatnonzero(_apart(share, before, self._near))
            if not len(moves):
                return True
            self._offer(links.take(moves), share.take(moves), links[:0])
        return False

    def _right_share(self, links: Index, share: Numbers) -> Numbers:
        """One Newton step; where no flow is bound, infinite, or what binds the fastest if they take too much."""
        free, load = self._free.take(links), self._load.take(links)
        share = share + np.divide(free, load, out=np.full(len(links), np.inf), where=load > 0)
        unbound = np.flatnonzero(load == 0)
        overfull = unbound[free[unbound] < -ROUNDING * self._capacity[links[unbound]]]
        if len(overfull):
            share[overfull] = self._slowed_to_fit(links[overfull])
        return np.maximum(share, self._even.take(links))

    def _slowed_to_fit(self, links: Index) -> Numbers:
        """The fastest flow's level on each, if all were slowed down in proportion: not less than the right share."""
        flows, counts = self._on(links)
        fastest = np.maximum.reduceat(self.level.take(flows), np.cumsum(counts) - counts)
        capacity = self._capacity[links]
        slowed: Numbers = fastest * capacity / (capacity - self._free[links])
        return slowed

    def _offer(self, links: Index, share: Numbers, come: Index) -> None:
        """Bind anew the flows that had these links' share, or have more than it is now, and those that come."""
        flows, counts = self._on(links)
        least = np.minimum(self._share.take(links), share)
        self._share[links] = share
        flows = flows[self.level.take(flows) >= np.repeat(least, counts)]
        flows = self._each_once(np.concatenate([flows[self._there.take(flows)], come]))
        ways = self._ways.take(flows, axis=0)
        self._bind(flows, ways, *_tightest(ways, self._share))

    def _each_once(self, flows: Index) -> Index:
        places = np.arange(len(flows))
        self._place[flows] = places  # the last one's stays
        once: Index = flows[self._place.take(flows) == places]
        return once

    def _bind(self, flows: Index, ways: Index, bound: Index, level: Numbers) -> None:
        """To these links, at these levels; all of their links are unsettled then."""
        more = level - self.level.take(flows)
        was_bound = self._bound.take(flows)
        self._bound[flows], self.level[flows] = bound, level
        links = ways.reshape(-1)
        np.subtract.at(self._free, links, self._taken(flows, more).reshape(-1))
        self._unsettled[links] = True
        other = np.flatnonzero(bound != was_bound)
        flows, ways = flows.take(other), ways.take(other, axis=0)
        self._count_bound(flows, ways, was_bound.take(other), -1)
        self._count_bound(flows, ways, bound.take(other), 1)

    def _count_bound(self, flows: Index, ways: Index, bound: Index, sign: int) -> None:
        np.add.at(self._count, bound, sign)
        takes = 1.0 if self._taking is None else (self._taken(flows) * (ways == bound[:, None])).sum(axis=1)
        np.add.at(self._load, bound, sign * takes)
        self._load[bound[self._count.take(bound) == 0]] = 0.0  # not what rounding leaves

    def _on(self, links: Index) -> tuple[Index, Index]:
        """The flows on one link after the other, and how many there are on each."""
        first = self._first[links]
        counts = self._first[links + 1] - first
        before = np.cumsum(counts) - counts
        return self._crossing.take(np.repeat(first - before, counts) + np.arange(counts.sum())), counts


def _tightest(ways: Index, share: Numbers) -> tuple[Index, Numbers]:
    """The link that offers each flow least, and what it offers."""
    offered = share.take(ways)
    at = offered.argmin(axis=1) + np.arange(len(ways)) * ways.shape[1]
    return ways.reshape(-1).take(at), offered.reshape(-1).take(at)


def _evenly(capacity: Numbers, taken: Numbers) -> Numbers:
    return np.divide(capacity, taken, out=np.zeros(len(capacity)), where=taken > 0)


def _apart(one: Numbers, other: Numbers, near: float) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):  # both infinite
        return np.abs(one - other) > near * np.minimum(one, other)


def _each_link_once(rows: Index, taking: Numbers | None, nowhere: int) -> tuple[Index, Numbers | None]:
    """What a flow takes of a link on several hops, on the first of them; of no link, nothing."""
    pairs = [(hop, earlier) for hop in range(1, len(rows)) for earlier in range(hop)]
    if taking is None and not any(
        ((rows[hop] == rows[earlier]) & (rows[hop] != nowhere)).any() for hop, earlier in pairs
    ):
        return rows, None
    rows, taking = rows.copy(), np.where(rows == nowhere, 0.0, 1.0 if taking is None else taking)
    for hop, earlier in pairs:
        again = (rows[hop] == rows[earlier]) & (rows[hop] != nowhere)
        taking[earlier, again] += taking[hop, again]
        rows[hop, again], taking[hop, again] = nowhere, 0.0
    return rows, taking
