"""Two rings that turn against each other, each with half of the buffer, on two channels.

Steps: 2 * (n - 1)
Bytes: 2 * (n - 1) / n * S

(steps, and bytes on the wire sent by each rank; n ranks, a message of S bytes.) As much traffic as one ring, but half
of it in each direction: twice as fast where the fabric is itself a ring of full-duplex links.
"""

from __future__ import annotations

from collectives.algorithms.ring import ring, ring_all_gather, ring_reduce_scatter
from collectives.schedule import Schedule


def bidirectional_ring(num_ranks: int) -> Schedule:
    """The allreduce. 2(n - 1) steps, 2n chunks, channel 0 upwards and channel 1 downwards."""
    up = ring(num_ranks)
    return up.beside(up.relabel(range(num_ranks)[::-1], num_ranks))


def reduce_scatter(num_ranks: int) -> Schedule:
    """Half of it, n - 1 steps, half of each block either way round."""
    return ring_reduce_scatter(num_ranks, 1, 0).beside(ring_reduce_scatter(num_ranks, -1, 0))


def all_gather(num_ranks: int) -> Schedule:
    """The other half, n - 1 steps, half of each block either way round."""
    return ring_all_gather(num_ranks, 1, 0).beside(ring_all_gather(num_ranks, -1, 0))
