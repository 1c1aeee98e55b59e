"""Transfers in segments, where ranks forward a chunk while it still arrives.

Theory of operation. The executor holds a send back byte by byte, behind the receives that complete its bytes, unless
its rank turns to another peer: then it waits for all of them (``collectives/program.py``). So a transfer that does not
turn is cut into segments: each follows the one before it, and segment k of what it forwards. Where every transfer
turns (halving-doubling, recursive doubling), or nothing is forwarded, transfers stay whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collectives.hazards import Dependencies, depend, hazards
from collectives.schedule import Schedule

Index = NDArray[np.int64]

SEGMENTS = 64
"""Of a transfer, at most: a chunk that streams through d ranks comes out d / SEGMENTS of its time too late."""

SEGMENT_BYTES = 16 << 10
"""No segment is smaller: it is what a rank hands on at a time."""

MOST_FLOWS = 200_000
"""Larger schedules get fewer segments."""


@dataclass(frozen=True, eq=False)
class Segments:
    """``transfer[flow]`` is the transfer that a flow is a part of, ``first`` whether it is its first part.

    Each has ``1 / parts`` of the transfer's bytes.
    """

    parts: int
    transfer: Index
    first: NDArray[np.bool_]
    dependencies: Dependencies


def segments(schedule: Schedule, nbytes: NDArray[np.int64]) -> Segments:
    """``nbytes`` of each transfer."""
    before, after = hazards(schedule.accesses()).pairs()
    earlier = schedule.step[before] < schedule.step[after]
    before, after = before[earlier], after[earlier]
    previous, following = schedule.sending_order()
    turns = np.zeros(len(schedule), dtype=np.bool_)
    turns[following[schedule.dst[previous] != schedule.dst[following]]] = True
    alike = (schedule.chunk[before] == schedule.chunk[after]) & (schedule.count[before] == schedule.count[after])
    streams = alike & ~turns[after]
    forwarded = streams & (schedule.dst[before] == schedule.src[after])
    parts = 1
    if forwarded.any():
        parts = int(min(SEGMENTS, nbytes.max(initial=0) // SEGMENT_BYTES, MOST_FLOWS // max(1, len(schedule))))
    parts = max(1, parts)
    number = np.arange(len(schedule) * parts, dtype=np.int64)
    within = number[number % parts > 0]
    part = np.arange(parts)
    pairs = [
        (within - 1, within),
        (previous * parts + parts - 1, following * parts),
        (before[~streams] * parts + parts - 1, after[~streams] * parts),
        (
            (before[streams, None] * parts + part).reshape(-1),
            (after[streams, None] * parts + part).reshape(-1),
        ),
    ]
    return Segments(parts, number // parts, number % parts == 0, depend(len(number), pairs))
