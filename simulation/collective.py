"""A collective on paths as flows that wait for each other.

Theory of operation. A schedule's transfers are flows, or several in a row (``streaming.py``); each waits for what the
executor waits for, and begins a turnaround and a way's latency later. But where every rank passes on just what
came in the step before (a *relay*: rings, chains), chunks stream through the ranks while they arrive: back-pressure has
all edges of a channel run at one rate, and the whole channel is *one* flow over all its links together, whatever the
number of ranks. It moves one edge's bytes; it can't be faster than a chunk each latency of a step; and the last chunk
is one more latency under way.

What a job *moves* is worked out once; ``place`` puts it on any number of ways (other policies, other seeds) for the
cost of an array. Several jobs are one replay: their flows side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from collectives.schedule import Schedule
from simulation.conditions import Conditions
from simulation.links import Links
from simulation.replay import Flows
from simulation.routes import Route, Routes, both, load
from simulation.streaming import segments

__all__ = ["Connections", "Job", "Moves", "Plan", "Route", "Stream", "Ways", "place", "plan"]

Index = NDArray[np.int64]

Ways = Mapping[tuple[int, int, int], Route]
"""The route of each connection (source rank, destination rank, channel); none of those within a host."""


@dataclass(frozen=True, eq=False)
class Connections:
    """A schedule's connections as columns: by source rank, destination rank and channel, the order of its flows."""

    src: Index
    dst: Index
    channel: Index

    @classmethod
    def of(cls, schedule: Schedule) -> Connections:
        pair, channel = np.divmod(np.unique(_codes(schedule)), schedule.num_channels)
        return cls(*np.divmod(pair, schedule.num_ranks), channel)

    def __len__(self) -> int:
        return len(self.src)

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        return zip(self.src.tolist(), self.dst.tolist(), self.channel.tolist(), strict=True)


def _codes(schedule: Schedule) -> Index:
    """Of each transfer: a number for its connection, in their order."""
    pair = schedule.src.astype(np.int64) * schedule.num_ranks + schedule.dst
    return pair * schedule.num_channels + schedule.channel


@dataclass(frozen=True, eq=False)
class Job:
    """A collective of ``nbytes[transfer]`` payload bytes."""

    schedule: Schedule
    nbytes: NDArray[np.int64]

    @classmethod
    def of(cls, schedule: Schedule, count: int, itemsize: int) -> Job:
        """Of ``count`` elements, split as the sockets split them."""
        bounds = np.concatenate([[0], np.cumsum(schedule.chunk_sizes(count))]) * itemsize
        return cls(schedule, bounds[schedule.chunk + schedule.count] - bounds[schedule.chunk])

    @cached_property
    def connections(self) -> Connections:
        return Connections.of(self.schedule)

    @cached_property
    def connection(self) -> Index:
        """Of each transfer."""
        return np.unique(_codes(self.schedule), return_inverse=True)[1].reshape(-1)


@dataclass(frozen=True, slots=True)
class Stream:
    """A channel of a relay: the numbers of its connections, its steps, and the bits that cross each connection."""

    connections: Index
    num_steps: int
    bits: float


@dataclass(frozen=True, eq=False)
class Parts:
    """Transfers, or parts of them, as flows: the ``connection`` of each, the ``first`` of its transfer or not.

    ``amount`` in bits; flow i waits for ``needs[starts[i]:starts[i + 1]]``; ``ranks`` and ``transfers`` as in ``Plan``.
    ``by_chance``: these are whole messages, and some are not exchanged (sent against one that comes from there): no
    rank waits for whom it sends to, so ranks drift apart, and a moment decides which messages meet on a link.
    """

    connection: Index
    first: NDArray[np.bool_]
    amount: NDArray[np.float64]
    starts: Index
    needs: Index
    ranks: Index
    transfers: Index
    by_chance: bool

    @classmethod
    def of(cls, job: Job) -> Parts:
        cut = segments(job.schedule, job.nbytes)
        by_chance = cut.parts == 1 and not _exchanges(job.schedule)
        ends = np.stack((job.schedule.src, job.schedule.dst), axis=1).astype(np.int64)[cut.transfer]
        amount = 8.0 * job.nbytes[cut.transfer] / cut.parts
        connection = job.connection[cut.transfer]
        waits = cut.dependencies
        return cls(connection, cut.first, amount, waits.starts, waits.needs, ends, cut.transfer, by_chance)


