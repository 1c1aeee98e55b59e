"""One parameter server: everybody sends to it, it adds up, and sends the result to everybody.

Steps: n
Bytes: (n - 1) * S

(steps, and bytes on the wire sent by the server, rank 0; n ranks, a message of S bytes, of an all_reduce.) All traffic
meets at one port: the incast that every other algorithm avoids. What is added comes one after the other.
Source: Li et al., "Scaling distributed machine learning with the parameter server", OSDI 2014.
"""

from __future__ import annotations

import numpy as np

from collectives.schedule import Op, Schedule


def _others(num_ranks: int, root: int) -> np.ndarray:
    return (np.arange(1, num_ranks) + root) % num_ranks


def broadcast(num_ranks: int, root: int) -> Schedule:
    """One step, from the root to everybody."""
    return Schedule.of(num_ranks, 1, step=0, src=root, dst=_others(num_ranks, root), chunk=0, op=Op.COPY)


def reduce(num_ranks: int, root: int) -> Schedule:
    """N - 1 steps: to the root, one rank after the other."""
    src = _others(num_ranks, root)
    return Schedule.of(num_ranks, 1, step=np.arange(len(src)), src=src, dst=root, chunk=0, op=Op.REDUCE)


def scatter(num_ranks: int, root: int) -> Schedule:
    """One step: to each rank its block."""
    dst = _others(num_ranks, root)
    return Schedule.of(num_ranks, num_ranks, step=0, src=root, dst=dst, chunk=dst, op=Op.COPY)


def gather(num_ranks: int, root: int) -> Schedule:
    """One step: from each rank its block."""
    src = _others(num_ranks, root)
    return Schedule.of(num_ranks, num_ranks, step=0, src=src, dst=root, chunk=src, op=Op.COPY)


def rooted(num_ranks: int) -> Schedule:
    """The allreduce, by rank 0."""
    return reduce(num_ranks, 0).then(broadcast(num_ranks, 0))
