"""benchmarks/gpu_baseline.py: all of it but the GPU; what a GPU would answer is played by programs on the PATH."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from collectives.baseline import nccl_tests

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "gpu_baseline.py"

NCCL_TESTS = """\
# nccl-tests version 2.17.6 nccl-headers=22703 nccl-library=22703
# Collective test starting: all_reduce_perf
# nThread 1 nGpus 2 minBytes 8 maxBytes 16 step: 2(factor) warmup iters: 1 iters: 20 agg iters: 1 validation: 1 graph: 0
#
# Using devices
#  Rank  0 Group  0 Pid   4711 on     gpubox device  0 [0000:01:00] NVIDIA H100 80GB HBM3
#  Rank  1 Group  0 Pid   4711 on     gpubox device  1 [0000:02:00] NVIDIA H100 80GB HBM3
#
#                                                              out-of-place                       in-place          
#       size         count      type   redop    root     time   algbw   busbw #wrong     time   algbw   busbw #wrong
#        (B)    (elements)                               (us)  (GB/s)  (GB/s)            (us)  (GB/s)  (GB/s)       
           8             2     float     sum      -1    10.00    0.00    0.00      0    11.00    0.00    0.00      0
    16777216       4194304     float     sum      -1   100.00  167.77  167.77      0   110.00  152.52  152.52      0
# Out of bounds values : 0 OK
# Avg bus bandwidth    : 80.07
"""  # noqa: W291 - as nccl-tests prints it


@pytest.fixture(scope="module")
def benchmark():
    """The program as a module; its dataclasses ask for it by name."""
    spec = importlib.util.spec_from_file_location("benchmark_of_gpu", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    before = list(sys.path)
    spec.loader.exec_module(module)
    yield module
    sys.path[:] = before
    del sys.modules[spec.name]


@pytest.fixture
def playing(tmp_path):
    """Puts a program on a PATH of its own; the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def play(name, says):
        said = folder / f"{name}.txt"
        said.write_text(says)
        program = folder / name
        program.write_text(f'#!/bin/sh\necho "$0 $*" >> {folder}/asked\n/bin/cat {said}\n')
        program.chmod(0o755)
        return folder

    return play


def run(*words, path, timeout=200):
    command = [sys.executable, str(PROGRAM), *words]
    environment = {**os.environ, "PATH": str(path)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout, check=False)


