"""benchmarks/simulation.py: its rows as its readers expect them, and those of its truths that take no time."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def benchmark():
    """The program as a module; its dataclasses ask for it by name."""
    file = Path(__file__).parents[2] / "benchmarks" / "simulation.py"
    spec = importlib.util.spec_from_file_location("benchmark_of_simulation", file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_on_paper_and_bytes_on_links(benchmark):
    assert benchmark.algebraic().met
    row = benchmark.same_bytes()
    assert row.value == 0
    assert "in 81 cases" in row.detail


def test_packets(benchmark):
    rows = [*benchmark.sorted_rings(), *benchmark.packet_permutations()]
    assert len(rows) == 6 + 8 + 4
    assert all(row.met for row in rows)


def test_a_row_is_missed_above_its_goal_and_its_json_says_so(benchmark, monkeypatch, tmp_path):
    row = benchmark.truth_row("worst", 0.02, "ratio", 0.01)
    assert (row.met, row.verdict) == (False, "MISSED")
    monkeypatch.setattr(benchmark, "speed", lambda quick: [])
    monkeypatch.setattr(benchmark, "truth", lambda quick: [row, benchmark.truth_row("told", 3, "us", None)])
    assert benchmark.main(["--json", str(tmp_path / "rows.json")]) == 1
    found = json.loads((tmp_path / "rows.json").read_text())
    assert [each["met"] for each in found] == [False, True]
    assert {"name", "value", "unit", "goal", "better", "met", "samples"} <= set(found[0])
