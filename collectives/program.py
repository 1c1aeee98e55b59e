"""One rank's part of a Schedule, compiled to byte ranges before any socket opens.

Theory of operation. A *lane* is one connection in one direction: everything this rank sends to (or receives from) one
peer on one channel. What crosses it is a plain stream of bytes without headers: both ends know from the schedule which
bytes come, in the order of steps, and of chunks within a step. A *part* is a stretch of one transfer. Lanes run side by
side, held back by two rules only:

* ``behind``: byte by byte, a part stays behind the parts that must touch those bytes first: a send behind the receive
  that completes them (so a chunk is forwarded while it still arrives: no bubble between steps), a receive behind the
  sends that still read what it overwrites, and behind the receive that wrote there before.
* ``after``: a rank sends on each channel in the order of its steps. When it turns from one peer to another, the send
  starts only when the sends of the step before are out, and when all that it is behind has arrived: begun earlier, it
  would take its share of the port from the step before, and two senders would meet at a receiver (halving-doubling came
  out at 0.66 of the link's rate that way).

This is exactly the schedule's meaning (a send reads its chunk as it stood before the step), without its lock step. It
can't deadlock: of the bytes that wait, those of the lowest step and, in it, the lowest position wait for nothing.

A part is *fresh* if nothing was written to its bytes yet: out of place, it reads the caller's input instead of the
output, which saves a copy of the whole message. Parts are cut where this changes; the wire does not see that.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from collectives.chunks import chunk_bounds
from collectives.hazards import Accesses, Dependencies, Index, Pairs, depend, hazards
from collectives.schedule import Op, Schedule


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes ``lo`` to ``hi`` of the buffer, sent or received at ``step``; ``behind`` and ``after`` index the parts."""

    step: int
    lo: int
    hi: int
    reduce: bool
    fresh: bool
    behind: tuple[int, ...]
    after: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Lane:
    """One connection in one direction; ``parts`` are the indices of its parts, in the order of its bytes."""

    peer: int
    channel: int
    parts: range


@dataclass(frozen=True, slots=True)
class Program:
    """What one rank does in a collective on ``count`` elements of ``itemsize`` bytes."""

    rank: int
    count: int
    itemsize: int
    parts: tuple[Part, ...]
    sends: tuple[Lane, ...]
    receives: tuple[Lane, ...]

    @property
    def nbytes(self) -> int:
        """Size of the buffer."""
        return self.count * self.itemsize


@dataclass(frozen=True, eq=False)
class _Items:
    """Transfers of this rank, one row each: the lanes one after another, each in the order of its bytes."""

    send: NDArray[np.bool_]
    lane: Index
    channel: NDArray[np.int32]
    step: NDArray[np.int32]
    chunk: NDArray[np.int32]
    count: NDArray[np.int32]
    reduce: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Parts:
    """One row a part: its item, and its first and last chunk's bounds in bytes."""

    item: Index
    lo: Index
    hi: Index
    fresh: NDArray[np.bool_]


def compile_program(schedule: Schedule, rank: int, count: int, itemsize: int) -> Program:
    """The program of ``rank`` for a message of ``count`` elements of ``itemsize`` bytes. Empty transfers vanish."""
    bounds = chunk_bounds(count, schedule.num_chunks) * itemsize
    items = _items(schedule, rank)
    parts, pairs = _cut(items, bounds)
    full = np.flatnonzero(parts.hi > parts.lo)
    number = np.full(len(parts.item), -1)
    number[full] = np.arange(len(full))
    parts = _Parts(parts.item[full], parts.lo[full], parts.hi[full], parts.fresh[full])
    before, after = number[pairs[0]], number[pairs[1]]
    crossing = items.lane[parts.item[before]] != items.lane[parts.item[after]]  # a lane keeps its own order anyway
    behind = depend(len(full), [(before[crossing], after[crossing])])
    made = tuple(_parts(items, parts, behind, _sending_order(items, parts)))
    return Program(rank, count, itemsize, made, *_lanes(schedule, items, parts))


