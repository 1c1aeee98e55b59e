"""Tables: one switch's OpenFlow table and groups as pure data. A packet comes in, and what it meets comes out.

A table is searched as Open vSwitch does it: rules that match the same fields stand in one hash map, maps in order of
priority. Used to prove entries before they are sent, and to answer "which way does this packet go?".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from operator import attrgetter
from typing import Any

from controller.rules import ETH_TYPE_IPV4, IP_PROTOCOLS, UNTAGGED, Entry, Group, Match, Rule, ToGroup
from topologies.addressing import ends
from topologies.fabric import Fabric
from topologies.traffic import FlowKey

_FIELDS = tuple(field.name for field in fields(Match))
_Shape = tuple[str, ...]
_Place = tuple[int, _Shape]


@dataclass(frozen=True, slots=True)
class Packet:
    """The headers of a packet; field names as in Match."""

    eth_type: int
    ip_proto: int | None = None
    ipv4_src: str | None = None
    ipv4_dst: str | None = None
    tcp_src: int | None = None
    tcp_dst: int | None = None
    udp_src: int | None = None
    udp_dst: int | None = None
    arp_op: int | None = None
    tag: int = UNTAGGED

    def tagged(self, tag: int) -> Packet:
        return self if tag == self.tag else replace(self, tag=tag)


def flow_packet(fabric: Fabric, key: FlowKey) -> Packet:
    """A packet of the flow, as its host sends it."""
    source, target = ends(fabric, key)
    ports = {f"{key.protocol}_src": key.src_port, f"{key.protocol}_dst": key.dst_port}
    return Packet(ETH_TYPE_IPV4, IP_PROTOCOLS[key.protocol], source, target, **ports)


class Table:
    """The rules and groups of one switch."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._maps: dict[_Place, dict[Any, Rule]] = {}
        self.groups: dict[int, Group] = {}
        for entry in entries:
            self.add(entry)

    def __iter__(self) -> Iterator[Entry]:
        for rules in self._maps.values():
            yield from rules.values()
        yield from self.groups.values()

    def __len__(self) -> int:
        return sum(map(len, self._maps.values())) + len(self.groups)

    @property
    def rules(self) -> Iterator[Rule]:
        for rules in self._maps.values():
            yield from rules.values()

    def get(self, entry: Entry) -> Entry | None:
        """The entry that stands where ``entry`` would: a rule with the same priority and match, or such a group."""
        if isinstance(entry, Group):
            return self.groups.get(entry.number)
        place = _place(entry)
        return self._maps.get(place, {}).get(_reader(place[1])(entry.match))

    def add(self, entry: Entry) -> None:
        """Puts the entry in, or in the place of the one that stands there."""
        if isinstance(entry, Group):
            self.groups[entry.number] = entry
            return
        place = _place(entry)
        if place not in self._maps:
            self._maps[place] = {}
            self._maps = dict(sorted(self._maps.items(), key=lambda item: -item[0][0]))
        self._maps[place][_reader(place[1])(entry.match)] = entry

    def delete(self, entry: Entry) -> None:
        """Takes out what stands in the entry's place. As in a switch, a group takes along the rules that use it."""
        if isinstance(entry, Group):
            self.groups.pop(entry.number, None)
            for rule in [rule for rule in self.rules if entry.number in _groups_of(rule)]:
                self.delete(rule)
            return
        place = _place(entry)
        self._maps.get(place, {}).pop(_reader(place[1])(entry.match), None)

    def lookup(self, packet: Packet) -> Rule | None:
        """The rule of the highest priority that matches."""
        for (_, shape), rules in self._maps.items():
            rule = rules.get(_reader(shape)(packet))
            if rule is not None:
                return rule
        return None


def _groups_of(rule: Rule) -> list[int]:
    return [action.group for action in rule.actions if isinstance(action, ToGroup)]


def _place(rule: Rule) -> _Place:
    return rule.priority, tuple(name for name in _FIELDS if getattr(rule.match, name) is not None)


@cache
def _reader(shape: _Shape) -> Callable[[Match | Packet], Any]:
    """What reads the fields of ``shape`` off a match or a packet, as something that can be hashed."""
    return attrgetter(*shape) if shape else lambda _: ()


Tables = Mapping[str, Table]
"""A table for every switch of a fabric."""


def tables(fabric: Fabric, entries: Iterable[Entry]) -> dict[str, Table]:
    standing: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        standing[entry.switch].append(entry)
    return {switch: Table(standing[switch]) for switch in fabric.switches}
