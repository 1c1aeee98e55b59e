"""``python -m collectives`` as processes on loopback; each is ended by its pid."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from collectives.perf.checkdata import PERIOD
from collectives.perf.kinds import KINDS
from collectives.perf.local import run_local

pytestmark = pytest.mark.process

PYTHON = [sys.executable, "-m", "collectives"]


@pytest.fixture
def start():
    """``start(words)`` starts a process; whatever still runs at the end of the test is killed by its pid."""
    started = []

    def one(*words):
        process = subprocess.Popen(
            [*PYTHON, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield one
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def start_ranks(start, address, num_ranks, *words):
    peers = ",".join([address] * num_ranks)
    return [start("--rank", rank, "--peers", peers, "--rendezvous-timeout", 10, *words) for rank in range(num_ranks)]


def rows_of(text):
    return [line.split() for line in text.splitlines() if line.strip()[:1].isdigit()]


def test_local_ranks_print_one_table(start, address, tmp_path):
    """Real values are checked on all ranks; the JSON file holds what the table shows, and every rank's times."""
    path = tmp_path / "out.json"
    sizes = ("-b", 4, "-e", "64K", "-f", 16, "-n", 4, "-c", 2, "-a", 3)
    process = start("--ranks", 3, *sizes, "--algorithm", "bidirectional-ring", "-J", path, "--address", address)
    text, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")
    rows = rows_of(text)
    assert [(row[0], row[1]) for row in rows] == [("4", "1"), ("64", "16"), ("1024", "256"), ("16384", "4096")]
    assert all(row[8] == row[12] == "0" for row in rows)
    assert len(re.findall(r"^#  Rank +\d Group  0 Pid +\d+ on", text, re.MULTILINE)) == 3
    assert "# Out of bounds values : 0 OK" in text
    found = json.loads(path.read_text())
    check_json(found, rows)


def check_json(found, rows):
    assert len({device["pid"] for device in found["config"]["devices"]}) == 3
    assert [result["size"] for result in found["results"]] == [int(row[0]) for row in rows]
    for result, row in zip(found["results"], rows, strict=True):
        per_iter = result["out_of_place_per_iter"]
        processes = per_iter["per_process_max_times_us"]
        assert (len(processes), {len(times) for times in processes}) == (3, {4})
        assert per_iter["times_us"] == [max(times) for times in zip(*processes, strict=True)]
        slowest = max(sum(times) / 4 for times in processes)  # -a 3
        assert result["out_of_place"]["time"] == pytest.approx(slowest, rel=1e-4)
        assert float(row[5]) == pytest.approx(slowest, rel=1e-2)
    assert sum(number for _, number in found["operations"]) > 4 * 2 * 5


def test_small_sizes_may_be_measured_more_often(start, address, tmp_path):
    path = tmp_path / "out.json"
    process = start("--ranks", 2, "--sizes", "64K,8", "-n", "2,30", "-w", 0, "-c", 1, "-J", path, "--address", address)
    assert process.wait(timeout=30) == 0
    found = json.loads(path.read_text())
    assert [result["actual_iterations"] for result in found["results"]] == [2, 30]
    assert [len(result["in_place_per_iter"]["times_us"]) for result in found["results"]] == [2, 30]


@pytest.mark.parametrize("name", KINDS)
def test_every_operation_with_every_root(start, address, name, tmp_path):
    """Nothing wrong in any row; and our own reader takes text and JSON as nccl-tests'."""
    path = tmp_path / "out.json"
    words = (
        "--ranks",
        3,
        "--sizes",
        "48,3000,96K",
        "-n",
        2,
        "-o",
        "all",
        "-r",
        "all",
        "--address",
        address,
        "-J",
        path,
    )
    text, errors = start(name, *words).communicate(timeout=30)
    assert errors == ""
    rows = rows_of(text)
    kind = KINDS[name]
    assert len(rows) == 3 * (3 if kind.rooted else 1) * (5 if kind.redop else 1)
    assert {row[4] for row in rows} == ({"0", "1", "2"} if kind.rooted else {"-1"})
    assert {row[8] for row in rows} == {"0"}
    assert {row[12] for row in rows} == {"0" if kind.in_place_checked else "N/A"}
    assert all(len(row) == 13 for row in rows)
    assert f"# Collective test starting: {name}_perf" in text
    written = json.loads(path.read_text())
    assert written["args"][0] == f"{name}_perf"
    assert [(str(one["count"]), one["redop"], one["root"].strip()) for one in written["results"]] == [
        (row[1], row[3], row[4]) for row in rows
    ]


def test_other_forms(start, address):
    words = ("broadcast", "--ranks", 2, "--sizes", "8,1K", "-n", 2, "-d", "bfloat16", "--address", address)
    for form, lines in (("csv", 1 + 2 * 2), ("osu", 3 + 2), ("param", 1 + 2), ("json", 1)):
        text, errors = start(*words, "--format", form).communicate(timeout=30)
        assert errors == ""
        assert len(text.splitlines()) == lines, text


def test_more_columns_and_comments_when_asked(start, address):
    words = ("--ranks", 2, "--sizes", "1K", "-n", 4, "-m", 2, "-z", 3, "-N", 2, "--address", address)
    text, _ = start(*words, "-I", 1, "-S", 1, "--stragglers", "--explain", "-K", 1).communicate(timeout=30)
    rows = rows_of(text)
    assert [len(row) for row in rows] == [23, 23]  # 13, four more a half, and the date and time
    assert "agg iters: 2" in text
    assert re.search(r"^# 1K: .*ring \d+ us", text, re.MULTILINE)
    assert len(re.findall(r"^# 1024 B float: ", text, re.MULTILINE)) == 2
    header = next(line for line in text.splitlines() if line.startswith("#       size"))
    assert header.split().count("i_p99") == 2
    assert header.endswith("timestamp")


