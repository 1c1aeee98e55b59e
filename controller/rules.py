"""Rules: what stands in a switch's tables, as plain data, and the rules of a fabric's resident routes and of flows.

Every packet that crosses a switch link carries a *tag*, the version of the route that it follows (Reitblatt et al.,
"Abstractions for Network Update", SIGCOMM 2012): the switch it enters by puts the tag on, the switch that hands it to
its host takes it off, and rules in between match it. So a packet keeps to one version of its route from end to end,
whatever is being changed meanwhile: new tagged rules go in first, unseen by any packet; then one rule at the ingress
changes, which a switch does at once; then, when the packets on their way have arrived, the old tagged rules go out.

A flow has a path and, where the fabric has one, a *backup*: a path that shares no link with it. At every switch of
the path a fast-failover group sends packets on as long as that port lives; else it gives them the backup's tag and
sends them on along the backup, or, at a switch that the backup does not pass, back the way they came, up to the first
switch that it does pass. No controller has a part in it (OpenFlow 1.3, 5.6.1.4).

Four priorities. 0: the explicit drop, so that what nothing matches is counted and goes nowhere (no flooding, no
LLDP; no ARP, for neighbours are permanent, or the switch that is asked answers). 5 and 10: the resident rules, which
deliver by destination along the spanning tree; a switch knows the hosts below it (10) and sends the rest up (5), so
that a fabric of 1,000 hosts needs thousands of rules and not hundreds of thousands. 100: a job's flows, exact to the
5-tuple. 90: those of any port, which hold for what no exact one says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from controller.routing.spanning_tree import climb, tree
from topologies.addressing import MAX_LISTED_HOSTS, ends, nics
from topologies.fabric import Fabric, Port
from topologies.traffic import FlowKey, Path

ETH_TYPE_IPV4 = 0x0800
ETH_TYPE_ARP = 0x0806
ARP_REQUEST = 1
IP_PROTOCOLS = {"tcp": 6, "udp": 17}

MISS_PRIORITY = 0
UP_PRIORITY = 5
DOWN_PRIORITY = 10
FLOW_PRIORITY = 100
PAIR_PRIORITY = 90
"""Of flows of any port."""

UNTAGGED = 0
"""As hosts send."""

RESIDENT_VERSIONS = range(1, 8)
"""A resident version is its own tag."""

FLOW_VERSIONS = range(4, 128)
"""A flow's version v has two tags: 2v on its path, 2v + 1 on its backup."""

EXPEDITED = 46
"""The mark "expedited forwarding" (RFC 3246), a DSCP."""

DSCP_OF_PRIORITY = (None, EXPEDITED)
"""The mark of a job's packets by its priority: none for everybody's, 0."""

MAX_GROUP_PORT = 1023
"""Port numbers up to here fit into a group's number; a flow by a higher one is not protected."""


@dataclass(frozen=True, slots=True)
class Match:
    """The header fields that must be equal; None matches all. Fields as OpenFlow 1.3 calls them, and ``tag``."""

    eth_type: int | None = None
    ip_proto: int | None = None
    ipv4_src: str | None = None
    ipv4_dst: str | None = None
    tcp_src: int | None = None
    tcp_dst: int | None = None
    udp_src: int | None = None
    udp_dst: int | None = None
    arp_op: int | None = None
    tag: int | None = None

    def fields(self) -> dict[str, int | str]:
        """The fields that are matched."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def __str__(self) -> str:
        return ",".join(f"{name}={value}" for name, value in self.fields().items()) or "*"


@dataclass(frozen=True, slots=True)
class Output:
    port: int

    def __str__(self) -> str:
        return f"output {self.port}"


@dataclass(frozen=True, slots=True)
class Bounce:
    """Out by the port that the packet came in by (OpenFlow drops an Output to it)."""

    def __str__(self) -> str:
        return "back"


@dataclass(frozen=True, slots=True)
class SetTag:
    tag: int

    def __str__(self) -> str:
        return f"tag {self.tag}" if self.tag else "untag"


@dataclass(frozen=True, slots=True)
class SetDscp:
    """Marks the packet with its job's class of service (RFC 2474), by which full links choose whom to serve first."""

    dscp: int

    def __str__(self) -> str:
        return f"dscp {self.dscp}"


@dataclass(frozen=True, slots=True)
class ToGroup:
    group: int

    def __str__(self) -> str:
        return f"group {self.group:#x}"


@dataclass(frozen=True, slots=True)
class AnswerArp:
    """The switch answers an ARP request itself: a MAC address follows from the IP address that is asked for."""

    def __str__(self) -> str:
        return "answer"


Action = Output | Bounce | SetTag | SetDscp | ToGroup | AnswerArp


