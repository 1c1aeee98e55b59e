"""How good a placement of flows is: load by step group, the objective, and what no placement can beat.

A *step group* is a set of steps in which the same flows are active; its flows meet in time. The load of a directed
link in a group is the payload bytes that cross it there, over the rate that the situation leaves: seconds. Groups
follow one another, so the objective is the sum over groups of the most loaded link's seconds: what the fabric alone
needs for the job.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from math import inf
from operator import truediv

from controller.routing.clos import clos
from controller.routing.layout import layout, once_a_fabric
from controller.routing.next_hops import distances, ends, trunks
from controller.routing.situation import CLEAR, Situation
from topologies.fabric import Fabric, Port
from topologies.traffic import Demand, FlowKey, Path, Paths


@dataclass(frozen=True, slots=True)
class StepGroup:
    """``nbytes[i]``: what demand number i sends in these ``steps`` together."""

    steps: tuple[int, ...]
    nbytes: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Assessment:
    """``objective_s`` and ``lower_bound_s``: seconds at the situation's rates; ``gap``: the share above the bound."""

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
    if len(classes) == 1 and classes[0][0]:  # the usual case: all flows are active at all steps
        return [StepGroup(classes[0][0], {number: demand.nbytes for number, demand in enumerate(demands)})]
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


Walk = tuple[int, ...]
"""The numbers (``layout.py``) of the links from a flow's first switch to its last."""


def assess(fabric: Fabric, demands: Sequence[Demand], paths: Paths, situation: Situation = CLEAR) -> Assessment:
    """The objective of ``paths`` and the bound that no routing of ``demands`` can beat."""
    problem = Problem(fabric, demands, situation)
    return problem.assess([problem.walk(paths[demand.key]) for demand in demands])


def group_load_s(
    fabric: Fabric, demands: Sequence[Demand], paths: Paths, group: StepGroup, situation: Situation = CLEAR
) -> dict[Port, float]:
    """Seconds that each directed link needs for its bytes in the group."""
    nbytes: dict[Port, int] = defaultdict(int)
    for number, sent in group.nbytes.items():
        for port in paths[demands[number].key].hops:
            nbytes[port] += sent
    return {port: 8 * sent / situation.residual_rate_bps(fabric, port) for port, sent in nbytes.items()}