def test_an_average_below_what_is_asked_fails(start, address, monkeypatch):
    monkeypatch.setenv("NCCL_TESTS_MIN_BW", "1e6")
    process = start("--ranks", 2, "--sizes", "1K", "-n", 2, "--address", address)
    text, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert re.search(r"^# Avg bus bandwidth    : \S+ FAILED$", text, re.MULTILINE)


def test_an_existing_json_file_is_not_overwritten(start, address, tmp_path):
    path = tmp_path / "out.json"
    path.write_text("mine")
    process = start("--ranks", 1, "--sizes", "8", "-n", 1, "-J", path, "--address", address)
    text, _ = process.communicate(timeout=30)
    assert f"# Writing JSON output to {path}.0" in text
    assert path.read_text() == "mine"
    assert json.loads((tmp_path / "out.json.0").read_text())["version"] == 3


def test_the_in_place_half_can_be_left_out(start, address):
    process = start("--ranks", 2, "--sizes", "8", "-n", 2, "-c", 0, "--no-in-place", "--address", address)
    text, _ = process.communicate(timeout=30)
    [row] = rows_of(text)
    assert row[8:] == ["N/A", "0.00", "0.00", "0.00", "N/A"]


def test_usage_errors(start):
    for words, message in [
        (["--ranks", "2", "-b", "2K", "-e", "1K"], "-b 2K is above -e 1K"),
        (["--ranks", "3", "--algorithm", "hierarchical:2"], "hierarchical:2 does not divide 3 ranks"),
    ]:
        process = start(*words)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 2
        assert message in errors
        assert errors.count("\n") == 1


def test_a_killed_rank_ends_all_with_one_line_each(start, address):
    ranks = start_ranks(start, address, 3, "--sizes", "1M", "-n", 100000, "--timeout", 20)
    for line in ranks[0].stdout:
        if line.startswith("#        (B)"):
            break  # the table's head is out: the ranks are in the middle of it
    killed_at = time.monotonic()
    os.kill(ranks[1].pid, signal.SIGKILL)
    for rank in (0, 2):
        _, errors = ranks[rank].communicate(timeout=10)
        assert ranks[rank].returncode == 4
        assert errors.count("\n") == 1
        assert re.search(rf"rank {rank} \({address}\) lost rank [012] \({address}\)", errors)
    assert time.monotonic() - killed_at < 5  # at once, not after the time-out


def test_a_stopped_rank_is_named_after_the_time_out(start, address):
    ranks = start_ranks(start, address, 3, "--sizes", "1M", "-n", 100000, "--timeout", 0.5)
    for line in ranks[0].stdout:
        if line.startswith("#        (B)"):
            break
    os.kill(ranks[1].pid, signal.SIGSTOP)
    said = ""
    for rank in (0, 2):
        _, errors = ranks[rank].communicate(timeout=10)
        assert ranks[rank].returncode == 4
        assert errors.count("\n") == 1
        said += errors
    assert re.search(rf"rank 2 \({address}\) heard nothing from rank 1 \({address}\) at step \d for 0.5 s", said) or (
        re.search(rf"rank 0 \({address}\) (could not send to rank 1|heard nothing from rank 2)", said)
    )


def test_ranks_with_different_sizes_are_told(start, address):
    peers = f"{address},{address}"
    ranks = [
        start("--rank", rank, "--peers", peers, "--sizes", f"{rank + 1}K", "--rendezvous-timeout", 2) for rank in (0, 1)
    ]
    outputs = [rank.communicate(timeout=20)[1] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [4, 4]
    assert any(re.search(r"do not run the same job: sizes is \dK here and \dK there", said) for said in outputs)
    assert all(said.count("\n") == 1 for said in outputs)


def test_local_ranks_end_together(start, address):
    """Ending the one that started them ends them all."""
    process = start("--ranks", 3, "--sizes", "1M", "-n", 100000, "--address", address)
    pids = [int(found) for found in itertools.islice(pids_of(process), 3)]
    process.terminate()
    process.communicate(timeout=10)
    assert process.returncode == 128 + signal.SIGTERM
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def pids_of(process):
    for line in process.stdout:
        yield from re.findall(r"^#  Rank .* Pid +(\d+) on", line)


def test_local_run_reports_a_rank_that_fails(monkeypatch, capfd):
    monkeypatch.setattr("collectives.perf.local.GRACE_S", 0.2)
    assert run_local(["--sizes", "8", "--ranks", "2"], ["127.0.0.1", "192.0.2.1"]) == 4
    assert "this host has no such address" in capfd.readouterr().err


def test_wrong_values_are_counted_and_fail(address, group, capsys, monkeypatch):
    """A rank whose data is spoilt: every element is wrong on both ranks, in both halves, and the exit code says so."""
    from collectives import __main__ as main
    from collectives.perf import measure

    spoilt = lambda op, dtype, ranks: np.full((ranks, PERIOD), 50, dtype)  # noqa: E731 - stands in for a function
    monkeypatch.setattr(measure, "contributions", spoilt)
    peers = f"{address},{address}"
    words = ["--peers", peers, "--sizes", "400", "-n", "1", "-c", "3"]
    assert group(2, lambda rank: main.main([*words, "--rank", str(rank)])) == [1, 1]
    text = capsys.readouterr().out
    [row] = rows_of(text)
    assert (row[8], row[12]) == ("200", "200")
    assert "# Out of bounds values : 2 FAILED" in text
