"""Tables of every version are read and printed again, byte for byte; the rows from their figures."""
# ruff: noqa: UP031 - the tables are written as C's printf writes them

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectives.baseline import BaselineError
from collectives.baseline.nccl_table import NEWEST, read
from collectives.baseline.nccl_tests import parse
from collectives.perf import table
from collectives.perf.kinds import KINDS
from collectives.perf.options import parse as options_of
from collectives.perf.rows import Device, Half, Row

DEVICES = "".join(
    f"#  Rank {rank:2d} Group  0 Pid  {7085 + rank} on       n{rank} device  0 [0000:05:00] NVIDIA H100\n"
    for rank in range(4)
)

# The printf formats of nccl-tests' sources, by the year in which they were in use; % is C's printf.
TITLES = {
    2019: "# %10s  %12s  %6s  %6s  %7s  %6s  %6s  %5s  %7s  %6s  %6s  %5s"
    % ("size", "count", "type", "redop", *("time", "algbw", "busbw", "error") * 2),
    2020: "# %10s  %12s  %6s  %6s  %6s  %7s  %6s  %6s  %5s  %7s  %6s  %6s  %5s"
    % ("size", "count", "type", "redop", "root", *("time", "algbw", "busbw", "error") * 2),
    2022: "# %10s  %12s  %8s  %6s  %6s  %7s  %6s  %6s %6s  %7s  %6s  %6s %6s"
    % ("size", "count", "type", "redop", "root", *("time", "algbw", "busbw", "#wrong") * 2),
    2025: "# %10s  %12s  %8s  %6s  %6s  %7s  %6s  %6s  %6s  %7s  %6s  %6s  %6s %*s"
    % ("size", "count", "type", "redop", "root", *("time", "algbw", "busbw", "#wrong") * 2, 0, ""),
}  # fmt: skip


def steps(time_us):
    """Times up to 2025: ``%7.2f`` below 100, ``%7.1f`` below 10000, else ``%7.0f``."""
    return ("%7.0f" if time_us >= 10000 else "%7.1f" if time_us >= 100 else "%7.2f") % time_us


def fits(value, width):
    """Since then: as many decimals as fit."""
    shapes = ("%*.2f", "%*.1f", "%*.0f", "%*.1e" if width >= 7 else "%*.0e")
    return next((text for shape in shapes if len(text := shape % (width, value)) <= width), shapes[-1] % (width, value))


def half(year, time_us, algbw, busbw, wrong):
    if wrong is None:
        last = "    N/A"
    else:
        last = {2019: "  %5.0e", 2020: "  %5.0e", 2022: "  %5g", 2025: "  %6g"}[year] % wrong
    if year == 2025:
        return f"  {fits(time_us, 7)}  {fits(algbw, 6)}  {fits(busbw, 6)}{last}"
    return "  %s  %6.2f  %6.2f%s" % (steps(time_us), algbw, busbw, last)


