"""Recursive doubling: at each step, exchange the whole buffer with the peer one bit away, and add.

Steps: log2(p) + 2 * (n > p)
Bytes: (log2(p) + (n > p)) * S

(steps, and bytes on the wire sent by the busiest rank; n ranks, p the largest power of two not above n, a message of S
bytes.) The fewest steps there can be: best for small messages, and wasteful for large ones.
Source: Thakur, Rabenseifner and Gropp, "Optimization of collective communication operations in MPICH", IJHPCA 2005.
"""

from __future__ import annotations

import numpy as np

from collectives.algorithms.powers import exponent, folded
from collectives.schedule import Op, Schedule


def recursive_doubling(num_ranks: int) -> Schedule:
    """The allreduce. log2(n) steps, 1 chunk, one channel, where n is a power of two; ``powers.py`` for others."""
    return folded(_core, num_ranks)


def _core(num_ranks: int) -> Schedule:
    step, rank = np.ogrid[: exponent("recursive-doubling", num_ranks), :num_ranks]
    return Schedule.of(num_ranks, 1, step=step, src=rank, dst=rank ^ (1 << step), chunk=0, op=Op.REDUCE)
