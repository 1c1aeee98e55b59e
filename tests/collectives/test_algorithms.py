import re
from importlib import import_module
from math import ceil, log2

import pytest

from collectives.algorithms import OPERATIONS, build, names
from collectives.algorithms.gossip import error, gossip, weights
from collectives.algorithms.hierarchical import divisor
from collectives.cost import COSTS, cost
from collectives.schedule import Op, ScheduleError
from collectives.verify import verify

SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 12, 16)
ROOTED = ("broadcast", "reduce", "gather", "scatter")
ALL = [(operation, name) for operation, makers in OPERATIONS.items() for name in makers]


def schedules(operation: str, name: str, channels: int = 1):
    for num_ranks in SIZES:
        for root in sorted({0, num_ranks // 2, num_ranks - 1}) if operation in ROOTED else [0]:
            if name not in ("halving", "doubling") or num_ranks & (num_ranks - 1) == 0:
                yield build(name, num_ranks, channels, operation=operation, root=root)


@pytest.mark.parametrize(("operation", "name"), ALL)
@pytest.mark.parametrize("channels", [1, 3])
def test_does_its_operation(operation, name, channels):
    found = list(schedules(operation, name, channels))
    for schedule in found:
        verify(schedule)
    assert len(found) >= 5


def stated(name: str, what: str, num_ranks: int, nbytes: int) -> tuple[bool, float]:
    """What the algorithm's docstring says of its steps or bytes, and whether that is an upper bound."""
    text = import_module(f"collectives.algorithms.{name.replace('-', '_')}").__doc__
    [(bound, formula)] = re.findall(rf"^{what}: (at most )?(.*)$", text, re.MULTILINE)
    power = 1 << (num_ranks.bit_length() - 1)
    words = {"n": num_ranks, "p": power, "g": divisor(num_ranks), "S": nbytes, "log2": log2, "ceil": ceil}
    return bool(bound), eval(formula, words)


STATED = [("all_reduce", name) for name in names()]
STATED += [("all_gather", "bruck"), ("broadcast", "binomial"), ("broadcast", "chain"), ("sendrecv", "direct")]


@pytest.mark.parametrize(("operation", "name"), STATED)
@pytest.mark.parametrize("channels", [1, 2])
def test_steps_and_bytes_are_as_stated(operation, name, channels):
    """The docstring and the schedule say the same; so does the closed form, where there is one."""
    nbytes = 240 * 1024
    for num_ranks in SIZES[1:]:
        schedule = build(name, num_ranks, channels, operation=operation)
        sizes = schedule.chunk_sizes(nbytes)
        sent, added = [0] * num_ranks, [0] * num_ranks
        for t in schedule.transfers():
            moved = int(sizes[t.chunk : t.chunk + t.count].sum())
            sent[t.src] += moved
            added[t.dst] += moved * (t.op is Op.REDUCE)
        for what, value, slack in (("Steps", schedule.num_steps, 0), ("Bytes", max(sent), 2 * len(schedule))):
            bound, said = stated(name, what, num_ranks, nbytes)
            assert value <= said + slack
            assert bound or value >= said - slack
        if operation == "all_reduce" and name in COSTS:
            expected = cost(name, num_ranks, nbytes)
            assert schedule.num_steps == expected.steps
            wanted = (expected.sent_bytes, expected.added_bytes)
            assert (max(sent), max(added)) == pytest.approx(wanted, abs=2 * len(schedule))


def test_the_two_rings_turn_against_each_other():
    schedule = build("bidirectional-ring", 5)
    assert {(t.channel, (t.dst - t.src) % 5) for t in schedule.transfers()} == {(0, 1), (1, 4)}


def test_halves_of_hypercube_algorithms_need_a_power_of_two():
    with pytest.raises(ScheduleError, match="halving-doubling needs a power of two of ranks, not 6: use 4 or 8"):
        build("halving", 6, operation="reduce_scatter")


def test_a_group_size_is_part_of_the_name():
    assert build("hierarchical:4", 8).num_steps == 2 * 3 + 2
    with pytest.raises(ScheduleError, match="hierarchical:3 does not divide 8 ranks: one of 1, 2, 4, 8"):
        build("hierarchical:3", 8)
    with pytest.raises(ScheduleError, match="the size of a group is a number"):
        build("torus:two", 8)
    with pytest.raises(ScheduleError, match="no algorithm 'ring:4'"):
        build("ring:4", 8)


def test_gossip_comes_nearer_with_every_round_and_keeps_the_sum():
    errors = [error(gossip(8, rounds, seed=3)) for rounds in (0, 4, 8, 16, 32)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-3
    assert weights(gossip(7, 5)).sum(axis=0) == pytest.approx(1)


def test_errors_name_the_way_out():
    with pytest.raises(ScheduleError, match="no algorithm 'rng': did you mean 'ring'"):
        build("rng", 4)
    with pytest.raises(ScheduleError, match="from 1 to 32"):
        build("bidirectional-ring", 4, 33)
    with pytest.raises(ScheduleError, match="at least 1"):
        build("ring", 0)
    with pytest.raises(ScheduleError, match="no algorithm of broadcast 'ring'"):
        build("ring", 4, operation="broadcast")
    with pytest.raises(ScheduleError, match="no operation 'allgather'"):
        build("ring", 4, operation="allgather")
    with pytest.raises(ScheduleError, match="root 4: ranks are 0 to 3"):
        build("chain", 4, operation="broadcast", root=4)
