"""Rules: what stands in a switch's table, as plain data; from paths to rules, and from one rule set to the next.

Three priorities. 0: the explicit drop, so that what nothing matches is counted and goes nowhere (no flooding, no
LLDP; no ARP, for neighbours are permanent, or the switch that is asked answers). 5 and 10: the resident rules, which
deliver by destination along the spanning tree; a switch knows the hosts below it (10) and sends the rest up (5), so
that a fabric of 1,000 hosts needs thousands of rules and not hundreds of thousands. 100: a job's flows, exact to the
5-tuple, one rule a switch.

Updates are make before break. A rule carries how many switches its packets still have before them (``remaining``).
New rules go in from the destination backwards, rank by rank, each rank answered before the next is sent: a packet
follows what was there before until it meets a switch that is already changed, and from there on all are. Old rules
go out from the source forwards, for the same reason turned round, once the packets on their way have arrived (a job
that is withdrawn has no successor to wait for). So no packet meets a loop or a hole; between two ways of fewest hops
none meets a rule that would send it back, either.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from enum import Enum

from controller.routing.spanning_tree import climb, tree
from topologies.addressing import MAX_LISTED_HOSTS, ends, nics
from topologies.fabric import Fabric, Port
from topologies.traffic import FlowKey, Path, Paths

ETH_TYPE_IPV4 = 0x0800
ETH_TYPE_ARP = 0x0806
ARP_REQUEST = 1
IP_PROTO_TCP = 6

MISS_PRIORITY = 0
UP_PRIORITY = 5
DOWN_PRIORITY = 10
FLOW_PRIORITY = 100

FLOW_BITS = 24
EPOCH_BITS = 16
"""A rule's cookie is epoch (16 bits), then the flow's number in its job from 1, 0 for a resident rule (24 bits)."""


@dataclass(frozen=True, slots=True)
class Match:
    """The header fields that must be equal; None matches all. Fields as OpenFlow 1.3 calls them."""

    eth_type: int | None = None
    ip_proto: int | None = None
    ipv4_src: str | None = None
    ipv4_dst: str | None = None
    tcp_src: int | None = None
    tcp_dst: int | None = None
    arp_op: int | None = None

    def fields(self) -> dict[str, int | str]:
        """The fields that are matched."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def __str__(self) -> str:
        return ",".join(f"{name}={value}" for name, value in self.fields().items()) or "*"


@dataclass(frozen=True, slots=True)
class Rule:
    """At ``switch``, packets that ``match`` leave by ``out_port``, or are dropped where it is None.

    ``answers_arp``: instead the switch answers them itself. They are ARP requests, and a MAC address follows from the
    IP address that they ask for, so one rule answers for every host.
    """

    switch: str
    priority: int
    match: Match
    out_port: int | None
    cookie: int = 0
    remaining: int = 0
    answers_arp: bool = False

    @property
    def key(self) -> tuple[int, Match]:
        """What makes two rules of a switch the same entry."""
        return self.priority, self.match

    def __str__(self) -> str:
        end = "drop" if self.out_port is None else f"output {self.out_port}"
        end = "answer" if self.answers_arp else end
        return f"{self.switch} priority {self.priority} {self.match}: {end}"


class Command(Enum):
    ADD = "add"
    """Puts a rule in, or in the place of the one with the same priority and match, at once."""
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Change:
    command: Command
    rule: Rule


@dataclass(frozen=True, slots=True)
class Phase:
    """One line of the order of updates: which command, and from which end of the paths."""

    command: Command
    from_destination: bool


UPDATE_ORDER = (Phase(Command.ADD, from_destination=True), Phase(Command.DELETE, from_destination=False))
"""The phases of an update; within each, one stage for each rank, and a barrier at every switch after each stage."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Changes by switch that may be made in any order; the next stage waits until all are answered.

    ``drains``: and this one first lets packets arrive that are on their way by rules which it deletes.
    """

    changes: Mapping[str, tuple[Change, ...]]
    drains: bool = False


