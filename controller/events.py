"""Events: what the controller's core is told. A ``connection`` numbers the TCP connections that switches made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.planning import Plan
from controller.rules import Entry

if TYPE_CHECKING:
    from controller.telemetry import FlowCounters, GroupCounters, PortCounters


@dataclass(frozen=True, slots=True)
class SwitchUp:
    """A switch finished its handshake."""

    dpid: int
    connection: int


@dataclass(frozen=True, slots=True)
class SwitchDown:
    """A switch's connection ended."""

    dpid: int
    connection: int


@dataclass(frozen=True, slots=True)
class BarrierReply:
    """The switch has done all that was sent before the barrier ``xid``."""

    dpid: int
    connection: int
    xid: int


@dataclass(frozen=True, slots=True)
class SwitchError:
    """The switch refused message ``xid``; ``reason`` in OpenFlow's names."""

    dpid: int
    connection: int
    xid: int
    reason: str


@dataclass(frozen=True, slots=True)
class HandshakeFailed:
    """A switch at the address ``peer`` and we have no OpenFlow version in common."""

    peer: str
    reason: str


@dataclass(frozen=True, slots=True)
class HandlerFailed:
    """Our own code raised while it handled something."""

    what: str


@dataclass(frozen=True, slots=True)
class SwitchState:
    """What the switch was found to have: rules and groups of ours, whether rules of others, and dead ports."""

    dpid: int
    connection: int
    entries: tuple[Entry, ...]
    down_ports: frozenset[int]
    foreign: bool = False


@dataclass(frozen=True, slots=True)
class PortChanged:
    """A port of the switch came to life, or died."""

    dpid: int
    connection: int
    port: int
    alive: bool


@dataclass(frozen=True, slots=True)
class CountersRead:
    """All that the switch counted: by port, by ingress rule of a flow, by group."""

    dpid: int
    connection: int
    ports: Sequence[PortCounters] = ()
    flows: Sequence[FlowCounters] = ()
    groups: Sequence[GroupCounters] = ()


@dataclass(frozen=True, slots=True)
class JobPlanned:
    """A job to install beside the others, in the place of the one of its name."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class JobsReplaced:
    """Jobs to install in the place of all that there are."""

    plans: tuple[Plan, ...]


@dataclass(frozen=True, slots=True)
class JobWithdrawn:
    """The job of that name goes; None: all of them, back to the resident rules alone."""

    name: str | None = None


@dataclass(frozen=True, slots=True)
class LinkDrained:
    """Flows are to leave the link of that name (no packet is lost), or may use it again."""

    link: str
    drained: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """The time of an alarm has come."""


SwitchEvent = SwitchUp | SwitchDown | BarrierReply | SwitchError | SwitchState | PortChanged | CountersRead
JobEvent = JobPlanned | JobsReplaced | JobWithdrawn | LinkDrained
"""What the northbound face asks for."""

Event = SwitchEvent | JobEvent | HandshakeFailed | HandlerFailed | Tick
