"""Rank 0's lines as rows of the page's table."""

import pytest

from ringlab.web.rows import parsed


def test_a_line_as_our_own_table_prints_it():
    line = (
        "     1048576        262144     float     sum      -1  150800.0    0.01    0.01       0      N/A    N/A    N/A"
    )
    found = parsed(line)
    assert (found.size_bytes, found.time_us, found.wrong) == (1048576, 150800.0, 0)
    row = found.row("pinned", 2, 1.5, 100e6)
    assert (row.arm, row.block) == ("pinned", 2)
    assert row.busbw_GBps == pytest.approx(0.01043, rel=1e-3)
    assert row.line_share == pytest.approx(0.8344, rel=1e-3)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "# Out of bounds values : 0 OK",
        "#       size         count      type   redop    root     time   algbw   busbw #wrong",
        "1048576 262144 float sum",
        "1048576 262144 float sum -1 fast 0.01 0.01 0",
        "1048576 262144 float sum -1 0.00 0.01 0.01 0",
    ],
)
def test_other_lines_are_no_rows(line):
    assert parsed(line) is None


def test_what_was_not_checked_is_not_right():
    assert parsed("64 16 float sum -1 12.5 0.01 0.01 N/A").wrong is None
    assert parsed("64 16 float sum -1 12.5 0.01 0.01 3").wrong == 3
