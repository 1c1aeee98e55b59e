"""Proof: that entries do what was planned, before any of them is sent. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from controller.routing.next_hops import distances, trunks
from controller.rules import ETH_TYPE_IPV4, UNTAGGED, Entry, Output, Route, Rule, SetTag
from controller.tables import Packet, Tables, flow_packet, tables
from controller.walks import walk
from topologies.addressing import Nic, nics
from topologies.fabric import Fabric, Port
from topologies.traffic import FlowKey


class ProofError(Exception):
    """Entries that would not do what was planned; nothing was sent. Says which flow, and where it goes wrong."""


def prove(
    fabric: Fabric, entries: Iterable[Entry], routes: Mapping[FlowKey, Route], dead: frozenset[str] = frozenset()
) -> None:
    """ProofError unless every flow is delivered along its path, and past every dead link of it by its backup.

    Each link between switches of the path is taken dead by itself, beside those that are ``dead``; flows without a
    backup are proved for none.
    """
    standing = tables(fabric, entries)
    for key, route in routes.items():
        went = walk(fabric, standing, flow_packet(fabric, key), fabric.nic(key.src, key.channel), dead)
        if went.delivered_to != key.dst:
            raise ProofError(f"flow {key} does not arrive: {went.end}; planned was {route.path}")
        if went.hops != route.path.hops:
            taken = " ".join(map(str, went.hops))
            raise ProofError(f"flow {key} leaves its path: it goes {taken}; planned was {route.path}")
        if route.backup:
            _prove_protected(fabric, standing, key, route, dead)


def _prove_protected(fabric: Fabric, standing: Tables, key: FlowKey, route: Route, dead: frozenset[str]) -> None:
    for port in route.path.hops[1:-1]:
        name = fabric.link(port).name
        went = walk(fabric, standing, flow_packet(fabric, key), fabric.nic(key.src, key.channel), dead | {name})
        if went.delivered_to != key.dst:
            raise ProofError(f"flow {key} does not arrive while {name} is dead: {went.end}; backup: {route.backup}")


def prove_resident(fabric: Fabric, rules: Iterable[Rule], dead: frozenset[str] = frozenset()) -> None:
    """ProofError unless resident rules alone lead from every host to every other that live links join it with.

    Hosts whose own link is dead are left out.
    """
    standing = tables(fabric, rules)
    neighbours = trunks(fabric, dead)
    for nic in nics(fabric):
        if fabric.link(nic.port).name in dead:
            continue
        good: dict[tuple[str, int], Port] = {}
        for switch in distances(neighbours, [fabric.peer(nic.port).node]):
            if switch in fabric.leaves:
                went = _resident_way(fabric, standing, nic, switch, good, dead)
                if went is None:
                    raise ProofError(f"packets for {nic.host} ({nic.ip}) do not arrive from {switch}")
                good.update(went)


def _resident_way(
    fabric: Fabric, tables: Tables, nic: Nic, switch: str, good: Mapping[tuple[str, int], Port], dead: frozenset[str]
) -> dict[tuple[str, int], Port] | None:
    """The way of a packet from hosts of ``switch`` to ``nic``, or to where it is known to be good: None if it is lost.

    By switch and tag, the port that it leaves by.
    """
    tag, arrival, passed = UNTAGGED, None, dict[tuple[str, int], Port]()
    while (switch, tag) not in good:
        rule = tables[switch].lookup(Packet(ETH_TYPE_IPV4, ipv4_dst=nic.ip, tag=tag))
        outputs = [action.port for action in rule.actions if isinstance(action, Output)] if rule else []
        if rule is None or len(outputs) != 1 or (switch, tag) in passed:
            return None
        place, out = (switch, tag), Port(switch, outputs[0])
        passed[place] = out
        tag = next((action.tag for action in rule.actions if isinstance(action, SetTag)), tag)
        if out == arrival or fabric.link(out).name in dead:  # a switch sends nothing back where it came from
            return None
        arrival = fabric.peer(out)
        if not fabric.is_switch(arrival.node):
            return passed if (arrival, tag) == (nic.port, UNTAGGED) else None
        switch = arrival.node
    return passed if good[switch, tag] != arrival else None
