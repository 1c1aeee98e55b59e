"""A collective on paths as flows that wait for each other.

Theory of operation. A schedule's transfers are flows, or several in a row (``streaming.py``); each waits for what the
executor waits for, and begins a turnaround and a way's latency later. But where every rank passes on just what
came in the step before (a *relay*: rings, chains), chunks stream through the ranks while they arrive: back-pressure has
all edges of a channel run at one rate, and the whole channel is *one* flow over all its links together, whatever the
number of ranks. It moves one edge's bytes; it can't be faster than a chunk each latency of a step; and the last chunk
is one more latency under way.

Several jobs are one replay: their flows side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from collectives.schedule import Schedule
from simulation.conditions import Conditions
from simulation.links import Links
from simulation.replay import Flows
from simulation.streaming import segments
from topologies.fabric import Port

Route = Sequence[tuple[Port, float]]
"""Directed links, and the share of the flow that crosses each (1; less where it is sprayed)."""

Ways = Mapping[tuple[int, int, int], Route]
"""The route of each connection (source rank, destination rank, channel); none of those within a host."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A channel of a relay: its connections, its steps, and the bits that cross each connection."""

    connections: tuple[tuple[int, int, int], ...]
    num_steps: int
    bits: float


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
    def streams(self) -> tuple[Stream, ...]:
        """Its channels, where it is a relay."""
        return tuple(_streams(self))


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
    ranks: NDArray[np.int64] | None
    transfers: NDArray[np.int64] | None


def plan(job: Job, ways: Ways, back: Ways, links: Links, conditions: Conditions) -> Plan:
    """``back`` are the routes of the acknowledgements, none where they are not counted."""
    return (
        _relay(job, ways, back, links, conditions)
        if job.schedule.relays
        else _steps(job, ways, back, links, conditions)
    )


def _relay(job: Job, ways: Ways, back: Ways, links: Links, conditions: Conditions) -> Plan:
    flows, caps, tails = [], [], []
    for stream in job.streams:
        there = [ways.get(key, ()) for key in stream.connections]
        row, use = _row(there, [back.get(key, ()) for key in stream.connections], links, conditions)
        step_s = conditions.turnaround_s + float(np.mean([_latency_s(way, links) for way in there]))
        flows.append((row, use, stream.bits))
        caps.append(stream.bits / (step_s * stream.num_steps) if step_s and stream.bits else np.inf)
        tails.append(step_s)
    rows, uses = _padded([row for row, _, _ in flows], [use for _, use, _ in flows])
    number = len(flows)
    nothing = np.zeros(number)
    made = Flows(
        rows,
        uses,
        np.array([bits for *_, bits in flows]),
        nothing,
        np.zeros(number + 1, dtype=np.int64),
        np.zeros(0, dtype=np.int64),
    )
    return Plan(made, np.array(caps), np.array(tails), None, None)


def _streams(job: Job) -> Iterator[Stream]:
    schedule = job.schedule
    for channel in range(schedule.num_channels):
        mine = schedule.channel == channel
        if not mine.any():
            continue
        pairs = np.unique(schedule.src[mine].astype(np.int64) * schedule.num_ranks + schedule.dst[mine])
        largest = np.zeros(schedule.num_steps, dtype=np.int64)
        np.maximum.at(largest, schedule.step[mine], job.nbytes[mine])
        connections = tuple((*divmod(pair, schedule.num_ranks), channel) for pair in pairs.tolist())
        yield Stream(connections, len(np.unique(schedule.step[mine])), 8.0 * float(largest.sum()))


def _steps(job: Job, ways: Ways, back: Ways, links: Links, conditions: Conditions) -> Plan:
    schedule = job.schedule
    pair = schedule.src.astype(np.int64) * schedule.num_ranks + schedule.dst
    different, which = np.unique(pair * schedule.num_channels + schedule.channel, return_inverse=True)
    rows, uses, lags = [], [], []
    for connection in different.tolist():
        both_ends, channel = divmod(connection, schedule.num_channels)
        src, dst = divmod(both_ends, schedule.num_ranks)
        way = ways.get((src, dst, channel), ())
        row, use = _row([way], [back.get((src, dst, channel), ())], links, conditions)
        rows.append(row)
        uses.append(use)
        lags.append(conditions.turnaround_s + _latency_s(way, links))
    row_of, use_of = _padded(rows, uses)
    lag_s: NDArray[np.float64] = np.array(lags, dtype=np.float64)
    cut = segments(schedule, job.nbytes)
    way_of = which.reshape(-1)[cut.transfer]
    made = Flows(
        row_of[way_of],
        use_of[way_of],
        8.0 * job.nbytes[cut.transfer] / cut.parts,
        np.where(cut.first, lag_s[way_of], 0.0),
        cut.dependencies.starts,
        cut.dependencies.needs,
    )
    ends = np.stack((schedule.src, schedule.dst), axis=1).astype(np.int64)[cut.transfer]
    return Plan(made, np.full(len(made), np.inf), np.zeros(len(made)), ends, cut.transfer)


def _row(
    there: Sequence[Route], back: Sequence[Route], links: Links, conditions: Conditions
) -> tuple[list[int], list[float]]:
    """Links of the routes, once each, and what a unit of the rate takes of each."""
    taken: dict[int, float] = {}
    for route in there:
        for port, share in route:
            link = links.number[port]
            taken[link] = taken.get(link, 0.0) + share / conditions.payload_share
    for route in back if conditions.ack_share else ():
        for port, share in route:
            link = links.number[port]
            taken[link] = taken.get(link, 0.0) + share * conditions.ack_share
    return list(taken), list(taken.values())


def _latency_s(route: Route, links: Links) -> float:
    """Of the ways that a flow takes, weighed by what crosses them."""
    return sum(share * float(links.latency_s[links.number[port]]) for port, share in route)


def _padded(
    rows: Sequence[Sequence[int]], uses: Sequence[Sequence[float]]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    width = max(1, max(map(len, rows), default=1))
    row_of, use_of = np.full((len(rows), width), -1, dtype=np.int64), np.zeros((len(rows), width))
    for number, (row, use) in enumerate(zip(rows, uses, strict=True)):
        row_of[number, : len(row)] = row
        use_of[number, : len(use)] = use
    return row_of, use_of
