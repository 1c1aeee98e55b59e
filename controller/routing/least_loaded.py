"""Least loaded: longest flows first, each on the shortest path that is least loaded when the flow is active; then
local search, by moves of one flow and of two, counted and not timed so that equal demands get equal paths.

Each (step group, directed link) has a load: bytes over the rate that the situation leaves, in seconds. A change is
taken if the objective (the sum over groups of the largest load) gets smaller, or stays and the sum of the squares of
all loads gets smaller; so the search comes to an end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from controller.routing.layout import layout, once_a_fabric
from controller.routing.next_hops import NextHops
from controller.routing.placement import Problem, Walk
from controller.routing.situation import CLEAR, Situation
from topologies.fabric import Fabric
from topologies.traffic import Demand, FlowKey, Path

MAX_CANDIDATES = 64
"""Shortest paths looked at for a flow: the first so many."""

MAX_TRIALS = 600
"""Changes tried by the local search at most: about 5 ms."""

ROUNDING = 1e-9
"""Loads that differ by less than this share are equal: they are sums of floats."""

Weight = tuple[float, float]


def route(fabric: Fabric, demands: Sequence[Demand], situation: Situation = CLEAR) -> dict[FlowKey, Path]:
    """Paths by the greedy rule, improved by local search."""
    problem = Problem(fabric, demands, situation)
    return problem.paths(spread(problem))


def spread(problem: Problem) -> list[Walk]:
    """A walk for each demand: by the greedy rule, improved."""
    return improved(problem, [None] * len(problem.demands))


def improved(problem: Problem, start: Sequence[Walk | None], *, churn: bool = True) -> list[Walk]:
    """The walks of ``start``, where there is none one by the greedy rule, improved by local search.

    Without ``churn`` a flow moves only where that makes the objective smaller.
    """
    search = _Search(problem, churn)
    for number, walk in enumerate(start):
        if walk is not None:
            search.put(number, walk)
    for number in sorted(search.unplaced(), key=lambda number: (-problem.demands[number].nbytes, number)):
        search.put(number, min(search.candidates(number), key=lambda walk: search.cost(number, walk)))
    search.improve()
    return search.walks()


class _Search:
    def __init__(self, problem: Problem, churn: bool) -> None:
        self._problem, self._churn = problem, churn
        self._bits: list[list[tuple[int, int]]] = [[] for _ in problem.demands]  # (step group, bits) of each demand
        for place, group in enumerate(problem.groups):
            for number, nbytes in group.nbytes.items():
                self._bits[number].append((place, 8 * nbytes))
        self._rate = problem.rate_bps
        self._load: list[dict[int, float]] = [defaultdict(float) for _ in problem.groups]
        self._users: dict[tuple[int, int], set[int]] = defaultdict(set)
        self._most: list[float] = []
        self._walks: dict[int, Walk] = {}
        self._candidates = _Candidates(problem)
        self._trials = MAX_TRIALS

    def candidates(self, number: int) -> Sequence[Walk]:
        return self._candidates.between(self._problem.sources[number], self._problem.targets[number])

    def unplaced(self) -> list[int]:
        return [number for number in range(len(self._bits)) if number not in self._walks]

    def walks(self) -> list[Walk]:
        return [self._walks[number] for number in range(len(self._bits))]

    def cost(self, number: int, walk: Walk) -> tuple[float, float]:
        """The largest entry that the flow would make on ``walk``, and by how much the sum of squares would grow."""
        largest = growth = 0.0
        for group, bits in self._bits[number]:
            load = self._load[group]
            for link in walk:
                before, more = load.get(link, 0.0), bits / self._rate[link]
                largest = max(largest, before + more)
                growth += more * (2 * before + more)
        return largest, growth

    def put(self, number: int, walk: Walk) -> None:
        self._walks[number] = walk
        for group, bits in self._bits[number]:
            for link in walk:
                self._load[group][link] += bits / self._rate[link]
                self._users[group, link].add(number)

    def take(self, number: int) -> Walk:
        walk = self._walks.pop(number)
        for group, bits in self._bits[number]:
            for link in walk:
                self._load[group][link] -= bits / self._rate[link]
                self._users[group, link].discard(number)
        return walk

    def improve(self) -> None:
        """Moves flows off the most loaded links, until none helps or the trials are spent."""
        self._most = [
            max(hosts_s, max(load.values(), default=0.0))
            for hosts_s, load in zip(self._problem.hosts_s, self._load, strict=True)
        ]
        while self._trials > 0 and self._improve_once():
            pass

    def _improve_once(self) -> bool:
        for group, link in sorted(self._users, key=lambda entry: (-self._load[entry[0]][entry[1]], entry)):
            users = sorted(self._users[group, link])
            if len(users) > 1 and any(self._move(number) or self._swap(number) for number in users):
                return True
            if self._trials <= 0:
                return False
        return False

    def _move(self, number: int) -> bool:
        old = self._walks[number]
        return any(self._better([(number, old, new)]) for new in self.candidates(number) if new != old)

    def _swap(self, number: int) -> bool:
        """The flow to another walk, and one of those that it meets there elsewhere."""
        old = self._walks[number]
        return any(
            self._better([(number, old, new), (other, self._walks[other], elsewhere)])
            for new in self.candidates(number)
            if new != old and self._trials > 0
            for other in sorted(self._beside(number, new))
            for elsewhere in self.candidates(other)
            if elsewhere != self._walks[other]
        )

    def _beside(self, number: int, walk: Walk) -> set[int]:
        entries = ((group, link) for group, _ in self._bits[number] for link in walk)
        return {user for entry in entries for user in self._users.get(entry, ())} - {number}

    def _better(self, changes: Sequence[tuple[int, Walk, Walk]]) -> bool:
        """Makes the changes and keeps them if the weight falls; else puts the old walks back."""
        if self._trials <= 0:
            return False
        self._trials -= 1
        touched: dict[int, set[int]] = defaultdict(set)
        for number, old, new in changes:
            for group, _ in self._bits[number]:
                touched[group].update(old, new)
        before = {group: self._loads(group, links) for group, links in touched.items()}
        for number, _, new in changes:
            self.take(number)
            self.put(number, new)
        after = {group: self._loads(group, links) for group, links in touched.items()}
        most = {group: self._most_after(group, before[group], after[group]) for group in touched}
        was = {group: self._most[group] for group in touched}
        if self._less(_weight(most, after), _weight(was, before)):
            for group, most_s in most.items():
                self._most[group] = most_s
            return True
        for number, old, _ in changes:
            self.take(number)
            self.put(number, old)
        return False

    def _loads(self, group: int, links: Iterable[int]) -> list[float]:
        load = self._load[group]
        return [load[link] for link in links]

    def _most_after(self, group: int, before: list[float], after: list[float]) -> float:
        """The group's largest load, all links looked at only where the largest of before may be gone."""
        if max(after) < self._most[group] and max(before) > self._most[group] * (1 - ROUNDING):
            return max(self._problem.hosts_s[group], *self._load[group].values())
        return max(*after, self._most[group])

    def _less(self, a: Weight, b: Weight) -> bool:
        """Whether ``a`` is smaller by more than the rounding of sums."""
        if abs(a[0] - b[0]) > ROUNDING * b[0]:
            return a[0] < b[0]
        return self._churn and a[1] < b[1] * (1 - ROUNDING)


def _weight(most: Mapping[int, float], loads: Mapping[int, list[float]]) -> Weight:
    """The part of objective and squares that lies in the groups and entries of ``loads``."""
    squares = sum(load * load for group in loads.values() for load in group)
    return sum(most.values()), squares


class _Candidates:
    """The shortest walks between two switches, those of a fabric without dead links remembered with the fabric."""

    def __init__(self, problem: Problem) -> None:
        fabric, dead = problem.fabric, problem.situation.dead
        self._switches, self._number = fabric.switches, layout(fabric).number
        self._hops = NextHops(fabric, dead) if dead else _clear_hops(fabric)
        self._known: dict[tuple[int, int], list[Walk]] = {}

    def between(self, source: int, target: int) -> Sequence[Walk]:
        if (source, target) not in self._known:
            walks = self._hops.walks(self._switches[source], self._switches[target], limit=MAX_CANDIDATES)
            self._known[source, target] = [tuple(self._number[port] for port in walk) for walk in walks]
        return self._known[source, target]


@once_a_fabric
def _clear_hops(fabric: Fabric) -> NextHops:
    return NextHops(fabric)
