"""Recursive halving, then recursive doubling: a reduce-scatter and an all-gather across a hypercube (Rabenseifner).

Steps: 2 * log2(n)
Bytes: 2 * (n - 1) / n * S

(steps, and bytes on the wire sent by each rank; n ranks, a power of two, a message of S bytes.) The ring's traffic in
few steps, but the first and largest exchange is with the rank farthest away.
Source: Thakur, Rabenseifner and Gropp, "Optimization of collective communication operations in MPICH", IJHPCA 2005.
"""

from __future__ import annotations

import numpy as np

from collectives.algorithms.powers import exponent
from collectives.schedule import Op, Schedule


def halving_reduce_scatter(num_ranks: int) -> Schedule:
    """log2(n) steps; each sends the half of what it still holds that its peer keeps. Rank r ends with chunk r."""
    bits = exponent("halving-doubling", num_ranks)
    step, rank = np.ogrid[:bits, :num_ranks]
    half = 1 << (bits - 1 - step)
    peer = rank ^ half
    return Schedule.of(
        num_ranks, num_ranks, step=step, src=rank, dst=peer, chunk=peer // half * half, op=Op.REDUCE, count=half
    )


def halving_doubling(num_ranks: int) -> Schedule:
    """The allreduce. 2 log2(n) steps, n chunks, one channel. ScheduleError unless n is a power of two."""
    scatter = halving_reduce_scatter(num_ranks)
    return scatter.then(scatter.reversed())
