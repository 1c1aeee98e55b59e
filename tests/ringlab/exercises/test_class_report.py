"""The sheets of a class's report."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from ringlab.exercises.class_report import Row, sheet, summary

texts = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=20)
some_rows = st.lists(st.builds(Row, texts, texts, texts, st.booleans(), texts), max_size=20)


def _read(text):
    return list(csv.DictReader(io.StringIO(text)))


@given(some_rows)
def test_all_has_a_row_a_check_and_failed_those_that_did_not_pass(rows):
    assert len(_read(sheet("all", rows))) == len(rows)
    failed = _read(sheet("failed", rows))
    assert len(failed) == sum(not row.passed for row in rows)
    assert all(row["passed"] == "no" for row in failed)


@given(some_rows)
def test_summary_counts_them(rows):
    table = summary(rows)
    assert sum(row[3] for row in table) == len(rows)
    assert sum(row[4] for row in table) == sum(row.passed for row in rows)
    assert all(row[2] <= row[1] for row in table)


def test_a_spreadsheet_sees_no_formula():
    rows = [Row("ada", "01-busbw", "runs", False, '=HYPERLINK("http://x")')]
    assert _read(sheet("all", rows))[0]["message"].startswith("'=")
