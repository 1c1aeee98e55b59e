"""``ringlab sweep``: what it prints and keeps, how it goes on, tries again and fails."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from ringlab import cli
from ringlab.experiments import simulated, simulated_figures
from ringlab.sweeps import sweep_file, work
from ringlab.sweeps.plot import swept, title
from ringlab.sweeps.rows import rows
from ringlab.sweeps.store import RESULTS

SWEEP = """\
base:
  name: small
  fabric: leaf-spine:leaves=2,spines=1,hosts=2,rate=100G
  placement: interleaved
  algorithm: ring
  sizes: [64K, 16M]
  arms: [spanning-tree, ecmp: {seeds: [$seed]}, pinned]
grid:
  fabric.spines: [1, 2]
  algorithm: [ring, halving-doubling]
draws: 2
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text(SWEEP)
    return path


@pytest.fixture
def sweep(file, capsys, monkeypatch):
    """``sweep(*words)`` runs it serially, to ``out`` beside the file; the exit code and both outputs."""
    monkeypatch.setenv("RINGLAB_PROGRESS", "lines")

    def run(*words, out="out"):
        code = cli.main(["sweep", str(file), "--engine", "serial", "--out", str(file.parent / out), *words])
        return code, *capsys.readouterr()

    return run


def kept(file, out="out"):
    return [json.loads(line) for line in (file.parent / out / RESULTS).read_text().splitlines()]


def test_it_prints_a_row_an_arm_and_keeps_its_files(sweep, file):
    code, out, err = sweep()
    assert code == 0
    assert "small  8 simulated scenarios" in out
    lines = [line.split() for line in out.splitlines()]
    (both,) = [line for line in lines if line[:4] == ["2", "ring", "spanning-tree", "16"]]
    assert both[5] == "2"  # its draws
    assert sum("pinned" in line for line in lines) == 4
    assert {path.name for path in (file.parent / "out").iterdir()} == {RESULTS, "sweep.yaml", "sweep.svg", "sweep.png"}
    assert (file.parent / "out" / "sweep.yaml").read_text() == SWEEP
    assert "<svg" in (file.parent / "out" / "sweep.svg").read_text()
    assert "8 of 8 scenarios" in err
    assert len(kept(file)) == 8


def test_json_has_every_figure_in_the_files_order(sweep):
    code, out, _ = sweep("--json", "-")
    assert code == 0
    data = json.loads(out)
    assert (data["name"], data["backend"], data["fields"]) == (
        "small",
        "simulated",
        ["fabric.spines", "algorithm", "draw"],
    )
    changes = [tuple(one["changes"].values()) for one in data["results"]]
    assert changes == [(s, a, d) for s in (1, 2) for a in ("ring", "halving-doubling") for d in (1, 2)]
    last = data["results"][-1]["result"]
    assert [arm["group"] for arm in last["arms"]] == ["spanning-tree", "ecmp", "pinned"]
    assert [found["size_bytes"] for found in last["arms"][0]["results"]] == [65536, 16777216]
    assert (last["ranks"], last["algorithm"], last["verdict"]) == (4, "halving-doubling", "valid")


def test_a_scenario_has_what_a_run_of_its_spec_has(sweep, file):
    """Its figures are the simulator's own."""
    code, out, _ = sweep("--dry-run", "--json", "-")
    assert code == 0
    scenario = json.loads(out)["scenarios"][3]
    sweep()
    record = next(one for one in kept(file) if one["id"] == scenario["id"])
    from ringlab.experiments import spec as specs

    result = simulated.run(specs.loads(json.dumps(scenario["spec"])))
    for arm, kept_arm in zip(result.arms, record["result"]["arms"], strict=True):
        assert [one.time_us for one in arm.results] == [one["time_us"] for one in kept_arm["results"]]
        assert [one.busbw_GBps for one in arm.results] == [one["busbw_GBps"] for one in kept_arm["results"]]


def test_a_dry_run_lists_and_runs_nothing(sweep, file):
    code, out, _ = sweep("--dry-run")
    assert code == 0
    assert len(out.splitlines()) == 9
    assert out.split()[:5] == ["id", "seed", "fabric.spines", "algorithm", "draw"]
    assert not (file.parent / "out").exists()


def test_without_resume_results_stay(sweep, file):
    assert sweep()[0] == 0
    code, out, err = sweep()
    assert (code, out) == (2, "")
    assert "is there already; --resume goes on with it" in err
    assert len(kept(file)) == 8


