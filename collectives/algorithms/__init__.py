"""Algorithms by operation and name: one file an algorithm, one line here for what it can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

from collectives.algorithms import (
    bidirectional_ring,
    binomial,
    bruck,
    chain,
    direct,
    double_binary_tree,
    halving_doubling,
    hierarchical,
    pairwise,
    recursive_doubling,
    ring,
    rooted,
    torus,
)
from collectives.operations import ROOTED, Operation, operation_names
from collectives.schedule import Schedule, ScheduleError
from topologies.ports import MAX_CHANNELS
from topologies.spelling import did_you_mean

Maker = Callable[..., Schedule]
"""Of the number of ranks; then the root where there is one; then, for ``name:SIZE``, the size."""

ALGORITHMS: Mapping[str, Maker] = {
    "ring": ring.ring,
    "bidirectional-ring": bidirectional_ring.bidirectional_ring,
    "halving-doubling": halving_doubling.halving_doubling,
    "recursive-doubling": recursive_doubling.recursive_doubling,
    "double-binary-tree": double_binary_tree.double_binary_tree,
    "pairwise": pairwise.pairwise,
    "hierarchical": hierarchical.hierarchical,
    "torus": torus.torus,
    "rooted": rooted.rooted,
}
"""Of all_reduce."""

OPERATIONS: Mapping[str, Mapping[str, Maker]] = {
    "all_reduce": ALGORITHMS,
    "reduce_scatter": {
        "ring": ring.reduce_scatter,
        "bidirectional-ring": bidirectional_ring.reduce_scatter,
        "halving": halving_doubling.halving_reduce_scatter,
        "pairwise": pairwise.reduce_scatter,
    },
    "all_gather": {
        "ring": ring.all_gather,
        "bidirectional-ring": bidirectional_ring.all_gather,
        "doubling": halving_doubling.doubling_all_gather,
        "bruck": bruck.all_gather,
        "pairwise": pairwise.all_gather,
    },
    "all_to_all": {"pairwise": pairwise.all_to_all, "bruck": bruck.all_to_all},
    "broadcast": {"chain": chain.broadcast, "binomial": binomial.broadcast, "rooted": rooted.broadcast},
    "reduce": {"chain": chain.reduce, "binomial": binomial.reduce, "rooted": rooted.reduce},
    "gather": {"rooted": rooted.gather, "binomial": binomial.gather},
    "scatter": {"rooted": rooted.scatter, "binomial": binomial.scatter},
    "sendrecv": {"direct": direct.sendrecv},
    "send": {"direct": direct.send},
}
"""The first of each is the one for large messages."""

SIZED = ("hierarchical", "torus")
"""``hierarchical:4`` means groups of 4."""


def names(operation: str = "all_reduce") -> tuple[str, ...]:
    return tuple(OPERATIONS[operation])


def build(
    name: str, num_ranks: int, channels: int = 1, *, operation: str | Operation = "all_reduce", root: int = 0
) -> Schedule:
    """The algorithm ``name`` among ``num_ranks``, ``channels`` copies of it beside each other on parts of the buffer.

    Raises ScheduleError for an unknown name, a number of ranks that the algorithm can't serve, or too many channels.
    """
    doing = _operation(operation, num_ranks, root)
    makers = OPERATIONS[doing.name]
    word, _, size = name.partition(":")
    if word not in makers or (size and word not in SIZED):
        what = "algorithm" if doing.name == "all_reduce" else f"algorithm of {doing.name}"
        raise ScheduleError(f"no {what} {name!r}: {did_you_mean(word, makers)}")
    if num_ranks < 1:
        raise ScheduleError(f"{num_ranks} ranks: an {doing.name.replace('_', '')} needs at least 1")
    one = makers[word](num_ranks, *_arguments(doing, name, size))
    if not 1 <= channels * one.num_channels <= MAX_CHANNELS:
        most = MAX_CHANNELS // one.num_channels
        raise ScheduleError(f"{channels} channels of {name}: from 1 to {most}")
    return reduce(Schedule.beside, [one] * channels).doing(doing)


def _operation(given: str | Operation, num_ranks: int, root: int) -> Operation:
    if isinstance(given, str) and given not in operation_names():
        raise ScheduleError(f"no operation {given!r}: {did_you_mean(given, operation_names())}")
    found = Operation(given, root) if isinstance(given, str) else given
    if num_ranks > 0 and not (0 <= found.root < num_ranks and 0 <= found.peer < num_ranks):
        raise ScheduleError(f"root {found.root}: ranks are 0 to {num_ranks - 1}")
    return found


def _arguments(operation: Operation, name: str, size: str) -> tuple[Any, ...]:
    if size:
        if not size.isdigit():
            raise ScheduleError(f"{name}: the size of a group is a number, as in hierarchical:4")
        return (int(size),)
    if operation.name == "send":
        return operation.root, operation.peer
    return (operation.root,) if operation.name in ROOTED else ()
