"""Least loaded: longest flows first, each on the shortest path that is least loaded when the flow is active; then
local search, by moves of one flow and of two, counted and not timed so that equal demands get equal paths.

Each (step group, directed link) has a load: bytes over rate, in seconds. A change is taken if the objective (the sum
over groups of the largest load) gets smaller, or stays and the sum of the squares of all loads gets smaller; so the
search comes to an end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from controller.routing.next_hops import NextHops, ends, host_to_host
from controller.routing.placement import step_groups
from topologies.fabric import Fabric, Port
from topologies.traffic import Demand, FlowKey, Path, Paths

MAX_CANDIDATES = 64
"""Shortest paths looked at for a flow: the first so many."""

MAX_TRIALS = 10_000
"""Changes tried by the local search at most: 0.6 s for a ring over an 8x8 torus."""

ROUNDING = 1e-9
"""Loads that differ by less than this share are equal: they are sums of floats."""

Walk = tuple[Port, ...]
Weight = tuple[float, float]


def spread(fabric: Fabric, demands: Sequence[Demand]) -> dict[FlowKey, Path]:
    """Paths by the greedy rule, improved by local search."""
    search = _Search(fabric, demands)
    for number in search.longest_first():
        search.put(number, min(search.candidates[number], key=lambda walk: search.cost(number, walk)))
    search.improve()
    return search.paths()


def improved(fabric: Fabric, demands: Sequence[Demand], paths: Paths) -> dict[FlowKey, Path]:
    """``paths`` (which must be among the shortest) improved by local search."""
    search = _Search(fabric, demands)
    for number, demand in enumerate(demands):
        search.put(number, paths[demand.key].hops[1:-1])
    search.improve()
    return search.paths()


@dataclass(slots=True)
class _Trials:
    left: int = MAX_TRIALS

    def spend(self) -> bool:
        self.left -= 1
        return self.left >= 0


class _Search:
    def __init__(self, fabric: Fabric, demands: Sequence[Demand]) -> None:
        self._fabric, self._demands = fabric, demands
        self._bits: list[list[tuple[int, int]]] = [[] for _ in demands]  # (step group, bits) of each demand
        for group, active in enumerate(step_groups(demands)):
            for number, nbytes in active.nbytes.items():
                self._bits[number].append((group, 8 * nbytes))
        self.candidates = _candidates(fabric, demands)
        self._rate = {port: float(fabric.rate_bps(port)) for port in fabric.directed_links()}
        self._load: dict[int, dict[Port, float]] = defaultdict(lambda: defaultdict(float))  # by step group
        self._users: dict[tuple[int, Port], set[int]] = defaultdict(set)
        self._most: dict[int, float] = {}
        self._walks: dict[int, Walk] = {}

    def longest_first(self) -> list[int]:
        return sorted(range(len(self._demands)), key=lambda number: (-self._demands[number].nbytes, number))

    def cost(self, number: int, walk: Walk) -> tuple[float, float]:
        """The largest entry that the flow would make on ``walk``, and by how much the sum of squares would grow."""
        largest = growth = 0.0
        for group, bits in self._bits[number]:
            for port in walk:
                before, more = self._load[group][port], bits / self._rate[port]
                largest = max(largest, before + more)
                growth += more * (2 * before + more)
        return largest, growth

    def put(self, number: int, walk: Walk) -> None:
        self._walks[number] = walk
        for group, bits in self._bits[number]:
            for port in walk:
                self._load[group][port] += bits / self._rate[port]
                self._users[group, port].add(number)

    def take(self, number: int) -> Walk:
        walk = self._walks.pop(number)
        for group, bits in self._bits[number]:
            for port in walk:
                self._load[group][port] -= bits / self._rate[port]
                self._users[group, port].discard(number)
        return walk

    def paths(self) -> dict[FlowKey, Path]:
        return {
            demand.key: host_to_host(self._fabric, demand.key, self._walks[number])
            for number, demand in enumerate(self._demands)
        }

    def improve(self) -> None:
        """Moves flows off the most loaded links, until none helps or the trials are spent."""
        trials = _Trials()
        self._most = {group: max(loads.values()) for group, loads in self._load.items() if loads}
        while self._improve_once(trials):
            pass

    def _improve_once(self, trials: _Trials) -> bool:
        for group, port in sorted(self._users, key=lambda entry: (-self._load[entry[0]][entry[1]], entry)):
            users = sorted(self._users[group, port])
            if len(users) > 1 and any(self._move(number, trials) or self._swap(number, trials) for number in users):
                return True
            if trials.left < 0:
                return False
        return False

    def _move(self, number: int, trials: _Trials) -> bool:
        old = self._walks[number]
        return any(
            trials.spend() and self._better([(number, old, new)]) for new in self.candidates[number] if new != old
        )

    def _swap(self, number: int, trials: _Trials) -> bool:
        old = self._walks[number]
        for new in self.candidates[number]:
            if new == old:
                continue
            for other in sorted(self._beside(number, new)):
                walk = self._walks[other]
                for elsewhere in self.candidates[other]:
                    if elsewhere != walk:
                        if not trials.spend():
                            return False
                        if self._better([(number, old, new), (other, walk, elsewhere)]):
                            return True
        return False

    def _beside(self, number: int, walk: Walk) -> set[int]:
        entries = ((group, port) for group, _ in self._bits[number] for port in walk)
        return {user for entry in entries for user in self._users[entry]} - {number}

    def _better(self, changes: Sequence[tuple[int, Walk, Walk]]) -> bool:
        """Makes the changes and keeps them if the weight falls; else puts the old walks back."""
        touched: dict[int, set[Port]] = defaultdict(set)
        for number, old, new in changes:
            for group, _ in self._bits[number]:
                touched[group].update(old, new)
        before = {group: self._loads(group, ports) for group, ports in touched.items()}
        for number, _, new in changes:
            self.take(number)
            self.put(number, new)
        after = {group: self._loads(group, ports) for group, ports in touched.items()}
        most = {group: self._most_after(group, before[group], after[group]) for group in touched}
        if _less(_weight(most, after), _weight(self._most, before)):
            self._most.update(most)
            return True
        for number, old, _ in changes:
            self.take(number)
            self.put(number, old)
        return False

    def _loads(self, group: int, ports: Iterable[Port]) -> list[float]:
        return [self._load[group][port] for port in ports]

    def _most_after(self, group: int, before: list[float], after: list[float]) -> float:
        """The group's largest load, all links looked at only where the largest of before may be gone."""
        if max(after) < self._most[group] and max(before) > self._most[group] * (1 - ROUNDING):
            return max(self._load[group].values())
        return max(*after, self._most[group])


def _weight(most: Mapping[int, float], loads: Mapping[int, list[float]]) -> Weight:
    """The part of objective and squares that lies in the groups and entries of ``loads``."""
    squares = sum(load * load for group in loads.values() for load in group)
    return sum(most[group] for group in loads), squares


def _less(a: Weight, b: Weight) -> bool:
    """Whether ``a`` is smaller by more than the rounding of sums."""
    if abs(a[0] - b[0]) > ROUNDING * b[0]:
        return a[0] < b[0]
    return a[1] < b[1] * (1 - ROUNDING)


def _candidates(fabric: Fabric, demands: Sequence[Demand]) -> list[list[Walk]]:
    hops = NextHops(fabric)
    pairs = [ends(fabric, demand.key) for demand in demands]
    known = {pair: hops.walks(*pair, limit=MAX_CANDIDATES) for pair in dict.fromkeys(pairs)}
    return [known[pair] for pair in pairs]