def test_resume_runs_what_is_missing_and_no_more(sweep, file, monkeypatch):
    whole = sweep("--json", "-")[1]
    path = file.parent / "out" / RESULTS
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:5]) + lines[5][:40])  # killed in the middle of a line
    ran = []
    real = work.run
    monkeypatch.setattr(work, "run", lambda scenario: ran.append(scenario["id"]) or real(scenario))
    code, out, err = sweep("--json", "-", "--resume")
    assert (code, out) == (0, whole)
    assert "5 of 8 scenarios are there already" in err
    assert ran == [json.loads(line)["id"] for line in lines[5:]]
    assert sweep("--json", "-", "--resume")[1] == whole
    assert len(ran) == 3


def fail(monkeypatch, which):
    """``figures`` fails where ``which(spec, how many times this spec was run before)``."""
    real, before = simulated_figures.figures, {}

    def run(spec):
        seed, key = spec.data["arms"][1], json.dumps(spec.data)
        before[key] = before.get(key, -1) + 1
        if which(spec, before[key]):
            raise RuntimeError(f"no luck with {seed}\nat all")
        return real(spec)

    monkeypatch.setattr(simulated_figures, "figures", run)
    return before


def test_one_failed_scenario_does_not_end_the_sweep(sweep, file, monkeypatch):
    runs = fail(monkeypatch, lambda spec, _: spec.algorithm == "ring" and len(spec.fabric.switches) == 3)
    code, out, err = sweep()
    assert code == 1
    assert "2 of 8 scenarios failed; --resume tries them again" in err
    assert "small  8 simulated scenarios, 2 failed" in out
    assert out.count("failed: fabric.spines=1 algorithm=ring draw=") == 2
    assert "RuntimeError: no luck with {'ecmp'" in out.replace("\n", " ")
    bad = [record for record in kept(file) if not record["ok"]]
    assert [record["exit_code"] for record in bad] == [4, 4]
    assert all("\n" not in record["error"] and record["meta"]["attempts"] == 2 for record in bad)
    assert sorted(runs.values()) == [0] * 6 + [1] * 2  # each failed one was tried twice
    monkeypatch.undo()
    code, out, _ = sweep("--resume")
    assert code == 0
    assert len(kept(file)) == 10


def test_a_second_try_may_do(sweep, file, monkeypatch):
    fail(monkeypatch, lambda _, before: before == 0)
    assert sweep()[0] == 0
    assert [record["meta"]["attempts"] for record in kept(file)] == [2] * 8
    assert sweep("--retries", "0", out="other")[0] == 0  # the same specs, third time


def test_what_can_not_be_is_not_tried_again(file, sweep):
    file.write_text(
        SWEEP.replace("algorithm: [ring, halving-doubling]", "placement: [[h1, h2], [h1, h4]]\n  fabric.hosts: [1, 2]")
    )
    code, out, _ = sweep()
    assert code == 1
    bad = [record for record in kept(file) if not record["ok"]]
    assert len(bad) == 4  # h4 with one host a leaf
    assert {(record["meta"]["attempts"], record["exit_code"]) for record in bad} == {(1, 2)}
    assert "no host 'h4'" in out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--engine", "dask"], 2, "--engine dask and --scheduler tcp://HOST:8786 go together"),
        (["--scheduler", "tcp://x:1"], 2, "--engine dask and --scheduler tcp://HOST:8786 go together"),
        (["--engine", "slurm", "--slurm", "account"], 2, "--slurm account: write KEY=VALUE, like account=mine"),
        (["--workers", "0"], 2, "0 is not in the range x>=1"),
    ],
)
def test_a_wrong_command_line_is_one_line(file, capsys, words, code, said):
    assert cli.main(["sweep", str(file), "--out", str(file.parent / "out"), *words]) == code
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert not (file.parent / "out" / RESULTS).exists()


def test_a_wrong_file_is_told_before_anything_runs(file, sweep):
    file.write_text(SWEEP.replace("halving-doubling", "halving-dubling"))
    code, out, err = sweep()
    assert (code, out) == (2, "")
    assert (
        err
        == f"ringlab: {file}:10: grid.algorithm[1]: no algorithm 'halving-dubling'; did you mean 'halving-doubling'?\n"
    )
    assert not (file.parent / "out").exists()


def test_emulated_scenarios_need_root_and_one_worker(file, sweep, monkeypatch):
    file.write_text(SWEEP + "backend: emulated\n")
    assert sweep("--workers", "2")[0] == 2
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    code, _, err = sweep()
    assert code == 3
    assert "emulated scenarios need root" in err


