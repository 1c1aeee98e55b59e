"""examples/clusters and benchmarks/clusters.py: specs mean what they say, and shares are of the right line."""

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from collectives.baseline import published
from ringlab.experiments import simulated, spec, store
from topologies import systems

ROOT = Path(__file__).parents[2]
SPECS = sorted((ROOT / "examples" / "clusters").glob("*.yaml"))


@pytest.fixture(scope="module")
def benchmark():
    """The program as a module; its dataclasses ask for it by name."""
    found = importlib.util.spec_from_file_location("benchmark_of_clusters", ROOT / "benchmarks" / "clusters.py")
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module
    before = list(sys.path)
    found.loader.exec_module(module)
    yield module
    sys.path[:] = before
    del sys.modules[found.name]


@pytest.fixture(scope="module")
def polaris():
    """A simulated result that says it was emulated: of the same form, and made in no time."""
    wanted, text = spec.read(ROOT / "examples" / "clusters" / "polaris-2.yaml")
    found = simulated.run(wanted)
    return replace(
        found, fingerprint={key: value for key, value in found.fingerprint.items() if key != "backend"}
    ), text


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_a_spec_is_of_the_system_that_its_baseline_was_measured_on(path):
    wanted, _ = spec.read(path)
    baseline = published.load(wanted.baseline)
    system = systems.of_sweep(wanted.baseline)
    assert wanted.name == path.stem
    assert wanted.fabric.name == f"{system.name}-{baseline.nodes}"
    assert len(wanted.placement) == baseline.nranks
    assert wanted.collective == baseline.collective
    assert any(baseline.at(size).line_share for size in wanted.sizes)
    assert f"ringlab run examples/clusters/{path.name}" in path.read_text()


def test_shares_are_of_the_line_of_the_sweep(benchmark, polaris):
    baseline = published.load("a100-2x4-slingshot-allreduce-nccl2.21-polaris")
    rows = benchmark.rows(polaris[0], baseline)
    assert [(row.size_bytes, row.arm) for row in rows[-2:]] == [(64 << 20, "ecmp:seed=1"), (64 << 20, "pinned")]
    ecmp, pinned = rows[-2:]
    assert pinned.share == pytest.approx(0.986, abs=0.005)  # a NIC a ring: the line, less headers
    assert ecmp.share == pytest.approx(0.493, abs=0.005)  # both rings over one NIC
    assert pinned.published == pytest.approx(0.6948, abs=1e-3)
    assert pinned.difference == pytest.approx(pinned.share - pinned.published)
    assert pinned.predicted == pytest.approx(pinned.share, rel=0.01)


def test_a_step_is_what_is_left_beyond_the_bytes_at_line_rate(benchmark, polaris):
    one = polaris[0]
    baseline = published.load("a100-2x4-slingshot-allreduce-nccl2.21-polaris")
    row = next(row for row in benchmark.rows(one, baseline) if row.arm == "pinned" and row.size_bytes == 1 << 20)
    bytes_us = 2 * 7 / 8 * (1 << 20) / 50e3
    found = next(arm for arm in one.arms if arm.name == "pinned").results[1]
    assert row.step_us == pytest.approx((found.nominal.time_us - bytes_us) / 14)
    assert row.published_step_us == pytest.approx((481.1 - bytes_us) / 14)


def test_the_latest_emulated_result_is_read_again(benchmark, polaris, tmp_path, capsys):
    one, text = polaris
    assert benchmark.kept("polaris-2", tmp_path) is None
    store.save(tmp_path, one, {}, text, {})
    store.save(tmp_path, replace(one, id=f"{one.id}-b", fingerprint={"backend": "simulated"}), {}, text, {})
    assert benchmark.kept("polaris-2", tmp_path) == one
    file = tmp_path / "rows.json"
    assert benchmark.main(["--read", str(tmp_path), "--only", "polaris-2", "--json", str(file)]) == 0
    out = capsys.readouterr().out
    assert "polaris-2: system:polaris-2, ring, 8 ranks, 2000x slower" in out
    assert "published: a100-2x4-slingshot-allreduce-nccl2.21-polaris, line 50 GB/s" in out
    entries = json.loads(file.read_text())
    assert len(entries) == 10
    assert {"name", "value", "unit", "goal", "better", "met", "samples"} <= set(entries[0])
    assert entries[-1]["name"] == "polaris-2, pinned, 64M: share, ours less published"


def test_where_nothing_was_kept_it_is_said(benchmark, tmp_path, capsys):
    assert benchmark.main(["--read", str(tmp_path), "--only", "polaris-2"]) == 1
    assert f"polaris-2: no result in {tmp_path}" in capsys.readouterr().err


def test_a_size_without_a_published_figure_has_no_difference(benchmark, polaris):
    baseline = published.load("a100-2x4-slingshot-allreduce-nccl2.21-polaris")
    cut = replace(baseline, points=baseline.points[-2:])
    row = benchmark.rows(polaris[0], cut)[0]
    assert (row.published, row.difference, row.published_step_us) == (None, None, None)
    assert "-" in benchmark._cells(row)


def test_tables_go_where_their_marks_are(benchmark, polaris):
    page = "a\n<!-- cluster: polaris-2 -->\nold\n<!-- end -->\nb\n<!-- cluster: other -->\nkept\n<!-- end -->\n"
    found = benchmark.with_tables(page, [polaris[0]])
    assert found.startswith("a\n<!-- cluster: polaris-2 -->\n| size | arm | ours |")
    assert "| 64 MiB | pinned | 98." in found
    assert "old" not in found
    assert found.endswith("<!-- end -->\nb\n<!-- cluster: other -->\nkept\n<!-- end -->\n")
    assert benchmark.with_tables(found, [polaris[0]]) == found


def test_the_page_has_a_place_for_every_cluster(benchmark):
    page = (ROOT / "docs" / "explanation" / "clusters.md").read_text(encoding="utf-8")
    for name in benchmark.names():
        assert f"<!-- cluster: {name} -->\n|" in page
