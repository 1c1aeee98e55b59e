"""The binomial tree: in each step every rank that has the data hands them to one that has not.

Steps: ceil(log2(n))
Bytes: ceil(log2(n)) * S

(steps, and bytes on the wire sent by the root of a broadcast; n ranks, a message of S bytes.) The fewest steps there
can be; but the root sends the whole message once a step. Scatter and gather halve what remains at each step instead.
Source: Thakur, Rabenseifner and Gropp, "Optimization of collective communication operations in MPICH", IJHPCA 2005.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from collectives.schedule import Op, Schedule, Transfer


def broadcast(num_ranks: int, root: int) -> Schedule:
    """ceil(log2(n)) steps, the farthest first."""
    moves = [Transfer(step, src, dst, 0, Op.COPY) for step, src, dst, _ in _edges(num_ranks)]
    return Schedule.from_transfers(num_ranks, 1, (_moved(move, num_ranks, root) for move in moves))


def reduce(num_ranks: int, root: int) -> Schedule:
    """The broadcast backwards, adding up."""
    last = (num_ranks - 1).bit_length() - 1
    moves = [Transfer(last - step, dst, src, 0, Op.REDUCE) for step, src, dst, _ in _edges(num_ranks)]
    return Schedule.from_transfers(num_ranks, 1, (_moved(move, num_ranks, root) for move in moves))


def scatter(num_ranks: int, root: int) -> Schedule:
    """ceil(log2(n)) steps; each hands over the blocks of all ranks below the receiver."""
    return Schedule.from_transfers(num_ranks, num_ranks, _block_moves(num_ranks, root))


def gather(num_ranks: int, root: int) -> Schedule:
    """The scatter backwards."""
    return scatter(num_ranks, root).reversed()


def _edges(num_ranks: int) -> Iterator[tuple[int, int, int, int]]:
    """Step, source, target and ranks from the target on that are below it; ranks count from the root."""
    steps = (num_ranks - 1).bit_length()
    for step in range(steps):
        far = 1 << (steps - 1 - step)
        for src in range(0, num_ranks - far, 2 * far):
            yield step, src, src + far, min(far, num_ranks - src - far)


def _moved(move: Transfer, num_ranks: int, root: int) -> Transfer:
    return replace(move, src=(move.src + root) % num_ranks, dst=(move.dst + root) % num_ranks)


def _block_moves(num_ranks: int, root: int) -> Iterator[Transfer]:
    for step, src, dst, below in _edges(num_ranks):
        first = (dst + root) % num_ranks
        before_end = min(below, num_ranks - first)
        yield _moved(Transfer(step, src, dst, first, Op.COPY, 0, before_end), num_ranks, root)
        if before_end < below:
            yield _moved(Transfer(step, src, dst, 0, Op.COPY, 0, below - before_end), num_ranks, root)
