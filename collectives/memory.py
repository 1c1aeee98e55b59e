"""The arrays of one collective as the loop needs them: bytes to send and receive, elements to combine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collectives.halves import widened

OPS: Mapping[str, np.ufunc] = {
    "sum": np.add,
    "prod": np.multiply,
    "min": np.minimum,
    "max": np.maximum,
    "avg": np.add,  # and divided at the end
}
"""How two contributions are combined, by nccl-tests' names."""

Combine = Callable[..., Any]
"""``combine(one, other, out=result)``."""


def combiner(op: str, dtype: np.dtype[Any]) -> Combine:
    """Of ``op`` on elements of ``dtype``; 16-bit floats are widened to 32 bits for the while."""
    return widened(OPS[op], dtype) if dtype.itemsize == 2 and dtype.kind in "fV" else OPS[op]


class Memory:
    """Where a collective reads and writes: all flat, contiguous, of one type. In place, ``source`` is in ``target``."""

    __slots__ = ("_combine", "_homes", "_in", "source", "views")

    def __init__(
        self,
        source: NDArray[Any],
        target: NDArray[Any],
        combine: Combine,
        scratch: NDArray[Any] | None = None,
    ) -> None:
        self._in = source
        self._homes = (target, target if scratch is None else scratch)
        self._combine = combine
        view = target.view(np.uint8).data
        self.views = (view, view if scratch is None else scratch.view(np.uint8).data)
        self.source = view if source is target else source.view(np.uint8).data

    def copy(self, copies: tuple[tuple[int, int, int], ...]) -> None:
        """What does not travel: bytes (first of the output, first of the input, how many)."""
        target = self.views[0]
        apart = self._homes[0].ctypes.data - self._in.ctypes.data
        for to, come, size in copies:
            if to + apart != come:  # else it is in place already
                target[to : to + size] = self.source[come : come + size]

    def combine(self, home: int, place: slice, kept: slice | None, arrived: NDArray[Any]) -> None:
        """Combine elements that arrived with the input's at ``kept``, or those at their ``place`` in the home."""
        out = self._homes[home][place]
        self._combine(out if kept is None else self._in[kept], arrived, out=out)


def divide(array: NDArray[Any], divisor: int) -> None:
    """In place; integers round towards zero."""
    if array.dtype.kind == "V":
        array[...] = (array.astype(np.float32) / np.float32(divisor)).astype(array.dtype)
    elif array.dtype.kind == "f":
        np.divide(array, divisor, out=array)
    else:
        towards_zero = (array < 0) * array.dtype.type(divisor - 1)
        np.floor_divide(array + towards_zero, divisor, out=array)
