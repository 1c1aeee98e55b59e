"""Explanation: why a placement is as good as it is, and why a flow goes where it goes. Pure.

``placement.py`` says how good a placement is (its objective) and what no placement can beat (its lower bound). Here
the same figures are taken apart: which bound is the *tight* one, the greatest, and at which node it lies; which links
carry most, and by which flows; what every other shortest way of a flow would have cost, all other flows staying.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from controller.routing.errors import RoutingError
from controller.routing.next_hops import NextHops, distances, ends, host_to_host, trunks
from controller.routing.placement import StepGroup, assess, group_load_s, step_groups
from topologies.fabric import Fabric, Port
from topologies.traffic import Demand, FlowKey, Path, Paths

MAX_WAYS = 16
"""Shortest ways of a flow that are looked at: the first so many."""

ROUNDING = 1e-9
"""Sums of floats that differ by less than this share are equal."""

HOST_LINK, SWITCH_LINKS, VOLUME = "host link", "switch links", "volume"


@dataclass(frozen=True, slots=True)
class Bound:
    """What no paths can beat, ``seconds``, and the ``node`` that it lies at (a volume lies at all switches: "")."""

    kind: str
    node: str
    seconds: float

    def __str__(self) -> str:
        return {
            HOST_LINK: f"host link of {self.node}: all its bytes cross it, whatever the paths",
            SWITCH_LINKS: f"links of {self.node} to other switches: they share what its hosts send or get",
            VOLUME: "volume: every flow crosses at least its distance in links",
        }.get(self.kind, self.kind)


@dataclass(frozen=True, slots=True)
class Phase:
    """Steps in which the same flows are active: seconds of the most loaded link, the tight bound, links that full."""

    steps: tuple[int, ...]
    objective_s: float
    bound: Bound
    fullest: tuple[Port, ...]


@dataclass(frozen=True, slots=True)
class LinkLoad:
    """Seconds that a directed link needs for its bytes in all steps, and the flows that bring them."""

    port: Port
    load_s: float
    flows: tuple[FlowKey, ...]


@dataclass(frozen=True, slots=True)
class Way:
    """A way that a flow takes (``chosen``) or could take.

    ``load_s``: the most loaded link of the way in the flow's steps, with the flow on it; ``objective_s``: of all flows
    together if the flow went there and the others stayed.
    """

    path: Path
    chosen: bool
    worst: Port
    load_s: float
    objective_s: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """A placement taken apart; ``links`` from the most loaded on, those between switches before those of hosts.

    ``lower_bound_s`` is that of ``placement.assess``, which can be above the sum of the phases' simpler bounds.
    """

    phases: tuple[Phase, ...]
    links: tuple[LinkLoad, ...]
    lower_bound_s: float

    @property
    def objective_s(self) -> float:
        return sum(phase.objective_s for phase in self.phases)

    @property
    def gap(self) -> float:
        """How far the objective is above the bound, as a share."""
        gap = self.objective_s / self.lower_bound_s - 1 if self.lower_bound_s else 0.0
        return gap if gap > ROUNDING else 0.0


def explain(fabric: Fabric, demands: Sequence[Demand], paths: Paths) -> Explanation:
    """The placement ``paths`` of ``demands``, taken apart."""
    phases = []
    for group in step_groups(demands):
        loads = group_load_s(fabric, demands, paths, group)
        most_s = max(loads.values(), default=0.0)
        fullest = tuple(sorted(port for port, load_s in loads.items() if load_s >= most_s * (1 - ROUNDING)))
        phases.append(Phase(group.steps, most_s, tight_bound(fabric, demands, group), fullest))
    lower_bound_s = assess(fabric, demands, paths).lower_bound_s
    return Explanation(tuple(phases), _link_loads(fabric, demands, paths), lower_bound_s)


def _link_loads(fabric: Fabric, demands: Sequence[Demand], paths: Paths) -> tuple[LinkLoad, ...]:
    flows: dict[Port, list[Demand]] = defaultdict(list)
    for demand in demands:
        for port in paths[demand.key].hops:
            flows[port].append(demand)
    loads = [
        LinkLoad(port, 8 * sum(user.nbytes for user in users) / fabric.rate_bps(port), tuple(u.key for u in users))
        for port, users in flows.items()
    ]
    return tuple(sorted(loads, key=lambda load: (-load.load_s, not _between_switches(fabric, load.port), load.port)))


def _between_switches(fabric: Fabric, port: Port) -> bool:
    return fabric.is_switch(port.node) and fabric.is_switch(fabric.peer(port).node)


# Bounds: each is true for any paths; the greatest is the tight one.


def tight_bound(fabric: Fabric, demands: Sequence[Demand], group: StepGroup) -> Bound:
    """The greatest bound on the group's most loaded link; of equal ones the first: host link, switch links, volume."""
    bounds = [*_host_bounds(fabric, demands, group), *_switch_bounds(fabric, demands, group)]
    bounds += _volume_bound(fabric, demands, group)
    return max(bounds, key=lambda bound: bound.seconds, default=Bound("nothing is sent", "", 0.0))


