"""Every solution passes its checks, every unfinished start fails them; and neither takes long."""

import ast
import runpy

import pytest

from ringlab.exercises.catalog import EXERCISES
from ringlab.exercises.examine import examine

LINES = 20
"""That a student has to write at most, by the study these exercises are from."""

SECTIONS = ("**Goal.**", "## Question", "## Predict", "## Do", "## Look", "## Explain")

every_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)


@every_exercise
def test_the_solution_passes(exercise):
    found = examine(exercise, exercise.folder / "solution.py")
    assert not found.error
    assert found.verdicts
    assert [verdict for verdict in found.verdicts if not verdict.passed] == []
    assert all(verdict.message and not verdict.hint for verdict in found.verdicts)


@every_exercise
def test_the_start_runs_and_fails(exercise):
    found = examine(exercise, exercise.folder / "start.py")
    assert not found.error, "it must run, so that a student sees what is missing"
    failed = [verdict for verdict in found.verdicts if not verdict.passed]
    assert "prediction" in {verdict.name for verdict in failed}
    assert len(failed) >= 2, "a guess alone must not pass"
    assert all(verdict.message and verdict.hint for verdict in failed)


@every_exercise
def test_a_guess_alone_does_not_pass(exercise, tmp_path):
    text = (exercise.folder / "start.py").read_text()
    assert "PREDICTION = None" in text
    file = tmp_path / "exercise.py"
    file.write_text(text.replace("PREDICTION = None", "PREDICTION = 1", 1))
    verdicts = {verdict.name: verdict.passed for verdict in examine(exercise, file).verdicts}
    assert not all(verdicts.values())


@every_exercise
def test_readme_and_size(exercise):
    readme = (exercise.folder / "README.md").read_text()
    assert readme.startswith(f"# {exercise.number}. {exercise.title}\n")
    places = [readme.find(section) for section in SECTIONS]
    assert -1 not in places
    assert places == sorted(places)
    start, solution = (_code_lines((exercise.folder / name).read_text()) for name in ("start.py", "solution.py"))
    assert 0 < len(solution - start) <= LINES


def _code_lines(text: str) -> set[str]:
    """Without comments and docstrings, each spelt alike."""
    return set(ast.unparse(ast.parse(text)).splitlines())


@every_exercise
def test_both_files_run_as_programs(exercise, capsys):
    """What a student sees first, and last."""
    for name in ("start.py", "solution.py"):
        runpy.run_path(str(exercise.folder / name), run_name="__main__")
        assert capsys.readouterr().out.strip()
