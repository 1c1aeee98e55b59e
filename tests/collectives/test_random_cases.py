"""Random cases over real sockets: operation x algorithm x type x ranks x length, every element compared.

``RINGLAB_CASES`` says how many (10,000 take some minutes).
"""

import os
from random import Random

import numpy as np
import pytest

from collectives import algorithms
from collectives.communicator import Communicator
from collectives.memory import OPS
from collectives.metrics import DTYPES
from collectives.operations import Operation
from collectives.perf.checkdata import Expected, contributions, fill
from collectives.perf.kinds import KINDS
from collectives.schedule import ScheduleError

CASES = int(os.environ.get("RINGLAB_CASES", "600"))
RANKS = (1, 2, 3, 4, 5, 6, 7, 8)
GROUPS = 10
"""Communicators of each number of ranks: each has one algorithm for each operation."""

pytestmark = pytest.mark.process


def chosen(num_ranks, turn):
    """The algorithm of each operation in this turn, of those that can serve so many ranks."""
    found = {}
    for kind in KINDS.values():
        able = [name for name in algorithms.names(kind.operation) if serves(name, num_ranks, kind.operation)]
        found[kind.operation] = [*able, "auto"][turn % (len(able) + 1)]
    return found


def serves(name, num_ranks, operation):
    try:
        return bool(algorithms.build(name, num_ranks, operation=Operation(operation)))
    except ScheduleError:
        return False


def a_case(random, num_ranks):
    kind = random.choice(list(KINDS.values()))
    dtype = random.choice(list(DTYPES.values())).numpy
    op = random.choice(list(OPS)) if kind.operation in ("all_reduce", "reduce", "reduce_scatter") else "sum"
    operation = Operation(kind.operation, random.randrange(num_ranks) if kind.rooted else 0)
    count = random.choice([0, 1, 2, 3, random.randrange(200), random.randrange(20_000)])
    if kind.name == "alltoall":
        count *= num_ranks
    return operation, op, dtype, count


@pytest.mark.timeout(900)
def test_no_element_is_wrong(address, group):
    def one_rank(rank, num_ranks, turn, cases):
        wrong = 0
        mine = chosen(num_ranks, turn)
        with Communicator(
            rank,
            [address] * num_ranks,
            algorithm=mine["all_reduce"],
            algorithms=mine,
            channels=1 + turn % 2,
            token=f"{num_ranks}.{turn}",
        ) as communicator:
            for operation, op, dtype, count in cases:
                put, got = operation.lengths(num_ranks, rank, count)
                source, target = np.empty(put, dtype), np.empty(got, dtype)
                wanted = Expected(operation, op, dtype, num_ranks, rank, count)
                fill(source, contributions(op, dtype, num_ranks)[rank])
                wanted.spoil(target)
                communicator.collective(operation, count, source, target, op)
                if missed := wanted.count_wrong(target):
                    print(f"{missed} wrong: {operation} {op} {dtype} {count} by {mine} rank {rank} of {num_ranks}")
                wrong += missed
        return wrong

    random = Random(5)
    each = -(-CASES // (len(RANKS) * GROUPS))
    for num_ranks in RANKS:
        for turn in range(GROUPS):
            cases = [a_case(random, num_ranks) for _ in range(each)]
            run = lambda rank, n=num_ranks, turn=turn, cases=cases: one_rank(rank, n, turn, cases)  # noqa: E731
            assert group(num_ranks, run) == [0] * num_ranks
