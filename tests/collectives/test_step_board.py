"""How far ranks are, as whoever looks at the board sees it."""

import os
import subprocess
import sys

import pytest

from collectives.perf.step_board import Board, StepBoard
from collectives.perf.step_reports import StepReports


def test_a_rank_shows_its_operation_and_step_in_its_own_slot(tmp_path):
    with Board(tmp_path / "board", 3) as board:
        mine, other = StepBoard(1, str(board.path)), StepBoard(2, str(board.path))
        mine.watch.begun(4)
        assert board.read() == [(0, 0), (0, 4), (0, 0)], "warm-up has no number"
        mine.operation_begins()
        mine.operation_begins()
        mine.watch.begun(0)
        mine.watch.begun(13)
        other.operation_begins()
        other.watch.begun(2)
        assert board.read() == [(0, 0), (2, 13), (1, 2)]
        mine.operation_ends()
        mine.watch.begun(1)
        assert board.read()[1] == (0, 1)
        board.clear()
        assert board.read() == [(0, 0)] * 3


def test_every_step_is_watched_and_what_faults_wait_for_is_told_as_well(tmp_path):
    readable, writable = os.pipe()
    with Board(tmp_path / "board", 1) as board, os.fdopen(readable) as told:
        both = StepBoard(0, str(board.path), StepReports(0, [(2, 5)], writable))
        assert {0, 5, 100_000} <= {step for step in (0, 5, 100_000) if step in both.watch.steps}
        for _ in range(2):
            both.operation_begins()
            both.watch.begun(5)
        both.operation_ends()
        os.close(writable)
        assert told.read() == "0 2 5\n"


def test_the_file_goes_with_its_owner(tmp_path):
    with Board(tmp_path / "board", 1) as board:
        assert board.path.exists()
    assert not board.path.exists()


RUN = [sys.executable, "-m", "collectives", "all_reduce"]


@pytest.mark.process
def test_a_benchmark_leaves_its_last_steps_on_the_board(tmp_path):
    with Board(tmp_path / "board", 4) as board:
        words = ["--ranks", "4", "--sizes", "64K", "-n", "3", "--algorithm", "ring", "--step-board", str(board.path)]
        subprocess.run([*RUN, *words], check=True, capture_output=True, timeout=50)
        assert any(step for _, step in board.read())
        assert all(0 <= step < 6 for _, step in board.read()), "a ring of four has six steps"


@pytest.mark.process
def test_a_board_that_is_not_there_is_one_line(tmp_path):
    words = ["--rank", "0", "--peers", "127.0.0.1,127.0.0.1", "--step-board", str(tmp_path / "none")]
    ended = subprocess.run([*RUN, *words], check=False, capture_output=True, text=True, timeout=50)
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert "--step-board" in line
    assert "name a file" in line
