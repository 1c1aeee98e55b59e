import re
from fractions import Fraction
from importlib import import_module
from math import log2

import pytest

from collectives.algorithms import build, names
from collectives.cost import cost
from collectives.schedule import Op, ScheduleError
from collectives.verify import verify_allreduce

POWERS = ("halving-doubling", "recursive-doubling")


def sizes(name: str) -> tuple[int, ...]:
    return (1, 2, 4, 8, 16) if name in POWERS else (1, 2, 3, 5, 8, 16)


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("channels", [1, 3])
def test_is_an_allreduce(name, channels):
    for num_ranks in sizes(name):
        verify_allreduce(build(name, num_ranks, channels))


def stated(name: str, what: str, num_ranks: int, nbytes: int) -> float:
    """What the algorithm's docstring says of its steps or bytes."""
    text = import_module(f"collectives.algorithms.{name.replace('-', '_')}").__doc__
    [formula] = re.findall(rf"^{what}: (.*)$", text, re.MULTILINE)
    return eval(formula, {"n": num_ranks, "S": nbytes, "log2": log2})


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("channels", [1, 2])
def test_steps_and_bytes_are_as_stated(name, channels):
    """The docstring, the closed form and the schedule say the same."""
    nbytes = 240 * 1024
    for num_ranks in sizes(name):
        schedule = build(name, num_ranks, channels)
        chunk = Fraction(nbytes, schedule.num_chunks)
        expected = cost(name, num_ranks, nbytes)
        assert schedule.num_steps == stated(name, "Steps", num_ranks, nbytes) == expected.steps
        for rank in range(num_ranks):
            sent = chunk * sum(t.count for t in schedule.transfers() if t.src == rank)
            added = chunk * sum(t.count for t in schedule.transfers() if t.dst == rank and t.op is Op.REDUCE)
            assert float(sent) == pytest.approx(stated(name, "Bytes", num_ranks, nbytes))
            assert (float(sent), float(added)) == pytest.approx((expected.sent_bytes, expected.added_bytes))


def test_the_two_rings_turn_against_each_other():
    schedule = build("bidirectional-ring", 5)
    assert {(t.channel, (t.dst - t.src) % 5) for t in schedule.transfers()} == {(0, 1), (1, 4)}


@pytest.mark.parametrize("name", POWERS)
def test_powers_of_two_only(name):
    with pytest.raises(ScheduleError, match=f"{name} needs a power of two of ranks, not 6: use 4 or 8"):
        build(name, 6)


def test_errors_name_the_way_out():
    with pytest.raises(ScheduleError, match="no algorithm 'rng': did you mean 'ring'"):
        build("rng", 4)
    with pytest.raises(ScheduleError, match="from 1 to 32"):
        build("bidirectional-ring", 4, 33)
    with pytest.raises(ScheduleError, match="at least 1"):
        build("ring", 0)
