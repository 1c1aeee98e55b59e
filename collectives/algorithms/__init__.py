"""Allreduce algorithms by name: one file an algorithm, one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce

from collectives.algorithms.bidirectional_ring import bidirectional_ring
from collectives.algorithms.halving_doubling import halving_doubling
from collectives.algorithms.recursive_doubling import recursive_doubling
from collectives.algorithms.ring import ring
from collectives.schedule import Schedule, ScheduleError
from topologies.ports import MAX_CHANNELS
from topologies.spelling import did_you_mean

ALGORITHMS: Mapping[str, Callable[[int], Schedule]] = {
    "ring": ring,
    "bidirectional-ring": bidirectional_ring,
    "halving-doubling": halving_doubling,
    "recursive-doubling": recursive_doubling,
}


def names() -> tuple[str, ...]:
    return tuple(ALGORITHMS)


def build(name: str, num_ranks: int, channels: int = 1) -> Schedule:
    """The allreduce ``name`` among ``num_ranks``, ``channels`` copies of it beside each other on parts of the buffer.

    Raises ScheduleError for an unknown name, a number of ranks that the algorithm can't serve, or too many channels.
    """
    if name not in ALGORITHMS:
        raise ScheduleError(f"no algorithm {name!r}: {did_you_mean(name, ALGORITHMS)}")
    if num_ranks < 1:
        raise ScheduleError(f"{num_ranks} ranks: an allreduce needs at least 1")
    one = ALGORITHMS[name](num_ranks)
    if not 1 <= channels * one.num_channels <= MAX_CHANNELS:
        most = MAX_CHANNELS // one.num_channels
        raise ScheduleError(f"{channels} channels of {name}: from 1 to {most}")
    return reduce(Schedule.beside, [one] * channels)
