"""A Baseline's figures: factors, shares, what it says between, at and beyond its sizes."""

import dataclasses
import math

import pytest

from collectives.baseline.model import Baseline, BaselineError, Point, ring_line_rate_GBps

EIGHT = Baseline(
    name="eight",
    collective="all_reduce",
    nranks=8,
    gpu="G",
    nodes=2,
    gpus_per_node=4,
    network="N",
    library="NCCL",
    note="",
    source="here",
    nominal_line_rate_GBps=50.0,
    line_rate_why="stated",
    points=(Point(1000, 10.0), Point(4000, 20.0), Point(16_000_000, 1000.0)),
)


def test_a_measured_size_is_read_as_it_is():
    reading = EIGHT.at(4000)
    assert (reading.time_us, reading.interpolated, reading.why) == (20.0, False, "")
    assert reading.algbw_GBps == pytest.approx(0.2)
    assert reading.busbw_GBps == pytest.approx(0.35)
    assert reading.line_share == pytest.approx(0.007)


def test_between_two_sizes_the_line_is_straight_in_both_logarithms():
    middle = EIGHT.at(2000)
    assert middle.interpolated
    assert middle.time_us == pytest.approx(math.sqrt(10.0 * 20.0))
    assert EIGHT.at(1001).time_us == pytest.approx(10.0, rel=1e-3)


@pytest.mark.parametrize("size", [999, 16_000_001])
def test_beyond_its_sizes_it_says_nothing_and_why(size):
    reading = EIGHT.at(size)
    assert (reading.time_us, reading.algbw_GBps, reading.busbw_GBps, reading.line_share) == (None, None, None, None)
    assert reading.why == "eight was measured from 1000 to 16000000 bytes"


def test_the_best_is_by_busbw():
    assert EIGHT.best().size_bytes == 16_000_000
    assert EIGHT.best().busbw_GBps == pytest.approx(28.0)


def test_no_share_without_a_line_rate():
    unknown = dataclasses.replace(EIGHT, nominal_line_rate_GBps=None)
    assert unknown.best().line_share is None
    assert unknown.best().busbw_GBps == pytest.approx(28.0)
    assert unknown.caveat == ""


def test_a_busbw_above_the_ring_s_line_is_explained_with_the_bound_of_any_algorithm():
    above = dataclasses.replace(EIGHT, nominal_line_rate_GBps=20.0)
    # Two nodes exchange the buffer once: 20 GB/s of algbw, times 7/4.
    assert "its own bound is 35 GB/s" in above.caveat
    assert "inside each node" in above.caveat
    one_node = dataclasses.replace(above, nodes=1)
    assert "in the switch" in one_node.caveat
    assert EIGHT.caveat == ""


def test_a_busbw_above_every_bound_puts_the_line_rate_in_question():
    assert "is that the rate of all NICs" in dataclasses.replace(EIGHT, nominal_line_rate_GBps=10.0).caveat
    gather = dataclasses.replace(EIGHT, nominal_line_rate_GBps=10.0, collective="all_gather")
    assert "is that the rate of all NICs" in gather.caveat


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ((), "no sizes"),
        ((Point(8, 0.0),), "not above 0"),
        ((Point(0, 1.0),), "not above 0"),
        ((Point(8, 1.0), Point(8, 1.0)), "must rise"),
        ((Point(16, 1.0), Point(8, 1.0)), "must rise"),
    ],
)
def test_points_that_make_no_sweep_are_refused(points, message):
    with pytest.raises(BaselineError, match=message):
        dataclasses.replace(EIGHT, points=points)


def test_a_ring_is_bound_by_the_node_s_nics_or_by_one_gpu_s_links():
    assert ring_line_rate_GBps("all_reduce", 4, 8, 200.0)[0] == 200.0
    assert ring_line_rate_GBps("all_gather", 16, 1, 1.25)[0] == 1.25
    rate, why = ring_line_rate_GBps("all_reduce", 1, 8, 450.0)
    assert rate == 450.0
    assert "one GPU" in why


def test_all_to_all_shares_the_nics_among_the_ranks_of_a_node():
    rate, why = ring_line_rate_GBps("alltoall", 2, 4, 50.0)
    # 4 ranks send half of S each over 50 GB/s: t = 2 S / 50, busbw = 7/8 S / t.
    assert rate == pytest.approx(7 / 8 / (2 / 50))
    assert "4 ranks share" in why
    assert ring_line_rate_GBps("alltoall", 8, 1, 10.0)[0] == pytest.approx(10.0)