def test_emulated_scenarios_run_by_the_runner(file, sweep, monkeypatch, make_result):
    """One after the other, in this process; a run that ended early is a failure."""
    file.write_text(SWEEP + "backend: emulated\n")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    asked = []

    def run(spec, _say, _step):
        asked.append(spec)
        failure = "rank 3 (h4) heard nothing" if len(asked) == 2 else None
        return type("Outcome", (), {"result": make_result(failure=failure)})

    monkeypatch.setattr("ringlab.experiments.runner.run", run)
    code, out, _ = sweep("--retries", "0")
    assert code == 1
    assert len(asked) == 8
    assert "small  8 emulated scenarios, 1 failed" in out
    assert "rank 3 (h4) heard nothing" in out
    record = next(one for one in kept(file) if one["ok"])
    assert record["backend"] == "emulated"
    arm = next(arm for arm in record["result"]["arms"] if arm["name"] == "pinned")
    nominal = arm["results"][-1]["busbw_GBps"] * 250
    assert any(f"{nominal:.2f}" in line for line in out.splitlines() if "pinned" in line)


# The plot and the table's rows


def result(*busbws, scale=1.0, group="pinned"):
    sizes = [
        {"size_bytes": 2**20, "time_us": 1e3 / busbw, "busbw_GBps": busbw, "line_share": busbw / 12.5}
        for busbw in busbws
    ]
    return {"scale": scale, "arms": [{"name": group, "group": group, "results": sizes[-1:]}]}


def test_rows_hold_all_draws_of_a_combination():
    found = rows(
        [({"a": 1, "draw": 1}, result(4.0)), ({"a": 2, "draw": 1}, result(9.0)), ({"a": 1, "draw": 2}, result(6.0))]
    )
    assert [(row.changes, row.median.busbw_GBps, len(row.samples)) for row in found] == [
        ({"a": 1}, 5.0, 2),
        ({"a": 2}, 9.0, 1),
    ]
    assert (found[0].slowest.busbw_GBps, found[0].fastest.busbw_GBps) == (4.0, 6.0)


def test_rows_are_of_the_nominal_fabric():
    (row,) = rows([({}, result(0.01, scale=1000.0))])
    assert (row.median.time_us, row.median.busbw_GBps) == (pytest.approx(100.0), pytest.approx(10.0))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([{"a": 1}, {"a": 2}], "a"),
        ([{"a": 1, "b": 1}, {"a": 1, "b": 2}], "b"),
        ([{"a": 1, "b": 1}, {"a": 2, "b": 2}, {"a": 2, "b": 3}], "b"),
        ([{"a": "x"}, {"a": 2}], None),
        ([{"a": True}, {"a": False}], None),
        ([{"a": 1}], None),
        ([{"a": 1}, {"b": 2}], None),
        ([], None),
    ],
)
def test_the_plot_is_over_the_number_with_most_values(changes, expected):
    assert swept(rows([(one, result(1.0)) for one in changes])) == expected


def test_the_plot_names_a_size_only_where_all_rows_have_one():
    sweep = sweep_file.loads(SWEEP)
    large, small = rows([({"a": 1}, result(1.0)), ({"a": 2}, result(1.0))])
    assert title(sweep, [large, small]) == "small: 1 MiB a rank, simulated: no packet was sent"
    small = replace(small, size_bytes=2**10)
    assert title(sweep, [large, small]) == "small, simulated: no packet was sent"


OWN_POLICY = """\
from ringlab.exercises.measure import ways


def route(fabric, demands):
    return {demand.key: list(ways(fabric, demand.key))[0] for demand in demands}
"""


def test_policies_of_ones_own_are_sought_beside_who_names_them_and_noticed_when_edited(
    tmp_path, sweep, file, monkeypatch
):
    base, own = tmp_path / "base", tmp_path / "base" / "my_policy.py"
    base.mkdir()
    own.write_text(OWN_POLICY)
    (tmp_path / "other.py").write_text(OWN_POLICY)
    spec = SWEEP.partition("grid:")[0].partition("base:\n")[2].replace("  ", "").partition("arms:")[0]
    (base / "spec.yaml").write_text(spec + "arms: [pinned, file:my_policy.py]\n")
    text = "base: base/spec.yaml\nlist:\n- {channels: 1}\n- {arms: [pinned]}\n- {arms.1: 'file:other.py'}\n"
    file.write_text(text)
    monkeypatch.chdir("/")
    assert sweep()[0] == 0
    before = [one["id"] for one in kept(file)]
    assert sweep("--resume")[2].count("3 of 3 scenarios are there already") == 1
    own.write_text(OWN_POLICY.replace("[0]", "[-1]"))
    assert "2 of 3 scenarios are there already" in sweep("--resume")[2]
    after = [one["id"] for one in kept(file)]
    assert after[:3] == before
    assert len(after) == len(set(after)) == 4


def test_without_a_number_there_is_no_plot(file, sweep):
    file.write_text(SWEEP.replace("  fabric.spines: [1, 2]\n", ""))
    code, out, _ = sweep()
    assert code == 0
    assert "plots:" not in out
    assert not list(Path(file.parent / "out").glob("sweep.*g"))
