"""Collectives that know nothing of switches: schedules as data, proven, and run over TCP.

    from collectives import Communicator, build

Names are imported when they are first used, so that a rank starts quickly.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collectives.algorithms import build, names
    from collectives.communicator import Communicator
    from collectives.job import demands
    from collectives.operations import Operation
    from collectives.schedule import Op, Schedule, ScheduleError, Transfer
    from collectives.transport.errors import TransportError

__all__ = [
    "Communicator",
    "Op",
    "Operation",
    "Schedule",
    "ScheduleError",
    "Transfer",
    "TransportError",
    "build",
    "demands",
    "names",
]

_HOMES = {
    "Communicator": "communicator",
    "Op": "schedule",
    "Operation": "operations",
    "Schedule": "schedule",
    "ScheduleError": "schedule",
    "Transfer": "schedule",
    "TransportError": "transport.errors",
    "build": "algorithms",
    "demands": "job",
    "names": "algorithms",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'collectives' has no attribute {name!r}")
    return getattr(import_module(f"collectives.{_HOMES[name]}"), name)
