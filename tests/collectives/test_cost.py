import pytest

from collectives.cost import cost
from collectives.schedule import ScheduleError


def test_ring_of_eight():
    found = cost("ring", 8, 8000)
    assert (found.steps, found.sent_bytes, found.added_bytes) == (14, 14000, 7000)
    assert found.time_s(1e-6, 1e-9, 1e-10) == pytest.approx(14e-6 + 14e-6 + 0.7e-6)


def test_recursive_doubling_wins_small_and_loses_large():
    times = {
        (name, size): cost(name, 16, size).time_s(20e-6, 1e-9)
        for name in ("ring", "recursive-doubling")
        for size in (8, 1 << 26)
    }
    assert times["recursive-doubling", 8] < times["ring", 8]
    assert times["recursive-doubling", 1 << 26] > times["ring", 1 << 26]


def test_one_rank_costs_nothing():
    assert cost("ring", 1, 100).time_s(1, 1, 1) == 0


def test_unknown_names():
    with pytest.raises(ScheduleError, match="did you mean 'ring'"):
        cost("rings", 4, 1)
