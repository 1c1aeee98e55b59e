"""A Schedule to MSCCL XML, in place where the operation can be: what MSCCL's own runtime and tools read.

Each connection of a rank is a thread block of its own, which works its messages in their order; what must wait for
another thread block (a send for what it passes on, a receive for the send of what it overwrites) says so in ``depid``
and ``deps``, with a ``nop`` in front for each further wait. So nothing is held up that the schedule does not hold up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from xml.sax.saxutils import quoteattr

import numpy as np

from collectives.hazards import hazards
from collectives.interchange.msccl_document import Cell
from collectives.interchange.msccl_layout import COLLS, Layout
from collectives.operations import ALL
from collectives.schedule import Op, Schedule, ScheduleError, Transfer

Access = tuple[int, bool, int]
"""A transfer's row, whether it is the receiver's end of it, and a chunk."""

Place = tuple[int, int]
"""A thread block of a rank, and a step in it, nops not counted."""

_NOWHERE = Cell("i", -1), Cell("o", -1)


@dataclass(slots=True)
class _Step:
    """A line to be."""

    type: str
    source: Cell
    target: Cell
    count: int
    waits: list[Place] = field(default_factory=list)
    awaited: bool = False


@dataclass(slots=True)
class _Block:
    """Its peers are -1 where it has none."""

    number: int
    send: int
    recv: int
    channel: int
    steps: list[_Step] = field(default_factory=list)


def write(schedule: Schedule, name: str = "schedule") -> str:
    """The program. ScheduleError for an operation that the format does not know."""
    coll = next((coll for coll, operation in COLLS.items() if operation == schedule.operation.name), None)
    if coll is None:
        known = ", ".join(sorted(set(COLLS.values())))
        raise ScheduleError(f"MSCCL XML says nothing of {schedule.operation.name}: take one of {known}")
    layout = _layout(schedule)
    ranks = _Filling(schedule, layout).ranks
    head = (
        f'<algo name={quoteattr(name)} proto="Simple" nchannels="{schedule.num_channels}" '
        f'nchunksperloop="{max(layout.sizes.values())}" ngpus="{layout.num_ranks}" coll="{coll}" '
        f'inplace="{int(layout.in_place)}" outofplace="{int(not layout.in_place)}" minBytes="0" maxBytes="0">'
    )
    return "\n".join([head, *(line for rank in ranks for line in _gpu(rank, layout)), "</algo>", ""])


def _layout(schedule: Schedule) -> Layout:
    """An all_to_all is out of place: what comes for one rank may come before its place is sent."""
    parts = schedule.num_chunks // schedule.operation.num_blocks(schedule.num_ranks)
    return Layout(schedule.operation, schedule.num_ranks, parts, schedule.operation.name != "all_to_all")


class _Rank:
    """The cells and thread blocks of one rank."""

    def __init__(self, number: int, layout: Layout) -> None:
        self.number = number
        self.blocks: dict[tuple[int, int, int], _Block] = {}
        self.scratch_chunks = 0
        self.copied: dict[int, Place] = {}
        starts = {chunk: cell for cell, chunk in layout.starts(number)}
        self._cells = starts | {chunk: layout.memory(number, cell) for cell, chunk in layout.ends(number)}
        for chunk, home in self._cells.items():
            if starts.get(chunk, home) != home:
                self.copied[chunk] = self.put((-1, -1, 0), _Step("cpy", starts[chunk], home, 1))

    def cell(self, chunk: int) -> Cell:
        """Where the chunk is worked on: where it must end, or else where it starts, or else in scratch."""
        if chunk not in self._cells:
            self._cells[chunk] = Cell("s", self.scratch_chunks)
            self.scratch_chunks += 1
        return self._cells[chunk]

    def put(self, lane: tuple[int, int, int], step: _Step) -> Place:
        block = self.blocks.setdefault(lane, _Block(len(self.blocks), *lane))
        block.steps.append(step)
        return block.number, len(block.steps) - 1

    def wait(self, place: Place, other: Place) -> None:
        """The step at ``place`` comes after the one at ``other``."""
        if place[0] != other[0]:
            blocks = [*self.blocks.values()]
            blocks[place[0]].steps[place[1]].waits.append(other)


class _Filling:
    """Turns transfers into steps of both ranks."""

    def __init__(self, schedule: Schedule, layout: Layout) -> None:
        self.ranks = [_Rank(number, layout) for number in range(schedule.num_ranks)]
        self._accesses = schedule.accesses()
        self._hazards = hazards(self._accesses)
        self._chunks = schedule.num_chunks
        self._to_nothing = self._added_to_nothing(schedule)
        self._places: dict[Access, Place] = {}
        rows = sorted(enumerate(schedule.transfers()), key=lambda one: (one[1].step, one[1].chunk))
        for row, transfer in rows:
            for chunks, adds in self._pieces(row, transfer):
                self._put(row, transfer, chunks, adds=adds)
        self._wait()
        self._keep_order(schedule)

    def _added_to_nothing(self, schedule: Schedule) -> set[tuple[int, int]]:
        """Rows and chunks that arrive where there is nothing yet."""
        start = schedule.operation.ends(schedule.num_ranks)[0]
        rank, chunk = np.divmod(self._accesses.place, self._chunks)
        held = (start[chunk % len(start)] == ALL) | (start[chunk % len(start)] == rank)
        rows = np.flatnonzero(self._accesses.write & self._hazards.fresh & ~held)
        return set(zip(self._accesses.item[rows].tolist(), chunk[rows].tolist(), strict=True))

    def _pieces(self, row: int, transfer: Transfer) -> Iterator[tuple[range, bool]]:
        """Stretches of chunks that are neighbours in memory at both ends; and whether they are added."""
        src, dst, chunks = self.ranks[transfer.src], self.ranks[transfer.dst], transfer.chunks
        adds = [transfer.op is Op.REDUCE and (row, chunk) not in self._to_nothing for chunk in chunks]
        ends = [(src.cell(chunk), dst.cell(chunk)) for chunk in chunks]
        cuts = [
            at
            for at, (one, other) in enumerate(pairwise(zip(ends, adds, strict=True)), 1)
            if ((_next(one[0][0]), _next(one[0][1])), one[1]) != other
        ]
        for first, last in pairwise([0, *cuts, len(chunks)]):
            yield chunks[first:last], adds[first]

    def _put(self, row: int, transfer: Transfer, chunks: range, *, adds: bool) -> None:
        src, dst = self.ranks[transfer.src], self.ranks[transfer.dst]
        source, target, count = src.cell(chunks[0]), dst.cell(chunks[0]), len(chunks)
        sent = src.put((dst.number, -1, transfer.channel), _Step("s", source, target, count))
        step = _Step("rrc", target, target, count) if adds else _Step("r", source, target, count)
        came = dst.put((-1, src.number, transfer.channel), step)
        for chunk in chunks:
            for rank, place, received in ((src, sent, False), (dst, came, True)):
                self._places[row, received, chunk] = place
                if chunk in rank.copied:
                    rank.wait(place, rank.copied[chunk])

    def _wait(self) -> None:
        found = self._hazards
        rank, chunk = np.divmod(self._accesses.place[found.before], self._chunks)
        ends = [
            (self._accesses.item[rows].tolist(), self._accesses.write[rows].tolist())
            for rows in (found.before, found.after)
        ]
        for number, one, before, after in zip(
            rank.tolist(), chunk.tolist(), *(zip(*end, strict=True) for end in ends), strict=True
        ):
            self.ranks[number].wait(self._places[*after, one], self._places[*before, one])

    def _keep_order(self, schedule: Schedule) -> None:
        """A rank's send waits for its sends of the step before on the same channel."""
        last = {row: self._places[row, False, transfer.chunks[-1]] for row, transfer in enumerate(schedule.transfers())}
        for before, after in zip(*(rows.tolist() for rows in schedule.sending_order()), strict=True):
            first = self._places[after, False, int(schedule.chunk[after])]
            self.ranks[int(schedule.src[after])].wait(first, last[before])


