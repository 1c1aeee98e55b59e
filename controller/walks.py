"""Walks: which way a packet goes through rules and groups, switch by switch, whatever links are dead. Pure.

Of the rules that match, a switch takes the one of the highest priority; of a fast-failover group's buckets, the first
whose port lives. No entry of ours makes copies, so a packet is in one place at a time.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from controller.rules import UNTAGGED, Action, Bounce, Bucket, Group, Output, Rule, SetTag, ToGroup
from controller.tables import Packet, Table, Tables
from topologies.fabric import Fabric, Port


@dataclass(frozen=True, slots=True)
class Step:
    """What one switch did: the packet came in at ``arrival`` with ``tag``, met ``rule``, went out by ``out``.

    ``bucket``: the place in ``group`` of the bucket that lived, from 0. None where there is no such thing.
    """

    arrival: Port
    tag: int
    rule: Rule | None
    group: Group | None = None
    bucket: int | None = None
    out: Port | None = None


@dataclass(frozen=True, slots=True)
class Walk:
    """A packet's way. ``delivered_to``: the host that took it, None if it was lost; ``end`` says how, for people."""

    nic: Port
    steps: tuple[Step, ...]
    delivered_to: str | None
    end: str

    @property
    def hops(self) -> tuple[Port, ...]:
        """The ports that it left by, its host's first; comparable to a Path's."""
        return (self.nic, *(step.out for step in self.steps if step.out is not None))


def walk(
    fabric: Fabric, tables: Tables, packet: Packet, nic: Port, dead: AbstractSet[str] = frozenset(), tag: int = UNTAGGED
) -> Walk:
    """Follows ``packet`` from the port ``nic`` it leaves a node by, while the links named in ``dead`` carry nothing.

    An end of a dead link does not count as live at either switch, as after a loss of carrier. ``nic`` is a host's
    port, or a switch's for a packet that is on its way with ``tag``.
    """
    if fabric.link(nic).name in dead:
        return Walk(nic, (), None, f"lost: link {fabric.link(nic).name} of {nic.node} is dead")
    arrival = fabric.peer(nic)
    packet = packet.tagged(tag)
    steps: list[Step] = []
    seen: set[tuple[Port, int]] = set()
    while fabric.is_switch(arrival.node):
        if (arrival, packet.tag) in seen:
            return Walk(nic, tuple(steps), None, f"loops: comes to {arrival} again with tag {packet.tag}")
        seen.add((arrival, packet.tag))
        step, tag = _step(fabric, tables[arrival.node], packet, arrival, dead)
        steps.append(step)
        end = _lost(fabric, step, dead)
        if end is not None:
            return Walk(nic, tuple(steps), None, end)
        assert step.out is not None
        arrival, packet = fabric.peer(step.out), packet.tagged(tag)
    if packet.tag != UNTAGGED:  # the host looks at the destination MAC address, and it is not its own
        return Walk(nic, tuple(steps), None, f"given to {arrival.node} with tag {packet.tag} on: its host drops it")
    return Walk(nic, tuple(steps), arrival.node, f"delivered to {arrival.node}")


def _step(fabric: Fabric, table: Table, packet: Packet, arrival: Port, dead: AbstractSet[str]) -> tuple[Step, int]:
    """What the switch does with the packet, and the tag that the packet has then."""
    rule = table.lookup(packet)
    if rule is None:
        return Step(arrival, packet.tag, None), packet.tag
    group = bucket = None
    out, tag, actions = _done(rule.actions, arrival, packet.tag)
    for action in actions:
        group = table.groups.get(action.group)
        bucket = _live_bucket(fabric, group, dead) if group else None
        if group and bucket is not None:
            out, tag, _ = _done(group.buckets[bucket].actions, arrival, tag)
    return Step(arrival, packet.tag, rule, group, bucket, out), tag


def _done(actions: tuple[Action, ...], arrival: Port, tag: int) -> tuple[Port | None, int, list[ToGroup]]:
    """Where the actions send the packet and with which tag, and the groups that they leave it to."""
    out: Port | None = None
    groups: list[ToGroup] = []
    for action in actions:
        if isinstance(action, SetTag):
            tag = action.tag
        elif isinstance(action, Output):
            port = Port(arrival.node, action.port)
            out = port if port != arrival else None  # OpenFlow drops what an Output would send back
        elif isinstance(action, Bounce):
            out = arrival
        elif isinstance(action, ToGroup):
            groups.append(action)
    return out, tag, groups


def _live_bucket(fabric: Fabric, group: Group, dead: AbstractSet[str]) -> int | None:
    return next((place for place, bucket in enumerate(group.buckets) if _lives(fabric, group, bucket, dead)), None)


def _lives(fabric: Fabric, group: Group, bucket: Bucket, dead: AbstractSet[str]) -> bool:
    port = Port(group.switch, bucket.watch_port)
    return port in fabric.ports(group.switch) and fabric.link(port).name not in dead


def _lost(fabric: Fabric, step: Step, dead: AbstractSet[str]) -> str | None:
    """Why the packet goes no further, None if it does."""
    switch = step.arrival.node
    if step.rule is None:
        return f"dropped at {switch}: no rule matches"
    if step.out is None:
        return f"dropped at {switch}{_why_dropped(step, step.rule)}"
    if step.out not in fabric.ports(switch):
        return f"dropped at {switch}: nothing is plugged into {step.out}"
    name = fabric.link(step.out).name
    return f"lost: sent into dead link {name}" if name in dead else None


def _why_dropped(step: Step, rule: Rule) -> str:
    if any(isinstance(action, ToGroup) for action in rule.actions) and step.bucket is None:
        return f": {'no bucket of its group lives' if step.group else 'its group is missing'}"
    if any(isinstance(action, Output) and action.port == step.arrival.number for action in rule.actions):
        return f": a packet is not sent back by the port it came by ({step.arrival})"
    return f" by its rule ({rule})"