def row(year, size, *halves):
    start = {
        2019: "%12i  %12i  %6s  %6s" % (size, size // 4, "float", "sum"),
        2020: "%12i  %12i  %6s  %6s  %6i" % (size, size // 4, "float", "sum", -1),
        2022: "%12i  %12i  %8s  %6s  %6s" % (size, size // 4, "float", "sum", "%6i" % -1),
        2025: "%12i  %12i  %8s  %6s  %6s" % (size, size // 4, "float", "sum", "%6i" % -1),
    }[year]  # fmt: skip
    return start + "".join(half(year, *figures) for figures in halves)


def text(year, rows, mark=""):
    lines = [*DEVICES.splitlines(), "#", TITLES[year], *(row(year, *figures) for figures in rows)]
    lines += ["# Out of bounds values : 0 OK", "# Avg bus bandwidth    : 14.9966 ", "#", ""]
    return "\n".join(mark + line for line in lines)


def wrongs(year):
    return st.none() | (st.sampled_from([0.0, 1e-07, 2e-07, 0.03]) if year <= 2020 else st.integers(0, 10**7))


def halves(year):
    return st.tuples(st.floats(0.01, 9e8), st.floats(0, 3000), st.floats(0, 3000), wrongs(year))


@pytest.mark.parametrize("year", TITLES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_table_of_any_version_is_printed_as_it_was(year, data):
    rows = data.draw(st.lists(st.tuples(st.integers(1, 2**40), halves(year), halves(year)), min_size=1, max_size=6))
    mark = data.draw(st.sampled_from(["", "0: ", "[1,0]<stdout>:"]))
    written = text(year, rows, mark)
    found = read(written, "mine")
    assert len(found.rows) == len(rows)
    assert found.text() == written


@pytest.mark.parametrize("year", [2019, 2022])
@pytest.mark.parametrize("time_us", [99.996, 100.0, 9999.96, 10000.0, 99.994])
def test_times_at_the_steps_of_the_old_rule(year, time_us):
    written = text(year, [(8, (time_us, 0.0, 0.0, 0), (1351.1, 1.0, 1000.0, 0))])
    assert read(written, "mine").text() == written


def test_the_rows_are_printed_from_their_figures():
    """Else reading and printing would prove nothing: a changed figure is printed, in its version's way."""
    rows = [(8, (47.35, 0.0, 0.0, 0), (45.17, 0.0, 0.0, 0)), (16, (123.4, 1, 1, 0), (9.0, 1, 1, 0))]
    for year, expected in ((2022, " 1351.1"), (2025, "1351.10")):
        found = read(text(year, rows), "m")
        first = found.rows[0]
        changed = replace(first, out_of_place=replace(first.out_of_place, time_us=1351.1))
        assert f"     float     sum      -1  {expected}    0.00" in found.layout.line(changed)


def every_option():
    for words in ([], ["-I", "1"], ["-S", "1"], ["-C", "1"], ["-I", "1", "-S", "1"], ["-c", "0"]):
        for kind in KINDS:
            yield kind, words


@pytest.mark.parametrize(("kind_name", "words"), list(every_option()), ids=lambda value: "".join(value) or "plain")
def test_our_own_tables_round_trip(kind_name, words):
    kind = KINDS[kind_name]
    options = options_of([kind.name, "--ranks", "4", "-b", "8", "-e", "128M", "-f", "2", *words])
    wrong = 0 if options.checks and kind.in_place_checked else None
    rows = [
        Row(size, size // 4, "float", "sum", 4, ours(time, 0 if options.checks else None),
            ours(time * 0.9, wrong), kind, 1 if kind.rooted else -1, "2026-03-01 12:00:01")
        for size, time in ((8, 30.0), (1 << 20, 339.614), (1 << 27, 1_234_567.8))
    ]  # fmt: skip
    devices = [Device(rank, 100 + rank, f"h{rank}", "numpy/TCP") for rank in range(4)]
    written = "\n".join(
        [*table.head(options, devices), *(table.line(row, options) for row in rows), *table.foot(rows, options)]
    )
    found = read(written, "ours")
    assert found.text() == written
    assert found.layout.fits
    made = parse(written, "ours")
    assert (made.collective, made.nranks, made.library) == (kind.name, 4, "ringlab")
    assert [point.time_us for point in made.points] == pytest.approx([30.0, 339.61, 1234568])


def ours(time_us, wrong):
    return Half(time_us, wrong, np.array([[time_us - 1, time_us + 1]] * 4))


RCCL = """\
# nThread 1 nGpus 8 minBytes 8 maxBytes 134217728 step: 2(factor) warmup iters: 5 iters: 20 agg iters: 1 validation: 1 graph: 0
#
rccl-tests: Version develop:33cc4df
# Using devices
#   Rank  0 Pid  56417 on c42f4555f685 device  0 [0002:00:00.0] AMD Instinct MI300X VF
#   Rank  1 Pid  56417 on c42f4555f685 device  1 [0003:00:00.0] AMD Instinct MI300X VF
#   Rank  2 Pid  56417 on c42f4555f685 device  2 [0004:00:00.0] AMD Instinct MI300X VF
#   Rank  3 Pid  56417 on c42f4555f685 device  3 [0005:00:00.0] AMD Instinct MI300X VF
RCCL version : 2.26.6-develop:c3b8de4
HIP version  : 7.0.51831-a3e329ad8
#
#                                                              out-of-place                       in-place          
#       size         count      type   redop    root     time   algbw   busbw #wrong     time   algbw   busbw #wrong                               
#        (B)    (elements)                               (us)  (GB/s)  (GB/s)            (us)  (GB/s)  (GB/s)                                      
           8             2     float     sum      -1    45.92    0.00    0.00      0    46.12    0.00    0.00      0
   268435456      67108864     float     sum      -1   1464.9  183.24  274.86      0   1442.5  186.10  279.15    N/A
# Out of bounds values : 0 OK
# Avg bus bandwidth    : 346.251 
#
"""  # noqa: E501, W291 - as rccl-tests prints it


def test_rccl_tests():
    assert read(RCCL, "r").text() == RCCL
    found = parse(RCCL, "r")
    assert (found.library, found.gpu, found.nranks) == ("RCCL 2.26.6-develop:c3b8de4", "AMD Instinct MI300X VF", 4)
    assert found.collective == "all_reduce"  # busbw / algbw is 1.5
    assert [(point.time_us, point.in_place_us) for point in found.points] == [(45.92, 46.12), (1464.9, 1442.5)]
    without = RCCL.replace("RCCL version : 2.26.6-develop:c3b8de4\n", "")
    assert parse(without, "r").library == "RCCL (rccl-tests develop:33cc4df)"


OF_2018 = """\
#   Rank  0 Pid  87569 on    n1 device  0 [0x5c] Tesla V100-SXM3-32GB
#   Rank  1 Pid  87569 on    n1 device  1 [0x5e] Tesla V100-SXM3-32GB
#
#                                             out-of-place                       in-place          
#       size         count    type     time   algbw   busbw  error     time   algbw   busbw  error
#        (B)    (elements)             (us)  (GB/s)  (GB/s)            (us)  (GB/s)  (GB/s)       
           0             0   float    57.30    0.00    0.00  0e+00    57.09    0.00    0.00  0e+00
          48             6   float    57.46    0.00    0.00  0e+00    57.40    0.00    0.00  0e+00
     1048576        131072   float    123.4    8.50    4.25  0e+00    124.0    8.46    4.23    N/A
"""  # noqa: W291 - as all_gather_perf printed it, which had no operation


def test_a_table_without_operation_and_root():
    assert read(OF_2018, "o").text() == OF_2018
    found = parse(OF_2018, "o")
    assert (found.collective, found.nranks, [point.time_us for point in found.points]) == (
        "all_gather",
        2,
        [57.46, 123.4],
    )


@pytest.mark.parametrize("year", TITLES)
def test_a_table_that_was_pasted_indented_or_without_its_signs(year):
    written = text(year, [(8, (47.35, 0.0, 0.0, 0), (45.17, 0.0, 0.0, 0))])
    indented = "\n".join(f"    {line}" for line in written.split("\n"))
    assert read(indented, "i").text() == indented
    bare = "\n".join(
        " " + line[1:] if line.startswith("#") and "size" in line else line for line in written.split("\n")
    )
    assert read(bare, "b").text() == bare


def test_a_changed_layout_prints_an_old_row_the_new_way():
    old = read(text(2019, [(16777216, (12946.0, 1.3, 1.94, 1e-07), (132.2, 0.0, 0.0, None))]), "old")
    new = NEWEST.line(replace(old.rows[0], root=-1, out_of_place=replace(old.rows[0].out_of_place, wrong=None)))
    halves = "  12946.0    1.30    1.94    N/A   132.20    0.00    0.00    N/A"
    assert new == "    16777216       4194304     float     sum      -1" + halves


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (("root     time", "root     tyme"), "1 time columns, not two"),
        (("   algbw   busbw  #wrong     time", "   algbw  #wrong     time"), "not a header of nccl-tests"),
        (("    47.35", "    fast!"), "line 7: not a row of nccl-tests"),
    ],
)  # fmt: skip
def test_errors_name_the_line(damage, message):
    written = text(2025, [(8, (47.35, 0.0, 0.0, 0), (45.17, 0.0, 0.0, 0))]).replace(*damage, 1)
    with pytest.raises(BaselineError) as error:
        read(written, "mine.log")
    assert message in str(error.value)
    assert str(error.value).startswith("mine.log, line ")
