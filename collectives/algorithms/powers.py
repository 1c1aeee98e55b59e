"""Group sizes that algorithms on a hypercube can serve."""

from __future__ import annotations

from collectives.schedule import ScheduleError


def exponent(algorithm: str, num_ranks: int) -> int:
    """log2 of ``num_ranks``. ScheduleError unless it is a power of two."""
    if num_ranks < 1 or num_ranks & (num_ranks - 1):
        below = 1 << (max(num_ranks, 1).bit_length() - 1)
        raise ScheduleError(
            f"{algorithm} needs a power of two of ranks, not {num_ranks}: use {below} or {2 * below} ranks, or ring"
        )
    return num_ranks.bit_length() - 1
