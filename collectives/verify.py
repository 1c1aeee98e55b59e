"""Proves that a Schedule does its operation, on multisets of contributors.

Each chunk of each rank that holds it at the start is the multiset {that rank}; elsewhere it is empty, and may not be
sent. A copy carries the sender's multiset over, a reduction adds it. In the end every chunk must hold, wherever the
operation wants it, each rank that held it at the start exactly once: a rank added twice is as wrong as one left out.
Two writes to one chunk in one step are refused too: which of them comes last would be chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from collectives.operations import ALL
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


def verify(schedule: Schedule) -> None:
    """Raises ScheduleError, naming rank, chunk and ranks, unless the schedule does its operation."""
    writes = _expanded(schedule)
    _refuse_double_writes(schedule, writes)
    width = max(1, CELLS // schedule.num_ranks**2)
    for first in range(0, schedule.num_chunks, width):
        last = min(first + width, schedule.num_chunks)
        here = writes.rows((writes.chunk >= first) & (writes.chunk < last))
        held = _at_start(schedule, first, last)
        _judge(_contributors(held, first, here), schedule, first, last)


def _at_start(schedule: Schedule, first: int, last: int) -> NDArray[np.int8]:
    """Shape (ranks, chunks, contributors): who holds what of chunks ``first`` to ``last`` at the start."""
    start = schedule.operation.ends(schedule.num_ranks)[0]
    start = start[np.arange(first, last) % len(start)]
    rank = np.arange(schedule.num_ranks)
    held = np.zeros((schedule.num_ranks, last - first, schedule.num_ranks), dtype=np.int8)
    held[rank, :, rank] = (start == ALL) | (start == rank[:, np.newaxis])
    return held


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


def _contributors(held: NDArray[np.int8], first: int, writes: _Writes) -> NDArray[np.int8]:
    """Shape (ranks, chunks, contributors): how often each chunk of each rank holds each rank's data in the end."""
    for now in writes.by_step() if len(writes.step) else ():
        chunk = now.chunk - first
        sent = held[now.src, chunk]
        if not (full := sent.any(axis=1)).all():
            at = int(np.argmin(full))
            raise ScheduleError(
                f"rank {now.src[at]} chunk {now.chunk[at]}: sent at step {now.step[at]}, and holds nothing"
            )
        kept = held[now.dst, chunk] * now.reduce[:, np.newaxis]
        held[now.dst, chunk] = np.minimum(sent + kept, ENOUGH)
    return held


def _judge(held: NDArray[np.int8], schedule: Schedule, first: int, last: int) -> None:
    start, end = schedule.operation.ends(schedule.num_ranks)
    blocks = np.arange(first, last) % len(start)
    rank = np.arange(schedule.num_ranks)
    due = (start[blocks] == ALL)[:, np.newaxis] | (start[blocks][:, np.newaxis] == rank)  # (chunks, contributors)
    wanted = (end[blocks] == ALL) | (end[blocks] == rank[:, np.newaxis])  # (ranks, chunks)
    wrong = (held != due).any(axis=2) & wanted
    if wrong.any():
        found, chunk = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
        raise ScheduleError(f"rank {found} chunk {chunk + first}: {_said(held[found, chunk], due[chunk])}")


def _said(counts: NDArray[np.int8], due: NDArray[np.bool_]) -> str:
    lost, twice = np.flatnonzero((counts == 0) & due).tolist(), np.flatnonzero((counts > 1) & due).tolist()
    alien = np.flatnonzero((counts > 0) & ~due).tolist()
    parts = [f"never adds ranks {lost}"] * bool(lost) + [f"adds ranks {twice} more than once"] * bool(twice)
    return ", ".join(parts + [f"adds ranks {alien} that hold no part of it"] * bool(alien))
