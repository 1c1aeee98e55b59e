"""Synthetic experiments: the same for a seed, and as noisy as they say."""

from math import log
from statistics import mean, median, stdev

import pytest

from ringlab.exercises.noise import ITERATION, TURN, experiment, t_quantile


def test_a_seed_is_an_experiment():
    assert experiment(0.05, 3, 1) == experiment(0.05, 3, 1) != experiment(0.05, 3, 2)


def test_a_gain_is_there_in_truth_and_turns_differ_as_they_should():
    logs = [log(median(a) / median(b)) for a, b in experiment(0.05, 4000, 1)]
    assert mean(logs) == pytest.approx(-log(0.95), abs=2e-3)
    assert stdev(logs) == pytest.approx((2 * (TURN**2 + 0.2868 * ITERATION**2)) ** 0.5, rel=0.05)


def test_students_t():
    assert t_quantile(1) == pytest.approx(12.706, abs=1e-3)
    assert t_quantile(10_000) == pytest.approx(1.960, abs=1e-3)
