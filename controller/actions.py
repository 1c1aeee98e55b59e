"""Actions: what the controller's core wants done."""

from __future__ import annotations

from dataclasses import dataclass

from controller.updates import Change


@dataclass(frozen=True, slots=True)
class ReadState:
    """Ask the switch for its rules, groups and ports; a ``SwitchState`` tells the answer."""

    connection: int


@dataclass(frozen=True, slots=True)
class Install:
    """Send ``changes`` on the connection, each with its own xid, then a barrier with ``barrier_xid``.

    With ``purge``, all rules that are not signed as ours are deleted before.
    """

    connection: int
    changes: tuple[tuple[int, Change], ...]
    barrier_xid: int
    purge: bool = False


@dataclass(frozen=True, slots=True)
class Log:
    """A line for the log; ``error`` where something is wrong."""

    line: str
    error: bool = False


@dataclass(frozen=True, slots=True)
class Alarm:
    """Send a ``Tick`` after ``delay_s``."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class Save:
    """Write ``text`` to the state file, whole or not at all; see ``saved.py``."""

    text: str


Action = ReadState | Install | Log | Alarm | Save
