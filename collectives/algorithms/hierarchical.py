"""Groups of ranks (those of a host, or of a leaf) first among themselves, then across, with a share of the data each.

Steps: 2 * (g - 1) + 2 * (n / g - 1)
Bytes: 2 * (n - 1) / n * S

(steps, and bytes on the wire sent by each rank; n ranks in groups of g, a message of S bytes.) A reduce-scatter around
each group, an allreduce around the ranks of equal place in all groups, an all-gather around each group. As much traffic
as a ring in fewer steps, and only a g-th of it leaves the group.
"""

from __future__ import annotations

import numpy as np

from collectives.algorithms.ring import ring_all_gather, ring_reduce_scatter
from collectives.schedule import Schedule, ScheduleError, union


def hierarchical(num_ranks: int, group: int | None = None) -> Schedule:
    """The allreduce among groups of ``group`` neighbouring ranks. ScheduleError unless it divides their number.

    If it is not given, it is the divisor next to the square root.
    """
    size = divisor(num_ranks) if group is None else group
    check("hierarchical", num_ranks, size)
    return rounds(np.arange(num_ranks).reshape(-1, size))


def rounds(grid: np.ndarray) -> Schedule:
    """First along the rows of a grid of all ranks, then along its columns."""
    rows, columns = grid.shape
    num_ranks = grid.size
    # Chunk c * rows + r is what column c's ranks share, and of it what row r is to add up.
    scatter = ring_reduce_scatter(columns, ahead=0).refine(rows)
    gather = ring_all_gather(columns, ahead=0).refine(rows)
    inside = [(scatter.relabel(row, num_ranks), gather.relabel(row, num_ranks)) for row in grid.tolist()]
    across = [
        ring_reduce_scatter(rows, ahead=0).then(ring_all_gather(rows, ahead=0)).relabel(column, num_ranks)
        .shifted(index * rows, num_ranks)
        for index, column in enumerate(grid.T.tolist())
    ]  # fmt: skip
    return union(*(one for one, _ in inside)).then(union(*across)).then(union(*(other for _, other in inside)))


def divisor(num_ranks: int) -> int:
    """The largest divisor not above the square root."""
    return max(size for size in range(1, int(num_ranks**0.5) + 1) if num_ranks % size == 0)


def check(name: str, num_ranks: int, size: int) -> None:
    if size < 1 or num_ranks % size:
        divisors = ", ".join(str(d) for d in range(1, num_ranks + 1) if num_ranks % d == 0)
        raise ScheduleError(f"{name}:{size} does not divide {num_ranks} ranks: one of {divisors}")