def _items(schedule: Schedule, rank: int) -> _Items:
    rows = np.flatnonzero((schedule.src == rank) | (schedule.dst == rank))
    send = schedule.src[rows] == rank
    peer = np.where(send, schedule.dst[rows], schedule.src[rows]).astype(np.int64)
    lane = (np.where(send, 0, schedule.num_ranks) + peer) * schedule.num_channels + schedule.channel[rows]
    order = np.lexsort((schedule.chunk[rows], schedule.step[rows], lane))
    rows, send, lane = rows[order], send[order], lane[order]
    reduce = ~send & (schedule.op[rows] == Op.REDUCE)
    columns = (schedule.channel[rows], schedule.step[rows], schedule.chunk[rows], schedule.count[rows])
    return _Items(send, lane, *columns, reduce)


def _cut(items: _Items, bounds: Index) -> tuple[_Parts, Pairs]:
    """The items cut into parts where ``fresh`` changes, and the pairs of parts that must keep their order."""
    item = np.repeat(np.arange(len(items.lane)), items.count)
    chunk = np.arange(len(item)) - np.repeat(np.cumsum(items.count) - items.count - items.chunk, items.count)
    found = hazards(Accesses(item, chunk, items.step[item], ~items.send[item]))
    cut = np.ones(len(item), dtype=bool)
    cut[1:] = (item[1:] != item[:-1]) | (found.fresh[1:] != found.fresh[:-1])
    part = np.cumsum(cut) - 1
    first = np.flatnonzero(cut)
    last = np.append(first[1:], len(item)) - 1 if len(first) else first
    full = bounds[chunk[found.before] + 1] > bounds[chunk[found.before]]  # an empty chunk holds nothing up
    pairs = part[found.before[full]], part[found.after[full]]
    return _Parts(item[first], bounds[chunk[first]], bounds[chunk[last] + 1], found.fresh[first]), pairs


def _sending_order(items: _Items, parts: _Parts) -> list[tuple[int, ...]]:
    """For each part: the sends of the step before on the same channel, to other peers."""
    by_step: dict[int, dict[int, list[int]]] = {}
    for index, item in enumerate(parts.item.tolist()):
        if items.send[item]:
            by_step.setdefault(int(items.channel[item]), {}).setdefault(int(items.step[item]), []).append(index)
    after: list[tuple[int, ...]] = [()] * len(parts.item)
    lane = items.lane[parts.item].tolist()
    for steps in by_step.values():
        ordered = [steps[step] for step in sorted(steps)]
        for earlier, later in pairwise(ordered):
            for index in later:
                after[index] = tuple(other for other in earlier if lane[other] != lane[index])
    return after


def _parts(items: _Items, parts: _Parts, behind: Dependencies, after: list[tuple[int, ...]]) -> list[Part]:
    item = parts.item
    columns = (items.step[item], parts.lo, parts.hi, items.reduce[item], parts.fresh)
    rows = zip(*(column.tolist() for column in columns), map(tuple, behind), after, strict=True)
    return [
        Part(step, lo, hi, reduce, fresh, () if turn else first, turn + first if turn else ())
        for step, lo, hi, reduce, fresh, first, turn in rows
    ]


def _lanes(schedule: Schedule, items: _Items, parts: _Parts) -> tuple[tuple[Lane, ...], tuple[Lane, ...]]:
    """Lanes that carry anything: sends, receives."""
    lanes, first = np.unique(items.lane[parts.item], return_index=True)
    ends = np.append(first[1:], len(parts.item)) if len(first) else first
    sends: list[Lane] = []
    receives: list[Lane] = []
    for key, start, end in zip(lanes.tolist(), first.tolist(), ends.tolist(), strict=True):
        place, channel = divmod(key, schedule.num_channels)
        receiving, peer = divmod(place, schedule.num_ranks)
        (receives if receiving else sends).append(Lane(peer, channel, range(start, end)))
    return tuple(sends), tuple(receives)
