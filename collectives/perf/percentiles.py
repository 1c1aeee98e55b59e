"""How the times of single iterations spread, and which rank the others waited for. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Spread:
    """Of an iteration's slowest rank, in microseconds; percentiles are those of nccl-tests (nearest rank)."""

    min_us: float
    max_us: float
    avg_us: float
    p50_us: float
    p75_us: float
    p95_us: float
    p99_us: float
    stdev_us: float
    cv_pct: float

    @classmethod
    def of(cls, times_us: NDArray[np.float64], skip: int = 0) -> Self:
        """From times of shape (ranks, iterations), without the first ``skip``."""
        ordered = np.sort(times_us[:, skip:].max(axis=0))
        count = len(ordered)
        mean, deviation = float(ordered.mean()), float(ordered.std())
        p75, p95, p99 = (float(ordered[min(count - 1, (count * part + 99) // 100 - 1)]) for part in (75, 95, 99))
        return cls(
            min_us=float(ordered[0]),
            max_us=float(ordered[-1]),
            avg_us=mean,
            p50_us=float(ordered[count // 2]),
            p75_us=p75,
            p95_us=p95,
            p99_us=p99,
            stdev_us=deviation,
            cv_pct=deviation / mean * 100 if mean > 0 else 0.0,
        )


@dataclass(frozen=True, slots=True)
class Straggler:
    """``last_share`` of the iterations found this rank the last to come; the others then waited ``waited_us`` for it.

    The last to come waits for nobody, so its own time is the shortest: that is how it is told. Two ranks that come
    within a twentieth of the time of each other do not count.
    """

    rank: int
    last_share: float
    waited_us: float


ALIKE = 0.05


def stragglers(times_us: NDArray[np.float64]) -> list[Straggler]:
    """From times of shape (ranks, iterations): every rank, the worst first."""
    ranks, iterations = times_us.shape
    if ranks < 2 or not iterations:
        return [Straggler(rank, 0.0, 0.0) for rank in range(ranks)]
    ordered = np.sort(times_us, axis=0)
    clear = ordered[1] - ordered[0] > ALIKE * ordered[1]
    last = times_us.argmin(axis=0)
    waited = np.median(ordered[1:], axis=0) - ordered[0]
    found = []
    for rank in range(ranks):
        mine = clear & (last == rank)
        found.append(Straggler(rank, float(mine.mean()), float(waited[mine].mean()) if mine.any() else 0.0))
    return sorted(found, key=lambda one: (-one.last_share, one.rank))
