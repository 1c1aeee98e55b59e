"""16-bit floats added quickly: widened to 32 bits a block at a time, and rounded back to nearest, ties to even.

numpy adds float16 element by element, and bfloat16 (ml_dtypes) likewise: tens of times slower than float32.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 32 * 1024
"""Elements widened at a time: both operands stay in the cache."""

_INFINITY = 0x7C00 << 13
"""Of float16, where its bits stand in a float32 that was scaled."""


def widened(combine: np.ufunc, dtype: np.dtype[Any]) -> Callable[..., None]:
    """``combine(one, other, out=result)`` on float16 or bfloat16 arrays, by one thread at a time."""
    if dtype.name == "bfloat16":
        widen, narrow = _widen_bfloat16, _narrow_bfloat16
    else:
        widen, narrow = partial(_widen_half, np.empty(BLOCK, dtype=np.intp)), _narrow_half
    left, right = np.empty((2, BLOCK), dtype=np.float32)

    def run(one: NDArray[Any], other: NDArray[Any], *, out: NDArray[Any]) -> None:
        for first in range(0, len(out), BLOCK):
            last = min(first + BLOCK, len(out))
            a, b = left[: last - first], right[: last - first]
            widen(a, one[first:last])
            widen(b, other[first:last])
            combine(a, b, out=a)
            narrow(out[first:last], a, b)

    return run


@cache
def _halves() -> NDArray[np.float32]:
    """Every float16 as a float32: looking one up is twice as fast as numpy's conversion."""
    return np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)


def _widen_half(index: NDArray[np.intp], wide: NDArray[np.float32], array: NDArray[Any]) -> None:
    """``index`` is room for as many: numpy would make some at each call."""
    places = index[: len(array)]
    np.copyto(places, array.view(np.uint16))
    np.take(_halves(), places, out=wide, mode="wrap")


def _narrow_half(out: NDArray[Any], wide: NDArray[np.float32], spare: NDArray[np.float32]) -> None:
    """Scaled by 2**-112, a float32 has the exponent of a float16, 13 bits further left. Overwrites both operands."""
    bits, rounded = wide.view(np.uint32), spare.view(np.uint32)
    np.multiply(wide, np.float32(2.0**-112), out=spare)
    np.bitwise_and(rounded, np.uint32(0x7FFFFFFF), out=rounded)
    if int(rounded.max(initial=0)) >= _INFINITY - (1 << 13):  # near or past the largest: infinities, or none numbers
        np.copyto(out, wide, casting="same_kind")
        return
    np.right_shift(bits, np.uint32(16), out=bits)
    np.bitwise_and(bits, np.uint32(0x8000), out=bits)  # the sign
    np.copyto(out.view(np.uint16), bits, casting="unsafe")
    np.right_shift(rounded, np.uint32(13), out=bits)
    np.bitwise_and(bits, np.uint32(1), out=bits)  # odd: a tie goes up
    np.add(rounded, bits, out=rounded)
    np.add(rounded, np.uint32(0xFFF), out=rounded)
    np.right_shift(rounded, np.uint32(13), out=rounded)
    short = wide.view(np.uint16)[: len(out)]
    np.copyto(short, rounded, casting="unsafe")
    np.bitwise_or(out.view(np.uint16), short, out=out.view(np.uint16))


def _widen_bfloat16(wide: NDArray[np.float32], array: NDArray[Any]) -> None:
    """A bfloat16 is the upper half of a float32."""
    np.left_shift(array.view(np.uint16), np.uint32(16), out=wide.view(np.uint32), dtype=np.uint32)


def _narrow_bfloat16(out: NDArray[Any], wide: NDArray[np.float32], spare: NDArray[np.float32]) -> None:
    """Overwrites both operands. A NaN of widened bfloat16s has an empty lower half, so that rounding leaves it one."""
    bits, even = wide.view(np.uint32), spare.view(np.uint32)
    np.right_shift(bits, np.uint32(16), out=even)
    np.bitwise_and(even, np.uint32(1), out=even)
    bits += even
    bits += np.uint32(0x7FFF)
    bits >>= np.uint32(16)
    np.copyto(out.view(np.uint16), bits, casting="unsafe")
