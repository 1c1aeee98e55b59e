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

Every chunk that a rank receives has a *home*: its place in the output if the rank is to end with it, else a place in
the *scratch* memory, which a ring uses again as soon as a chunk has passed on. Positions are bytes within the home. A
part is *fresh* if nothing was written to its bytes yet: it reads the caller's input instead of its home (``shift``
bytes further on), which saves a copy of the whole message. Parts are cut where any of this changes, and where memory is
not contiguous; the wire does not see that. What a rank holds, must end with and never receives is *copied* beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from collectives.chunks import chunk_sizes
from collectives.hazards import Accesses, Dependencies, Index, Pairs, depend, hazards
from collectives.operations import ALL
from collectives.schedule import Op, Schedule, ScheduleError

Flags = NDArray[np.bool_]

OUTPUT, SCRATCH = 0, 1
"""Homes."""


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes ``lo`` to ``hi`` of its ``home``, sent or received at ``step``; ``behind`` and ``after`` index the parts.

    A fresh part reads the input, ``shift`` bytes further on.
    """

    step: int
    lo: int
    hi: int
    reduce: bool
    fresh: bool
    home: int
    shift: int
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
    """What one rank does in a collective: sizes of its memories in bytes, what it copies, sends and receives.

    ``copies`` are bytes (first of the output, first of the input, how many).
    """

    rank: int
    itemsize: int
    input_bytes: int
    output_bytes: int
    scratch_bytes: int
    copies: tuple[tuple[int, int, int], ...]
    parts: tuple[Part, ...]
    sends: tuple[Lane, ...]
    receives: tuple[Lane, ...]


@dataclass(frozen=True, eq=False)
class _Items:
    """Transfers of this rank, one row each: the lanes one after another, each in the order of its bytes."""

    send: Flags
    lane: Index
    channel: NDArray[np.int32]
    step: NDArray[np.int32]
    chunk: NDArray[np.int32]
    count: NDArray[np.int32]
    reduce: Flags


@dataclass(frozen=True, eq=False)
class _Layout:
    """Where a rank has its chunks: one row a chunk, in bytes."""

    size: Index
    held: Flags
    wanted: Flags
    input_at: Index
    output_at: Index

    @classmethod
    def of(cls, schedule: Schedule, rank: int, sizes: Index) -> _Layout:
        start, end = schedule.operation.ends(schedule.num_ranks)
        parts = sizes.reshape(-1, len(start))
        within = np.cumsum(parts, axis=0) - parts
        held, wanted = ((ends == ALL) | (ends == rank) for ends in (start, end))
        flags = (np.tile(mask, len(parts)) for mask in (held, wanted))
        blocks = parts.sum(axis=0)
        offsets = (np.cumsum(blocks * mask) - blocks * mask for mask in (held, wanted))
        return cls(sizes, *flags, *((offset + within).reshape(-1) for offset in offsets))

    @property
    def copies(self) -> Flags:
        """Chunks that stay where they are; those received as well are no copies."""
        return self.held & self.wanted & (self.size > 0)


@dataclass(frozen=True, eq=False)
class _Rows:
    """One row a chunk of an item: what is done with it, and where."""

    item: Index
    chunk: Index
    fresh: Flags
    reduce: Flags
    home: Index
    at: Index
    shift: Index


@dataclass(frozen=True, eq=False)
class _Parts:
    """One row a part: its item, its first and last byte, and what holds for all of it."""

    item: Index
    lo: Index
    hi: Index
    fresh: Flags
    reduce: Flags
    home: Index
    shift: Index

    def picked(self, rows: Index) -> _Parts:
        return _Parts(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def compile_program(
    schedule: Schedule, rank: int, count: int, itemsize: int, block_sizes: Index | None = None
) -> Program:
    """The program of ``rank`` where the largest buffer of a rank has ``count`` elements of ``itemsize`` bytes.

    ``block_sizes`` (elements) replace the equal parts of ``count``. Empty transfers vanish. ScheduleError if the rank
    is to send what it does not hold.
    """
    sizes = schedule.chunk_sizes(count) if block_sizes is None else chunk_sizes(block_sizes, schedule.num_chunks)
    layout = _Layout.of(schedule, rank, sizes * itemsize)
    items = _items(schedule, rank)
    rows, pairs, scratch_bytes = _placed(items, layout)
    parts, part_of = _cut(rows, layout.size)
    pairs = part_of[pairs[0]], part_of[pairs[1]]
    full = np.flatnonzero(parts.hi > parts.lo)
    number = np.full(len(parts.item), -1)
    number[full] = np.arange(len(full))
    parts = parts.picked(full)
    before, after = number[pairs[0]], number[pairs[1]]
    crossing = items.lane[parts.item[before]] != items.lane[parts.item[after]]  # a lane keeps its own order anyway
    behind = depend(len(full), [(before[crossing], after[crossing])])
    made = tuple(_parts(items, parts, behind, _sending_order(items, parts)))
    received = np.zeros(len(layout.size), dtype=bool)
    received[rows.chunk[~items.send[rows.item]]] = True
    return Program(
        rank,
        itemsize,
        int(layout.size[layout.held].sum()),
        int(layout.size[layout.wanted].sum()),
        scratch_bytes,
        tuple(_copies(layout, np.flatnonzero(layout.copies & ~received))),
        made,
        *_lanes(schedule, items, parts),
    )


def _copies(layout: _Layout, chunks: Index) -> list[tuple[int, int, int]]:
    """Neighbours in one."""
    found: list[tuple[int, int, int]] = []
    columns = (layout.output_at, layout.input_at, layout.size)
    for to, come, size in sorted(zip(*(column[chunks].tolist() for column in columns), strict=True)):
        if found and found[-1][0] + found[-1][2] == to and found[-1][1] + found[-1][2] == come:
            found[-1] = (*found[-1][:2], found[-1][2] + size)
        else:
            found.append((to, come, size))
    return found


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


def _placed(items: _Items, layout: _Layout) -> tuple[_Rows, Pairs, int]:
    """A place for every chunk of every item, the pairs of rows that must keep their order, and bytes of scratch."""
    item = np.repeat(np.arange(len(items.lane)), items.count)
    chunk = np.arange(len(item)) - np.repeat(np.cumsum(items.count) - items.count - items.chunk, items.count)
    send, step = items.send[item], items.step[item]
    found = hazards(Accesses(item, chunk, step, ~send))
    fresh, wanted = found.fresh, layout.wanted[chunk]
    if (empty := send & fresh & ~layout.held[chunk]).any():
        row = int(np.argmax(empty))
        raise ScheduleError(f"chunk {chunk[row]} is sent at step {step[row]} by a rank that does not hold it")
    from_input = send & fresh & ~wanted  # it has no home, and nothing of ours writes there
    homeless = ~wanted & ~from_input
    scratch_at, slot, scratch_bytes = _scratch(items, layout, item[homeless], chunk[homeless])
    home_at = np.where(layout.wanted, layout.output_at, scratch_at)[chunk]
    at = np.where(from_input, layout.input_at[chunk], home_at)
    rows = _Rows(
        item,
        chunk,
        fresh,
        items.reduce[item] & ~(fresh & ~layout.held[chunk]),  # added to nothing: copied
        np.where(homeless, SCRATCH, OUTPUT),
        at,
        np.where(fresh & layout.held[chunk], layout.input_at[chunk] - at, 0),
    )
    if not wanted.all():
        place = np.where(wanted, chunk, len(layout.size) + slot[chunk])
        place[from_input] = 3 * len(layout.size) + np.arange(int(from_input.sum()))
        found = hazards(Accesses(item, place, step, ~send))
    filled = layout.size[chunk[found.before]] > 0  # an empty chunk holds nothing up
    return rows, (found.before[filled], found.after[filled]), scratch_bytes


def _scratch(items: _Items, layout: _Layout, item: Index, chunk: Index) -> tuple[Index, Index, int]:
    """For each chunk (that has rows here): its place in the scratch, the number of its slot, and bytes in all.

    Chunks that come one by one share slots, each for the steps from its first access to its last.
    """
    chunks = len(layout.size)
    at, slot = np.zeros(chunks, dtype=np.int64), chunks + np.arange(chunks)  # of its own, if it shares none
    some = layout.size[chunk] > 0
    item, chunk = item[some], chunk[some]
    used = np.unique(chunk)
    if not len(used):
        return at, slot, 0
    if (items.count[item] > 1).any():
        ends = np.cumsum(layout.size[used])
        at[used] = ends - layout.size[used]
        return at, slot, int(ends[-1])
    order = np.lexsort((items.step[item], chunk))
    first = np.flatnonzero(np.diff(chunk[order], prepend=-1))
    last = np.append(first[1:], len(order)) - 1
    steps = items.step[item[order]]
    size = int(layout.size[used].max())
    free_after: list[int] = []
    for row in np.argsort(steps[first], kind="stable").tolist():
        begin, end, which = int(steps[first[row]]), int(steps[last[row]]), int(used[row])
        number = next((i for i, busy in enumerate(free_after) if busy < begin), len(free_after))
        free_after[number : number + 1] = [end]
        slot[which], at[which] = number, number * size
    return at, slot, len(free_after) * size


def _cut(rows: _Rows, size: Index) -> tuple[_Parts, Index]:
    """Rows joined to parts where they follow each other in memory, and the part of each row."""
    length = size[rows.chunk]
    cut = np.ones(len(rows.item), dtype=bool)
    same = [(column[1:] == column[:-1]) for column in (rows.item, rows.fresh, rows.reduce, rows.home, rows.shift)]
    cut[1:] = ~(np.logical_and.reduce(same) & (rows.at[1:] == rows.at[:-1] + length[:-1]))
    first = np.flatnonzero(cut)
    last = np.append(first[1:], len(cut)) - 1 if len(first) else first
    found = _Parts(
        rows.item[first],
        rows.at[first],
        rows.at[last] + length[last],
        rows.fresh[first],
        rows.reduce[first],
        rows.home[first],
        rows.shift[first],
    )
    return found, np.cumsum(cut) - 1


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
    columns = (items.step[parts.item], parts.lo, parts.hi, parts.reduce, parts.fresh, parts.home, parts.shift)
    rows = zip(*(column.tolist() for column in columns), map(tuple, behind), after, strict=True)
    return [
        Part(step, lo, hi, reduce, fresh, home, shift, () if turn else first, turn + first if turn else ())
        for step, lo, hi, reduce, fresh, home, shift, first, turn in rows
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
