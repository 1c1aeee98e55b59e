import numpy as np
import pytest

from collectives.perf.percentiles import Spread, stragglers


def test_percentiles_are_nearest_ranks_of_the_slowest():
    times = np.array([np.arange(1, 101), np.zeros(100)], dtype=float)
    spread = Spread.of(times)
    assert (spread.min_us, spread.max_us, spread.avg_us) == (1, 100, 50.5)
    assert (spread.p50_us, spread.p75_us, spread.p95_us, spread.p99_us) == (51, 75, 95, 99)
    assert spread.cv_pct == pytest.approx(np.arange(1, 101).std() / 50.5 * 100)
    assert Spread.of(times, skip=50).min_us == 51


def test_the_rank_that_waits_least_came_last():
    times = np.full((4, 10), 100.0)
    times[2, :6] = 40  # the others waited 60 us for it, six times of ten
    worst, *others = stragglers(times)
    assert (worst.rank, worst.last_share, worst.waited_us) == (2, 0.6, 60)
    assert [(one.rank, one.last_share) for one in others] == [(0, 0), (1, 0), (3, 0)]


def test_ranks_that_come_together_are_no_stragglers():
    times = np.random.default_rng(1).uniform(99, 101, (3, 50))
    assert all(one.last_share == 0 for one in stragglers(times))
    assert stragglers(np.ones((1, 5)))[0].last_share == 0
