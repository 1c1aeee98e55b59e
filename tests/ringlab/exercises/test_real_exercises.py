"""Some solutions on real packets: bytes that switches counted, a student's policy in the controller, a cut cable.

How fast it was is not judged here: that needs a quiet machine (``benchmarks/exercises.py --emulated``).
"""

import pytest

from ringlab.exercises.catalog import by_number
from ringlab.exercises.examine import examine

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("nothing_left"), pytest.mark.timeout(180)]


def _verdicts(number):
    exercise = by_number(number)
    found = examine(exercise, exercise.folder / "solution.py", emulated=True)
    assert not found.error
    return {verdict.name: verdict for verdict in found.verdicts}


def test_the_bytes_of_a_students_schedule_are_those_that_the_switch_counts():
    verdicts = _verdicts(2)
    assert all(verdict.passed for verdict in verdicts.values())
    assert "by the switch's ports" in verdicts["bytes"].message


def test_a_students_reaction_runs_in_the_controller_when_the_cable_is_cut():
    verdicts = _verdicts(9)
    survives = verdicts.pop("survives")
    assert all(verdict.passed for verdict in verdicts.values())
    assert survives.passed or survives.message.startswith("after the cut busbw is"), survives.message


def test_a_students_policy_is_what_the_switches_follow():
    verdicts = _verdicts(13)
    assert "by the switches' counters" in verdicts["installed"].message
    fast = verdicts.pop("measured")
    assert all(verdict.passed for verdict in verdicts.values())
    assert fast.passed or fast.message.startswith("busbw is"), fast.message
