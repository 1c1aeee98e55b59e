"""Two binary trees, each with half of the data: every rank is a leaf in one and an inner node in the other.

Steps: at most 5 * ceil(log2(n))
Bytes: at most 2 * S

(steps, and bytes on the wire sent by the busiest rank; n ranks, a message of S bytes, of an all_reduce.) Sums go up and
results down on channels of their own, so that a message streams through the whole tree and back.
Source: Sanders, Speck and Traeff, "Two-tree algorithms for full bandwidth broadcast, reduction and scan", Parallel
Computing 2009; the trees are those of NCCL.
"""

from __future__ import annotations

from collections.abc import Callable

from collectives.schedule import Op, Schedule, Transfer

UP, DOWN = 0, 1


def double_binary_tree(num_ranks: int) -> Schedule:
    """The allreduce. 2 chunks, 4 channels."""
    return _trees(num_ranks, lambda parents, tree: _up(parents, tree).then(_down(parents, tree)))


def _trees(num_ranks: int, make: Callable[[list[int], int], Schedule]) -> Schedule:
    one = tree(num_ranks)
    if num_ranks % 2 == 0:
        other = [-1 if (up := one[num_ranks - 1 - rank]) < 0 else num_ranks - 1 - up for rank in range(num_ranks)]
    else:
        other = [-1 if (up := one[rank - 1]) < 0 else (up + 1) % num_ranks for rank in range(num_ranks)]
    return make(one, 0).beside(make(other, 1))


def tree(num_ranks: int) -> list[int]:
    """Each rank's parent; -1 for rank 0, the root. The lowest bit set tells a rank's level."""
    parents = [-1]
    for rank in range(1, num_ranks):
        bit = rank & -rank
        up = (rank ^ bit) | (bit << 1)
        parents.append(up if up < num_ranks else rank ^ bit)
    return parents


def _children(parents: list[int]) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in parents]
    for rank, parent in enumerate(parents):
        if parent >= 0:
            found[parent].append(rank)
    return found


def _by_depth(parents: list[int]) -> list[int]:
    children = _children(parents)
    order = [parents.index(-1)]
    for rank in order:
        order.extend(children[rank])
    return order


def _up(parents: list[int], _: int) -> Schedule:
    """A rank sends when it has all that comes to it; two children never at one step."""
    children = _children(parents)
    ready = [0] * len(parents)
    transfers = []
    for rank in reversed(_by_depth(parents)):
        taken = -1
        for child in sorted(children[rank], key=lambda c: ready[c]):
            taken = max(taken + 1, ready[child])
            transfers.append(Transfer(taken, child, rank, 0, Op.REDUCE, UP))
        ready[rank] = taken + 1
    return Schedule.from_transfers(len(parents), 1, transfers)


def _down(parents: list[int], _: int) -> Schedule:
    children = _children(parents)
    depth = {parents.index(-1): 0}
    transfers = []
    for rank in _by_depth(parents):
        for child in children[rank]:
            depth[child] = depth[rank] + 1
            transfers.append(Transfer(depth[rank], rank, child, 0, Op.COPY, DOWN))
    return Schedule.from_transfers(len(parents), 1, transfers)