class Problem:
    """Demands to be placed on a fabric in a situation, as numbers of links and switches.

    ``sources[i]``, ``targets[i]``: the switches of demand number i; ``_nics``, ``_attachments``: its hosts' links.
    RoutingError for a flow that has no way at its ends.
    """

    def __init__(self, fabric: Fabric, demands: Sequence[Demand], situation: Situation = CLEAR) -> None:
        self.fabric, self.demands, self.situation = fabric, demands, situation
        self.groups = step_groups(demands)
        self.rate_bps = layout(fabric).rate_bps if situation == CLEAR else _residual(fabric, situation)
        self.sources: list[int] = []
        self.targets: list[int] = []
        self._nics: list[int] = []
        self._attachments: list[int] = []
        places, dead = layout(fabric).places, situation.dead
        for demand in demands:
            key = demand.key
            here, there = places.get(key.src), places.get(key.dst)
            if here is None or there is None or here is there or dead:
                ends(fabric, key, dead)  # raises where something is wrong
            assert here is not None
            assert there is not None
            nic, _, source = here[0] if len(here) == 1 else here[key.channel % len(here)]
            _, attachment, target = there[0] if len(there) == 1 else there[key.channel % len(there)]
            self.sources.append(source)
            self.targets.append(target)
            self._nics.append(nic)
            self._attachments.append(attachment)

    def walk(self, path: Path) -> Walk:
        number = layout(self.fabric).number
        return tuple(number[port] for port in path.hops[1:-1])

    def paths(self, walks: Sequence[Walk]) -> dict[FlowKey, Path]:
        port = layout(self.fabric).ports.__getitem__
        return {
            demand.key: Path(tuple(map(port, (nic, *walk, attachment))))
            for demand, nic, walk, attachment in zip(self.demands, self._nics, walks, self._attachments, strict=True)
        }

    def alive(self, walk: Walk) -> bool:
        return all(self.rate_bps[link] for link in walk)

    def assess(self, walks: Sequence[Walk]) -> Assessment:
        most_s = [self._most_s(place, walks) for place in range(len(self.groups))]
        return Assessment(sum(most_s), sum(map(self._bound_s, range(len(self.groups)), most_s)))

    def _most_s(self, place: int, walks: Sequence[Walk]) -> float:
        """The group's most loaded link's seconds."""
        nbytes = self.groups[place].nbytes
        walked = _bytes_at([walks[number] for number in nbytes], nbytes.values())
        return max(self.hosts_s[place], _most_loaded_s(walked, self.rate_bps))

    def _bound_s(self, place: int, most_s: float) -> float:
        """The greatest bound; the slow one is left out where a placement already meets the others at ``most_s``.

        Each is true for any paths: a flow uses its hosts' links; of the n flows that leave (or enter) a switch or a
        pod by m links, some link carries at least ceil(n / m); all flows together use each at least its distance.
        """
        bound = max(self.hosts_s[place], self._cuts_s(place))
        return bound if most_s <= bound * (1 + 1e-9) else max(bound, self._volume_s(place))

    @cached_property
    def hosts_s(self) -> list[float]:
        """By step group: the seconds of the most loaded link of a host, the same for all placements."""
        found = []
        for group in self.groups:
            links = [(self._nics[number], self._attachments[number]) for number in group.nbytes]
            found.append(_most_loaded_s(_bytes_at(links, group.nbytes.values()), self.rate_bps))
        return found

    def _cuts_s(self, place: int) -> float:
        return max((self._cut_s(cuts, place) for cuts in self._cuts), default=0.0)

    def _cut_s(self, cuts: _Cuts, place: int) -> float:
        nbytes = self.groups[place].nbytes
        of, sources, targets = cuts.of, self.sources, self.targets
        ends = [(of[sources[number]], of[targets[number]]) for number in nbytes]
        crossing = [(source, target, sent) for (source, target), sent in zip(ends, nbytes.values(), strict=True)
                    if source != target]  # fmt: skip
        return max(
            (
                _shared_s(cuts.capacities[part][way], sent)
                for way in (0, 1)
                for part, sent in _by_part(crossing, way).items()
            ),
            default=0.0,
        )

    @cached_property
    def _cuts(self) -> tuple[_Cuts, ...]:
        return _clear_cuts(self.fabric) if self.situation == CLEAR else _cuts(self.fabric, self.rate_bps)

    def _volume_s(self, place: int) -> float:
        return 8 * sum(n * self._distance(i) for i, n in self.groups[place].nbytes.items()) / self._trunk_rate_bps

    def _distance(self, number: int) -> int:
        source, target = (self.fabric.switches[switch] for switch in (self.sources[number], self.targets[number]))
        if source not in self._hops:
            self._hops[source] = distances(self._trunks, [source])
        return self._hops[source].get(target, 0)

    @cached_property
    def _hops(self) -> dict[str, dict[str, int]]:
        return {}

    @cached_property
    def _trunks(self) -> Mapping[str, tuple[tuple[Port, str], ...]]:
        return trunks(self.fabric, self.situation.dead)

    @cached_property
    def _trunk_rate_bps(self) -> float:
        number = layout(self.fabric).number
        return sum(self.rate_bps[number[port]] for ports in self._trunks.values() for port, _ in ports) or 1.0


@dataclass(frozen=True, slots=True)
class _Capacity:
    """Of links side by side that live: the sum of their rates, how many they are, and the highest rate."""

    sum_bps: float
    links: int
    most_bps: float


