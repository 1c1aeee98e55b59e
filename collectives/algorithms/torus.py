"""A 2-D torus (or mesh): along rows, then columns, with half of the data; the other half the other way, at once.

Steps: 2 * (g - 1) + 2 * (n / g - 1)
Bytes: 2 * (n - 1) / n * S

(steps, and bytes on the wire sent by each rank; n ranks in rows of g, a message of S bytes.) Both directions' links are
busy all the time.
Source: Jouppi et al., "TPU v4: an optically reconfigurable supercomputer", ISCA 2023; the scheme is that of 2-D rings.
"""

from __future__ import annotations

import numpy as np

from collectives.algorithms.hierarchical import check, divisor, rounds
from collectives.schedule import Schedule


def torus(num_ranks: int, row: int | None = None) -> Schedule:
    """The allreduce on rows of ``row`` neighbouring ranks. ScheduleError unless it divides their number."""
    size = divisor(num_ranks) if row is None else row
    check("torus", num_ranks, size)
    grid = np.arange(num_ranks).reshape(-1, size)
    return rounds(grid).beside(rounds(grid.T))
