"""Tables: OpenFlow tables as pure data. A packet goes in, ports come out; a walk leads it through the fabric.

Used to prove a set of rules before it is sent, by tests, and to answer "which way does this packet go?". A table is
searched as Open vSwitch does it: rules that match the same fields stand in one hash map, maps in order of priority.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from operator import attrgetter
from typing import Any

from controller.routing.next_hops import distances, trunks
from controller.rules import ETH_TYPE_IPV4, IP_PROTO_TCP, Match, Rule
from topologies.addressing import Nic, ends, nics
from topologies.fabric import Fabric, Port
from topologies.traffic import FlowKey, Paths

_FIELDS = tuple(field.name for field in fields(Match))
_Shape = tuple[str, ...]
_Place = tuple[int, _Shape]


class ProofError(Exception):
    """Rules that would not do what was planned; nothing was sent. Says which flow, and where it goes wrong."""


@dataclass(frozen=True, slots=True)
class Packet:
    """The headers of a packet; field names as in Match."""

    eth_type: int
    ip_proto: int | None = None
    ipv4_src: str | None = None
    ipv4_dst: str | None = None
    tcp_src: int | None = None
    tcp_dst: int | None = None
    arp_op: int | None = None


class Table:
    """The rules of one switch."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._maps: dict[_Place, dict[Any, Rule]] = {}
        for rule in rules:
            self.add(rule)

    def __iter__(self) -> Iterator[Rule]:
        for rules in self._maps.values():
            yield from rules.values()

    def __len__(self) -> int:
        return sum(map(len, self._maps.values()))

    def get(self, rule: Rule) -> Rule | None:
        """The rule that stands where ``rule`` would: with the same priority and match."""
        place = _place(rule)
        return self._maps.get(place, {}).get(_reader(place[1])(rule.match))

    def add(self, rule: Rule) -> None:
        """Puts the rule in, or in the place of the one with the same priority and match."""
        place = _place(rule)
        if place not in self._maps:
            self._maps[place] = {}
            self._maps = dict(sorted(self._maps.items(), key=lambda item: -item[0][0]))
        self._maps[place][_reader(place[1])(rule.match)] = rule

    def delete(self, rule: Rule) -> None:
        """Takes out the rule with the same priority and match, where there is one."""
        place = _place(rule)
        self._maps.get(place, {}).pop(_reader(place[1])(rule.match), None)

    def lookup(self, packet: Packet) -> Rule | None:
        """The rule of the highest priority that matches."""
        for (_, shape), rules in self._maps.items():
            rule = rules.get(_reader(shape)(packet))
            if rule is not None:
                return rule
        return None


def _place(rule: Rule) -> _Place:
    return rule.priority, tuple(name for name in _FIELDS if getattr(rule.match, name) is not None)


@cache
def _reader(shape: _Shape) -> Callable[[Match | Packet], Any]:
    """What reads the fields of ``shape`` off a match or a packet, as something that can be hashed."""
    return attrgetter(*shape) if shape else lambda _: ()


Tables = Mapping[str, Table]
"""A table for every switch of a fabric."""


def tables(fabric: Fabric, rules: Iterable[Rule]) -> dict[str, Table]:
    standing: dict[str, list[Rule]] = defaultdict(list)
    for rule in rules:
        standing[rule.switch].append(rule)
    return {switch: Table(standing[switch]) for switch in fabric.switches}


@dataclass(frozen=True, slots=True)
class Walk:
    """Where a packet went: the ports it left by, the rules it met, and the ``end``.

    ``delivered_to`` is the host that got it, None if it was lost; ``end`` says how it ended, for people.
    """

    hops: tuple[Port, ...]
    rules: tuple[Rule, ...]
    delivered_to: str | None
    end: str


def walk(fabric: Fabric, tables: Tables, packet: Packet, nic: Port) -> Walk:
    """Follows ``packet`` from the port that it leaves its host by, to a host or to where it is lost."""
    hops, rules = [nic], list[Rule]()
    seen: set[Port] = set()
    while True:
        arrival = fabric.peer(hops[-1])
        if not fabric.is_switch(arrival.node):
            return Walk(tuple(hops), tuple(rules), arrival.node, f"delivered to {arrival.node}")
        rule = tables[arrival.node].lookup(packet)
        lost = _lost(fabric, arrival, rule, seen)
        if lost is not None:
            return Walk(tuple(hops), tuple(rules), None, lost)
        assert rule is not None
        assert rule.out_port is not None
        seen.add(arrival)
        rules.append(rule)
        hops.append(Port(arrival.node, rule.out_port))


def _lost(fabric: Fabric, arrival: Port, rule: Rule | None, seen: set[Port]) -> str | None:
    """Why a packet that arrives at ``arrival`` and meets ``rule`` goes no further, None if it does."""
    if arrival in seen:
        return f"loops: comes to {arrival} again"
    if rule is None:
        return f"dropped at {arrival.node}: no rule matches"
    if rule.out_port is None:
        return f"dropped at {arrival.node} by rule {rule}"
    out = Port(arrival.node, rule.out_port)
    if out == arrival:
        return f"dropped at {arrival.node}: a packet is not sent back by the port it came by ({out})"
    if out not in fabric.ports(arrival.node):
        return f"dropped at {arrival.node}: nothing is plugged into {out}"
    return None


def flow_packet(fabric: Fabric, key: FlowKey) -> Packet:
    """A packet of the flow."""
    return Packet(ETH_TYPE_IPV4, IP_PROTO_TCP, *ends(fabric, key), key.src_port, key.dst_port)


def prove(fabric: Fabric, rules: Iterable[Rule], paths: Paths) -> None:
    """ProofError unless every flow of ``paths`` is delivered once, along its path (a rule has one port: no copies)."""
    standing = tables(fabric, rules)
    for key, path in paths.items():
        went = walk(fabric, standing, flow_packet(fabric, key), fabric.nic(key.src, key.channel))
        if went.delivered_to != key.dst:
            raise ProofError(f"flow {key} does not arrive: {went.end}; planned was {path}")
        if went.hops != path.hops:
            taken = " ".join(map(str, went.hops))
            raise ProofError(f"flow {key} leaves its path: it goes {taken}; planned was {path}")


def prove_resident(fabric: Fabric, rules: Iterable[Rule]) -> None:
    """ProofError unless the resident rules deliver to every NIC from every switch that has a way there."""
    standing = tables(fabric, rules)
    neighbours = trunks(fabric)
    for nic in nics(fabric):
        good: set[str] = set()
        for switch in distances(neighbours, [fabric.peer(nic.port).node]):
            went = _resident_way(fabric, standing, nic, switch, good)
            if went is None:
                raise ProofError(f"packets for {nic.host} ({nic.ip}) do not arrive from {switch}")
            good.update(went)


def _resident_way(fabric: Fabric, tables: Tables, nic: Nic, switch: str, good: set[str]) -> list[str] | None:
    """The switches that a packet passes from ``switch`` to ``nic`` or to a switch known to be good, or None."""
    packet = Packet(ETH_TYPE_IPV4, ipv4_dst=nic.ip)
    passed: list[str] = []
    while switch not in good:
        rule = tables[switch].lookup(packet)
        if switch in passed or rule is None or rule.out_port is None:
            return None
        passed.append(switch)
        arrival = fabric.peer(Port(switch, rule.out_port))
        if not fabric.is_switch(arrival.node):
            return passed if arrival == nic.port else None
        switch = arrival.node
    return passed