def _exchanges(schedule: Schedule) -> bool:
    """Is every transfer met by one the other way in the same step?"""
    there, back = (
        (schedule.step.astype(np.int64) * schedule.num_ranks + one) * schedule.num_ranks + other
        for one, other in ((schedule.src, schedule.dst), (schedule.dst, schedule.src))
    )
    return bool(np.isin(there, back).all())


@dataclass(frozen=True, eq=False)
class Moves:
    """What a job moves, wherever its ranks are and whichever ways it takes: ``streams`` of a relay, else ``parts``."""

    connections: Connections
    streams: tuple[Stream, ...]
    parts: Parts | None

    @classmethod
    def of(cls, job: Job) -> Moves:
        if job.schedule.relays:
            return cls(job.connections, tuple(_streams(job)), None)
        return cls(job.connections, (), Parts.of(job))


@dataclass(frozen=True, eq=False)
class Plan:
    """The flows of a job, and what their ends mean.

    ``ranks``: of each flow those that are through with it when it ends; (flows, 2), or None where every flow is all
    ranks'; ``transfers`` likewise, the transfer that it is a part of. ``tail_s`` comes after the flow's end. ``caps``
    are bits a second beyond which a flow can't go, infinite for most.
    """

    flows: Flows
    caps: NDArray[np.float64]
    tail_s: NDArray[np.float64]
    ranks: Index | None
    transfers: Index | None


def plan(job: Job, ways: Ways, back: Ways, links: Links, conditions: Conditions) -> Plan:
    """``back`` are the routes of the acknowledgements, none where they are not counted."""
    moves = Moves.of(job)
    there, returning = (Routes.of([given.get(key, ()) for key in moves.connections], links) for given in (ways, back))
    return place(moves, there, returning, links, conditions)


def place(moves: Moves, there: Routes, back: Routes, links: Links, conditions: Conditions) -> Plan:
    """What moves, on the ways of its connections (``there``) and of their acknowledgements."""
    rows, use = both(there, back, conditions.payload_share, conditions.ack_share)
    step_s = conditions.turnaround_s + there.latency_s(links)
    if moves.parts is None:
        return _relay(moves.streams, rows, use, step_s, len(links.ports))
    return _steps(moves.parts, rows, use, step_s)


def _relay(
    streams: tuple[Stream, ...], rows: Index, use: NDArray[np.float64], step_s: NDArray[np.float64], num_links: int
) -> Plan:
    taken = [load(rows[stream.connections], use[stream.connections], num_links) for stream in streams]
    crossed = [np.flatnonzero(each) for each in taken]
    width = max(1, max(map(len, crossed), default=1))
    number = len(streams)
    row_of, use_of = np.full((number, width), -1, dtype=np.int64), np.zeros((number, width))
    for place_, (which, each) in enumerate(zip(crossed, taken, strict=True)):
        row_of[place_, : len(which)], use_of[place_, : len(which)] = which, each[which]
    bits = np.array([stream.bits for stream in streams])
    mean_s = np.array([float(np.mean(step_s[stream.connections])) for stream in streams])
    steps_s = mean_s * [stream.num_steps for stream in streams]
    caps = np.divide(bits, steps_s, out=np.full(number, np.inf), where=(steps_s > 0) & (bits > 0))
    nothing, none = np.zeros(number), np.zeros(number + 1, dtype=np.int64)
    return Plan(Flows(row_of, use_of, bits, nothing, none, none[:0]), caps, mean_s, None, None)


def _streams(job: Job) -> Iterator[Stream]:
    schedule = job.schedule
    for channel in range(schedule.num_channels):
        mine = schedule.channel == channel
        if not mine.any():
            continue
        largest = np.zeros(schedule.num_steps, dtype=np.int64)
        np.maximum.at(largest, schedule.step[mine], job.nbytes[mine])
        steps = int(np.count_nonzero(np.bincount(schedule.step[mine])))
        yield Stream(np.flatnonzero(job.connections.channel == channel), steps, 8.0 * float(largest.sum()))


def _steps(parts: Parts, rows: Index, use: NDArray[np.float64], step_s: NDArray[np.float64]) -> Plan:
    lag_s = np.where(parts.first, step_s[parts.connection], 0.0)
    flows = Flows(rows[parts.connection], use[parts.connection], parts.amount, lag_s, parts.starts, parts.needs)
    number = len(flows)
    return Plan(flows, np.full(number, np.inf), np.zeros(number), parts.ranks, parts.transfers)