def _host_bounds(fabric: Fabric, demands: Sequence[Demand], group: StepGroup) -> Iterator[Bound]:
    nbytes: dict[tuple[str, Port], int] = defaultdict(int)
    for number, sent in group.nbytes.items():
        key = demands[number].key
        nbytes[key.src, fabric.nic(key.src, key.channel)] += sent
        nbytes[key.dst, fabric.attachment(key.dst, key.channel)] += sent
    for (host, port), sent in nbytes.items():
        yield Bound(HOST_LINK, host, 8 * sent / fabric.rate_bps(port))


def _switch_bounds(fabric: Fabric, demands: Sequence[Demand], group: StepGroup) -> Iterator[Bound]:
    crossing: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, sent in group.nbytes.items():
        source, target = ends(fabric, demands[number].key)
        if source != target:
            crossing[source, "out"].append(sent)
            crossing[target, "in"].append(sent)
    neighbours = trunks(fabric)
    for (switch, _), sent_each in crossing.items():
        rates = [fabric.rate_bps(port) for port, _ in neighbours[switch]]
        shared = max(sum(sent_each) / sum(rates), _some_link_carries(sent_each, len(rates)) / max(rates))
        yield Bound(SWITCH_LINKS, switch, 8 * shared)


def _some_link_carries(sent: list[int], links: int) -> int:
    """Of the j * links + 1 largest flows some j + 1 share a link (the pigeonhole): at least the j + 1 smallest."""
    largest = sorted(sent, reverse=True)
    return max(sum(largest[j * links - j : j * links + 1]) for j in range((len(largest) - 1) // links + 1))


def _volume_bound(fabric: Fabric, demands: Sequence[Demand], group: StepGroup) -> Iterator[Bound]:
    neighbours = trunks(fabric)
    rate_bps = sum(fabric.rate_bps(port) for ports in neighbours.values() for port, _ in ports)
    known: dict[str, Mapping[str, int]] = {}
    volume = 0
    for number, sent in group.nbytes.items():
        source, target = ends(fabric, demands[number].key)
        if source not in known:
            known[source] = distances(neighbours, [source])
        volume += sent * known[source].get(target, 0)
    if rate_bps:
        yield Bound(VOLUME, "", 8 * volume / rate_bps)


# The ways of one flow.


def ways(fabric: Fabric, demands: Sequence[Demand], paths: Paths, key: FlowKey) -> list[Way]:
    """The way that the flow takes, and its shortest ways, with what each would cost, the best first.

    RoutingError where no demand has this flow.
    """
    groups = step_groups(demands)
    number = next((number for number, demand in enumerate(demands) if demand.key == key), None)
    if number is None:
        raise RoutingError(f"no demand has the flow {key}")
    chosen = paths[key]
    walks = NextHops(fabric).walks(*ends(fabric, key), limit=MAX_WAYS)
    candidates = dict.fromkeys([chosen, *(host_to_host(fabric, key, walk) for walk in walks)])
    found = [_way(fabric, demands, {**paths, key: path}, groups, number, path == chosen) for path in candidates]
    return sorted(found, key=lambda way: (way.objective_s, way.load_s, not way.chosen, way.path.hops))


def _way(
    fabric: Fabric, demands: Sequence[Demand], paths: Paths, groups: Sequence[StepGroup], number: int, chosen: bool
) -> Way:
    path = paths[demands[number].key]
    on_way: dict[Port, float] = dict.fromkeys(path.hops, 0.0)
    objective_s = 0.0
    for group in groups:
        loads = group_load_s(fabric, demands, paths, group)
        objective_s += max(loads.values(), default=0.0)
        if number in group.nbytes:
            for port in path.hops:
                on_way[port] += loads[port]
    inside = [port for port in path.hops if _between_switches(fabric, port)]  # host links are on all ways
    worst = max(inside or path.hops, key=lambda port: on_way[port])
    return Way(path, chosen, worst, on_way[worst], objective_s)


def why(ways: Sequence[Way]) -> str:
    """In one sentence: is the chosen way the best one? ``ways`` as ``ways()`` gives them."""
    chosen = next(way for way in ways if way.chosen)
    others = [way for way in ways if not way.chosen]
    if not others:
        return "it is the only shortest way"
    if any(_less(way.objective_s, chosen.objective_s) for way in others):
        return "not the best: the policy does not look at loads here, or moves other flows too"
    equal = [way for way in others if not _less(chosen.objective_s, way.objective_s)]
    if not equal:
        return "every other shortest way would make the whole job slower"
    if all(_less(chosen.load_s, way.load_s) for way in equal):
        return "no other way makes the job faster, and it is the least loaded of them"
    if any(_less(way.load_s, chosen.load_s) for way in equal):
        return "another way is less loaded, but the job would take as long: links that other flows fill decide"
    return "another way is as good"


def _less(a: float, b: float) -> bool:
    return a < b * (1 - ROUNDING)