@dataclass(frozen=True, slots=True)
class _Cuts:
    """A division of the switches: ``of[switch]`` is its part, ``capacities[part]`` of the links out of it and in."""

    of: Sequence[int]
    capacities: Mapping[int, tuple[_Capacity, _Capacity]]


@once_a_fabric
def _clear_cuts(fabric: Fabric) -> tuple[_Cuts, ...]:
    return _cuts(fabric, layout(fabric).rate_bps)


def _cuts(fabric: Fabric, rate_bps: Sequence[float]) -> tuple[_Cuts, ...]:
    """Every switch for itself; and the pods of a three-tier Clos."""
    number = layout(fabric).number
    links = {place: [number[port] for port, _ in ports] for place, ports in enumerate(trunks(fabric).values())}
    switches = _Cuts(range(len(links)), _capacities(links, rate_bps))
    shape = clos(fabric)
    if shape is None or not shape.core_width:
        return (switches,)
    tops: dict[int, list[int]] = defaultdict(list)
    for (pod, _), ups in shape.core_uplinks.items():
        tops[pod] += ups
    return switches, _Cuts([shape.pod.get(place, -1) for place in links], _capacities(tops, rate_bps))


def _capacities(
    links: Mapping[int, Sequence[int]], rate_bps: Sequence[float]
) -> dict[int, tuple[_Capacity, _Capacity]]:
    return {
        part: (_capacity([rate_bps[link] for link in out]), _capacity([rate_bps[link ^ 1] for link in out]))
        for part, out in links.items()
    }


def _capacity(rates: Sequence[float]) -> _Capacity:
    return _Capacity(sum(rates), sum(rate > 0 for rate in rates), max(rates, default=0.0))


def _residual(fabric: Fabric, situation: Situation) -> tuple[float, ...]:
    return tuple(situation.residual_rate_bps(fabric, port) for port in layout(fabric).ports)


def _bytes_at(walks: Sequence[Sequence[int]], sent: Collection[int]) -> Mapping[int, int]:
    """Bytes on each link, where walk number i carries the i-th of ``sent``."""
    if len(sizes := set(sent)) == 1:  # the usual case, counted much faster
        size = sizes.pop()
        return {link: size * flows for link, flows in Counter(chain.from_iterable(walks)).items()}
    nbytes: dict[int, int] = defaultdict(int)
    for walk, size in zip(walks, sent, strict=True):
        for link in walk:
            nbytes[link] += size
    return nbytes


def _most_loaded_s(nbytes: Mapping[int, int], rate_bps: Sequence[float]) -> float:
    """Seconds; a dead link that is used never ends."""
    try:
        return 8 * max(map(truediv, nbytes.values(), map(rate_bps.__getitem__, nbytes)), default=0.0)
    except ZeroDivisionError:
        return inf


def _by_part(crossing: Sequence[tuple[int, int, int]], way: int) -> dict[int, Counter[int]]:
    """How many flows of each size cross the border of each part: out of it (``way`` 0) or into it (1)."""
    parts: dict[int, Counter[int]] = defaultdict(Counter)
    for (part, size), flows in Counter((flow[way], flow[2]) for flow in crossing).items():
        parts[part][size] = flows
    return parts


def _shared_s(capacity: _Capacity, sizes: Counter[int]) -> float:
    """What some of the links needs at least for flows of these ``sizes`` in bytes that cross by them."""
    if not capacity.links:
        return 0.0
    volume = sum(size * flows for size, flows in sizes.items())
    return 8 * max(volume / capacity.sum_bps, _pigeonhole(sizes, capacity.links) / capacity.most_bps)


def _pigeonhole(sizes: Counter[int], links: int) -> int:
    """Of the j * links + 1 largest flows some j + 1 share a link: the least that they can weigh, over all j."""
    if len(sizes) == 1:
        ((size, flows),) = sizes.items()
        return size * -(-flows // links)
    largest = sorted(sizes.elements(), reverse=True)
    return max(sum(largest[j * links - j : j * links + 1]) for j in range((len(largest) - 1) // links + 1))
