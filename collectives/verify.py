"""Proves that a Schedule is an allreduce, on multisets of contributors.

Each chunk of each rank starts as the multiset {that rank}. A copy carries the sender's multiset over, a reduction adds
it. In the end every chunk of every rank must hold each rank exactly once: a rank added twice is as wrong as one left
out. Two writes to one chunk in one step are refused too: which of them comes last would be chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from collectives.schedule import Op, Schedule, ScheduleError

CELLS = 1 << 24
"""Counts held at once (ranks x chunks x contributors): chunks never meet, so they are proven block by block."""

ENOUGH = 63
"""Counts stop here: twice is as wrong as a hundred times, and the sum of two counts must fit a byte."""


@dataclass(frozen=True, eq=False)
class _Writes:
    """One row a chunk that arrives somewhere, sorted by step."""

    step: NDArray[np.int32]
    src: NDArray[np.int32]
    dst: NDArray[np.int32]
    chunk: NDArray[np.int64]
    reduce: NDArray[np.bool_]

    def rows(self, mask: NDArray[np.bool_] | slice) -> _Writes:
        return _Writes(self.step[mask], self.src[mask], self.dst[mask], self.chunk[mask], self.reduce[mask])

    def by_step(self) -> Iterator[_Writes]:
        bounds = [0, *(np.flatnonzero(np.diff(self.step)) + 1).tolist(), len(self.step)]
        for first, last in pairwise(bounds):
            yield self.rows(slice(first, last))


def verify_allreduce(schedule: Schedule) -> None:
    """Raises ScheduleError, naming rank, chunk and ranks, unless every rank ends with every rank's data once."""
    writes = _expanded(schedule)
    _refuse_double_writes(schedule, writes)
    width = max(1, CELLS // schedule.num_ranks**2)
    for first in range(0, schedule.num_chunks, width):
        last = min(first + width, schedule.num_chunks)
        here = writes.rows((writes.chunk >= first) & (writes.chunk < last))
        _judge(_contributors(schedule.num_ranks, first, last, here), first)


def _expanded(schedule: Schedule) -> _Writes:
    item = np.repeat(np.arange(len(schedule)), schedule.count)
    offset = np.arange(len(item)) - np.repeat(np.cumsum(schedule.count) - schedule.count, schedule.count)
    item_order = np.argsort(schedule.step[item], kind="stable")
    item, offset = item[item_order], offset[item_order]
    return _Writes(
        schedule.step[item],
        schedule.src[item],
        schedule.dst[item],
        schedule.chunk[item] + offset,
        schedule.op[item] == Op.REDUCE,
    )


def _refuse_double_writes(schedule: Schedule, writes: _Writes) -> None:
    place = (writes.step * np.int64(schedule.num_ranks) + writes.dst) * schedule.num_chunks + writes.chunk
    order = np.argsort(place, kind="stable")
    same = np.flatnonzero(place[order][1:] == place[order][:-1])
    if len(same):
        one, two = order[same[0]], order[same[0] + 1]
        raise ScheduleError(
            f"rank {writes.dst[one]} chunk {writes.chunk[one]}: ranks {writes.src[one]} and {writes.src[two]} "
            f"both write it at step {writes.step[one]}"
        )


def _contributors(num_ranks: int, first: int, last: int, writes: _Writes) -> NDArray[np.int8]:
    """Shape (ranks, chunks, contributors): how often each chunk of each rank holds each rank's data."""
    held = np.zeros((num_ranks, last - first, num_ranks), dtype=np.int8)
    held[np.arange(num_ranks), :, np.arange(num_ranks)] = 1
    for now in writes.by_step() if len(writes.step) else ():
        chunk = now.chunk - first
        kept = held[now.dst, chunk] * now.reduce[:, np.newaxis]
        held[now.dst, chunk] = np.minimum(held[now.src, chunk] + kept, ENOUGH)
    return held


def _judge(held: NDArray[np.int8], first: int) -> None:
    wrong = (held != 1).any(axis=2)
    if wrong.any():
        rank, chunk = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
        counts = held[rank, chunk]
        raise ScheduleError(f"rank {rank} chunk {chunk + first}: {_said(counts)}")


def _said(counts: NDArray[np.int8]) -> str:
    lost, twice = np.flatnonzero(counts == 0).tolist(), np.flatnonzero(counts > 1).tolist()
    parts = [f"never adds ranks {lost}"] * bool(lost) + [f"adds ranks {twice} more than once"] * bool(twice)
    return ", ".join(parts)
