"""The claims of benchmarks/placement.py that need no clock, on fewer cases."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from random import Random

import pytest


@pytest.fixture(scope="module")
def benchmark():
    file = Path(__file__).parents[2] / "benchmarks/placement.py"
    spec = importlib.util.spec_from_file_location("benchmark_of_placement", file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_no_choice_of_ways_is_better_on_small_cases(benchmark):
    row = benchmark.exhaustive(Random(11), 30)
    assert row.met, row


def test_splitting_flows_at_will_would_hardly_help(benchmark):
    row = benchmark.relaxed(Random(12), 15)
    assert row.met, row


def test_never_worse_than_ecmp_on_the_links_that_live(benchmark):
    row = benchmark.after_failures(Random(13), 100)
    assert row.met, row


def test_ecmp_spreads_like_balls_in_bins(benchmark):
    for row in (benchmark.spread(), benchmark.fullest()):
        assert row.met, row


def test_the_theory_itself(benchmark):
    assert benchmark.expected_fullest(1, 5) == pytest.approx(1)
    assert benchmark.expected_fullest(2, 2) == pytest.approx(1.5)
    assert benchmark.expected_fullest(3, 2) == pytest.approx(3 * 2 / 8 + 2 * 6 / 8)