@pytest.mark.process
def test_without_a_gpu_it_says_so_and_exits_with_3(tmp_path):
    done = run("--out", str(tmp_path / "out"), path=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        "gpu_baseline: no NVIDIA GPU here (nvidia-smi finds none): run this on a machine that has one\n"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.process
def test_a_gpu_without_software_is_3_too_and_says_what_to_install(playing, benchmark, monkeypatch):
    folder = playing("nvidia-smi", "NVIDIA H100 80GB HBM3, 535.1\n")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(benchmark.gpus, "torch_nccl", lambda: ("2.13", ""))
    with pytest.raises(benchmark.gpus.NoGpuError, match="1 GPUs, but neither nccl-tests"):
        benchmark.gpus.machine()
    assert benchmark.main(["--quick"]) == 3


@pytest.mark.process
def test_nccl_tests_is_run_over_all_gpus_and_its_table_kept(playing, tmp_path, benchmark, monkeypatch, capsys):
    folder = playing("nvidia-smi", "NVIDIA H100 80GB HBM3, 535.1\n" * 2)
    playing("all_reduce_perf", NCCL_TESTS)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(benchmark.gpus, "torch_nccl", lambda: ("", ""))
    out = tmp_path / "out"
    assert benchmark.main(["--quick", "--out", str(out), "--json", str(tmp_path / "f.json")]) == 0
    assert "all_reduce_perf -b 8 -e 1048576 -f 2 -g 2 -n 5" in (folder / "asked").read_text()
    assert (out / "nccl-tests-1x2.txt").read_text() == NCCL_TESTS
    figures = json.loads((tmp_path / "f.json").read_text())
    assert [(one["name"], one["value"]) for one in figures] == [
        ("nccl-tests-1x2, 8", pytest.approx(0.0008)), ("nccl-tests-1x2, 16777216", pytest.approx(167.77216)),
    ]  # fmt: skip
    assert {"name", "value", "unit", "goal", "better", "met", "samples"} <= set(figures[0])
    assert "2 x NVIDIA H100 80GB HBM3; driver 535.1, torch none" in capsys.readouterr().out


@pytest.mark.process
def test_nccl_tests_that_prints_nonsense_is_a_failed_run(playing, benchmark, monkeypatch, capsys, tmp_path):
    folder = playing("nvidia-smi", "A, 1\nA, 1\n")
    playing("all_reduce_perf", "no table\n")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(benchmark.gpus, "torch_nccl", lambda: ("", ""))
    assert benchmark.main(["--out", str(tmp_path)]) == 4
    assert "nccl-tests printed what can't be read" in capsys.readouterr().err


def test_nccl_tests_where_it_was_built(benchmark, tmp_path):
    built = tmp_path / "build"
    built.mkdir()
    (built / "all_reduce_perf").write_text("")
    with pytest.raises(benchmark.gpus.NoGpuError, match="no all_reduce_perf there"):
        benchmark.gpus.find_nccl_tests(tmp_path)
    (built / "all_reduce_perf").chmod(0o755)
    assert benchmark.gpus.find_nccl_tests(tmp_path) == str(built / "all_reduce_perf")


def test_ranks_apart_are_hosts_of_their_own_and_talk_sockets_only(benchmark):
    before = {"HOME": "/root", "NCCL_NET": "IB", "RANK": "7", "MASTER_ADDR": "elsewhere", "NCCL_ALGO": "Tree"}
    make = benchmark.environment.rank_environment
    found = [make(before, rank, interface="lo", apart=True) for rank in range(2)]
    assert found[0]["NCCL_HOSTID"] != found[1]["NCCL_HOSTID"]
    for one in found:
        assert one["HOME"] == "/root"
        assert one["NCCL_NET"] == "Socket"
        assert one["NCCL_SHM_DISABLE"] == one["NCCL_P2P_DISABLE"] == "1"
        assert one["NCCL_SOCKET_IFNAME"] == "=lo"
        assert not {"RANK", "MASTER_ADDR", "NCCL_ALGO"} & set(one)


def test_ranks_that_are_not_apart_get_nothing_of_it_and_the_user_has_the_last_say(benchmark):
    make = benchmark.environment.rank_environment
    assert make({"A": "b"}, 0, interface=None, apart=False) == {"A": "b"}
    found = make({}, 0, interface=None, apart=True, user=("NCCL_NET=IB", "NCCL_ALGO=Ring"))
    assert (found["NCCL_NET"], found["NCCL_ALGO"]) == ("IB", "Ring")
    assert "NCCL_NET=IB" in benchmark.environment.told(apart=True, user=("NCCL_NET=IB",))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "NCCL_ALGO"], "--set: 'NCCL_ALGO' is no setting: write NAME=VALUE"),
        (["--sizes", "8,x"], "--sizes: 'x' is no size"),
        (["--sizes", "6"], "--sizes: whole floats"),
        (["--ranks", "1"], "--ranks: at least 2"),
    ],
)
def test_a_wrong_command_line_is_wrong_usage(benchmark, capsys, words, said):
    assert benchmark.main(words) == 2
    assert said in capsys.readouterr().err


def machine(benchmark, count):
    return benchmark.gpus.Machine(("H100",) * count, "535", "2.13", "2.27.3", None)


