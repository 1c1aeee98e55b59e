"""Who is better, in a sentence; and the baseline at our sizes."""

import numpy as np
import pytest

from collectives.baseline import published
from ringlab.experiments.compare import beside, compare
from ringlab.experiments.result import Arm, SizeResult


def arm(name, times, size=16777216, group=None):
    """An arm whose samples are ``times`` (a list a block)."""
    found = SizeResult.measured(
        times,
        size_bytes=size,
        count=size // 4,
        dtype="float",
        redop="sum",
        bus_factor=1.75,
        line_rate_bps=1e9,
        scale=1.0,
        predicted_us=None,
        wrong=0,
    )
    return Arm(name, group or name, None, None, (found,))


def blocks(middle, width=0.01):
    return [[middle * (1 + width * k / 3) for k in (-3, -1, 0, 1, 3)] for _ in range(5)]


def only(*arms):
    (found,) = compare(arms, [tuple(dict.fromkeys(arm.group for arm in arms))], np.random.default_rng(1))
    return found


def test_the_sentence_names_the_better_group_with_its_interval():
    found = only(arm("ecmp", blocks(194.0)), arm("pinned", blocks(100.0)))
    assert (found.better, found.than, found.blocks) == ("pinned", "ecmp", 5)
    assert found.ratio == pytest.approx(1.94)
    assert found.text == f"pinned is 1.94x [{found.low:.2f}, {found.high:.2f}] faster than ecmp at 16 MiB"
    assert found.shown


def test_no_difference_is_shown_where_the_interval_holds_one():
    found = only(arm("a", blocks(101.0, width=0.2)), arm("b", blocks(100.0, width=0.2)))
    assert found.low < 1 < found.high
    assert not found.shown
    assert found.text.startswith("no difference shown between b and a at 16 MiB: 1.010x [0.")


def test_two_equal_arms_are_not_told_apart():
    found = only(arm("a", [[5.0, 5.0]] * 2), arm("b", [[5.0, 5.0]] * 2))
    assert not found.shown
    assert found.text.startswith("no difference shown between a and b")


def test_a_group_is_the_median_of_its_arms():
    seeds = [
        arm(f"ecmp:seed={seed}", blocks(middle), group="ecmp") for seed, middle in enumerate((130.0, 200.0, 900.0))
    ]
    found = only(*seeds, arm("pinned", blocks(100.0)))
    assert (found.than, found.ratio) == ("ecmp", pytest.approx(2.0))


def test_one_sample_gives_a_ratio_without_an_interval():
    found = only(arm("a", [[200.0]]), arm("b", [[100.0]]))
    assert (found.low, found.high, found.shown) == (None, None, False)
    assert found.text == "b is 2.00x faster than a at 16 MiB (one sample each: no interval)"


def test_every_pair_at_every_common_size(make_result):
    found = make_result().comparisons
    assert [(one.size_bytes, {one.better, one.than}) for one in found] == [
        (size, pair)
        for size in (65536, 1048576, 16777216)
        for pair in ({"spanning-tree", "ecmp"}, {"spanning-tree", "pinned"}, {"ecmp", "pinned"})
    ]


def test_a_size_that_only_one_group_ran_is_not_compared():
    arms = [arm("a", [[1.0]], size=8), arm("b", [[1.0]], size=16)]
    assert compare(arms, [tuple(dict.fromkeys(arm.group for arm in arms))], np.random.default_rng(1)) == ()


def test_a_single_arm_of_a_group_can_be_compared():
    arms = [arm("ecmp:seed=1", blocks(200.0), group="ecmp"), arm("ecmp:seed=2", blocks(100.0), group="ecmp")]
    (found,) = compare(arms, [("ecmp:seed=1", "ecmp:seed=2")], np.random.default_rng(1))
    assert (found.better, found.than) == ("ecmp:seed=2", "ecmp:seed=1")


def test_the_baseline_stands_at_our_sizes():
    baseline = published.load("a100-4x8-hdr-ib-allreduce")
    found = beside(baseline, (1024, 1048576, 3000000))
    small, equal, between = found.points
    assert (small.busbw_GBps, small.line_share, small.interpolated) == (None, None, False)
    assert "was measured from 1048576" in small.why
    assert equal.busbw_GBps == baseline.at(1048576).busbw_GBps
    assert equal.line_share == pytest.approx(equal.busbw_GBps / 200)
    assert between.interpolated
    assert found.nominal_line_rate_GBps == 200
    assert "deepops" in found.source
