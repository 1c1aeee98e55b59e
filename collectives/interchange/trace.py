"""What each rank of a program does, as other tools' traces tell it: sends, receives, calculations, collectives.

A rank's operations are a tuple; an operation names others of its own rank by their places in it. ``after``: those that
must be over before it starts; ``beside``: those that must have started. What is over: a send when its bytes are out and
there, a receive when they have come, a calculation when its time has passed, a collective when the rank has its result.

Nothing here knows of hosts or links: ``simulation.trace`` puts it on a fabric.
"""

from __future__ import annotations

from dataclasses import dataclass


class TraceError(ValueError):
    """A trace that can't be read, or run: one line, ``WHERE:LINE: what; what to do``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """``place`` is where it stands, for people: ``ring.goal:12``, ``t.0.et: node 3 'allreduce'``."""

    place: str
    after: tuple[int, ...] = ()
    beside: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Send(Operation):
    """``nbytes`` to rank ``peer``; the first receive of this tag that has no send yet takes it."""

    peer: int
    nbytes: int
    tag: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Receive(Operation):
    """At most ``nbytes`` from rank ``peer``."""

    peer: int
    nbytes: int
    tag: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Calculation(Operation):
    """``duration_s`` during which nothing crosses the network."""

    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Collective(Operation):
    """``operation`` (as ``collectives.operations`` has it, or ``barrier``) among ``ranks``, this one among them.

    ``nbytes`` is the largest buffer of a rank; ``root`` a place in ``ranks``. The first of a group meets the first of
    the same group on every other of its ranks, the second the second.
    """

    operation: str
    ranks: tuple[int, ...]
    nbytes: int
    root: int = 0


@dataclass(frozen=True, slots=True)
class Trace:
    """``ranks[rank]`` are its operations; ``notes`` is what was read and not understood, or left out, a line each."""

    ranks: tuple[tuple[Operation, ...], ...]
    notes: tuple[str, ...] = ()
