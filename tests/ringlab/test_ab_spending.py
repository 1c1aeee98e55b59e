"""Levels of looks: tabulated bounds, and random walks that stop when they like."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr

from ringlab.experiments.ab import spending


def test_one_look_may_spend_all():
    assert spending.level_of_last((20,), 20, 0.05, ends=True) == pytest.approx(0.05)


def test_a_first_look_spends_its_share_of_the_blocks():
    assert spending.level_of_last((6,), 20, 0.05, ends=False) == pytest.approx(0.015)


def test_pococks_tabulated_bound_comes_out_of_what_it_spends():
    """Five equal looks at 2.413: Jennison and Turnbull, "Group Sequential Methods" (2000), table 2.1."""
    walks = np.random.default_rng(1).standard_normal((400_000, 5)).cumsum(axis=1) / np.sqrt(np.arange(1, 6))
    crossed = np.abs(walks) > 2.413
    spent = tuple(float(crossed[:, : k + 1].any(axis=1).mean()) for k in range(5))
    assert spent[-1] == pytest.approx(0.05, abs=0.002)
    assert spending._bounds((0.2, 0.4, 0.6, 0.8, 1.0), spent) == pytest.approx([2.413] * 5, abs=0.03)


@given(st.lists(st.integers(2, 99), min_size=0, max_size=5, unique=True).map(sorted), st.integers(0, 99))
def test_walks_that_may_stop_at_any_look_are_wrong_as_often_as_allowed(early, seed):
    looks = [*early, 100]
    levels = [
        spending.level_of_last(looks[: place + 1], 100, 0.05, ends=place == len(looks) - 1)
        for place in range(len(looks))
    ]
    steps = np.diff([0, *looks])
    walks = (np.random.default_rng(seed).standard_normal((20_000, len(looks))) * np.sqrt(steps)).cumsum(axis=1)
    crossed = 2 * ndtr(-np.abs(walks) / np.sqrt(looks)) < levels
    assert crossed.any(axis=1).mean() == pytest.approx(0.05, abs=0.008)


def test_an_end_that_the_data_did_not_choose_spends_what_is_left():
    early = spending.level_of_last((6, 10), 20, 0.05, ends=False)
    assert spending.level_of_last((6, 10), 20, 0.05, ends=True) > 2 * early
