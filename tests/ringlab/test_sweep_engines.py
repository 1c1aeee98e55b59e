"""The same sweep on every engine: the same results to the bit. A worker that dies takes one scenario with it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

from ringlab.errors import MachineError, UsageError
from ringlab.sweeps import session, work
from ringlab.sweeps.engines import dask, processes, serial, slurm
from ringlab.sweeps.engines.lanes import spread
from ringlab.sweeps.scenario import Scenario
from ringlab.sweeps.store import RESULTS, opened
from ringlab.sweeps.sweep_file import loads

SWEEP = """\
base:
  name: many
  fabric: leaf-spine:leaves=2,spines=2,hosts=2,rate=100G,latency=1us
  placement: interleaved
  algorithm: ring
  sizes: [1M]
  arms: [spanning-tree, ecmp: {seeds: [$seed]}, pinned]
grid:
  fabric.spines: [1, 2]
  algorithm: [ring, halving-doubling]
  sizes: [[1K], [64K], [1M], [4M], [16M]]
draws: 10
"""
PYTHON = [sys.executable, "-m"]
pytestmark = pytest.mark.process
needs_dask = pytest.mark.skipif(find_spec("distributed") is None, reason="Dask is not installed")
needs_submitit = pytest.mark.skipif(find_spec("submitit") is None, reason="submitit is not installed")


@pytest.fixture(scope="module")
def sweep():
    found = loads(SWEEP)
    assert len(list(found.scenarios())) == 200
    return found


def as_text(sweep, engine, folder):
    """The sweep's JSON text, and its store's records by id."""
    with opened(folder, resume=False) as kept:
        found = session.run(list(sweep.scenarios()), engine, kept, retries=0)
    stored = [json.loads(line) for line in (folder / RESULTS).read_text().splitlines()]
    assert max(Counter(record["id"] for record in stored).values()) == 1
    return json.dumps(session.to_data(sweep, found)), {record.pop("id"): record for record in stored}


@pytest.fixture(scope="module")
def serially(sweep, tmp_path_factory):
    return as_text(sweep, serial.engine(), tmp_path_factory.mktemp("serial"))


def without_meta(records):
    return {id_: {key: value for key, value in record.items() if key != "meta"} for id_, record in records.items()}


def test_serial_results_differ_where_scenarios_do(serially):
    text, records = serially
    assert len(records) == 200
    assert all(record["ok"] for record in records.values())
    ecmp = {record["result"]["arms"][1]["results"][0]["time_us"] for record in records.values()}
    assert len(ecmp) > 20  # five sizes by two algorithms, on one spine or by several draws
    assert all(word not in text for word in ("wall_s", "host", "began", "meta", os.uname().nodename))
    assert all(record["meta"]["wall_s"] > 0 and record["meta"]["attempts"] == 1 for record in records.values())


def test_two_processes_give_the_same_bits(sweep, serially, tmp_path):
    text, records = as_text(sweep, processes.engine(2), tmp_path)
    assert text == serially[0]
    assert without_meta(records) == without_meta(serially[1])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A Dask scheduler and two workers, each with the resource that an emulation takes; the scheduler's address."""
    folder = tmp_path_factory.mktemp("dask")
    file = folder / "scheduler.json"
    same = ["--scheduler-file", str(file), "--no-dashboard"]
    own = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    alone = ["--no-nanny", "--nthreads", "1", "--resources", "netns=1"]
    commands = [["scheduler", "--port", "0", "--host", "127.0.0.1"], *[["worker", *alone]] * 2]
    started = [subprocess.Popen([*PYTHON, "dask", command[0], *same, *command[1:]], **own) for command in commands]
    try:
        deadline = time.monotonic() + 40
        while not (file.exists() and file.read_text().endswith("}")):
            assert time.monotonic() < deadline, "the scheduler does not start"
            assert started[0].poll() is None
            time.sleep(0.05)
        yield json.loads(file.read_text())["address"]
    finally:
        for process in started:
            process.kill()  # a polite end takes a worker seconds, and there is nothing to keep
        for process in started:
            process.wait()


@needs_dask
def test_a_dask_cluster_of_two_gives_the_same_bits(sweep, serially, cluster, tmp_path):
    text, records = as_text(sweep, dask.engine(cluster), tmp_path)
    assert text == serially[0]
    assert without_meta(records) == without_meta(serially[1])


@needs_dask
def test_what_has_a_machine_for_itself_takes_the_resource(cluster):
    scenario = next(loads(SWEEP).scenarios()).data
    with dask.engine(cluster, exclusive=True) as run:
        (record,) = run([scenario])
    assert record["ok"]


@needs_dask
def test_workers_without_the_resource_take_no_emulation(cluster, monkeypatch):
    monkeypatch.setattr(dask, "NETNS", "other")
    monkeypatch.setattr(dask, "WORKERS_S", 0.0)
    wanted = r"no worker at tcp:.* takes this work; start one: dask worker .* --resources other=1"
    with pytest.raises(MachineError, match=wanted), dask.engine(cluster, exclusive=True):
        pass


