"""Who sends which chunk to whom at which step: the one description of a collective.

Theory of operation. The data of an operation (``operations.py``) are cut into ``num_chunks`` chunks; an all_reduce's is
one buffer that every rank has, in nearly equal parts. A *transfer* moves ``count`` neighbouring chunks from one rank to
another, as one message, at a step, on a channel. A send reads its chunks as they stood before the step; what arrives is
applied after it: copied over, or added to what is there. Nothing here knows of message sizes, hosts or sockets. The
transfers are held as columns, so that a ring of 1024 ranks (2 million transfers) is built in a fraction of a second.

A schedule is read in three ways: ``program(rank)`` for the sockets, ``flows()`` for the controller, and
``dependencies()`` for the simulator.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from collectives.chunks import chunk_sizes
from collectives.hazards import Accesses, Dependencies, depend, hazards
from collectives.operations import ALL_REDUCE, Operation

Column = NDArray[np.int32]
COLUMNS = ("step", "src", "dst", "chunk", "op", "channel", "count")


class ScheduleError(ValueError):
    """A schedule that can't be, or does not do what it should: says which rank, chunk and step."""


class Op(IntEnum):
    """What the receiver does with an arriving chunk."""

    COPY = 0
    REDUCE = 1


@dataclass(frozen=True, slots=True)
class Transfer:
    """``count`` neighbouring chunks, from ``chunk`` on, crossing from one rank to another as one message."""

    step: int
    src: int
    dst: int
    chunk: int
    op: Op
    channel: int = 0
    count: int = 1

    @property
    def chunks(self) -> range:
        return range(self.chunk, self.chunk + self.count)


@dataclass(frozen=True, slots=True)
class Flow:
    """All the transfers of one (src, dst, channel): one connection, one 5-tuple, one path.

    ``loads[i]`` is what it carries at step ``steps[i]``: chunks, unless ``Schedule.flows`` was given other weights.
    """

    src: int
    dst: int
    channel: int
    steps: tuple[int, ...]
    loads: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """One rank's transfers of one step."""

    step: int
    sends: tuple[Transfer, ...]
    receives: tuple[Transfer, ...]