@dataclass(frozen=True, slots=True)
class Rule:
    """At ``switch``, what is done with packets that ``match``; without actions they are dropped."""

    switch: str
    priority: int
    match: Match
    actions: tuple[Action, ...]
    cookie: int = 0

    @property
    def key(self) -> tuple[int, Match]:
        """What makes two rules of a switch the same entry."""
        return self.priority, self.match

    @property
    def is_ingress(self) -> bool:
        """Whether packets meet it as they come from a host: it decides on the version of their route."""
        return not self.match.tag

    def __str__(self) -> str:
        return f"{self.switch} priority {self.priority} {self.match}: {', '.join(map(str, self.actions)) or 'drop'}"


@dataclass(frozen=True, slots=True)
class Bucket:
    """``actions``, as long as ``watch_port`` lives."""

    watch_port: int
    actions: tuple[Action, ...]

    def __str__(self) -> str:
        return f"while port {self.watch_port} lives: {', '.join(map(str, self.actions))}"


@dataclass(frozen=True, slots=True)
class Group:
    """A fast-failover group: a packet takes the first bucket that lives, and is dropped where none does."""

    switch: str
    number: int
    buckets: tuple[Bucket, ...]

    @property
    def key(self) -> int:
        return self.number

    def __str__(self) -> str:
        return f"{self.switch} group {self.number:#x}: {'; else '.join(map(str, self.buckets))}"


Entry = Rule | Group


# Cookies: 8 bits that say the rule is ours, 1 that it is an ingress rule of a flow, 15 for the job's number (0: the
# resident rules), 16 for the route's version, 24 for the flow's number in its job, from 1.

SIGNATURE = 0xA1
_SIGNATURE_SHIFT, _INGRESS_SHIFT, _JOB_SHIFT, _VERSION_SHIFT = 56, 55, 40, 24
INGRESS_COOKIE = SIGNATURE << _SIGNATURE_SHIFT | 1 << _INGRESS_SHIFT
INGRESS_COOKIE_MASK = 0x1FF << _INGRESS_SHIFT


def cookie(job: int = 0, version: int = 0, flow: int = 0, ingress: bool = False) -> int:
    """Each number cut to its bits."""
    return (
        SIGNATURE << _SIGNATURE_SHIFT
        | ingress << _INGRESS_SHIFT
        | job % (1 << 15) << _JOB_SHIFT
        | version % (1 << 16) << _VERSION_SHIFT
        | flow % (1 << 24)
    )


def job_of(cookie: int) -> int | None:
    """The number of the job whose rule has this cookie; 0 for a resident rule, None for one that is not ours."""
    return cookie >> _JOB_SHIFT & 0x7FFF if cookie >> _SIGNATURE_SHIFT == SIGNATURE else None


# Resident rules.


def resident_rules(
    fabric: Fabric, version: int = RESIDENT_VERSIONS[0], dead: frozenset[str] = frozenset()
) -> list[Rule]:
    """For every switch: the drop, the way up, and the hosts below it on the spanning tree of the live links."""
    parents = tree(fabric, dead)
    rules = [Rule(switch, MISS_PRIORITY, Match(), (), cookie()) for switch in fabric.switches]
    for port in parents.values():
        rules += _onward(fabric, version, UP_PRIORITY, port, None)
    for nic in nics(fabric):
        if fabric.link(nic.port).name in dead:
            continue
        attachment = fabric.peer(nic.port)
        rules += _handed_over(version, attachment, nic.ip)
        for port in climb(fabric, parents, attachment.node):
            rules += _onward(fabric, version, DOWN_PRIORITY, fabric.peer(port), nic.ip)
    return [*rules, *_arp_answers(fabric)]


def _onward(fabric: Fabric, version: int, priority: int, port: Port, target: str | None) -> Iterator[Rule]:
    """To the next switch: with the tag that came, and from hosts of this switch with a new one."""
    if port.node in fabric.leaves:
        untagged = Match(ETH_TYPE_IPV4, ipv4_dst=target, tag=UNTAGGED)
        yield Rule(port.node, priority, untagged, (SetTag(version), Output(port.number)), cookie())
    tagged = Match(ETH_TYPE_IPV4, ipv4_dst=target, tag=version)
    yield Rule(port.node, priority, tagged, (Output(port.number),), cookie())


def _handed_over(version: int, port: Port, target: str) -> Iterator[Rule]:
    untagged = Match(ETH_TYPE_IPV4, ipv4_dst=target, tag=UNTAGGED)
    yield Rule(port.node, DOWN_PRIORITY, untagged, (Output(port.number),), cookie())
    tagged = Match(ETH_TYPE_IPV4, ipv4_dst=target, tag=version)
    yield Rule(port.node, DOWN_PRIORITY, tagged, (SetTag(UNTAGGED), Output(port.number)), cookie())


