"""Bandwidths, sizes and types as nccl-tests has them. GB is 1e9 bytes; K, M and G in sizes are binary."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

_SIZE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)([KMG]?)(?:I?B)?", re.IGNORECASE)
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@dataclass(frozen=True, slots=True)
class Dtype:
    """nccl-tests' name of a type, numpy's name of it, and its size in bytes."""

    name: str
    numpy_name: str
    itemsize: int

    @property
    def numpy(self) -> np.dtype[Any]:
        """The type as numpy has it; ml_dtypes brings bfloat16."""
        if self.numpy_name == "bfloat16":
            import ml_dtypes  # noqa: F401, PLC0415 - it registers the name; only who uses it waits for it
        return np.dtype(self.numpy_name)


DTYPES: Mapping[str, Dtype] = {
    dtype.name: dtype
    for dtype in (
        Dtype("int8", "int8", 1),
        Dtype("uint8", "uint8", 1),
        Dtype("int32", "int32", 4),
        Dtype("uint32", "uint32", 4),
        Dtype("int64", "int64", 8),
        Dtype("uint64", "uint64", 8),
        Dtype("half", "float16", 2),
        Dtype("float", "float32", 4),
        Dtype("double", "float64", 8),
        Dtype("bfloat16", "bfloat16", 2),
    )
}
"""nccl-tests' types, without its 8-bit floats."""


def busbw_factor(collective: str, num_ranks: int) -> float:
    """Bus bandwidth over algorithm bandwidth. Source: nccl-tests, doc/PERFORMANCE.md. KeyError if unknown."""
    n = num_ranks
    factors = {
        "all_reduce": 2 * (n - 1) / n,
        "all_gather": (n - 1) / n,
        "reduce_scatter": (n - 1) / n,
        "alltoall": (n - 1) / n,
        "gather": (n - 1) / n,
        "scatter": (n - 1) / n,
        "broadcast": 1.0,
        "reduce": 1.0,
        "sendrecv": 1.0,
    }
    return factors[collective]


def algbw_GBps(nbytes: int, time_s: float) -> float:  # noqa: N802 - the unit is written so
    """Algorithm bandwidth; 0 where nothing took no time."""
    return nbytes / time_s / 1e9 if time_s > 0 else 0.0


def parse_size(text: str) -> int:
    """``8``, ``64K``, ``1.5M``, ``1G``, ``32MiB`` to bytes (binary units). ValueError if it is no size."""
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is no size: write bytes or K, M, G, as in 8, 64K, 1.5M, 1G")
    return int(float(found[1]) * _UNITS[found[2].upper()])


def format_size(nbytes: int) -> str:
    """The shortest spelling that ``parse_size`` reads back: ``1M``, ``1536K``, ``1000``."""
    for unit in "GMK":
        if nbytes and nbytes % _UNITS[unit] == 0:
            return f"{nbytes // _UNITS[unit]}{unit}"
    return str(nbytes)
