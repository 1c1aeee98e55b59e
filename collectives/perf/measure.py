"""Times the operations of a group of ranks as nccl-tests does: a Row a size, out of place and in place.

For each half: one operation untimed, a barrier, then the iterations back to back; the buffers move along with them, so
that small sizes do not run from the cache; then the result is checked. Times, errors and names of all ranks are
combined over the same connections.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from datetime import datetime
from itertools import count as numbers
from time import perf_counter, process_time
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from collectives.metrics import DTYPES
from collectives.operations import Operation
from collectives.peers import Ranks
from collectives.perf.checkdata import Expected, contributions, fill
from collectives.perf.options import Options
from collectives.perf.rows import Device, Half, Row
from collectives.perf.step_board import StepBoard
from collectives.perf.step_reports import StepReports

_TEXT_BYTES = 128
"""Of each rank's host and device name."""

BARRIER_TIMED, BARRIER_UNTIMED = 1, 3
"""Ways to block (``-z``): a barrier after each iteration, in its time or not."""


def devices(communicator: Ranks, text: str) -> list[Device]:
    """Who takes part: every rank's process, host and device text."""
    mine = [os.getpid(), *_padded(socket.gethostname()), *_padded(text)]
    table = np.zeros((communicator.num_ranks, len(mine)), dtype=np.int32)
    table[communicator.rank] = mine
    communicator.all_reduce(table)
    host, device = slice(1, 1 + _TEXT_BYTES), slice(1 + _TEXT_BYTES, None)
    return [Device(rank, int(row[0]), _unpadded(row[host]), _unpadded(row[device])) for rank, row in enumerate(table)]


def rows(communicator: Ranks, options: Options, reports: StepReports | StepBoard | None = None) -> Iterator[Row]:
    """A Row for each type, operation, root and size, as it is done; the same on every rank."""
    for dtype_name in options.dtypes:
        bench = _Bench(communicator, options, DTYPES[dtype_name].numpy, reports)
        for op in options.ops:
            for root in options.roots(communicator.num_ranks):
                test = bench.test(op, root)
                bench.warm_up(test)
                for _ in numbers() if options.run_cycles == 0 else range(options.run_cycles):
                    for size in options.sizes:
                        yield bench.row(test, dtype_name, size)


class _Test(NamedTuple):
    """What is run."""

    operation: Operation
    op: str
    root: int


class _Views(NamedTuple):
    """The arrays of one run on this rank; ``stage`` takes a copy of the source first, if it is to be overwritten."""

    source: NDArray[Any]
    target: NDArray[Any]
    stage: NDArray[Any] | None