@pytest.mark.parametrize(
    ("count", "words", "name", "apart", "interface"),
    [
        (1, [], "nccl-2x1-sockets", True, "lo"),
        (1, ["--ranks", "4", "--interface", "eth0"], "nccl-4x1-sockets", True, "eth0"),
        (8, [], "nccl-8x1-as-it-comes", False, None),
        (8, ["--apart"], "nccl-8x1-sockets", True, "lo"),
        (1, ["--fabric", "star:hosts=2"], "nccl-2x1-fabric", True, None),
        (0, ["--device", "cpu"], "gloo-2x1-as-it-comes", False, "lo"),
    ],
)
def test_what_is_run_follows_from_the_gpus_there_are(benchmark, count, words, name, apart, interface):
    plan = benchmark.planned(benchmark.arguments(words), machine(benchmark, count) if count else None)
    assert (plan.name, plan.apart, plan.interface) == (name, apart, interface)
    assert (plan.sizes[0], plan.sizes[-1]) == (8, 128 << 20)


def test_more_ranks_than_gpus_must_be_apart(benchmark):
    with pytest.raises(benchmark.UsageError, match="add --apart"):
        benchmark.planned(benchmark.arguments(["--ranks", "3"]), machine(benchmark, 2))


def said_by_two(wrong=0):
    return [
        {"rank": rank, "pid": 100 + rank, "device": "NVIDIA H100 80GB HBM3", "sizes": [
            {"bytes": 1 << 20, "out_of_place": {"time_us": 100.0 + rank, "wrong": 0},
             "in_place": {"time_us": 90.0, "wrong": wrong * rank}}]}
        for rank in range(2)
    ]  # fmt: skip


def test_the_ranks_words_become_nccl_tests_table_and_file(benchmark):
    tables, said = benchmark.tables, said_by_two()
    rows, devices = tables.rows(said), tables.devices(said, ["host0", "host1"])
    text = tables.text(rows, devices, 20, "NCCL 2.27.3 by torch 2.13", "2.27.3")
    assert "(its format; measured by NCCL 2.27.3 by torch 2.13)" in text.splitlines()[0]
    baseline = nccl_tests.parse(text, "mine")
    assert (baseline.nranks, baseline.nodes, baseline.gpu) == (2, 2, "NVIDIA H100 80GB HBM3")
    assert baseline.library == "NCCL 2.27.3"
    assert baseline.points[0].time_us == pytest.approx(100.5)
    times = ("2026-01-01 00:00:00", "2026-01-01 00:00:01")
    again = nccl_tests.parse(tables.json_text(rows, devices, 20, "NCCL", times, "2.27.3"), "file")
    assert again.library == "NCCL 2.27.3"
    assert again.points[0].time_us == pytest.approx(100.5)
    entries = tables.entries("n", rows)
    assert [entry["name"] for entry in entries] == ["n, 1M, out of place", "n, 1M, in place"]
    assert entries[0]["value"] == pytest.approx((1 << 20) / 100.5e3)
    assert entries[0]["samples"] == {"time_us_by_rank": [100.0, 101.0]}


def test_wrong_elements_of_any_rank_are_in_the_table(benchmark):
    tables, said = benchmark.tables, said_by_two(wrong=5)
    rows = tables.rows(said)
    assert (rows[0].out_of_place.wrong, rows[0].in_place.wrong) == (0, 5)
    assert "Out of bounds values : 1 FAILED" in tables.text(rows, tables.devices(said, "ab"), 20, "NCCL")


