"""Medians and the interval of their ratio: does it hold the truth as often as it says?"""

import numpy as np
import pytest

from ringlab.experiments.statistics import group_median, median, ratio_interval, spread


def samples(rng, base, blocks, *, block_noise=0.02, noise=0.02, drift=None):
    """Times of one arm: drift of the machine, noise of the block and of the iteration, and a few late ones."""
    own = rng.normal(0, block_noise, (blocks, 1)) + rng.normal(0, noise, (blocks, 6))
    late = (rng.random((blocks, 6)) < 0.05) * rng.exponential(0.3, (blocks, 6))
    return base * np.exp(own + late + (0 if drift is None else drift))


def test_median_and_quartiles_are_over_all_blocks():
    assert median([[1.0, 2.0], [3.0, 10.0]]) == 2.5
    assert group_median([[[1.0]], [[5.0]], [[3.0]]]) == 3.0
    assert (spread([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).low, spread([[0.0, 4.0]]).high) == (2.25, 3.0)


@pytest.mark.parametrize("blocks", [2, 3, 5, 10])
def test_the_interval_holds_the_true_ratio_at_least_nine_times_in_ten(blocks):
    rng = np.random.default_rng(blocks)
    held, runs = 0, 100
    for _ in range(runs):
        drift = rng.normal(0, 0.05, (blocks, 1))
        slow, fast = samples(rng, 190.0, blocks, drift=drift), samples(rng, 100.0, blocks, drift=drift)
        found = ratio_interval([slow], [fast], rng, resamples=200)
        held += found.low <= 1.9 <= found.high
    assert held / runs >= 0.9


def test_the_interval_of_a_group_of_three_holds_its_true_ratio():
    rng = np.random.default_rng(3)
    held, runs = 0, 100
    for _ in range(runs):
        ecmp = [samples(rng, base, 5) for base in (130.0, 190.0, 300.0)]
        found = ratio_interval(ecmp, [samples(rng, 100.0, 5)], rng, resamples=200)
        held += found.low <= 1.9 <= found.high
    assert held / runs >= 0.9


def test_equal_arms_are_told_apart_in_at_most_one_run_of_ten():
    rng = np.random.default_rng(4)
    told = 0
    for _ in range(100):
        found = ratio_interval([samples(rng, 100.0, 5)], [samples(rng, 100.0, 5)], rng, resamples=200)
        told += not found.low <= 1.0 <= found.high
    assert told <= 10


def test_drift_common_to_all_arms_does_not_widen_the_interval():
    rng = np.random.default_rng(5)
    drift = rng.normal(0, 0.5, (8, 1))
    slow = samples(rng, 190.0, 8, block_noise=0.0, noise=0.001, drift=drift)
    fast = samples(rng, 100.0, 8, block_noise=0.0, noise=0.001, drift=drift)
    together = ratio_interval([slow], [fast], rng)
    apart = ratio_interval([slow], [fast[::-1]], rng)
    assert (together.high - together.low) < 0.5 * (apart.high - apart.low)


def test_more_blocks_make_a_narrower_interval():
    rng = np.random.default_rng(6)
    few = ratio_interval([samples(rng, 190.0, 3)], [samples(rng, 100.0, 3)], rng)
    many = ratio_interval([samples(rng, 190.0, 30)], [samples(rng, 100.0, 30)], rng)
    assert many.high - many.low < 0.3 * (few.high - few.low)


def test_the_same_seed_gives_the_same_interval():
    arms = [samples(np.random.default_rng(8), base, 4).tolist() for base in (200.0, 100.0)]
    one, two = (ratio_interval(arms[:1], arms[1:], np.random.default_rng(1)) for _ in range(2))
    assert one == two


def test_one_block_is_said():
    rng = np.random.default_rng(9)
    found = ratio_interval([samples(rng, 190.0, 1)], [samples(rng, 100.0, 1)], rng)
    assert found.low < found.ratio < found.high
    assert found.blocks == 1
    assert found.note == "one block: drift between blocks is not in the interval"


def test_one_sample_has_no_interval():
    found = ratio_interval([[[200.0]]], [[[100.0]]], np.random.default_rng(1))
    assert (found.ratio, found.low, found.high) == (2.0, None, None)
    assert found.note == "one sample each: no interval"


def test_identical_samples_have_no_width_and_that_is_said():
    found = ratio_interval([[[200.0] * 3] * 4], [[[100.0] * 3] * 4], np.random.default_rng(1))
    assert (found.low, found.ratio, found.high) == (2.0, 2.0, 2.0)
    assert found.note == "the samples of each arm are all the same"


@pytest.mark.parametrize(
    ("slower", "faster", "message"),
    [
        ([[[1.0]], [[1.0], [1.0]]], [[[1.0]]], "equally many blocks"),
        ([[[1.0, 2.0], [1.0]]], [[[1.0], [1.0]]], "blocks of \\[1, 2\\] iterations"),
        ([[[]]], [[[1.0]]], "blocks of \\[0\\] iterations"),
    ],
)
def test_uneven_samples_are_refused(slower, faster, message):
    with pytest.raises(ValueError, match=message):
        ratio_interval(slower, faster, np.random.default_rng(1))


def test_no_samples_have_no_median():
    with pytest.raises(ValueError, match="no samples"):
        median([])
