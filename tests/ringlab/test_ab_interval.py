"""A ratio's interval: which method, how often it holds the truth, what it is of hopeless samples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringlab.experiments.ab.interval import ALIKE, BCA, NONE, STUDENT, interval

RNG = np.random.default_rng


def test_few_blocks_have_students_interval_to_the_digit():
    """Mean 0.02, deviation 0.01 over three blocks; t of 2 degrees at 97.5 % is 4.303."""
    found = interval([0.01, 0.02, 0.03], 0.05, RNG(1))
    assert (found.method, found.blocks) == (STUDENT, 3)
    assert found.ratio == pytest.approx(np.exp(0.02))
    assert np.log([found.low, found.high]) == pytest.approx([0.02 - 0.02484, 0.02 + 0.02484], abs=1e-5)


def test_trimmed_blocks_have_yuens_interval_to_the_digit():
    """Of seven, one at either end: 4 of 3, 4, 5, 3.5 and 4.5; winsorized variance 0.75; t of 4 degrees is 2.776."""
    found = interval([0.01 * log for log in (-90, 3, 4, 5, 3.5, 4.5, 80)], 0.05, RNG(1), trim=0.2)
    assert (found.method, found.trim, found.blocks) == (STUDENT, 0.2, 7)
    assert np.log(found.ratio) == pytest.approx(0.04)
    error = (0.75 * 6 / (4 * 5)) ** 0.5
    assert np.log([found.low, found.high]) == pytest.approx(
        [0.04 - 0.027764 * error, 0.04 + 0.027764 * error], abs=1e-5
    )


def test_late_blocks_do_not_move_a_trimmed_ratio():
    calm = RNG(2).normal(0.05, 0.005, 20)
    disturbed = [*calm[:18], 0.9, -0.7]
    found = interval(disturbed, 0.05, RNG(1), trim=0.2)
    assert found.method == BCA
    assert np.log([found.low, found.high]) == pytest.approx([0.05, 0.05], abs=0.008)
    assert interval(disturbed, 0.05, RNG(1)).width > 10 * found.width


def test_blocks_that_are_all_alike_but_a_few_are_not_trimmed():
    found = interval([0.0] * 17 + [0.2, 0.3, 0.5], 0.05, RNG(1), trim=0.2)
    assert (found.trim, found.ratio) == (0.0, pytest.approx(np.exp(0.05)))


def test_twenty_blocks_are_bootstrapped_unless_the_tails_are_out_of_reach():
    logs = RNG(2).normal(0.05, 0.01, 20).tolist()
    assert interval(logs[:19], 0.05, RNG(1)).method == STUDENT
    assert interval(logs, 0.05, RNG(1)).method == BCA
    assert interval(logs, 1e-5, RNG(1)).method == STUDENT


def test_the_bootstrap_follows_a_skew_that_student_does_not():
    logs = [0.0] * 17 + [0.2, 0.3, 0.5]
    found = interval(logs, 0.05, RNG(1))
    assert found.method == BCA
    assert np.log(found.high / found.ratio) > 2 * np.log(found.ratio / found.low)


@pytest.mark.parametrize("trim", [0.0, 0.2])
@pytest.mark.parametrize(("blocks", "runs"), [(6, 400), (20, 100)])
def test_it_holds_the_truth_as_often_as_it_says(blocks, runs, trim):
    rng, missed = RNG(blocks), 0
    for _ in range(runs):
        found = interval(rng.normal(0.3, 0.02, blocks).tolist(), 0.2, rng, trim)
        missed += not found.low <= np.exp(0.3) <= found.high
    assert missed / runs == pytest.approx(0.2, abs=3 * (0.2 * 0.8 / runs) ** 0.5)  # three standard errors


def test_hopeless_samples_say_so():
    assert interval([0.1], 0.05, RNG(1)).method == NONE
    assert interval([0.1], 0.05, RNG(1)).low is None
    assert interval([0.1], 0.05, RNG(1)).width == float("inf")
    alike = interval([0.1] * 4, 0.05, RNG(1))
    assert (alike.method, alike.low, alike.high) == (ALIKE, alike.ratio, alike.ratio)
    with pytest.raises(ValueError, match="no blocks"):
        interval([], 0.05, RNG(1))


@given(st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=9, unique=True), st.sampled_from([0.0, 0.2]))
def test_turning_the_ratio_round_turns_its_interval_round(logs, trim):
    one, other = interval(logs, 0.05, RNG(1), trim), interval([-log for log in logs], 0.05, RNG(1), trim)
    assert one.low * other.high == pytest.approx(1)
    assert one.high * other.low == pytest.approx(1)
    assert one.width == pytest.approx(other.width)