def _next(cell: Cell) -> Cell:
    return Cell(cell.buffer, cell.offset + 1)


def _gpu(rank: _Rank, layout: Layout) -> Iterator[str]:
    sizes = f'i_chunks="{layout.sizes["i"]}" o_chunks="{layout.sizes["o"]}" s_chunks="{rank.scratch_chunks}"'
    yield f'  <gpu id="{rank.number}" {sizes}>'
    blocks = [*rank.blocks.values()]
    for block in blocks:
        _drop_needless_waits(block)
    for block in blocks:
        for step in block.steps:
            for number, at in step.waits:
                blocks[number].steps[at].awaited = True
    lines = [_numbers(block) for block in blocks]
    for block in blocks:
        yield f'    <tb id="{block.number}" send="{block.send}" recv="{block.recv}" chan="{block.channel}">'
        yield from _steps(block, lines)
        yield "    </tb>"
    yield "  </gpu>"


def _drop_needless_waits(block: _Block) -> None:
    """Of several for one thread block the last is enough, and none is where an earlier step waited as long."""
    known: dict[int, int] = {}
    for step in block.steps:
        latest: dict[int, int] = {}
        for number, at in step.waits:
            latest[number] = max(at, latest.get(number, -1))
        step.waits = [(number, at) for number, at in sorted(latest.items()) if at > known.get(number, -1)]
        known |= dict(step.waits)


def _numbers(block: _Block) -> list[int]:
    """What each step's number is when nops are counted."""
    before = np.cumsum([max(len(step.waits) - 1, 0) for step in block.steps])
    numbers: list[int] = (before + np.arange(len(before))).tolist()
    return numbers


def _steps(block: _Block, lines: Sequence[Sequence[int]]) -> Iterator[str]:
    for step, number in zip(block.steps, lines[block.number], strict=True):
        waits = [(other, lines[other][at]) for other, at in step.waits] or [(-1, -1)]
        for back, wait in enumerate(waits[:-1]):
            yield _line(number - len(waits) + 1 + back, _Step("nop", *_NOWHERE, 0), wait)
        yield _line(number, step, waits[-1])


def _line(number: int, step: _Step, wait: Place) -> str:
    source, target = step.source, step.target
    return (
        f'      <step s="{number}" type="{step.type}" srcbuf="{source.buffer}" srcoff="{source.offset}" '
        f'dstbuf="{target.buffer}" dstoff="{target.offset}" cnt="{step.count}" depid="{wait[0]}" deps="{wait[1]}" '
        f'hasdep="{int(step.awaited)}"/>'
    )
