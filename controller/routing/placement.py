"""How good a placement of flows is: load by step group, the objective, and what no placement can beat.

A *step group* is a set of steps in which the same flows are active; its flows meet in time. The load of a directed
link in a group is the payload bytes that cross it there, over its rate: seconds. Groups follow one another, so the
objective is the sum over groups of the most loaded link's seconds: what the fabric alone needs for the job.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from controller.routing.next_hops import distances, ends, trunks
from topologies.fabric import Fabric, Port
from topologies.traffic import Demand, Paths


@dataclass(frozen=True, slots=True)
class StepGroup:
    """``nbytes[i]``: what demand number i sends in these ``steps`` together."""

    steps: tuple[int, ...]
    nbytes: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Assessment:
    """``objective_s`` and ``lower_bound_s``: seconds at nominal rates; ``gap``: how far above the bound, as a share."""

    objective_s: float
    lower_bound_s: float

    @property
    def gap(self) -> float:
        return self.objective_s / self.lower_bound_s - 1 if self.lower_bound_s else 0.0

    @property
    def optimal(self) -> bool:
        return self.gap < 1e-9  # the rounding of sums


def step_groups(demands: Sequence[Demand]) -> list[StepGroup]:
    """The steps of ``demands``, those with the same active demands together, in order of their first step."""
    alike: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for number, demand in enumerate(demands):
        alike[demand.steps].append(number)
    classes = list(alike.items())
    active: dict[int, list[int]] = defaultdict(list)
    for name, (steps, _) in enumerate(classes):
        for step in steps:
            active[step].append(name)
    steps_of: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for step in sorted(active):
        steps_of[tuple(active[step])].append(step)
    return [
        StepGroup(tuple(steps), dict(_sent(demands, [classes[name] for name in names], frozenset(steps))))
        for names, steps in steps_of.items()
    ]


def _sent(
    demands: Sequence[Demand], classes: Iterable[tuple[tuple[int, ...], list[int]]], chosen: frozenset[int]
) -> Iterator[tuple[int, int]]:
    for steps, numbers in classes:
        places = [place for place, step in enumerate(steps) if step in chosen]
        for number in numbers:
            step_bytes = demands[number].step_bytes
            yield number, sum(step_bytes) if len(places) == len(steps) else sum(step_bytes[place] for place in places)


def assess(fabric: Fabric, demands: Sequence[Demand], paths: Paths) -> Assessment:
    """The objective of ``paths`` and the bound that no routing of ``demands`` can beat."""
    bounds = _Bounds(fabric, demands)
    objective_s = lower_bound_s = 0.0
    for group in step_groups(demands):
        most_s = max(group_load_s(fabric, demands, paths, group).values(), default=0.0)
        objective_s += most_s
        lower_bound_s += bounds.below(most_s, group)
    return Assessment(objective_s, lower_bound_s)


def group_load_s(fabric: Fabric, demands: Sequence[Demand], paths: Paths, group: StepGroup) -> dict[Port, float]:
    """Seconds that each directed link needs for its bytes in the group."""
    nbytes: dict[Port, int] = defaultdict(int)
    for number, sent in group.nbytes.items():
        for port in paths[demands[number].key].hops:
            nbytes[port] += sent
    return {port: 8 * sent / fabric.rate_bps(port) for port, sent in nbytes.items()}


@dataclass(frozen=True)
class _Bounds:
    """Lower bounds on a group's most loaded link, each true for any paths.

    A flow uses its hosts' links; of the flows that leave (or enter) a switch's hosts for other switches, n over m
    links, some link carries at least ceil(n / m); and all flows together use each at least its distance in links.
    """

    fabric: Fabric
    demands: Sequence[Demand]

    def below(self, most_s: float, group: StepGroup) -> float:
        """The greatest bound; the slow one is left out where a placement already meets the others at ``most_s``."""
        bound = max(self._hosts(group), self._degrees(group))
        return bound if most_s <= bound else max(bound, self._volume(group))

    def _hosts(self, group: StepGroup) -> float:
        nbytes: dict[Port, int] = defaultdict(int)
        for number, sent in group.nbytes.items():
            key = self.demands[number].key
            nbytes[self.fabric.nic(key.src, key.channel)] += sent
            nbytes[self.fabric.attachment(key.dst, key.channel)] += sent
        return max((8 * sent / self.fabric.rate_bps(port) for port, sent in nbytes.items()), default=0.0)

    def _degrees(self, group: StepGroup) -> float:
        crossing: dict[tuple[str, int], list[int]] = defaultdict(list)
        for number, sent in group.nbytes.items():
            source, target = self._ends[number]
            if source != target:
                crossing[source, 0].append(sent)
                crossing[target, 1].append(sent)
        return max((self._shared(switch, sent) for (switch, _), sent in crossing.items()), default=0.0)

    def _shared(self, switch: str, sent: list[int]) -> float:
        rates = [self.fabric.rate_bps(port) for port, _ in self._trunks[switch]]
        if not rates:
            return 0.0
        return 8 * max(sum(sent) / sum(rates), _pigeonhole(sent, len(rates)) / max(rates))

    def _volume(self, group: StepGroup) -> float:
        return 8 * sum(sent * self._distance(number) for number, sent in group.nbytes.items()) / self._trunk_rate_bps

    def _distance(self, number: int) -> int:
        source, target = self._ends[number]
        if source not in self._hops:
            self._hops[source] = distances(self._trunks, [source])
        return self._hops[source].get(target, 0)

    @cached_property
    def _hops(self) -> dict[str, dict[str, int]]:
        return {}

    @cached_property
    def _ends(self) -> list[tuple[str, str]]:
        return [ends(self.fabric, demand.key) for demand in self.demands]

    @cached_property
    def _trunks(self) -> Mapping[str, tuple[tuple[Port, str], ...]]:
        return trunks(self.fabric)

    @cached_property
    def _trunk_rate_bps(self) -> int:
        return sum(self.fabric.rate_bps(port) for ports in self._trunks.values() for port, _ in ports) or 1


def _pigeonhole(sent: list[int], links: int) -> int:
    """Of the j * links + 1 largest flows some j + 1 share a link: the least that they can weigh, over all j."""
    largest = sorted(sent, reverse=True)
    return max(sum(largest[j * links - j : j * links + 1]) for j in range((len(largest) - 1) // links + 1))