@needs_dask
def test_a_scheduler_that_is_not_there_is_one_line(monkeypatch):
    monkeypatch.setattr(dask, "CONNECT_S", 0.5)
    with (
        pytest.raises(MachineError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9 "),
        dask.engine("tcp://127.0.0.1:9"),
    ):
        pass


@pytest.mark.parametrize(("module", "extra"), [("distributed", "dask"), ("submitit", "slurm")])
def test_an_extra_that_is_missing_is_named(monkeypatch, tmp_path, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    engine = dask.engine("tcp://x:1") if extra == "dask" else slurm.engine(slurm.Site(slurm.LOCAL), tmp_path)
    with pytest.raises(MachineError, match=rf"pip install -e '\.\[{extra}\]'"), engine:
        pass


@needs_submitit
def test_slurm_jobs_give_the_same_bits(serially, tmp_path):
    """By submitit's local cluster: its jobs are processes of this machine."""
    small = loads(SWEEP.replace("draws: 10", "draws: 2"))  # the first two draws of each
    text, _ = as_text(small, slurm.engine(slurm.Site(slurm.LOCAL, batch=25), tmp_path / "jobs"), tmp_path)
    found = {one["id"]: one for one in json.loads(text)["results"]}
    assert len(found) == 40
    all_of_them = {one["id"]: one for one in json.loads(serially[0])["results"]}
    assert found == {id_: all_of_them[id_] for id_ in found}


@needs_submitit
def test_slurms_settings_are_checked(tmp_path):
    site = slurm.Site(slurm.LOCAL, settings={"partion": "short"})
    with pytest.raises(UsageError, match="--slurm: Unknown argument 'partion'"), slurm.engine(site, tmp_path):
        pass
    with pytest.raises(UsageError, match="cpus_per_task=two: write a number"):
        _ = slurm.Site(settings={"cpus_per_task": "two"}).cores


@needs_submitit
def test_without_slurm_it_says_where_to_go(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MachineError, match="no sbatch here"), slurm.engine(slurm.Site(), tmp_path):
        pass


# Failures


def left_in_group(group, timeout_s=10.0):
    """Are there processes of a group after ``timeout_s``? Python's own tracker ends a moment after its parent."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.02)
    return True


class Deadly(processes.Pool):
    """A pool in which some scenarios kill their worker, for real."""

    killers = frozenset()

    def submit(self, chunk):
        if self.killers & {scenario["id"] for scenario in chunk}:
            return self._executor.submit(os._exit, 9)
        return super().submit(chunk)


def test_a_worker_that_dies_takes_one_scenario_with_it(serially):
    scenarios = [scenario.data for scenario in loads(SWEEP.replace("draws: 10", "draws: 2")).scenarios()]
    pool = Deadly(2)
    pool.killers = {scenarios[15]["id"]}
    try:
        found = {record["id"]: record for record in spread(scenarios, pool)}
    finally:
        pool.end()
    assert {id_ for id_, record in found.items() if not record["ok"]} == pool.killers
    assert set(found) == {scenario["id"] for scenario in scenarios}
    good = {id_: record["result"] for id_, record in found.items() if record["ok"]}
    assert good == {id_: serially[1][id_]["result"] for id_ in good}


def test_a_scenario_that_can_not_be_is_a_record_with_one_line():
    spec = {**next(loads(SWEEP).scenarios()).data["spec"], "placement": ["h1", "h8"]}
    record = work.run(Scenario.of(spec, "simulated", 0, {}).data)
    assert (record["ok"], record["exit_code"]) == (False, 2)
    assert "placement[1]: no host 'h8'" in record["error"]
    assert "\n" not in record["error"]
    json.dumps(record)


def test_an_error_of_our_own_is_a_record_too(monkeypatch):
    monkeypatch.setattr("ringlab.experiments.simulated_figures.figures", lambda _spec: 1 // 0)
    record = work.run(next(loads(SWEEP).scenarios()).data)
    assert record["error"] == "ZeroDivisionError: integer division or modulo by zero"
    assert record["exit_code"] == 4


def test_ctrl_c_keeps_what_is_done_and_leaves_no_process(tmp_path):
    file = tmp_path / "long.yaml"
    file.write_text(SWEEP.replace("draws: 10", "draws: 2000"))
    command = [*PYTHON, "ringlab", "sweep", str(file), "--workers", "2", "--out", str(tmp_path / "out")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    results = Path(tmp_path / "out" / RESULTS)
    deadline = time.monotonic() + 40
    while not (results.exists() and results.stat().st_size):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "--resume goes on with it" in said
    assert "Traceback" not in said
    assert not left_in_group(process.pid)
    with opened(tmp_path / "out", resume=True) as kept:
        assert 0 < len(kept.known) < 40_000
        assert all(record["ok"] for record in kept.known.values())
