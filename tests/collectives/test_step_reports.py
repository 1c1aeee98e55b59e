"""Steps are told as they begin, once, and only of the operations that were asked for."""

import os
import subprocess
import sys

import numpy as np
import pytest

from collectives.algorithms import build
from collectives.communicator import Communicator
from collectives.perf.options import UsageError, parse
from collectives.perf.step_reports import StepReports
from collectives.program import compile_program
from collectives.progress import Piece, Progress, StepWatch, WatchedPiece


def test_only_sends_of_watched_steps_are_watched_and_told_with_their_first_byte():
    begun: list[int] = []
    program = compile_program(build("ring", 4, 1), 1, 400, 4)
    progress = Progress(program, StepWatch({2, 5}, begun.append))
    (track,) = progress.sends
    assert [type(piece) is WatchedPiece for piece in track.pieces] == [piece.step in (2, 5) for piece in track.pieces]
    assert all(type(piece) is Piece for receiving in progress.receives for piece in receiving.pieces)
    for _ in range(2):  # the collective runs twice
        progress.restart()
        begun.clear()
        for piece in track.pieces:
            piece.reached = piece.lo + 1
            piece.reached = piece.hi
        assert begun == [2, 5]


def test_without_a_watch_no_piece_pays():
    progress = Progress(compile_program(build("ring", 4, 1), 1, 400, 4))
    assert all(type(piece) is Piece for track in (*progress.sends, *progress.receives) for piece in track.pieces)


def test_a_step_is_told_once_of_the_operation_that_was_asked_for():
    readable, writable = os.pipe()
    try:
        reports = StepReports(3, [(2, 5), (2, 0)], writable)
        watch = reports.watch
        assert watch.steps == {0, 5}
        watch.begun(5)  # warm-up has no number
        reports.operation_begins()
        watch.begun(5)
        reports.operation_ends()
        reports.operation_begins()
        watch.begun(0)
        watch.begun(5)
        watch.begun(5)
        reports.operation_ends()
        watch.begun(0)
        assert os.read(readable, 1000) == b"3 2 0\n3 2 5\n"
    finally:
        os.close(readable)
        os.close(writable)


@pytest.mark.parametrize("words", ["1", "0:1", "1:-1", "a:b", "1:2,"])
def test_bad_pairs_are_one_error(words):
    with pytest.raises(UsageError, match=r"pairs of an operation \(from 1\) and a step"):
        parse(["--ranks", "2", "--report-steps", words, "--report-fd", "3"])


def test_steps_without_a_pipe_are_an_error():
    with pytest.raises(UsageError, match="give both or neither"):
        parse(["--ranks", "2", "--report-steps", "1:2"])
    assert parse(["--ranks", "2", "--report-steps", "1:2,3:4", "--report-fd", "3"]).report_steps == ((1, 2), (3, 4))


def test_a_communicator_takes_a_watch_and_one_rank_needs_none():
    with Communicator(0, ["127.0.0.1"], watch=StepWatch({0}, lambda _: None)) as communicator:
        assert communicator.all_reduce(np.ones(4)).tolist() == [1.0] * 4


@pytest.mark.process
def test_ranks_tell_the_steps_of_timed_operations_and_check_each(address):
    readable, writable = os.pipe()
    words = [
        "--peers",
        f"{address},{address}",
        "--sizes",
        "64,4K",
        "-n",
        "3",
        "-c",
        "0",
        "--no-in-place",
        "--check-timed",
    ]
    words += ["--report-steps", "1:1,4:0,7:0", "--report-fd", str(writable)]
    command = [sys.executable, "-m", "collectives", *words, "--rank"]
    ranks = [
        subprocess.Popen([*command, str(rank)], pass_fds=[writable], stdout=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    said = [rank.communicate(timeout=30)[0] for rank in ranks]
    os.close(writable)
    with os.fdopen(readable) as reports:
        lines = reports.read().splitlines()
    assert [rank.returncode for rank in ranks] == [0, 0]
    assert sorted(lines) == ["0 1 1", "0 4 0", "1 1 1", "1 4 0"], "there is no operation 7"
    assert "# Out of bounds values : 0 OK" in said[0]
