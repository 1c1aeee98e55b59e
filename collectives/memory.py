"""The arrays of one collective as the loop needs them: bytes to send and receive, elements to combine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

OPS: Mapping[str, np.ufunc] = {
    "sum": np.add,
    "prod": np.multiply,
    "min": np.minimum,
    "max": np.maximum,
    "avg": np.add,  # and divided at the end
}
"""How two contributions are combined, by nccl-tests' names. numpy widens float16 to float32 for each element."""


class Memory:
    """Where a collective reads and writes; ``source`` is ``target`` in place. Both flat, contiguous, of one type."""

    __slots__ = ("_combine", "_in", "_itemsize", "_out", "dtype", "source", "target")

    def __init__(self, source: NDArray[np.generic], target: NDArray[np.generic], combine: np.ufunc) -> None:
        self._in = source
        self._out = target
        self._combine = combine
        self._itemsize = target.itemsize
        self.dtype = target.dtype
        self.target = target.view(np.uint8).data
        self.source = self.target if source is target else source.view(np.uint8).data

    def combine(self, lo: int, hi: int, fresh: bool, arrived: NDArray[np.generic]) -> None:
        """Combine the bytes ``lo`` to ``hi`` with as many elements that ``arrived``."""
        first, last = lo // self._itemsize, hi // self._itemsize
        kept = self._in if fresh else self._out
        self._combine(kept[first:last], arrived[: last - first], out=self._out[first:last])


def divide(array: NDArray[Any], divisor: int) -> None:
    """In place; integers round towards zero."""
    if array.dtype.kind == "f":
        np.divide(array, divisor, out=array)
    else:
        towards_zero = (array < 0) * array.dtype.type(divisor - 1)
        np.floor_divide(array + towards_zero, divisor, out=array)
