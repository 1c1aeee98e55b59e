"""Recursive halving, then recursive doubling: a reduce-scatter and an all-gather across a hypercube (Rabenseifner).

Steps: 2 * log2(p) + 2 * (n > p)
Bytes: 2 * (p - 1) / p * S + (n > p) * S

(steps, and bytes on the wire sent by the busiest rank; n ranks, p the largest power of two not above n, a message of S
bytes.) The ring's traffic in few steps, but the first and largest exchange is with the rank farthest away.
Source: Thakur, Rabenseifner and Gropp, "Optimization of collective communication operations in MPICH", IJHPCA 2005.
"""

from __future__ import annotations

import numpy as np

from collectives.algorithms.powers import exponent, folded
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
    """The allreduce. 2 log2(n) steps, n chunks, one channel, where n is a power of two; ``powers.py`` for others."""
    return folded(_core, num_ranks)


def _core(num_ranks: int) -> Schedule:
    scatter = halving_reduce_scatter(num_ranks)
    return scatter.then(scatter.reversed())


def doubling_all_gather(num_ranks: int) -> Schedule:
    """log2(n) steps: the halving backwards. ScheduleError unless n is a power of two."""
    return halving_reduce_scatter(num_ranks).reversed()
