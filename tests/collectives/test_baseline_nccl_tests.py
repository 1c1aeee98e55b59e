"""nccl-tests' own output of several versions, launchers and options, read as a Baseline."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectives.baseline import BaselineError
from collectives.baseline.nccl_tests import parse
from collectives.baseline.stated import Stated

NEW = """\
# nccl-tests version 2.19.6 nccl-headers=22907 nccl-library=22907
# Collective test starting: all_reduce_perf
# nThread 1 nGpus 1 minBytes 8 maxBytes 134217728 step: 2(factor) warmup iters: 1 iters: 20 agg iters: 1 validation: 1
#
# Using devices
#  Rank  0 Group  0 Pid  15784 on  nid007106 device  0 [0009:01:00] NVIDIA GH200 120GB
#  Rank  1 Group  0 Pid  15785 on  nid007106 device  1 [0019:01:00] NVIDIA GH200 120GB
#  Rank  2 Group  0 Pid  15784 on  nid007107 device  0 [0009:01:00] NVIDIA GH200 120GB
#  Rank  3 Group  0 Pid  15785 on  nid007107 device  1 [0019:01:00] NVIDIA GH200 120GB
#
#                                                              out-of-place                       in-place
#       size         count      type   redop    root     time   algbw   busbw  #wrong     time   algbw   busbw  #wrong
#        (B)    (elements)                               (us)  (GB/s)  (GB/s)             (us)  (GB/s)  (GB/s)
           0             0     float     sum      -1     4.51    0.00    0.00       0     4.40    0.00    0.00       0
        1024           256     float     sum      -1    18.84    0.05    0.08       0    18.01    0.06    0.09       0
     1048576        262144     float     sum      -1   339.61    3.09    4.63       0   335.85    3.12    4.68       0
# Out of bounds values : 0 OK
# Avg bus bandwidth    : 14.9966
#
# Collective test concluded: all_reduce_perf
"""

OLD = """\
# nThread 1 nGpus 2 minBytes 8 maxBytes 134217728 step: 2(factor) warmup iters: 5 iters: 20 validation: 1
#
# Using devices
#   Rank  0 Pid  29441 on   dgx1 device  0 [0x06] Tesla V100-SXM2-32GB
#   Rank  1 Pid  29441 on   dgx1 device  1 [0x07] Tesla V100-SXM2-32GB
#   Rank  2 Pid  29441 on   dgx1 device  2 [0x0a] Tesla V100-SXM2-32GB
#   Rank  3 Pid  29441 on   dgx1 device  3 [0x0b] Tesla V100-SXM2-32GB
#
#                                                     out-of-place                       in-place
#       size         count    type   redop     time   algbw   busbw  error     time   algbw   busbw  error
#        (B)    (elements)                     (us)  (GB/s)  (GB/s)            (us)  (GB/s)  (GB/s)
           8             2   float     sum   2193.5    0.00    0.00  2e-07    132.2    0.00    0.00  2e-07
    16777216       4194304   float     sum    12946    1.30    1.94  1e-07    132.2    0.00    0.00  2e-07
