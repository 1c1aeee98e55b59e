"""ringlab exercise: list, start, check, solution, report."""

import csv
import json
import shutil

import pytest

from ringlab.cli import main
from ringlab.exercises import attempt
from ringlab.exercises.catalog import EXERCISES, by_number
from ringlab.exercises.checking import Verdict

BUSBW = EXERCISES[0]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def _solve(folder, number=1):
    folder.mkdir(parents=True)
    shutil.copy(by_number(number).folder / "solution.py", folder / "exercise.py")


def _rows(file):
    with file.open() as lines:
        return list(csv.DictReader(lines))


def test_list_shows_all_and_what_is_done(capsys, tmp_path):
    assert main(["exercise", "list", "--json", "-"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["number"] for row in rows] == list(range(1, 17))
    assert not any(row["done"] for row in rows)
    assert sum(row["emulated"] for row in rows) >= 6
    _solve(tmp_path / "exercises" / BUSBW.copy_name)
    attempt.remember(attempt.Attempt(BUSBW, tmp_path / "exercises" / BUSBW.copy_name / "exercise.py", False, ()))
    assert main(["exercise", "list"]) == 0
    assert capsys.readouterr().out.splitlines()[1].endswith("yes")


def test_what_is_changed_is_done_no_longer(tmp_path):
    file = tmp_path / "exercises" / BUSBW.copy_name / "exercise.py"
    _solve(file.parent)
    attempt.remember(attempt.Attempt(BUSBW, file, False, ()))
    assert attempt.is_done(BUSBW)
    file.write_text("PREDICTION = None\n")
    assert not attempt.is_done(BUSBW)


def test_start_copies_and_never_overwrites(capsys, tmp_path):
    assert main(["exercise", "start", "2"]) == 0
    folder = tmp_path / "exercises" / "02-write-ring-allreduce"
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "exercise.py"]
    (folder / "exercise.py").write_text("mine\n")
    assert main(["exercise", "start", "2"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert (folder / "exercise.py").read_text() == "mine\n"
    assert main(["exercise", "start", "2", "--to", "lab/02-ring", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == ["lab/02-ring/README.md", "lab/02-ring/exercise.py"]
    assert (tmp_path / "lab" / "02-ring" / "exercise.py").is_file()


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["start", "99"], "no exercise 99"),
        (["check", "3"], "ringlab exercise start 3"),
        (["check", "nowhere"], "no folder with an exercise.py"),
        (["report", ".", "--csv", "class.csv"], "no exercise in"),
    ],
)
def test_usage_errors(argv, said, capsys):
    assert main(["exercise", *argv]) == 2
    assert said in capsys.readouterr().err


def test_a_folder_without_a_number_is_asked_for_one(capsys, tmp_path):
    _solve(tmp_path / "mine")
    assert main(["exercise", "check", "mine"]) == 2
    assert "begin with its number" in capsys.readouterr().err


def test_no_emulated_checks_where_there_are_none(capsys, tmp_path):
    number = next(one.number for one in EXERCISES if not one.emulated)
    _solve(tmp_path / f"{number:02}-x", number)
    assert main(["exercise", "check", f"{number:02}-x", "--emulated"]) == 2
    assert "leave --emulated out" in capsys.readouterr().err


def test_solution_is_printed_when_it_is_asked_for(capsys):
    assert main(["exercise", "solution", "1", "--yes"]) == 0
    assert "def algbw" in capsys.readouterr().out


@pytest.mark.process
def test_check_in_its_own_process(capsys, tmp_path):
    assert main(["exercise", "start", "1"]) == 0
    capsys.readouterr()
    assert main(["exercise", "check", "1", "--json", "-"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert not found["passed"]
    assert all(check["hint"] for check in found["checks"] if not check["passed"])
    file = tmp_path / "exercises" / BUSBW.copy_name / "exercise.py"
    shutil.copy(BUSBW.folder / "solution.py", file)
    assert main(["exercise", "check", "1", "--report", "mine.csv"]) == 0
    assert "  ok      line-rate:" in capsys.readouterr().out
    assert attempt.is_done(BUSBW)
    rows = _rows(tmp_path / "mine.csv")
    assert {row["passed"] for row in rows} == {"yes"}


@pytest.mark.parametrize("inner", ["", "exercises"])
def test_a_report_names_the_student_by_their_folder(monkeypatch, tmp_path, inner):
    folder = tmp_path / "ada" / inner / BUSBW.copy_name
    _solve(folder)
    passed = attempt.Attempt(BUSBW, folder / "exercise.py", False, (Verdict("line-rate", True, "it is"),))
    monkeypatch.setattr(attempt, "attempt", lambda *_words, **_options: passed)
    monkeypatch.chdir(tmp_path / "ada")
    target = "1" if inner else BUSBW.copy_name
    assert main(["exercise", "check", target, "--report", "mine.csv"]) == 0
    assert {row["student"] for row in _rows(tmp_path / "ada" / "mine.csv")} == {"ada"}


@pytest.mark.process
def test_an_endless_loop_ends_and_says_where(tmp_path):
    file = tmp_path / "exercise.py"
    file.write_text("PREDICTION = 1\nwhile True:\n    pass\n")
    found = attempt.attempt(BUSBW, file, emulated=False, limit_s=4.0)
    assert not found.passed
    assert found.error.startswith("not through after 4 s, at exercise.py, line ")


@pytest.mark.process
def test_a_process_that_ends_itself_is_an_attempt(tmp_path):
    file = tmp_path / "exercise.py"
    file.write_text("import os\nos._exit(3)\n")
    assert attempt.attempt(BUSBW, file, emulated=False).error == "the process ended by itself (exit code 3)"


@pytest.mark.process
def test_class_report(capsys, tmp_path):
    _solve(tmp_path / "class" / "ada" / "01-busbw")
    (tmp_path / "class" / "bob" / "exercises" / "01-busbw").mkdir(parents=True)
    (tmp_path / "class" / "bob" / "exercises" / "01-busbw" / "exercise.py").write_text("x = = 1\n")
    (tmp_path / "class" / "eve").mkdir()
    folders = [f"class/{name}" for name in ("ada", "bob", "eve")]
    assert main(["exercise", "report", *folders, "--csv", "out.csv"]) == 0
    rows = _rows(tmp_path / "out.csv")
    assert list(rows[0]) == ["student", "exercise", "check", "passed", "message"]
    assert {row["passed"] for row in rows if row["student"] == "ada"} == {"yes"}
    failed = _rows(tmp_path / "out-failed.csv")
    assert [(row["student"], row["check"]) for row in failed] == [("bob", "runs")]
    assert "SyntaxError" in failed[0]["message"]
    summary = _rows(tmp_path / "out-summary.csv")
    assert [(row["student"], row["exercises_passed"]) for row in summary] == [("ada", "1"), ("bob", "0"), ("eve", "0")]
    assert "ada" in capsys.readouterr().out
    assert main(["exercise", "report", "class/ada", "--csv", "one.csv", "--sheet", "summary", "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["summary"][0]["student"] == "ada"
    assert all(check["passed"] for check in found["checks"])
    assert not (tmp_path / "one-failed.csv").exists()
