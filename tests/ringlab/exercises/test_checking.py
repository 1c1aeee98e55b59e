"""Whatever a student's file does, the answer is a verdict that names the line."""

import pytest

from ringlab.exercises.catalog import EXERCISES
from ringlab.exercises.checking import Checks, Trial, _off, expect
from ringlab.exercises.examine import examine

BUSBW = EXERCISES[0]


def _examined(tmp_path, text):
    file = tmp_path / "exercise.py"
    file.write_text(text)
    return examine(BUSBW, file)


def test_a_syntax_error_is_one_sentence_with_its_line(tmp_path):
    found = _examined(tmp_path, "PREDICTION = 1\ndef algbw(:\n")
    assert found.error == "exercise.py, line 2: SyntaxError: invalid syntax"
    assert found.verdicts == ()


def test_an_error_while_loading_names_its_line(tmp_path):
    found = _examined(tmp_path, "PREDICTION = 1\n\nx = 1 / 0\n")
    assert found.error == "exercise.py, line 3: ZeroDivisionError: division by zero"


def test_an_exit_while_loading_is_an_error_too(tmp_path):
    assert "SystemExit" in _examined(tmp_path, "raise SystemExit(0)\n").error


def test_an_error_in_a_function_fails_its_checks_alone(tmp_path):
    text = (
        "PREDICTION = 1\ndef algbw(nbytes, time_s):\n    return nbytes / tme\n"
        "def busbw_factor(n):\n    return 2 * (n - 1) / n\n"
    )
    verdicts = {verdict.name: verdict for verdict in _examined(tmp_path, text).verdicts}
    assert verdicts["factor"].passed
    assert verdicts["prediction"].passed
    assert verdicts["algbw"].message == "exercise.py, line 3: NameError: name 'tme' is not defined"


def test_a_value_error_in_the_students_lines_names_its_line(tmp_path):
    file = tmp_path / "exercise.py"
    text = (EXERCISES[1].folder / "solution.py").read_text()
    file.write_text(text.replace("    return [Transfer(s, r,", "    int('x')\n    return [Transfer(s, r,", 1))
    verdicts = {verdict.name: verdict for verdict in examine(EXERCISES[1], file).verdicts}
    assert verdicts["correct"].message.startswith("exercise.py, line 11: ValueError: invalid literal")


def test_a_missing_function_says_so(tmp_path):
    verdicts = {verdict.name: verdict for verdict in _examined(tmp_path, "PREDICTION = 1\n").verdicts}
    assert "algbw is not there any more" in verdicts["algbw"].message


@pytest.mark.parametrize("guess", ["None", "'half'", "True", "float('nan')"])
def test_a_prediction_must_be_a_number(tmp_path, guess):
    prediction = next(iter(_examined(tmp_path, f"PREDICTION = {guess}\n").verdicts))
    assert not prediction.passed
    assert "PREDICTION" in prediction.message


@pytest.mark.parametrize("guess", [0.001, 0.5, 1, 3, 1000, -1])
def test_a_wrong_prediction_is_no_failure_and_says_how_far_off(tmp_path, guess):
    prediction = next(iter(_examined(tmp_path, f"PREDICTION = {guess}\n").verdicts))
    assert prediction.passed
    assert ("right" in prediction.message) == (guess == 1)


@pytest.mark.parametrize(
    ("guess", "actual", "said"),
    [
        (1.0, 1.0, "right"),
        (1.01, 1.0, "right"),
        (1.5, 1.0, "50% too much"),
        (0.5, 1.0, "50% too little"),
        (4.0, 1.0, "4.00 times too much"),
        (-1.0, 1.0, "off by 2"),
        (3.0, 0.0, "off by 3"),
    ],
)
def test_how_far_off(guess, actual, said):
    assert _off(guess, actual) == said


def test_an_error_of_ours_is_a_failed_check_and_no_crash():
    checks = Checks()

    @checks.check("breaks", "no hint")
    def _breaks(_trial):
        raise KeyError("inside")

    @checks.check("goes-on", "no hint")
    def _goes_on(_trial):
        expect(True, "never")
        return "fine"

    import types

    module = types.ModuleType("exercise")
    module.__file__ = "exercise.py"
    assert [(one.name, one.passed) for one in checks.run(Trial(module))] == [("breaks", False), ("goes-on", True)]
