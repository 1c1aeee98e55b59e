"""A class's report: every check of every exercise of every student, as rows; and two readings of them.

The three sheets are those that kathara-lab-checker has: *Summary* (a row a student), *All* (a row a check) and *Failed*
(the rows of All that did not pass). An exercise that could not be checked at all is one row, with the error in it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from ringlab.exercises.attempt import Attempt

COLUMNS = ("student", "exercise", "check", "passed", "message")
SUMMARY_COLUMNS = ("student", "exercises", "exercises_passed", "checks", "checks_passed")
SHEETS = ("all", "summary", "failed")


@dataclass(frozen=True, slots=True)
class Row:
    student: str
    exercise: str
    check: str
    passed: bool
    message: str


def rows(student: str, attempts: Sequence[Attempt]) -> list[Row]:
    found = []
    for one in attempts:
        name = one.exercise.copy_name
        if one.error:
            found.append(Row(student, name, "runs", False, one.error))
        found += [Row(student, name, verdict.name, verdict.passed, verdict.message) for verdict in one.verdicts]
    return found


def sheet(kind: str, found: Sequence[Row], students: Sequence[str] = ()) -> str:
    """The CSV text of one of ``SHEETS``. ``students``: those to be named even if they handed in nothing."""
    if kind == "summary":
        return _csv(SUMMARY_COLUMNS, summary(found, students))
    picked = [row for row in found if kind == "all" or not row.passed]
    table = [(r.student, r.exercise, r.check, "yes" if r.passed else "no", r.message) for r in picked]
    return _csv(COLUMNS, table)


def summary(found: Sequence[Row], students: Sequence[str] = ()) -> list[tuple[object, ...]]:
    table: list[tuple[object, ...]] = []
    for student in dict.fromkeys([*students, *(row.student for row in found)]):
        own = [row for row in found if row.student == student]
        exercises = dict.fromkeys(row.exercise for row in own)
        whole = sum(all(row.passed for row in own if row.exercise == name) for name in exercises)
        table.append((student, len(exercises), whole, len(own), sum(row.passed for row in own)))
    return table


def _csv(columns: Sequence[str], table: Sequence[Sequence[object]]) -> str:
    """A cell that a spreadsheet would take for a formula gets an apostrophe: students write what is in it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in table:
        writer.writerow(
            [f"'{cell}" if isinstance(cell, str) and cell[:1] in tuple("=+-@\t\r") else cell for cell in row]
        )
    return text.getvalue()