"""


def test_the_text_of_today():
    found = parse(NEW, "mine.log")
    assert (found.name, found.collective, found.nranks, found.nodes, found.gpus_per_node) == (
        "mine.log",
        "all_reduce",
        4,
        2,
        2,
    )
    assert (found.gpu, found.library) == ("NVIDIA GH200 120GB", "NCCL 2.29.7")
    assert [(point.size_bytes, point.time_us) for point in found.points] == [(1024, 18.84), (1048576, 339.61)]
    assert found.at(1048576).busbw_GBps == pytest.approx(4.63, abs=0.005)


def test_the_line_rate_is_the_user_s_or_unknown():
    assert parse(NEW, "mine.log").best().line_share is None
    assert "--line-rate" in parse(NEW, "mine.log").line_rate_why
    assert parse(NEW, "mine.log", Stated(50.0)).best().line_share == pytest.approx(4.63 / 50, rel=0.002)


def test_old_text_without_group_root_and_name():
    found = parse(OLD, "old.log")
    assert (found.collective, found.nranks, found.nodes, found.gpu) == ("all_reduce", 4, 1, "Tesla V100-SXM2-32GB")
    assert [point.time_us for point in found.points] == [2193.5, 12946.0]
    assert found.library == "NCCL (version not stated)"


@pytest.mark.parametrize("mark", ["0: ", " 0: ", "12: ", "[1,0]<stdout>:", "[1,0]<stdout>: "])
def test_launchers_marks_are_taken_off(mark):
    marked = "\n".join(mark + line for line in NEW.splitlines())
    assert parse(marked, "n").points == parse(NEW, "n").points
    assert parse(marked, "n").nranks == 4


def test_timestamps_and_columns_of_each_iteration():
    stamped = NEW.replace("4.68       0", "4.68       0   2026-03-01 12:00:01")
    assert parse(stamped, "n").points == parse(NEW, "n").points
    half, wide = "time   algbw   busbw  #wrong", "time   algbw   busbw  #wrong   i_min   i_max   i_p99   i_cv%"
    per_iteration = NEW.replace(half, wide).replace("       0   335.85", "       0 1.00 2.00 3.00 4.00   335.85")
    per_iteration = per_iteration.replace("4.68       0", "4.68       0 1.00 2.00 3.00 4.00")
    rows = [line for line in per_iteration.splitlines() if "1024" not in line and "4.51" not in line]
    assert [point.time_us for point in parse("\n".join(rows), "n").points] == [339.61]


def test_an_empty_redop_and_unchecked_results():
    text = NEW.replace("all_reduce_perf", "broadcast_perf").replace("   sum      -1", "             0")
    text = text.replace("       0   335.85", "     N/A   335.85").replace("4.63       0", "4.63     N/A")
    found = parse(text, "n")
    assert found.collective == "broadcast"
    assert [point.time_us for point in found.points] == [18.84, 339.61]


def test_a_repeated_size_gives_its_median():
    row = next(line for line in NEW.splitlines() if line.lstrip().startswith("1048576"))
    three = NEW.replace(row, "\n".join([row, row.replace("339.61", "300.00"), row.replace("339.61", "400.00")]))
    found = parse(three, "n")
    assert found.points[-1].time_us == 339.61
    assert "median" in found.note


def test_nccl_s_own_lines_in_between():
    talk = "gpu9:87873:88597 [0] NCCL INFO Ring 00 : 5 -> 6 [receive] via NET/Socket/0\n"
    lines = OLD.splitlines(keepends=True)
    found = parse("".join([*lines[:7], "NCCL version 2.4.7+cuda10.1\n", talk, *lines[7:10], talk, *lines[10:]]), "n")
    assert found.library == "NCCL 2.4.7"
    assert found.points == parse(OLD, "n").points


def test_groups_work_apart():
    split = NEW.replace("Rank  2 Group  0", "Rank  0 Group  1").replace("Rank  3 Group  0", "Rank  1 Group  1")
    assert parse(split, "n").nranks == 2


def test_one_gpu_alone_is_refused():
    lines = [line for line in NEW.splitlines() if not any(f"Rank  {rank}" in line for rank in (1, 2, 3))]
    for text in ("\n".join(lines), "\n".join(line for line in lines if "Collective test" not in line)):
        with pytest.raises(BaselineError, match=r"n: one rank alone, .* with 2 GPUs at least"):
            parse(text, "n")


@pytest.mark.parametrize(
    ("first", "library"),
    [
        ("# Library: gloo of torch 2.9\n#0 (its format; measured by ringlab over gloo/TCP)", "gloo of torch 2.9"),
        ("# Library: Open MPI v5.0.8\n#0 (its format; measured by ringlab over Open MPI/TCP)", "Open MPI v5.0.8"),
        ("#0 (its format; measured by ringlab over TCP)", "ringlab"),
        ("#0 (its format; measured by gloo of torch 2.9)", "gloo of torch 2.9"),
        ("#0", "not stated (no NCCL)"),
    ],
)
def test_whoever_took_nccl_s_place_is_named(first, library):
    version = "# nccl-tests version 2.19.6 nccl-headers=0 nccl-library=0"
    text = "\n".join([first.replace("#0", version), *NEW.splitlines()[1:]])
    assert parse(text, "n").library == library


def test_the_arms_of_a_run_are_not_mixed():
    parts = [f"# ringlab arm {arm} block {block}\n{NEW}" for arm in ("ecmp:seed=1", "pinned") for block in (1, 2)]
    assert parse("\n".join(parts[:2]), "n").points == parse(NEW, "n").points
    with pytest.raises(BaselineError, match="n: holds the arms ecmp:seed=1, pinned of a run; name the run's folder"):
        parse("\n".join(parts), "n")


def as_json(version=3, **changes):
    data = {
        "version": version,
        "args": ["./build/all_reduce_perf", "-b", "8"],
        "nccl_version": 22907,
        "config": {
            "devices": [
                {
                    "rank": rank,
                    "group": 0,
                    "hostname": f"h{rank // 2}",
                    "device": rank % 2,
                    "device_info": "NVIDIA H100",
                }
                for rank in range(4)
            ]
        },
        "results": [
            {
                "size": size,
                "count": size // 4,
                "type": "float",
                "redop": "sum",
                "root": "    -1",
                "out_of_place": {
                    "time": time,
                    "alg_bw": size / time / 1e3,
                    "bus_bw": 1.5 * size / time / 1e3,
                    "nwrong": 0.0,
                },
                "in_place": {"time": time, "alg_bw": 0.0, "bus_bw": 0.0, "nwrong": None},
            }
            for size, time in ((1024, 18.84), (1048576, 339.61))
        ],
    }
    return json.dumps(data | changes)


@pytest.mark.parametrize("version", [1, 3])
def test_the_json_file(version):
    found = parse(as_json(version), "mine.json")
    assert (found.collective, found.nranks, found.nodes, found.gpu) == ("all_reduce", 4, 2, "NVIDIA H100")
    assert [(point.size_bytes, point.time_us) for point in found.points] == [(1024, 18.84), (1048576, 339.61)]


def test_json_of_the_first_version_has_no_groups_and_may_time_the_cpu():
    data = json.loads(as_json(1))
    for device in data["config"]["devices"]:
        del device["group"]
    for row in data["results"]:
        row["out_of_place"]["cpu_time"] = row["out_of_place"].pop("time")
    assert [(point.size_bytes, point.time_us) for point in parse(json.dumps(data), "n").points] == [
        (point.size_bytes, point.time_us) for point in parse(NEW, "n").points
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no rows of nccl-tests"),
        ("hello\nworld\n", "no rows of nccl-tests"),
        (NEW.replace("#  Rank", "#  Process"), "number of ranks is not known"),
        (NEW.replace("4.63       0", "4.63       7"), "7 wrong elements at 1048576 bytes"),
        (NEW.replace("1024           256     float", "1024           256      half"), "holds 2 sweeps"),
        (NEW.replace("#       size  ", "#       bytes "), "line 14: a row before nccl-tests' header"),
        (NEW.replace("   335.85    3.12    4.68       0", ""), "line 16: 9 columns do not fit the header"),
        (NEW.replace("   335.85    3.12", "   335.85"), "line 16: 12 columns do not fit the header; is the line cut?"),
        (NEW.replace("339.61", "   fast"), "line 16: not a row of nccl-tests"),
        (NEW.replace("all_reduce_perf", "all_redduce_perf"), "did you mean 'all_reduce_perf'"),
        (NEW.replace("339.61", "  0.00"), "not above 0"),
        (NEW.replace("Rank  3 Group  0", "Rank  3 Group  1"), "groups of 1, 3 ranks"),
        (OLD.replace("1.94", "1.60"), "does not say which collective"),
        (as_json()[:-20], "not JSON"),
        (as_json(7), "JSON of version 7; this reads 1 and 3"),
        (as_json(config={}), "'devices' is missing"),
        (as_json().replace('"time": 18.84', '"time": "fast"'), "could not convert string"),
        (as_json().replace('"time": 18.84', '"time": "nan"'), "not finite"),
        (as_json(results=[]), "no rows of nccl-tests"),
        (as_json(results=[{"size": 8}]), "results[0]: 'type' is missing"),
    ],
)
def test_what_is_no_baseline_gets_one_clear_error(text, message):
    with pytest.raises(BaselineError) as error:
        parse(text, "mine.log")
    assert message in str(error.value)
    assert str(error.value).startswith(("mine.log", "baseline mine.log"))


@pytest.mark.parametrize(("code", "version"), [(22907, "2.29.7"), (2708, "2.7.8"), (21805, "2.18.5")])
def test_nccl_s_version_code(code, version):
    assert parse(NEW.replace("library=22907", f"library={code}"), "n").library == f"NCCL {version}"


@settings(max_examples=60)
@given(st.sampled_from([NEW, OLD, as_json()]), st.integers(0, 1500), st.integers(1, 80), st.text(max_size=6))
def test_a_damaged_file_is_read_or_refused_but_never_breaks(text, start, length, instead):
    damaged = text[:start] + instead + text[start + length :]
    refusal = ""
    try:
        assert parse(damaged, "n").points
    except BaselineError as error:
        refusal = str(error)
    assert "\n" not in refusal
