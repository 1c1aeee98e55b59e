"""Algorithms on a hypercube need a power of two of ranks: how others join in.

Of n ranks, p = 2**floor(log2(n)) take part. Each of the n - p others hands its data to a neighbour that does, before,
and gets the result from it, after: two steps, and one message more on the way of those neighbours.
"""

from __future__ import annotations

from collections.abc import Callable

from collectives.schedule import Op, Schedule, ScheduleError


def exponent(algorithm: str, num_ranks: int) -> int:
    """log2 of ``num_ranks``. ScheduleError unless it is a power of two."""
    if num_ranks < 1 or num_ranks & (num_ranks - 1):
        below = 1 << (max(num_ranks, 1).bit_length() - 1)
        raise ScheduleError(
            f"{algorithm} needs a power of two of ranks, not {num_ranks}: use {below} or {2 * below} ranks, or ring"
        )
    return num_ranks.bit_length() - 1


def folded(core: Callable[[int], Schedule], num_ranks: int) -> Schedule:
    """The allreduce ``core``, made for powers of two, among any number of ranks."""
    active = 1 << (num_ranks.bit_length() - 1)
    others = num_ranks - active
    if not others:
        return core(num_ranks)
    # Ranks 0, 2, 4, ... hand theirs to 1, 3, 5, ..., as many as there are too many.
    inner = core(active).relabel([*range(1, 2 * others, 2), *range(2 * others, num_ranks)], num_ranks)
    even = [2 * index for index in range(others)]
    odd = [rank + 1 for rank in even]
    whole = {"step": 0, "chunk": 0, "count": inner.num_chunks}
    into = Schedule.of(num_ranks, inner.num_chunks, src=even, dst=odd, op=Op.REDUCE, **whole)
    back = Schedule.of(num_ranks, inner.num_chunks, src=odd, dst=even, op=Op.COPY, **whole)
    return into.then(inner).then(back)
