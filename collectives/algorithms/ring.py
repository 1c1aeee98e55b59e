"""Ring allreduce: a reduce-scatter around the ring, then an all-gather around it.

Steps: 2 * (n - 1)
Bytes: 2 * (n - 1) / n * S

(steps, and bytes on the wire sent by each rank; n ranks, a message of S bytes.) The least traffic that any allreduce
can have, between neighbours only; but its latency grows with the number of ranks.
Source: Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations", JPDC 2009.
"""

from __future__ import annotations

import numpy as np

from collectives.schedule import Op, Schedule


def ring_reduce_scatter(num_ranks: int, direction: int = 1, ahead: int = 1) -> Schedule:
    """In n - 1 steps, rank r ends with chunk r + ahead complete, having passed partial sums to rank r + direction."""
    step, rank = np.ogrid[: num_ranks - 1, :num_ranks]
    chunk = (rank - direction * (step + 1) + ahead) % num_ranks
    dst = (rank + direction) % num_ranks
    return Schedule.of(num_ranks, num_ranks, step=step, src=rank, dst=dst, chunk=chunk, op=Op.REDUCE)


def ring_all_gather(num_ranks: int, direction: int = 1, ahead: int = 1) -> Schedule:
    """In n - 1 steps; starts where ``ring_reduce_scatter`` ended: rank r holds chunk r + ahead."""
    step, rank = np.ogrid[: num_ranks - 1, :num_ranks]
    chunk = (rank - direction * step + ahead) % num_ranks
    dst = (rank + direction) % num_ranks
    return Schedule.of(num_ranks, num_ranks, step=step, src=rank, dst=dst, chunk=chunk, op=Op.COPY)


def ring(num_ranks: int) -> Schedule:
    """The allreduce. 2(n - 1) steps, n chunks, one channel."""
    return ring_reduce_scatter(num_ranks).then(ring_all_gather(num_ranks))


def reduce_scatter(num_ranks: int) -> Schedule:
    """Half of it, n - 1 steps: rank r ends with block r."""
    return ring_reduce_scatter(num_ranks, ahead=0)


def all_gather(num_ranks: int) -> Schedule:
    """The other half, n - 1 steps: rank r begins with block r."""
    return ring_all_gather(num_ranks, ahead=0)
