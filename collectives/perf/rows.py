"""What a benchmark found: a Row a size, a Half for out of place and for in place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collectives.metrics import algbw_GBps
from collectives.perf.kinds import KINDS, Kind


@dataclass(frozen=True, slots=True)
class Device:
    """Who a rank is; ``text`` stands where nccl-tests names the GPU."""

    rank: int
    pid: int
    host: str
    text: str


@dataclass(frozen=True, eq=False, slots=True)
class Half:
    """``time_us`` is an operation's time, combined over ranks; ``times_us`` (ranks, iterations) are the single ones.

    ``wrong`` is None where it was not checked.
    """

    time_us: float
    wrong: int | None
    times_us: NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Row:
    """``in_place`` is None where that half was left out; ``root`` is -1 where there is none.

    ``finished`` is when, ``YYYY-MM-DD HH:MM:SS``.
    """

    nbytes: int
    count: int
    dtype: str
    op: str
    num_ranks: int
    out_of_place: Half
    in_place: Half | None
    kind: Kind = KINDS["all_reduce"]
    root: int = -1
    finished: str = ""

    def algbw(self, half: Half) -> float:
        """GB/s."""
        return algbw_GBps(self.nbytes, half.time_us / 1e6)

    def busbw(self, half: Half) -> float:
        """GB/s."""
        return self.algbw(half) * self.kind.busbw_factor(self.num_ranks)

    @property
    def redop(self) -> str:
        """As the column says it."""
        return self.op if self.kind.redop else "none"

    def halves(self) -> tuple[Half, ...]:
        return (self.out_of_place,) if self.in_place is None else (self.out_of_place, self.in_place)


def average_busbw(rows: Iterable[Row]) -> float:
    """Mean of all bus bandwidths, both halves, GB/s; 0 without rows."""
    found = [row.busbw(half) for row in rows for half in row.halves()]
    return sum(found) / len(found) if found else 0.0


def total_wrong(rows: Iterable[Row]) -> int:
    return sum(half.wrong or 0 for row in rows for half in row.halves())