def update_stages(before: Iterable[Rule], after: Iterable[Rule]) -> tuple[Stage, ...]:
    """The stages that lead from one rule set to the other without a loop or a hole in between."""
    old = {(rule.switch, *rule.key): rule for rule in before}
    new = {(rule.switch, *rule.key): rule for rule in after}
    changed = {
        Command.ADD: [rule for key, rule in new.items() if key not in old or old[key].out_port != rule.out_port],
        Command.DELETE: [rule for key, rule in old.items() if key not in new],
    }
    stages = [Stage(changes) for phase in UPDATE_ORDER for changes in _by_rank(phase, changed[phase.command])]
    if changed[Command.ADD] and changed[Command.DELETE]:
        first = next(place for place, stage in enumerate(stages) if _deletes(stage))
        stages[first] = replace(stages[first], drains=True)
    return tuple(stages)


def _deletes(stage: Stage) -> bool:
    return any(change.command is Command.DELETE for changes in stage.changes.values() for change in changes)


def _by_rank(phase: Phase, rules: Iterable[Rule]) -> Iterator[dict[str, tuple[Change, ...]]]:
    ranks: dict[int, dict[str, list[Change]]] = defaultdict(lambda: defaultdict(list))
    for rule in rules:
        ranks[rule.remaining][rule.switch].append(Change(phase.command, rule))
    for rank in sorted(ranks, reverse=not phase.from_destination):
        yield {switch: tuple(changes) for switch, changes in ranks[rank].items()}


def resident_rules(fabric: Fabric) -> list[Rule]:
    """For every switch: the drop, the way up, and the hosts below it on the spanning tree."""
    parents = tree(fabric)
    any_ipv4 = Match(eth_type=ETH_TYPE_IPV4)
    rules = [Rule(switch, MISS_PRIORITY, Match(), None) for switch in fabric.switches]
    rules += [Rule(switch, UP_PRIORITY, any_ipv4, port.number) for switch, port in parents.items()]
    for nic in nics(fabric):
        match = Match(eth_type=ETH_TYPE_IPV4, ipv4_dst=nic.ip)
        down = _down_to(fabric, parents, fabric.peer(nic.port))
        rules += [Rule(port.node, DOWN_PRIORITY, match, port.number) for port in down]
    return [*rules, *_arp_answers(fabric)]


def _arp_answers(fabric: Fabric) -> Iterator[Rule]:
    """In a fabric too large for hosts to hold lists of neighbours, every switch with hosts answers for all."""
    if len(fabric.hosts) > MAX_LISTED_HOSTS:
        request = Match(eth_type=ETH_TYPE_ARP, arp_op=ARP_REQUEST)
        for switch in sorted({fabric.peer(nic.port).node for nic in nics(fabric)}):
            yield Rule(switch, DOWN_PRIORITY, request, None, answers_arp=True)


def _down_to(fabric: Fabric, parents: Mapping[str, Port], attachment: Port) -> Iterator[Port]:
    yield attachment
    for port in climb(fabric, parents, attachment.node):
        yield fabric.peer(port)


def flow_rules(fabric: Fabric, paths: Paths, epoch: int) -> list[Rule]:
    """One rule for each switch on each path, exact to the 5-tuple."""
    return [
        rule
        for number, (key, path) in enumerate(paths.items(), start=1)
        for rule in _rules_along(path, _exact(fabric, key), cookie(epoch, number))
    ]


def cookie(epoch: int, number: int) -> int:
    """The cookie of flow ``number`` of the job of ``epoch``, both cut to their bits."""
    return (epoch % (1 << EPOCH_BITS)) << FLOW_BITS | number % (1 << FLOW_BITS)


def _exact(fabric: Fabric, key: FlowKey) -> Match:
    return Match(ETH_TYPE_IPV4, IP_PROTO_TCP, *ends(fabric, key), key.src_port, key.dst_port)


def _rules_along(path: Path, match: Match, cookie: int) -> Iterator[Rule]:
    ports = path.hops[1:]  # the first hop is the host's
    for place, port in enumerate(ports):
        yield Rule(port.node, FLOW_PRIORITY, match, port.number, cookie, remaining=len(ports) - 1 - place)
