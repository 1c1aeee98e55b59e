"""Events: what the controller's core is told. A ``connection`` numbers the TCP connections that switches made."""

from __future__ import annotations

from dataclasses import dataclass

from controller.planning import Plan


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
class JobPlanned:
    """A job to install in the place of the one before."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class JobWithdrawn:
    """Back to the resident rules alone."""


@dataclass(frozen=True, slots=True)
class Tick:
    """The time of an alarm has come."""


SwitchEvent = SwitchUp | SwitchDown | BarrierReply | SwitchError
Event = SwitchEvent | HandshakeFailed | HandlerFailed | JobPlanned | JobWithdrawn | Tick