def _arp_answers(fabric: Fabric) -> Iterator[Rule]:
    """In a fabric too large for hosts to hold lists of neighbours, every switch with hosts answers for all."""
    if len(fabric.hosts) > MAX_LISTED_HOSTS:
        request = Match(eth_type=ETH_TYPE_ARP, arp_op=ARP_REQUEST)
        for switch in sorted({fabric.peer(nic.port).node for nic in nics(fabric)}):
            yield Rule(switch, DOWN_PRIORITY, request, (AnswerArp(),), cookie())


# Rules of flows.


@dataclass(frozen=True, slots=True)
class Route:
    """The way of one flow: its path, its backup where it has one, and the version that its packets carry."""

    path: Path
    backup: Path | None
    version: int


def flow_entries(fabric: Fabric, routes: Mapping[FlowKey, Route], job: int, priority: int = 0) -> Iterator[Entry]:
    """The groups and rules of a job's flows; a group comes once, however many flows use it."""
    dscp = DSCP_OF_PRIORITY[priority]
    mark = (SetDscp(dscp),) if dscp is not None else ()
    seen: set[Group] = set()
    for number, (key, route) in enumerate(routes.items(), start=1):
        numbers = job, route.version, number
        for entry in _entries_along(fabric, key, route, mark, cookie(*numbers), cookie(*numbers, ingress=True)):
            if isinstance(entry, Rule):
                yield entry
            elif entry not in seen:
                seen.add(entry)
                yield entry


def _entries_along(
    fabric: Fabric, key: FlowKey, route: Route, mark: tuple[Action, ...], inner: int, ingress: int
) -> Iterator[Entry]:
    path = route.path.hops[1:]  # the first hop is the host's
    if len(path) == 1:
        yield _flow_rule(path[0].node, _matching(fabric, key, UNTAGGED), (*mark, Output(path[0].number)), ingress)
        return
    backup = {port.node: port for port in route.backup.hops[1:]} if route.backup else {}
    tag, backup_tag = 2 * route.version, 2 * route.version + 1
    for place, port in enumerate(path[:-1]):
        back = fabric.peer(path[place - 1]) if place else None
        group = _group(port, backup.get(port.node), back, route.version) if backup else None
        if group is not None:
            yield group
        onward = ToGroup(group.number) if group else Output(port.number)
        if place:
            yield _flow_rule(port.node, _matching(fabric, key, tag), (onward,), inner)
            if back and backup and port.node not in backup:
                returning = _matching(fabric, key, backup_tag)
                yield _flow_rule(port.node, returning, (Output(back.number),), inner)
        else:
            yield _flow_rule(port.node, _matching(fabric, key, UNTAGGED), (*mark, SetTag(tag), onward), ingress)
    yield _handing_over(path[-1], _matching(fabric, key, tag), inner)
    if route.backup:
        for port in route.backup.hops[1:-1]:
            yield _flow_rule(port.node, _matching(fabric, key, backup_tag), (Output(port.number),), inner)
        yield _handing_over(route.backup.hops[-1], _matching(fabric, key, backup_tag), inner)


def _group(port: Port, elsewhere: Port | None, back: Port | None, version: int) -> Group | None:
    """On by ``port`` while it lives; else on along the backup, which leaves ``elsewhere``, or ``back``.

    Its number is made of what it does: version (7 bits), whether it turns back (1), and both ports (10 each); so
    equal groups have equal numbers, also in another process. None where a port's number is too high for that.
    """
    other = elsewhere or back
    assert other is not None
    if max(port.number, other.number) > MAX_GROUP_PORT:
        return None
    number = version << 21 | (elsewhere is None) << 20 | port.number << 10 | other.number
    detour = (SetTag(2 * version + 1), Output(other.number) if elsewhere else Bounce())
    buckets = (Bucket(port.number, (Output(port.number),)), Bucket(other.number, detour))
    return Group(port.node, number, buckets)


def _handing_over(port: Port, match: Match, cookie: int) -> Rule:
    return _flow_rule(port.node, match, (SetTag(UNTAGGED), Output(port.number)), cookie)


def _flow_rule(switch: str, match: Match, actions: tuple[Action, ...], cookie: int) -> Rule:
    exact = match.tcp_src is not None or match.udp_src is not None
    return Rule(switch, FLOW_PRIORITY if exact else PAIR_PRIORITY, match, actions, cookie)


def _matching(fabric: Fabric, key: FlowKey, tag: int) -> Match:
    ports: dict[str, int] = {f"{key.protocol}_src": key.src_port, f"{key.protocol}_dst": key.dst_port}
    if key.is_any_port:
        ports = {}
    source, target = ends(fabric, key)
    return Match(ETH_TYPE_IPV4, IP_PROTOCOLS[key.protocol], source, target, tag=tag, **ports)
