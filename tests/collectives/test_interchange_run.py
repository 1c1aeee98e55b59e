"""MSCCL programs over real sockets, by ``python -m collectives`` as processes."""

import subprocess
import sys
from pathlib import Path

import pytest

from collectives.__main__ import main
from collectives.algorithms import build
from collectives.interchange.msccl_writer import write

pytestmark = pytest.mark.process

EXAMPLES = Path(__file__).parents[2] / "examples" / "msccl"


def collectives(*words):
    words = [sys.executable, "-m", "collectives", *map(str, words)]
    return subprocess.run(words, capture_output=True, text=True, timeout=50, check=False)


@pytest.mark.parametrize(
    ("operation", "num_ranks", "program"),
    [("all_reduce", 4, "allpairs-4"), ("all_gather", 3, "ring-allgather-3")],
)
def test_an_example_gives_right_results(address, operation, num_ranks, program):
    path = EXAMPLES / f"{program}.xml"
    sizes = ("--sizes", "48,3000,64K", "-n", 2, "-c", 2)
    done = collectives(operation, "--ranks", num_ranks, "--schedule", path, *sizes, "--address", address)
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split() for line in done.stdout.splitlines() if line.strip()[:1].isdigit()]
    assert [(row[8], row[12]) for row in rows] == [("0", "0")] * 3


def test_what_we_write_runs_as_well(address, tmp_path):
    path = tmp_path / "bruck.xml"
    path.write_text(write(build("bruck", 4, operation="all_to_all")))
    words = ("--schedule", path, "--sizes", "4K", "-n", 1, "--address", address)
    done = collectives("all_to_all", "--ranks", 4, *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert "# Out of bounds values : 0 OK" in done.stdout


def test_what_can_not_be_run_is_one_line_before_any_rank_starts(tmp_path, capsys):
    example, broken = EXAMPLES / "allpairs-4.xml", tmp_path / "broken.xml"
    broken.write_text(example.read_text().replace('hasdep="1"', 'hasdep="0"', 1))
    for words, said in [
        (("--ranks", 3, "--schedule", example), "a schedule of 4 ranks for 3 peers"),
        (
            ("--ranks", 4, "--schedule", broken),
            f"--schedule {broken}: line 23 (gpu 0, tb 3, step 0): waits for ever for tb 0 step 1, wh",
        ),
        (("--ranks", 4, "--schedule", tmp_path / "none.xml"), "none.xml: No such file or directory; name an MSCCL XML"),
        (("all_gather", "--ranks", 4, "--schedule", example), "does all_reduce: write python -m collectives all_red"),
        (("--ranks", 4, "--schedule", example, "--algorithm", "ring"), "give it without --algorithm and --channels"),
    ]:
        assert main([str(word) for word in words]) == 2
        errors = capsys.readouterr().err
        assert said in errors
        assert errors.count("\n") == 1
