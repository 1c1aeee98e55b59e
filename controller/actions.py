"""Actions: what the controller's core wants done."""

from __future__ import annotations

from dataclasses import dataclass

from controller.rules import Change


@dataclass(frozen=True, slots=True)
class Install:
    """Send ``changes`` on the connection, each with its own xid, then a barrier with ``barrier_xid``.

    ``stamp`` goes into the high bits of every cookie. With ``purge``, rules that carry another stamp are deleted
    after the changes: what somebody else, or we in an earlier life, left in the switch.
    """

    connection: int
    stamp: int
    changes: tuple[tuple[int, Change], ...]
    purge: bool
    barrier_xid: int


@dataclass(frozen=True, slots=True)
class Log:
    """A line for the log; ``error`` where something is wrong."""

    line: str
    error: bool = False


@dataclass(frozen=True, slots=True)
class Alarm:
    """Send a ``Tick`` after ``delay_s``."""

    delay_s: float


Action = Install | Log | Alarm