class _Bench:
    """The buffers of one type, and what is done with them."""

    def __init__(
        self, communicator: Ranks, options: Options, dtype: np.dtype[Any], reports: StepReports | StepBoard | None
    ) -> None:
        self._communicator = communicator
        self._ranks = communicator.num_ranks
        self._reports = reports
        self._options = options
        self._clock = process_time if options.cpu_time else perf_counter
        self._kind = options.kind
        self._dtype = dtype
        capacity = max(options.sizes) // dtype.itemsize
        self._source = np.empty(capacity, dtype)
        self._target = np.empty(capacity, dtype)
        self._target.fill(0)  # touched, so that the first size does not pay for the pages

    def test(self, op: str, root: int) -> _Test:
        return _Test(Operation(self._kind.operation, max(root, 0)), op, root)

    def warm_up(self, test: _Test) -> None:
        """Each size, doubling, as often as ``-w`` says, untimed."""
        self._source.fill(0)
        size = max(self._options.min_bytes, self._dtype.itemsize)
        while size <= max(self._options.sizes):
            count = self._count(size)
            for _ in range(self._options.warmup_iters):
                self._run(test, count, self._views(test, count, in_place=False))
            size *= 2

    def row(self, test: _Test, dtype_name: str, size: int) -> Row:
        count = self._count(size)
        iters = self._options.iters_of(size)
        out_of_place = self._half(test, count, iters, in_place=False)
        in_place = self._half(test, count, iters, in_place=True) if self._options.in_place else None
        nbytes = self._kind.largest(count, self._ranks) * self._dtype.itemsize
        return Row(
            nbytes, count, dtype_name, test.op, self._ranks, out_of_place, in_place, self._kind, test.root, _now()
        )

    def _count(self, size: int) -> int:
        return self._kind.count(size, self._dtype.itemsize, self._ranks)

    def _views(self, test: _Test, count: int, *, in_place: bool, window: int = 0) -> _Views:
        """In place, the smaller buffer is this rank's part of the larger one."""
        rank = self._communicator.rank
        largest = self._kind.largest(count, self._ranks)
        put, got = test.operation.lengths(self._ranks, rank, largest)
        first = window * largest
        if not in_place:
            return _Views(self._source[first : first + put], self._target[first : first + got], None)
        whole = self._target[first : first + max(put, got)]
        if not self._kind.in_place_checked:
            return _Views(whole, whole, self._source[first : first + put])
        if put == got:
            return _Views(whole, whole, None)
        small = min(put, got)
        part = whole[rank * small : (rank + 1) * small]
        return _Views(part, whole, None) if put < got else _Views(whole, part, None)

    def _run(self, test: _Test, count: int, views: _Views) -> None:
        source, target, stage = views
        if stage is not None:
            stage[:] = source
            source = stage
        self._communicator.collective(test.operation, self._kind.largest(count, self._ranks), source, target, test.op)

    def _half(self, test: _Test, count: int, iters: int, *, in_place: bool) -> Half:
        missed = 0
        checkable = self._kind.in_place_checked or not in_place
        if self._options.check_timed and checkable:
            times_s, missed = self._checked_times_s(test, count, iters, in_place=in_place)
        else:
            times_s = self._times_s(test, count, iters, in_place=in_place)
        table = np.zeros((self._ranks, len(times_s)))
        table[self._communicator.rank] = times_s * 1e6
        self._communicator.all_reduce(table)
        wrong = self._wrong(test, count, in_place=in_place) if checkable else None
        if self._options.check_timed and checkable:
            wrong = (wrong or 0) + missed
        return Half(self._combined(table.mean(axis=1)), wrong, table)

    def _times_s(self, test: _Test, count: int, iters: int, *, in_place: bool) -> NDArray[np.float64]:
        """Of an operation in each iteration. The values are zeros: sums of sums in place would overflow."""
        (self._target if in_place else self._source).fill(0)
        windows = max(1, len(self._target) // max(self._kind.largest(count, self._ranks), 1))
        together = self._options.agg_iters
        views = [self._views(test, count, in_place=in_place, window=window) for window in range(min(windows, iters))]
        self._run(test, count, views[0])
        self._communicator.barrier()
        times = np.empty(iters)
        began = self._clock()
        for iteration in range(iters):
            for _ in range(together):
                if self._reports:
                    self._reports.operation_begins()
                self._run(test, count, views[iteration % len(views)])
            if self._options.blocking == BARRIER_TIMED:
                self._communicator.barrier()
            ended = self._clock()
            times[iteration] = ended - began
            if self._options.blocking == BARRIER_UNTIMED:
                self._communicator.barrier()
                ended = self._clock()
            began = ended
        if self._reports:
            self._reports.operation_ends()
        self._communicator.barrier()
        return times / together

    def _checked_times_s(
        self, test: _Test, count: int, iters: int, *, in_place: bool
    ) -> tuple[NDArray[np.float64], int]:
        """The same on data that is checked after each iteration, and how many elements were wrong on all ranks.

        Iterations do not run back to back then: each begins at a barrier.
        """
        data = self._data(test, count, in_place=in_place)
        times_s = np.zeros(iters)
        wrong = np.zeros(1, dtype=np.int64)
        for iteration in range(iters):
            data.prepare()
            self._communicator.barrier()
            if self._reports:
                self._reports.operation_begins()
            began = self._clock()
            self._run(test, count, data.views)
            times_s[iteration] = self._clock() - began
            if self._reports:
                self._reports.operation_ends()
            wrong += data.count_wrong()
        self._communicator.all_reduce(wrong)
        return times_s, int(wrong[0])

    def _combined(self, means_us: NDArray[np.float64]) -> float:
        """The ranks' times as one, as ``-a`` says."""
        combine = (lambda times: times[0], np.mean, np.min, np.max)[self._options.average]
        return float(combine(means_us))

    def _wrong(self, test: _Test, count: int, *, in_place: bool) -> int | None:
        """Wrong elements of all ranks together; stops at the first check that finds any."""
        if not self._options.checks:
            return None
        data = self._data(test, count, in_place=in_place)
        wrong = np.zeros(1, dtype=np.int64)
        for _ in range(self._options.checks):
            data.prepare()
            self._run(test, count, data.views)
            wrong[0] = data.count_wrong()
            self._communicator.all_reduce(wrong)
            if wrong[0]:
                break
        return int(wrong[0])

    def _data(self, test: _Test, count: int, *, in_place: bool) -> _Data:
        mine = contributions(test.op, self._dtype, self._ranks)[self._communicator.rank]
        largest = self._kind.largest(count, self._ranks)
        wanted = Expected(test.operation, test.op, self._dtype, self._ranks, self._communicator.rank, largest)
        return _Data(self._views(test, count, in_place=in_place), mine, wanted)


class _Data(NamedTuple):
    """What is put in, and what must come out."""

    views: _Views
    mine: NDArray[Any]
    wanted: Expected

    def prepare(self) -> None:
        self.wanted.spoil(self.views.target)
        fill(self.views.source, self.mine)

    def count_wrong(self) -> int:
        return self.wanted.count_wrong(self.views.target)


def _padded(text: str) -> bytes:
    return text.encode()[:_TEXT_BYTES].ljust(_TEXT_BYTES, b"\0")


def _unpadded(codes: NDArray[np.int32]) -> str:
    return bytes(codes.tolist()).rstrip(b"\0").decode(errors="replace")


def _now() -> str:
    return datetime.now().strftime("%Y-%m-%d %H:%M:%S")  # noqa: DTZ005 - nccl-tests writes local time without a zone