@dataclass(frozen=True, eq=False)
class Schedule:
    """Transfers as columns of equal length; row i is transfer i. Raises ScheduleError for a transfer that can't be."""

    num_ranks: int
    num_chunks: int
    step: Column
    src: Column
    dst: Column
    chunk: Column
    op: Column
    channel: Column
    count: Column
    operation: Operation = ALL_REDUCE

    def __post_init__(self) -> None:
        _check(self)

    @classmethod
    def of(cls, num_ranks: int, num_chunks: int, **columns: ArrayLike) -> Schedule:
        """From columns that broadcast against each other, flattened; ``channel`` is 0 and ``count`` 1 if not given."""
        given = {"channel": 0, "count": 1, **columns}
        arrays = np.broadcast_arrays(*(np.asarray(given[name], dtype=np.int32) for name in COLUMNS))
        return _made(num_ranks, num_chunks, [np.ascontiguousarray(array).reshape(-1) for array in arrays])

    @classmethod
    def from_transfers(cls, num_ranks: int, num_chunks: int, transfers: Iterable[Transfer]) -> Schedule:
        rows = [(t.step, t.src, t.dst, t.chunk, t.op, t.channel, t.count) for t in transfers]
        table = np.array(rows, dtype=np.int32).reshape(-1, len(COLUMNS))
        return _made(num_ranks, num_chunks, [np.ascontiguousarray(column) for column in table.T])

    def doing(self, operation: Operation) -> Schedule:
        """The same transfers, meant as ``operation``."""
        return replace(self, operation=operation)

    def chunk_sizes(self, count: int) -> NDArray[np.int64]:
        """Elements of each chunk where the largest buffer of a rank has ``count``."""
        return chunk_sizes(self.operation.block_sizes(self.num_ranks, count), self.num_chunks)

    def __len__(self) -> int:
        return len(self.step)

    def transfers(self) -> Iterator[Transfer]:
        """Every transfer, in the order of the columns."""
        for step, src, dst, chunk, op, channel, count in zip(*(self._column(name) for name in COLUMNS), strict=True):
            yield Transfer(step, src, dst, chunk, Op(op), channel, count)

    def _column(self, name: str) -> list[int]:
        column: list[int] = getattr(self, name).tolist()
        return column

    @cached_property
    def num_steps(self) -> int:
        return int(self.step.max(initial=-1)) + 1

    @cached_property
    def num_channels(self) -> int:
        return int(self.channel.max(initial=0)) + 1

    @cached_property
    def relays(self) -> bool:
        """Does every send after the first step pass on just what came in the step before, to one peer, as in a ring?

        Then a chunk streams through its ranks while it is still arriving, and no step waits for the one before it. (A
        rank that turns to another peer lets all arrive first: see ``program.py``.)
        """
        sender = self.channel.astype(np.int64) * self.num_ranks + self.src
        if len(np.unique(sender)) != len(np.unique(sender * self.num_ranks + self.dst)):
            return False
        receiver = self.channel.astype(np.int64) * self.num_ranks + self.dst
        what = self.chunk.astype(np.int64) * (self.num_chunks + 1) + self.count
        width = self.num_chunks * (self.num_chunks + 1) + self.num_chunks + 1
        sent = ((sender * (self.num_steps + 1)) + self.step) * width + what
        came = ((receiver * (self.num_steps + 1)) + self.step + 1) * width + what
        return np.array_equal(np.sort(sent[self.step > 0]), np.sort(came[self.step < self.num_steps - 1]))

    @cached_property
    def fingerprint(self) -> str:
        """The same on every rank that runs the same transfers, in hexadecimal."""
        digest = hashlib.blake2b(f"{self.num_ranks} {self.num_chunks} {self.operation}".encode(), digest_size=8)
        for name in COLUMNS:
            digest.update(getattr(self, name).astype("<i4").tobytes())
        return digest.hexdigest()

    # -- combinators --------------------------------------------------------------------
    def then(self, other: Schedule) -> Schedule:
        """First this schedule, then ``other`` on the same buffer."""
        self._must_share("then", other, self.num_chunks)
        return _joined(self, replace(other, step=other.step + np.int32(self.num_steps)))

    def beside(self, other: Schedule) -> Schedule:
        """At the same time: this schedule and, on further channels, ``other`` on a further part of the buffer."""
        self._must_share("beside", other, other.num_chunks)
        chunks = self.num_chunks + other.num_chunks
        moved = replace(
            other,
            num_chunks=chunks,
            chunk=other.chunk + np.int32(self.num_chunks),
            channel=other.channel + np.int32(self.num_channels),
        )
        return _joined(replace(self, num_chunks=chunks), moved)

    def relabel(self, ranks: Sequence[int], num_ranks: int) -> Schedule:
        """The same schedule among ``ranks`` of a group of ``num_ranks``: rank i here is ``ranks[i]`` there."""
        if len(ranks) != self.num_ranks or len(set(ranks)) != len(ranks):
            raise ScheduleError(f"relabel: needs {self.num_ranks} different ranks, got {list(ranks)}")
        names = np.asarray(ranks, dtype=np.int32)
        return replace(self, num_ranks=num_ranks, src=names[self.src], dst=names[self.dst])

    def reversed(self) -> Schedule:
        """Every chunk copied back the way it came: turns a reduce-scatter into an all-gather."""
        last = np.int32(self.num_steps - 1)
        back = replace(self, step=last - self.step, src=self.dst, dst=self.src, op=np.full_like(self.op, Op.COPY))
        return _picked(back, np.argsort(back.step, kind="stable"))

    def refine(self, parts: int) -> Schedule:
        """Each chunk cut into ``parts``; the pieces move together, as the chunk did."""
        size = np.int32(parts)
        return replace(self, num_chunks=self.num_chunks * parts, chunk=self.chunk * size, count=self.count * size)

    def shifted(self, chunks: int, num_chunks: int) -> Schedule:
        """The same on a stretch, from ``chunks`` on, of a buffer of ``num_chunks``."""
        return replace(self, num_chunks=num_chunks, chunk=self.chunk + np.int32(chunks))

    def _must_share(self, verb: str, other: Schedule, chunks: int) -> None:
        if (self.num_ranks, chunks) != (other.num_ranks, other.num_chunks):
            raise ScheduleError(
                f"{verb}: {self.num_ranks} ranks and {chunks} chunks do not go with "
                f"{other.num_ranks} ranks and {other.num_chunks} chunks"
            )

    # -- the three readings -------------------------------------------------------------
    def program(self, rank: int) -> tuple[Stage, ...]:
        """For the sockets: this rank's sends and receives, step by step."""
        mine = _picked(self, np.flatnonzero((self.src == rank) | (self.dst == rank)))
        sends: dict[int, list[Transfer]] = {}
        receives: dict[int, list[Transfer]] = {}
        for transfer in mine.transfers():
            (sends if transfer.src == rank else receives).setdefault(transfer.step, []).append(transfer)
        return tuple(
            Stage(step, tuple(sends.get(step, ())), tuple(receives.get(step, ())))
            for step in sorted(sends.keys() | receives.keys())
        )

    def flows(self, weights: NDArray[np.int64] | None = None) -> tuple[Flow, ...]:
        """For the controller: one entry per connection, sorted, with the steps it is active in and its loads.

        ``weights`` says what each transfer counts for (bytes, say); chunks if not given. Steps of no weight are left
        out, connections are not: they are opened all the same.
        """
        if not len(self):
            return ()
        steps = max(self.num_steps, 1)
        flow = (self.src.astype(np.int64) * self.num_ranks + self.dst) * self.num_channels + self.channel
        cell = flow * steps + self.step
        order = np.argsort(cell, kind="stable")
        first = np.flatnonzero(_changes(cell[order]))
        loads = np.add.reduceat((self.count.astype(np.int64) if weights is None else weights)[order], first)
        return tuple(_flows(self, flow[order][first], self.step[order][first], loads))

    def dependencies(self) -> Dependencies:
        """For the simulator: for each transfer, the transfers that must have finished before it starts.

        That is the order of the executor: a rank sends on each channel in the order of its steps; a send waits for
        what has to arrive in its chunks before, and a chunk is not overwritten before earlier sends of it are out.
        (The executor forwards a chunk as it arrives; finish-before-start is the same order without that overlap.)
        """
        before, after = hazards(self.accesses()).pairs()
        earlier = self.step[before] < self.step[after]
        return depend(len(self), [(before[earlier], after[earlier]), self.sending_order()])

    def accesses(self) -> Accesses:
        """Every chunk read (at its sender) and written (at its receiver), one row a chunk."""
        item = np.repeat(np.arange(len(self)), self.count)
        first = np.repeat(np.cumsum(self.count) - self.count, self.count)
        chunk = self.chunk[item] + np.arange(len(item)) - first
        read = self.src[item].astype(np.int64) * self.num_chunks + chunk
        write = self.dst[item].astype(np.int64) * self.num_chunks + chunk
        return Accesses(
            item=np.concatenate([item, item]),
            place=np.concatenate([read, write]),
            step=np.concatenate([self.step[item], self.step[item]]),
            write=np.repeat([False, True], len(item)),
        )

    def sending_order(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Pairs (before, after): each send after all of its rank's sends of the step before on the same channel."""
        lane = self.src.astype(np.int64) * self.num_channels + self.channel
        order = np.lexsort((self.step, lane))
        lane, step = lane[order], self.step[order]
        new = _changes(lane * max(self.num_steps, 1) + step)
        starts = np.flatnonzero(new)
        sizes = np.diff(starts, append=len(order))
        group = np.cumsum(new) - 1
        has = np.flatnonzero((group > 0) & (lane == lane[starts[np.maximum(group - 1, 0)]]))
        wait = sizes[group[has] - 1]
        offset = np.arange(wait.sum()) - np.repeat(np.cumsum(wait) - wait, wait)
        return order[np.repeat(starts[group[has] - 1], wait) + offset], order[np.repeat(has, wait)]


def union(*parts: Schedule) -> Schedule:
    """Schedules of different ranks of one group on the same buffer, at the same time."""
    whole = parts[0]
    for part in parts[1:]:
        whole._must_share("union", part, whole.num_chunks)  # noqa: SLF001 - a combinator of this module
        whole = _joined(whole, part)
    return whole


def _made(num_ranks: int, num_chunks: int, columns: list[Column], operation: Operation = ALL_REDUCE) -> Schedule:
    step, src, dst, chunk, op, channel, count = columns
    return Schedule(num_ranks, num_chunks, step, src, dst, chunk, op, channel, count, operation)


def _joined(one: Schedule, other: Schedule) -> Schedule:
    columns = [np.concatenate([getattr(one, name), getattr(other, name)]) for name in COLUMNS]
    return _made(one.num_ranks, one.num_chunks, columns, one.operation)


def _picked(schedule: Schedule, rows: NDArray[np.int64]) -> Schedule:
    columns = [getattr(schedule, name)[rows] for name in COLUMNS]
    return _made(schedule.num_ranks, schedule.num_chunks, columns, schedule.operation)


def _changes(keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    """True where a key differs from the one before it."""
    return np.concatenate([np.ones(min(len(keys), 1), dtype=bool), keys[1:] != keys[:-1]])


def _flows(schedule: Schedule, flow: NDArray[np.int64], step: Column, loads: NDArray[np.int64]) -> Iterator[Flow]:
    """Cells (flow, step, load), sorted, gathered by flow."""
    starts = np.flatnonzero(_changes(flow))
    kept = np.concatenate([[0], np.cumsum(loads > 0)])
    bounds = kept[np.append(starts, len(flow))].tolist()
    steps, values = step[loads > 0].tolist(), loads[loads > 0].tolist()
    for index, key in enumerate(flow[starts].tolist()):
        pair, channel = divmod(key, schedule.num_channels)
        src, dst = divmod(pair, schedule.num_ranks)
        here = slice(bounds[index], bounds[index + 1])
        yield Flow(src, dst, channel, tuple(steps[here]), tuple(values[here]))


def _check(schedule: Schedule) -> None:
    if schedule.num_ranks < 1 or schedule.num_chunks < 1:
        raise ScheduleError(f"{schedule.num_ranks} ranks and {schedule.num_chunks} chunks: at least 1 of each")
    blocks = schedule.operation.num_blocks(schedule.num_ranks)
    if schedule.num_chunks % blocks:
        raise ScheduleError(
            f"{schedule.operation} has {blocks} blocks: {schedule.num_chunks} chunks can't be their parts"
        )
    bad = (
        (np.minimum(schedule.src, schedule.dst) < 0)
        | (np.maximum(schedule.src, schedule.dst) >= schedule.num_ranks)
        | (schedule.src == schedule.dst)
        | (np.minimum(schedule.step, schedule.channel) < 0)
        | (schedule.chunk < 0)
        | (schedule.count < 1)
        | (schedule.chunk + schedule.count > schedule.num_chunks)
        | ((schedule.op != Op.COPY) & (schedule.op != Op.REDUCE))
    )
    if bad.any():
        row = int(np.argmax(bad))
        values = ", ".join(f"{name} {getattr(schedule, name)[row]}" for name in COLUMNS)
        raise ScheduleError(
            f"transfer {row} ({values}) can't be: ranks are 0 to {schedule.num_ranks - 1} and differ, "
            f"chunks are 0 to {schedule.num_chunks - 1}, step and channel are not negative"
        )
