import json
import re

import numpy as np
import pytest

from collectives.baseline import nccl_tests
from collectives.perf.kinds import KINDS
from collectives.perf.options import parse
from collectives.perf.record import encode, record
from collectives.perf.rows import Device, Half, Row, average_busbw, total_wrong
from collectives.perf.table import foot, head, line, number

OPTIONS = parse(["--ranks", "2", "-b", "8", "-e", "128M", "-f", "2"])
DEVICES = [Device(0, 15784, "nid007106", "numpy/TCP"), Device(1, 15785, "h2", "numpy/TCP")]


def half(time_us, wrong=0):
    return Half(time_us, wrong, np.array([[time_us - 1, time_us + 1], [time_us, time_us + 3]]))


def row(nbytes=1 << 20, out_of_place=339.61, in_place=335.85):
    return Row(nbytes, nbytes // 4, "float", "sum", 2, half(out_of_place), in_place and half(in_place))


def text(rows):
    return [*head(OPTIONS, DEVICES), *(line(found, OPTIONS) for found in rows), *foot(rows, OPTIONS)]


def test_the_table_byte_for_byte():
    """Every line but the first is nccl-tests' own, blanks at the ends included."""
    assert text([row()])[1:] == [
        "# Collective test starting: all_reduce_perf",
        "# nThread 1 nGpus 1 minBytes 8 maxBytes 134217728 step: 2(factor) warmup iters: 1 iters: 20 agg iters: 1 validation: 1 graph: 0 unalign: 0",  # noqa: E501 - nccl-tests' line
        "#",
        "# Using devices",
        "#  Rank  0 Group  0 Pid  15784 on  nid007106 device  0 [0000:00:00] numpy/TCP",
        "#  Rank  1 Group  0 Pid  15785 on         h2 device  0 [0000:00:00] numpy/TCP",
        "#",
        "#                                                              out-of-place                       in-place          ",  # noqa: E501 - nccl-tests' line
        "#       size         count      type   redop    root     time   algbw   busbw  #wrong     time   algbw   busbw  #wrong ",  # noqa: E501 - nccl-tests' line
        "#        (B)    (elements)                               (us)  (GB/s)  (GB/s)             (us)  (GB/s)  (GB/s)         ",  # noqa: E501 - nccl-tests' line
        "     1048576        262144     float     sum      -1   339.61    3.09    3.09       0   335.85    3.12    3.12       0",  # noqa: E501 - nccl-tests' line
        "# Out of bounds values : 0 OK",
        f"# Avg bus bandwidth    : {(1048576 / 339.61 + 1048576 / 335.85) / 2 / 1e3:g} ",
        "#",
        "# Collective test concluded: all_reduce_perf",
        "#",
        "",
    ]


@pytest.mark.parametrize(
    ("value", "width", "said"),
    [
        (0, 7, "   0.00"),
        (1351.1, 7, "1351.10"),
        (13511.1, 7, "13511.1"),
        (135111.4, 7, " 135111"),
        (1351111, 7, "1351111"),
        (13511111, 7, "1.4e+07"),
        (999.994, 6, "999.99"),
        (1234.56, 6, "1234.6"),
        (1e7, 6, " 1e+07"),
    ],
)
def test_numbers_fit_their_column(value, width, said):
    assert number(value, width) == said


def test_what_was_not_checked_or_left_out():
    unchecked = Row(8, 2, "float", "sum", 2, half(9.0, None), None)
    assert line(unchecked, OPTIONS).endswith("  9.00    0.00    0.00    N/A     0.00    0.00    0.00    N/A")
    assert len(line(unchecked, OPTIONS).split()) == 13
    assert average_busbw([unchecked]) == pytest.approx(8 / 9e-6 / 1e9)


def test_wrong_values_are_shown_and_fail():
    wrong = Row(8, 2, "float", "sum", 2, half(9.0, 3), half(9.0, 0))
    assert line(wrong, OPTIONS).split()[8] == "3"
    assert total_wrong([wrong]) == 3
    assert next(foot([wrong], OPTIONS)) == "# Out of bounds values : 1 FAILED"


# What the readers named in the study demand of the text, in our words.
MARK = re.compile(r"^(?:\d+: |\[\d+,\d+\]<stdout>:)")
HEADER = re.compile(
    r"# nThread (\d+) nGpus (\d+) minBytes (\d+) maxBytes (\d+) step: (\d+)\((factor|bytes)\) warmup iters: (\d+) "
    r"iters: (\d+) agg iters: (\d+) validation: (\d+) graph: (\d+)"
)
ROW = re.compile(r"\s*(\d+)\s+(\d+)\s+(\w+)\s+[^1-9]+\s*-?(\d+)((?:\s+\d+(?:\.\d+)?){3}\s+(?:\d+|N/A)){2}\s*$")
PLAIN = re.compile(
    r"\s*\d+\s+\d+\s+(float|double|int32|half)\s+(sum|prod|max|min|none)\s+-?\d+"
    r"(\s+\d+\.\d+){3}\s+(\d+|N/A)(\s+\d+\.\d+){3}\s+(\d+|N/A)"
)


def every_kind():
    """A row of each operation, and the whole output it stands in."""
    for kind in KINDS.values():
        options = parse([kind.name, "--ranks", "2", "-b", "8", "-e", "128M", "-f", "2"])
        root, wrong = (1 if kind.rooted else -1), (0 if kind.in_place_checked else None)
        rows = [
            Row(size, size // 4, "float", "sum", 2, half(30.0), half(28.5, wrong), kind, root) for size in (8, 1 << 20)
        ]
        yield rows, [*head(options, DEVICES), *(line(found, options) for found in rows), *foot(rows, options)]


@pytest.mark.parametrize(("rows", "lines"), list(every_kind()), ids=list(KINDS))
@pytest.mark.parametrize("mark", ["", "0: ", "[1,0]<stdout>:"])
def test_readers_of_the_text(rows, lines, mark):
    """``mark``: srun's or Open MPI's before each line, which the readers take off by its form."""
    lines = [MARK.sub("", mark + text) for text in lines]
    everything = "\n".join(lines)
    fields = [words for words in map(str.split, lines) if words and words[0].isdigit()]
    assert [len(words) for words in fields] == [13] * len(rows)  # cloudai
    assert re.search(r"time\s+algbw\s+busbw\s+#wrong\s+time\s+algbw\s+busbw\s+#wrong", everything)
    assert "# Out of bounds values" in everything
    assert "out-of-place" in everything
    assert len(re.findall(r"Avg bus bandwidth\s+: ([0-9.]+)", everything)) == 1  # PerfKitBenchmarker
    assert HEADER.search(everything)
    body = [text for text in lines if text.strip()[:1].isdigit()]
    assert all(ROW.match(text) for text in body)
    assert all(PLAIN.match(text) for text in body)  # awsome-distributed-training: plain decimals
    assert all(float(text.split()[-2]) >= 0 for text in body)  # its health check takes the last column but one
    titles = next(text for text in lines if "busbw" in text).split()  # superbenchmark counts from the right
    place = titles.index("busbw") - len(titles)
    assert [float(words[place]) for words in fields] == [
        pytest.approx(row.busbw(row.out_of_place), abs=0.006) for row in rows
    ]


def test_a_reader_of_the_json_file():
    """nccl-tests' own analyser takes these two: which host each process is on, and every process's iterations."""
    written = record(OPTIONS, ["-b", "8"], DEVICES, [row()], ("2026-01-01 00:00:00",) * 2, operations={})
    data = json.loads(written)
    hosts = [device["hostname"] for device in data["config"]["devices"]]
    [result] = data["results"]
    for name in ("out_of_place_per_iter", "in_place_per_iter"):
        processes = result[name]["per_process_max_times_us"]
        assert len(processes) == len(hosts) == 2
        assert result[name]["times_us"] == [max(times) for times in zip(*processes, strict=True)]
    assert result["root"] == "    -1"
    assert data["config"]["blocking_collectives"] == "false"


def test_our_own_reader_reads_both():
    devices = [Device(rank, 100 + rank, "h1", "numpy/TCP") for rank in range(4)]
    rows = [
        Row(size, size // 4, "float", "sum", 4, half(time), half(time)) for size, time in ((1 << 20, 339.61), (8, 30.0))
    ]
    times = ("2026-01-01 00:00:00", "2026-01-01 00:00:09")
    written = record(OPTIONS, ["-b", "8"], devices, rows, times, operations={1 << 20: 42})
    for output in (
        "\n".join([*head(OPTIONS, devices), *(line(found, OPTIONS) for found in rows), *foot(rows, OPTIONS)]),
        written,
    ):
        read = nccl_tests.parse(output, "ours")
        assert (read.nranks, read.collective) == (4, "all_reduce")
        assert [(point.size_bytes, point.time_us) for point in read.points] == [(8, 30.0), (1 << 20, 339.61)]


def test_json_is_written_as_nccl_tests_writes_it():
    assert encode({"a": [1, 2.5, None, True, False, "b/c", float("nan")]}) == (
        '{"a":[1,2.500000,null,"true","false","b\\/c","nan"]}'
    )