def test_wrong_sums_are_a_failed_check_and_the_table_is_kept(benchmark, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(benchmark.ranks, "here", lambda plan: said_by_two(wrong=5))
    monkeypatch.setattr(benchmark.rates, "rates", lambda *_: {})
    assert benchmark.main(["--device", "cpu", "--out", str(tmp_path)]) == 1
    assert "5 elements came out wrong" in capsys.readouterr().err
    assert "FAILED" in (tmp_path / "gloo-2x1-as-it-comes.txt").read_text()


def test_what_nvidia_smi_says(benchmark):
    assert benchmark.gpus.parse_smi("NVIDIA H100 80GB HBM3, 535.1\nOther, 535.1\n") == (
        ("NVIDIA H100 80GB HBM3", "Other"), "535.1",
    )  # fmt: skip
    assert benchmark.gpus.parse_smi("No devices were found\n") == ((), "")


@pytest.mark.process
def test_rates_of_a_memory_are_those_of_the_bytes_moved(benchmark):
    torch = pytest.importorskip("torch")
    found = benchmark.rates.rates("cpu", 1 << 22, 3)
    assert set(found) == {"add", "copy"}
    assert all(0.01 < rate < 1000 for rate in found.values())
    assert torch.ones(1).device.type == "cpu"


@pytest.mark.process
@pytest.mark.timeout(240)  # each rank imports torch, on whatever cores are free
def test_the_whole_program_with_gloo_on_the_processor(tmp_path):
    pytest.importorskip("torch")
    out, figures = tmp_path / "out", tmp_path / "figures.json"
    words = ["--device", "cpu", "--sizes", "1K,64K", "--iters", "2", "--ranks", "3"]
    done = run(*words, "--out", str(out), "--json", str(figures), path=os.environ["PATH"])
    assert done.returncode == 0, done.stderr
    text = (out / "gloo-3x1-as-it-comes.txt").read_text()
    assert text in done.stdout
    baseline = nccl_tests.parse(text, "mine")
    assert (baseline.nranks, [point.size_bytes for point in baseline.points]) == (3, [1024, 65536])
    assert "Out of bounds values : 0 OK" in text
    found = json.loads(figures.read_text())
    assert len(found) == 2 + 2 * 2  # rates; sizes, both halves
    assert all(one["value"] > 0 for one in found)


@pytest.mark.process
@pytest.mark.timeout(240)
def test_a_rank_that_fails_is_named(tmp_path):
    pytest.importorskip("torch")
    words = ["--device", "cpu", "--sizes", "1K", "--interface", "nowhere0", "--out", str(tmp_path)]
    done = run(*words, path=os.environ["PATH"])
    assert done.returncode == 4
    assert done.stderr.startswith("gpu_baseline: rank ")
    assert "nowhere0" in done.stderr


@pytest.mark.parametrize(
    ("codes", "blamed"), [((-9, 1, -9), 1), ((-9, -11, 0), 1), ((-11, 3, -9), 1), ((0, -9, -9), 1), ((0, 0, 0), None)]
)
def test_a_rank_that_was_killed_here_is_not_to_blame(benchmark, tmp_path, codes, blamed):
    for rank in range(len(codes)):
        (tmp_path / f"rank-{rank}.txt").write_text("")
    processes = [subprocess.CompletedProcess([], code) for code in codes]
    if blamed is None:
        benchmark.ranks.raise_failure(processes, tmp_path)
        return
    with pytest.raises(benchmark.ranks.RanksError, match=f"rank {blamed}: status {codes[blamed]}"):
        benchmark.ranks.raise_failure(processes, tmp_path)


@pytest.mark.root
@pytest.mark.timeout(240)
def test_ranks_in_the_hosts_of_a_fabric_are_held_to_its_links(tmp_path):
    """Two ranks of gloo over links of 100 Mb/s: 1 MiB takes 84 ms at least, less what a burst may pass."""
    pytest.importorskip("torch")
    words = ["--device", "cpu", "--sizes", "1M", "--iters", "2", "--fabric", "star:hosts=2,rate=100M"]
    done = run(*words, "--out", str(tmp_path), path=os.environ["PATH"])
    assert done.returncode == 0, done.stderr
    baseline = nccl_tests.parse((tmp_path / "gloo-2x1-fabric.txt").read_text(), "mine")
    assert 0.9 * (1 << 20) * 8 / 100 < baseline.points[0].time_us < 10 * (1 << 20) * 8 / 100
