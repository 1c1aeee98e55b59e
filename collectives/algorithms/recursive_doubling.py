"""Recursive doubling: at each step, exchange the whole buffer with the peer one bit away, and add.

Steps: log2(n)
Bytes: log2(n) * S

(steps, and bytes on the wire sent by each rank; n ranks, a power of two, a message of S bytes.) The fewest steps there
can be: best for small messages, and wasteful for large ones.
Source: Thakur, Rabenseifner and Gropp, "Optimization of collective communication operations in MPICH", IJHPCA 2005.
"""

from __future__ import annotations

import numpy as np

from collectives.algorithms.powers import exponent
from collectives.schedule import Op, Schedule


def recursive_doubling(num_ranks: int) -> Schedule:
    """The allreduce. log2(n) steps, 1 chunk, one channel. ScheduleError unless n is a power of two."""
    step, rank = np.ogrid[: exponent("recursive-doubling", num_ranks), :num_ranks]
    return Schedule.of(num_ranks, 1, step=step, src=rank, dst=rank ^ (1 << step), chunk=0, op=Op.REDUCE)
