"""Times a communicator's all_reduce as nccl-tests does: a Row a size, out of place and in place.

For each half: one operation untimed, a barrier, then the iterations back to back; the buffers move along with them, so
that small sizes do not run from the cache; then the result is checked. Times, errors and names of all ranks are
combined over the same connections.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collectives.communicator import Communicator
from collectives.metrics import DTYPES
from collectives.perf.checkdata import contributions, count_wrong, expected, fill, spoil
from collectives.perf.options import Options
from collectives.perf.rows import Device, Half, Row
from collectives.perf.step_reports import StepReports

_TEXT_BYTES = 128
"""Of each rank's host and device name."""


def devices(communicator: Communicator, text: str) -> list[Device]:
    """Who takes part: every rank's process, host and device text."""
    mine = [os.getpid(), *_padded(socket.gethostname()), *_padded(text)]
    table = np.zeros((communicator.num_ranks, len(mine)), dtype=np.int32)
    table[communicator.rank] = mine
    communicator.all_reduce(table)
    host, device = slice(1, 1 + _TEXT_BYTES), slice(1 + _TEXT_BYTES, None)
    return [Device(rank, int(row[0]), _unpadded(row[host]), _unpadded(row[device])) for rank, row in enumerate(table)]


def rows(communicator: Communicator, options: Options, reports: StepReports | None = None) -> Iterator[Row]:
    """A Row for each type, operation and size, as it is done; the same on every rank."""
    for dtype_name in options.dtypes:
        dtype = np.dtype(DTYPES[dtype_name].numpy_name)
        bench = _Bench(communicator, options, dtype, reports)
        for op in options.ops:
            bench.warm_up(op)
            for size in options.sizes:
                count = size // dtype.itemsize
                out_of_place = bench.half(op, count, in_place=False)
                in_place = bench.half(op, count, in_place=True) if options.in_place else None
                nbytes = count * dtype.itemsize
                yield Row(nbytes, count, dtype_name, op, communicator.num_ranks, out_of_place, in_place)


class _Bench:
    """The buffers of one type, and what is done with them."""

    def __init__(
        self, communicator: Communicator, options: Options, dtype: np.dtype[Any], reports: StepReports | None
    ) -> None:
        self._communicator = communicator
        self._reports = reports
        self._options = options
        self._dtype = dtype
        capacity = max(options.sizes) // dtype.itemsize
        self._source = np.empty(capacity, dtype)
        self._target = np.empty(capacity, dtype)
        self._target.fill(0)  # touched, so that the first size does not pay for the pages

    def warm_up(self, op: str) -> None:
        """Each size, doubling, as often as ``-w`` says, untimed."""
        self._source.fill(0)
        size = max(self._options.min_bytes, self._dtype.itemsize)
        while size <= self._options.max_bytes:
            count = size // self._dtype.itemsize
            for _ in range(self._options.warmup_iters):
                self._communicator.all_reduce(self._source[:count], self._target[:count], op)
            size *= 2

    def half(self, op: str, count: int, *, in_place: bool) -> Half:
        missed = 0
        if self._options.check_timed:
            times_s, missed = self._checked_times_s(op, count, in_place=in_place)
        else:
            times_s = self._times_s(op, count, in_place=in_place)
        table = np.zeros((self._communicator.num_ranks, len(times_s)))
        table[self._communicator.rank] = times_s * 1e6
        self._communicator.all_reduce(table)
        wrong = self._wrong(op, count, in_place=in_place)
        if self._options.check_timed:
            wrong = (wrong or 0) + missed
        return Half(self._combined(table.mean(axis=1)), wrong, table)

    def _times_s(self, op: str, count: int, *, in_place: bool) -> NDArray[np.float64]:
        """Of each iteration. The values are zeros: sums of sums in place would overflow."""
        (self._target if in_place else self._source).fill(0)
        windows = max(1, len(self._target) // max(count, 1))
        pairs = []
        for window in range(min(windows, self._options.iters)):
            target = self._target[window * count : (window + 1) * count]
            source = target if in_place else self._source[window * count : (window + 1) * count]
            pairs.append((source, target))
        all_reduce = self._communicator.all_reduce
        all_reduce(*pairs[0], op)
        self._communicator.barrier()
        stamps = np.empty(self._options.iters + 1)
        stamps[0] = perf_counter()
        for iteration in range(self._options.iters):
            source, target = pairs[iteration % len(pairs)]
            if self._reports:
                self._reports.operation_begins()
            all_reduce(source, target, op)
            stamps[iteration + 1] = perf_counter()
        if self._reports:
            self._reports.operation_ends()
        self._communicator.barrier()
        return np.diff(stamps)

    def _checked_times_s(self, op: str, count: int, *, in_place: bool) -> tuple[NDArray[np.float64], int]:
        """The same on data that is checked after each iteration, and how many elements were wrong on all ranks.

        Iterations do not run back to back then: each begins at a barrier.
        """
        ranks = self._communicator.num_ranks
        mine, wanted = contributions(op, self._dtype, ranks)[self._communicator.rank], expected(op, self._dtype, ranks)
        target = self._target[:count]
        source = target if in_place else self._source[:count]
        times_s = np.zeros(self._options.iters)
        wrong = np.zeros(1, dtype=np.int64)
        for iteration in range(self._options.iters):
            spoil(target, wanted)
            fill(source, mine)
            self._communicator.barrier()
            if self._reports:
                self._reports.operation_begins()
            began = perf_counter()
            self._communicator.all_reduce(source, target, op)
            times_s[iteration] = perf_counter() - began
            if self._reports:
                self._reports.operation_ends()
            wrong += count_wrong(target, wanted)
        self._communicator.all_reduce(wrong)
        return times_s, int(wrong[0])

    def _combined(self, means_us: NDArray[np.float64]) -> float:
        """The ranks' times as one, as ``-a`` says."""
        combine = (lambda times: times[0], np.mean, np.min, np.max)[self._options.average]
        return float(combine(means_us))

    def _wrong(self, op: str, count: int, *, in_place: bool) -> int | None:
        """Wrong elements of all ranks together; stops at the first check that finds any."""
        if not self._options.checks:
            return None
        ranks = self._communicator.num_ranks
        mine = contributions(op, self._dtype, ranks)[self._communicator.rank]
        wanted = expected(op, self._dtype, ranks)
        target = self._target[:count]
        source = target if in_place else self._source[:count]
        wrong = np.zeros(1, dtype=np.int64)
        for _ in range(self._options.checks):
            spoil(target, wanted)
            fill(source, mine)
            self._communicator.all_reduce(source, target, op)
            wrong[0] = count_wrong(target, wanted)
            self._communicator.all_reduce(wrong)
            if wrong[0]:
                break
        return int(wrong[0])


def _padded(text: str) -> bytes:
    return text.encode()[:_TEXT_BYTES].ljust(_TEXT_BYTES, b"\0")


def _unpadded(codes: NDArray[np.int32]) -> str:
    return bytes(codes.tolist()).rstrip(b"\0").decode(errors="replace")
