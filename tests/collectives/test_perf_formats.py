import csv
import re

import numpy as np
import pytest

from collectives.baseline import osu
from collectives.baseline.stated import Stated
from collectives.perf.formats import CSV_COLUMNS, FORMS
from collectives.perf.kinds import KINDS
from collectives.perf.rows import Half, Row

TIMES = np.array([[100.0, 120, 140, 160], [110, 110, 130, 190]])


def row(name="all_gather", wrong=0):
    half = Half(float(TIMES.mean()), wrong, TIMES)
    return Row(1 << 20, 1 << 17, "float", "sum", 2, half, half, KINDS[name])


def test_csv_is_read_back_by_name():
    lines = [*FORMS["csv"].head(KINDS["all_gather"]), *FORMS["csv"].lines(row())]
    out_of_place, in_place = csv.DictReader(lines)
    assert tuple(out_of_place) == CSV_COLUMNS
    assert (out_of_place["in_place"], in_place["in_place"]) == ("0", "1")
    assert (out_of_place["collective"], out_of_place["redop"], out_of_place["wrong"]) == ("all_gather", "none", "0")
    assert float(out_of_place["busbw_GBps"]) == pytest.approx((1 << 20) / TIMES.mean() / 1e3 / 2, rel=1e-5)
    assert float(out_of_place["p50_us"]) == 140
    assert float(out_of_place["max_us"]) == 190


def test_csv_leaves_what_was_not_checked_empty():
    assert next(csv.DictReader([",".join(CSV_COLUMNS), *FORMS["csv"].lines(row(wrong=None))]))["wrong"] == ""


def test_osu_rows_are_size_and_latencies():
    """The readers of OSU's output take the words of every line that is no comment."""
    lines = [*FORMS["osu"].head(KINDS["all_gather"]), *FORMS["osu"].lines(row())]
    assert lines[1] == "# OSU MPI Allgather Latency Test v5.7"
    assert re.split(r"\s{2,}", lines[2]) == [
        "# Size", "Avg Latency(us)", "Min Latency(us)", "Max Latency(us)", "Iterations"
    ]  # fmt: skip
    assert [float(word) for word in lines[3].split()] == [(1 << 20) / 2, 132.5, 130, 135, 4]


def test_osu_text_of_ours_is_read_with_the_sizes_that_were_run():
    text = "\n".join([*FORMS["osu"].head(KINDS["all_gather"]), *FORMS["osu"].lines(row())])
    assert osu.parse(text, "ours.txt", Stated(nranks=2)).points[0].size_bytes == 1 << 20


def test_param_rows_have_the_columns_of_their_header():
    head, line = [*FORMS["param"].head(KINDS["all_gather"]), *FORMS["param"].lines(row())]
    titles, words = (re.split(r"\t\s*", text.strip()) for text in (head, line))
    found = dict(zip(titles, words, strict=True))
    assert found["COMMS-RES"] == "COMMS-RES-all_gather-float"
    assert (found["total-size (B)"], found["nElementsPerRank"]) == ("1048576", "131072")
    assert (found["Latency(us):p50"], found["p75"], found["Max"]) == ("140.0", "140.0", "190.0")
    assert float(found["BusBW(GB/s)"]) == pytest.approx(float(found["AlgBW(GB/s)"]) / 2, abs=1e-3)


@pytest.mark.parametrize("name", KINDS)
def test_every_operation_has_a_name_in_every_form(name):
    for form in FORMS.values():
        assert all("\n" not in line for line in (*form.head(KINDS[name]), *form.lines(row(name))))
