"""An A/B's course without a bench: order, looks, stopping, verdicts; how often it is wrong."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringlab.experiments.ab.design import order
from ringlab.experiments.ab.interval import Interval
from ringlab.experiments.ab.stopping import BUDGET, NARROW, Course, Rules, looks
from ringlab.experiments.ab.verdict import judge, verdict_of

RULES = Rules(blocks=20, within=0.02, same=0.02, seed=7)
SIZES = [1 << 20, 1 << 22]


def times(rng, noise, faster=1.0, arms=("a", "b")):
    """One block: ``b`` takes the time of ``a`` divided by ``faster``; a drift that meets both."""
    drift = rng.normal(0, 0.1)
    return {
        arm: {size: size * np.exp(drift + rng.normal(0, noise)) / (faster if arm == "b" else 1) for size in SIZES}
        for arm in arms
    }


def finished(rules, noise, faster=1.0, seed=1, arms=("a", "b")):
    course, rng = Course(rules, arms, SIZES), np.random.default_rng(seed)
    while course.stopped is None:
        course.add(times(rng, noise, faster, arms))
    return course


def test_the_order_is_drawn_anew_for_each_block_and_the_same_for_a_seed():
    benches = {"a": "x", "b": "y", "c": "x"}
    drawn = [order(benches, 3, block) for block in range(200)]
    assert drawn == [order(benches, 3, block) for block in range(200)]
    assert all(sorted(map(sorted, turns)) == [["a", "c"], ["b"]] for turns in drawn)
    firsts = Counter(turns[0][0] for turns in drawn)
    assert min(firsts.values()) > 30  # each of three could be first in 50 or more
    assert drawn != [order(benches, 4, block) for block in range(200)]


@given(st.integers(2, 1000))
def test_looks_are_few_rise_and_end_with_the_last_block(blocks):
    found = looks(blocks)
    assert found[-1] == blocks
    assert list(found) == sorted(set(found))
    assert len(found) <= 4
    assert found[0] >= min(6, blocks)


def test_a_quiet_bench_is_done_at_the_first_look():
    course = finished(RULES, noise=0.001)
    assert (course.blocks, course.stopped, len(course.looked)) == (6, NARROW, 1)


def test_a_noisy_bench_spends_the_budget_and_says_unknown():
    course = finished(RULES, noise=0.3)
    assert (course.blocks, course.stopped) == (20, BUDGET)
    assert [look.blocks for look in course.looked] == [6, 10, 15, 20]
    assert {one.verdict for one in course.looked[-1].judged} == {"unknown"}


def test_time_that_is_over_is_a_look_at_whatever_is_there():
    course = Course(RULES, ["a", "b"], SIZES)
    assert course.finish() is None
    course = Course(RULES, ["a", "b"], SIZES)
    rng = np.random.default_rng(1)
    for _ in range(4):
        assert course.add(times(rng, 0.001, faster=1.5)) is None
    look = course.finish()
    assert (look.blocks, course.stopped) == (4, BUDGET)
    assert [one.verdict for one in look.judged] == ["faster", "faster"]
    assert course.finish() is look


@pytest.mark.parametrize(("faster", "verdict"), [(1.3, "faster"), (1 / 1.3, "slower"), (1.0, "same")])
def test_what_is_so_is_said(faster, verdict):
    assert {one.verdict for one in finished(RULES, 0.004, faster).looked[-1].judged} == {verdict}


def test_more_comparisons_need_wider_intervals():
    rules = Rules(20, within=1e-6, same=0.02, seed=7)
    two, five = finished(rules, 0.02), finished(rules, 0.02, arms=("a", "b", "c", "d", "e", "f"))
    assert five.looked[-1].judged[0].interval.confidence > two.looked[-1].judged[0].interval.confidence


def test_equal_arms_are_called_different_in_fewer_than_one_in_twenty():
    """Without a band, and with all the looks that stopping gives: 400 experiments, three standard errors above 5 %."""
    rules = Rules(blocks=9, within=0.02, same=1e-9, seed=1)  # Student's, which is quick; noise about as wide as wanted
    wrong = sum(
        any(one.verdict != "unknown" for one in finished(rules, 0.012, seed=seed).looked[-1].judged)
        for seed in range(400)
    )
    assert wrong / 400 <= 0.083


def of(low, high):
    return Interval((low * high) ** 0.5, low, high, 0.95, 10, "BCa")


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1.03, 1.06, "faster"),
        (0.90, 0.97, "slower"),
        (0.99, 1.01, "same"),
        (1.005, 1.015, "same"),  # a difference that is too small to matter
        (0.99, 1.05, "unknown"),
        (1.001, 1.05, "faster"),
        (1 / 1.02, 1.02, "same"),
    ],
)
def test_a_verdict_is_where_its_interval_lies(low, high, verdict):
    assert verdict_of(of(low, high), 0.02) == verdict


@given(st.floats(0.5, 2.0), st.floats(1.0, 1.5))
def test_the_verdict_of_exchanged_arms_is_the_opposite(middle, width):
    opposite = {"faster": "slower", "slower": "faster", "same": "same", "unknown": "unknown"}
    one = verdict_of(of(middle / width, middle * width), 0.02)
    assert verdict_of(of(1 / (middle * width), 1 / (middle / width)), 0.02) == opposite[one]


def test_a_sentence_has_the_ratio_with_its_interval():
    assert judge("b", "a", 1 << 20, of(1.031, 1.066), 0.02).text == (
        "b is 1.048 [1.031, 1.066] times as fast as a at 1 MiB: faster"
    )
    one_block = Interval(1.3, None, None, 0.95, 1, "none")
    assert judge("b", "a", 8, one_block, 0.02).text.endswith("at 8 B: 1.30 (one block: no interval)")
