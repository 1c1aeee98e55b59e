"""Everybody straight to everybody, one peer at a step: every rank is the parameter server of its own share.

Steps: 2 * (n - 1)
Bytes: 2 * (n - 1) / n * S

(steps, and bytes on the wire sent by each rank; n ranks, a message of S bytes, of an all_reduce.) At step s, rank r
sends to rank r + s + 1: every step is a permutation, so that no two senders meet at a receiver. The least traffic, no
relaying, and the usual way of an all_to_all; but it crosses the whole fabric where a ring stays among neighbours.
"""

from __future__ import annotations

import numpy as np

from collectives.schedule import Op, Schedule


def reduce_scatter(num_ranks: int) -> Schedule:
    """N - 1 steps: each rank sends each other rank's block to it."""
    step, rank = np.ogrid[: num_ranks - 1, :num_ranks]
    dst = (rank + step + 1) % num_ranks
    return Schedule.of(num_ranks, num_ranks, step=step, src=rank, dst=dst, chunk=dst, op=Op.REDUCE)


def all_gather(num_ranks: int) -> Schedule:
    """N - 1 steps: each rank sends its block to each other rank."""
    step, rank = np.ogrid[: num_ranks - 1, :num_ranks]
    dst = (rank + step + 1) % num_ranks
    return Schedule.of(num_ranks, num_ranks, step=step, src=rank, dst=dst, chunk=rank, op=Op.COPY)


def all_to_all(num_ranks: int) -> Schedule:
    """N - 1 steps, n * n blocks: block s * n + d goes from s to d."""
    step, rank = np.ogrid[: num_ranks - 1, :num_ranks]
    dst = (rank + step + 1) % num_ranks
    blocks = num_ranks * num_ranks
    return Schedule.of(num_ranks, blocks, step=step, src=rank, dst=dst, chunk=rank * num_ranks + dst, op=Op.COPY)


def pairwise(num_ranks: int) -> Schedule:
    """The allreduce: a reduce_scatter, then an all_gather."""
    return reduce_scatter(num_ranks).then(all_gather(num_ranks))
