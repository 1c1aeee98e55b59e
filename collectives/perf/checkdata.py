"""Data whose reduction is exact in every type and in every order, so that ``#wrong`` needs no tolerance. Pure.

Every rank can make every rank's data: patterns of small integers from one seed, repeated. The period is a prime, so
that a chunk in the wrong place does not look right. What a rank must get out follows from the ends of the operation's
blocks: each is a stretch of the pattern of the rank where it starts, or of the combined one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collectives.memory import OPS, divide
from collectives.operations import ALL, Operation

PERIOD = 4093
BLOCK = 64
"""Periods compared at a time."""

_EXACT = {"float16": 2048, "bfloat16": 256, "int8": 127, "uint8": 255}
"""The largest integer up to which all are exact; other types reach farther than sums of 2**15 ones."""


def contributions(op: str, dtype: np.dtype[Any], num_ranks: int) -> NDArray[Any]:
    """Shape (ranks, PERIOD): what each rank puts in, repeated over its buffer."""
    rng = np.random.default_rng(20)
    shape = (num_ranks, PERIOD)
    if op == "prod":  # at most six twos meet in a place: 64 fits every type
        order = rng.permuted(np.broadcast_to(np.arange(num_ranks)[:, np.newaxis], shape), axis=0)
        values = np.where(order < rng.integers(0, 7, PERIOD), 2, 1)
    elif op in ("min", "max"):
        values = rng.integers(0, 100, shape)
    else:
        most = max(1, min(7, _EXACT.get(dtype.name, 1 << 15) // num_ranks))
        values = rng.integers(0, most + 1, shape)
    return values.astype(dtype)


def expected(op: str, dtype: np.dtype[Any], num_ranks: int) -> NDArray[Any]:
    """Shape (PERIOD,): what every rank must get out."""
    result: NDArray[Any] = OPS[op].reduce(contributions(op, dtype, num_ranks), axis=0, dtype=dtype)
    if op == "avg":
        divide(result, num_ranks)
    return result


def fill(buffer: NDArray[Any], pattern: NDArray[Any]) -> None:
    """Repeat ``pattern`` (PERIOD,) over the flat ``buffer``."""
    whole = len(buffer) // PERIOD * PERIOD
    buffer[:whole].reshape(-1, PERIOD)[:] = pattern
    buffer[whole:] = pattern[: len(buffer) - whole]


def spoil(buffer: NDArray[Any], pattern: NDArray[Any]) -> None:
    """Fill with what ``pattern`` has nowhere at that place, so that an element never written counts as wrong."""
    fill(buffer, pattern + pattern.dtype.type(1))


def count_wrong(buffer: NDArray[Any], pattern: NDArray[Any]) -> int:
    """How many elements differ from ``pattern`` repeated."""
    wrong = 0
    for first in range(0, len(buffer), PERIOD * BLOCK):
        block = buffer[first : first + PERIOD * BLOCK]
        whole = len(block) // PERIOD * PERIOD
        wrong += int(np.count_nonzero(block[:whole].reshape(-1, PERIOD) != pattern))
        wrong += int(np.count_nonzero(block[whole:] != pattern[: len(block) - whole]))
    return wrong


class Expected:
    """What one rank must find in its output: a stretch of a pattern for each block that ends there.

    ``count`` is the elements of the largest buffer of a rank; contributions of shape (ranks, PERIOD).
    """

    def __init__(
        self, operation: Operation, op: str, dtype: np.dtype[Any], num_ranks: int, rank: int, count: int
    ) -> None:
        parts = contributions(op, dtype, num_ranks)
        combined = expected(op, dtype, num_ranks)
        self._stretches = [
            (lo, hi, np.roll(combined if start == ALL else parts[start], -phase))
            for lo, hi, start, phase in _stretches(operation, num_ranks, rank, count)
        ]

    def spoil(self, buffer: NDArray[Any]) -> None:
        """No element is right afterwards."""
        for lo, hi, pattern in self._stretches:
            spoil(buffer[lo:hi], pattern)

    def count_wrong(self, buffer: NDArray[Any]) -> int:
        return sum(count_wrong(buffer[lo:hi], pattern) for lo, hi, pattern in self._stretches)


def _stretches(operation: Operation, num_ranks: int, rank: int, count: int) -> Iterator[tuple[int, int, int, int]]:
    """First and last element in the output, where the block starts, and its place in the input there."""
    starts, ends = operation.ends(num_ranks)
    sizes = operation.block_sizes(num_ranks, count)
    lo = 0
    for block in np.flatnonzero((ends == ALL) | (ends == rank)).tolist():
        start, size = int(starts[block]), int(sizes[block])
        phase = int(sizes[:block][(starts[:block] == start)].sum())
        yield lo, lo + size, start, phase
        lo += size
