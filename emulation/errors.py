"""What can go wrong while emulating, by whose fault it is."""

from __future__ import annotations


class EmulationError(Exception):
    """Base: the message is one line that says what, where and what to do."""


class PlanError(EmulationError):
    """The fabric can't be emulated as described: change the description."""


class MachineError(EmulationError):
    """The machine lacks something: ``ringlab doctor`` names the fix."""


class RunError(EmulationError):
    """The run failed on a machine that can do it."""
