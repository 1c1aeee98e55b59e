"""OSU's output, rccl-tests' JSON, and baselines kept as files."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectives.baseline import Baseline, BaselineError, Point, gloo, osu_table, published, stored
from collectives.baseline.outputs import parse
from collectives.baseline.stated import Stated
from collectives.perf.formats import FORMS
from collectives.perf.kinds import KINDS
from collectives.perf.rows import Half, Row

PLAIN = """
# OSU MPI Allreduce Latency Test v5.7
# Size       Avg Latency(us)
4                      14.04
8                      14.21
1048576              1320.55
"""
FULL = """\
# OSU MPI-CUDA Allgather Latency Test v7.1
# Datatype: MPI_CHAR.
# Size       Avg Latency(us)   Min Latency(us)   Max Latency(us)  Iterations
1                     174.36            135.35            221.55        1000
2                     171.71            130.58            219.23        1000
"""


def test_osu_without_full_statistics():
    found = parse(PLAIN, "osu.txt", Stated(line_rate_GBps=1.25, nranks=16, nodes=16, network="10 Gb/s Ethernet"))
    assert (found.collective, found.nranks, found.nodes, found.gpus_per_node) == ("all_reduce", 16, 16, 1)
    assert (found.gpu, found.network) == ("none (host memory)", "10 Gb/s Ethernet")
    assert found.library == "MPI (OSU micro-benchmarks v5.7)"
    assert [(point.size_bytes, point.time_us) for point in found.points] == [(4, 14.04), (8, 14.21), (1048576, 1320.55)]
    assert found.best().busbw_GBps == pytest.approx(1048576 / 1320.55e-6 / 1e9 * 2 * 15 / 16)


def test_osu_s_size_of_a_block_becomes_nccl_tests_size():
    found = parse(FULL, "osu.txt", Stated(nranks=8))
    assert (found.collective, found.gpu, found.nodes) == ("all_gather", "not stated (MPI-CUDA)", None)
    assert [(point.size_bytes, point.time_us) for point in found.points] == [(8, 174.36), (16, 171.71)]
    assert "OSU does not say how fast" in found.line_rate_why


@pytest.mark.parametrize("mark", ["0: ", "[1,0]<stdout>:"])
def test_osu_under_a_launcher(mark):
    marked = "\n".join(mark + line for line in PLAIN.splitlines())
    assert parse(marked, "n", Stated(nranks=16)).points == parse(PLAIN, "n", Stated(nranks=16)).points


def test_our_own_osu_form_is_read():
    form, kind = FORMS["osu"], KINDS["all_reduce"]
    halves = [Half(time, 0, np.array([[time, time]] * 2)) for time in (30.0, 339.61)]
    rows = [
        Row(size, size // 4, "float", "sum", 2, half, None) for size, half in zip((8, 1 << 20), halves, strict=True)
    ]
    written = "\n".join([*form.head(kind), *(line for row in rows for line in form.lines(row))])
    assert osu_table.read(written, "ours").text() == written
    found = parse(written, "ours", Stated(nranks=2))
    assert [(point.size_bytes, point.time_us) for point in found.points] == [(8, 30.0), (1 << 20, 339.61)]


OF_7 = """\

# OSU MPI Allreduce Latency Test v7.1
# Datatype: MPI_CHAR.
# Size       Avg Latency(us)   Min Latency(us)   Max Latency(us)  Iterations
1                     174.36            135.35            221.55        1000
1048576              1815.75             94.17          12248.70         100
"""


@pytest.mark.parametrize("mark", ["", "0: ", "[1,0]<stdout>:"])
@pytest.mark.parametrize("text", [PLAIN, FULL, OF_7, OF_7.replace("        1000", "        1000        Pass")])
def test_osu_s_tables_are_printed_as_they_were(text, mark):
    marked = "\n".join(mark + line for line in text.split("\n"))
    found = osu_table.read(marked, "n")
    assert found.text() == marked
    assert len(found.rows) in {2, 3}


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 2**32), *[st.floats(0, 1e8)] * 3, st.integers(1, 10**6)), min_size=1))
def test_osu_s_rows_are_printed_from_their_figures(rows):
    lines = [f"{size:<10d}{low:18.2f}{middle:18.2f}{high:18.2f}{count:12d}" for size, low, middle, high, count in rows]
    written = "\n".join([*OF_7.split("\n")[:4], *lines])
    found = osu_table.read(written, "n")
    assert found.text() == written
    changed = replace(found, lines=(replace(found.rows[0], times_us=(1.0, 2.0, 3.0)),))
    assert changed.text().split()[1:4] == ["1.00", "2.00", "3.00"]


def rccl(**changes):
    records = [
        {"numCycle": 0, "name": "AllReduce", "nodes": 1, "ranks": 8, "ranksPerNode": 8, "gpusPerRank": 1, "size": size,
         "type": "float", "redop": "sum", "inPlace": place, "time": time * (1 - place / 10), "algBw": size / time / 1e3,
         "busBw": 1.75 * size / time / 1e3, "wrong": "0"} | changes
        for size, time in ((8, 45.92), (1048576, 60.5)) for place in (0, 1)
    ]  # fmt: skip
    return "[\n" + ",\n".join(map(json.dumps, records)) + "\n]\n"


def test_rccl_tests_own_json():
    found = parse(rccl(), "r.json")
    assert (found.collective, found.nranks, found.nodes, found.gpus_per_node) == ("all_reduce", 8, 1, 8)
    assert [(point.time_us, point.in_place_us) for point in found.points] == [
        (45.92, pytest.approx(41.328)),
        (60.5, pytest.approx(54.45)),
    ]


def test_what_the_user_states_goes_first():
    stated = Stated(
        collective="broadcast", nranks=4, nodes=2, gpu="MI300X", network="RoCE", library="RCCL 2.22", note="x"
    )
    found = parse(rccl(), "r.json", stated)
    assert (found.collective, found.nranks, found.nodes, found.gpus_per_node) == ("broadcast", 4, 2, 2)
    assert (found.gpu, found.network, found.library, found.note) == ("MI300X", "RoCE", "RCCL 2.22", "x")


@pytest.mark.parametrize(
    ("text", "stated", "message"),
    [
        (PLAIN, Stated(), "osu.txt: OSU's output does not say how many ranks took part; import it with --ranks"),
        (PLAIN.replace("14.21", "fast"), Stated(nranks=2), "osu.txt, line 5: not a row of OSU's"),
        (PLAIN.replace("14.21", "0.00"), Stated(nranks=2), "osu.txt, line 5: a time is not above 0"),
        (PLAIN.replace("# Size", "# Syze"), Stated(nranks=2), "osu.txt, line 4: a row before OSU's header"),
        (FULL.replace("        1000", ""), Stated(nranks=2), "osu.txt, line 4: not a row of OSU's"),
        (PLAIN.replace("8   ", "4   "), Stated(nranks=2), "osu.txt, line 5: 4 is there twice"),
        (PLAIN.replace("Allreduce", "Barrier"), Stated(nranks=2), "OSU's test 'Barrier' has no busbw"),
        ("# OSU MPI Allreduce Latency Test v5.7\n", Stated(nranks=2), "no rows under OSU's title"),
        (rccl(wrong="3"), Stated(), "osu.txt, record 0: 3 wrong elements at 8 bytes"),
        (rccl(name="AllToAllv"), Stated(), "AllToAllv is not known here"),
        (rccl().replace('"algBw"', '"algbw"'), Stated(), "record 0: 'algBw' is missing"),
        (rccl()[:-30], Stated(), "osu.txt, line 5: not JSON"),
    ],
)
def test_one_clear_error(text, stated, message):
    with pytest.raises(BaselineError) as error:
        parse(text, "osu.txt", stated)
    assert message in str(error.value)


@pytest.mark.parametrize("name", [*published.names(), *gloo.names()])
def test_a_kept_baseline_comes_back_as_it_was(name):
    baseline = (gloo if name in gloo.names() else published).load(name)
    assert parse(stored.dumps(baseline), "file") == baseline


def test_what_the_user_states_of_a_kept_baseline_goes_first_too():
    kept = published.load("v100-2x8-roce-allreduce")
    found = parse(stored.dumps(kept), "mine.json", Stated(line_rate_GBps=400.0, gpu="H100"))
    assert found == replace(kept, nominal_line_rate_GBps=400.0, gpu="H100", line_rate_why="given with --line-rate")
    assert (kept.nodes, kept.gpus_per_node) == (2, 8)
    assert parse(stored.dumps(kept), "mine.json", Stated(nodes=4)) == replace(kept, nodes=4, gpus_per_node=4)


@settings(max_examples=50)
@given(st.data())
def test_a_damaged_kept_baseline_is_refused_or_read_but_never_breaks(data):
    text = stored.dumps(published.load("v100-2x8-roce-allreduce"))
    start = data.draw(st.integers(0, len(text)))
    damaged = text[:start] + data.draw(st.text(max_size=4)) + text[start + data.draw(st.integers(1, 60)) :]
    refusal = ""
    try:
        assert isinstance(parse(damaged, "mine.json"), Baseline)
    except BaselineError as error:
        refusal = str(error)
    assert "\n" not in refusal


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nranks": 0}, "mine.json: nranks is 0"),
        ({"collective": None}, "mine.json: collective is None"),
        ({"nominal_line_rate_GBps": "fast"}, "nominal_line_rate_GBps is 'fast'"),
        ({"points": [{"size_bytes": 8}]}, "mine.json: points[0] needs size_bytes and time_us"),
        ({"points": []}, "no sizes"),
        ({"ringlab_baseline": 2}, "a baseline of format 2; this reads 1"),
    ],
)
def test_a_kept_baseline_that_was_changed_by_hand(changes, message):
    data = json.loads(stored.dumps(published.load("v100-2x8-roce-allreduce"))) | changes
    with pytest.raises(BaselineError, match=r".") as error:
        parse(json.dumps(data), "mine.json")
    assert message in str(error.value)


def test_in_place_is_read_where_it_was_measured():
    found = published.load("v100-2x8-roce-allreduce")
    assert found.points[0] == Point(8, 2193.5, 132.2)
    reading = found.at(8)
    assert (reading.in_place_us, reading.in_place_busbw_GBps) == (
        132.2,
        pytest.approx(8 / 132.2e-6 / 1e9 * 2 * 15 / 16),
    )
    assert found.at(12).in_place_us is None
    with pytest.raises(BaselineError, match="not above 0"):
        replace(found, points=(Point(8, 1.0, 0.0),))


def test_gloo_s_published_figures():
    found = gloo.load("cpu-2x1-40g-gloo-allreduce")
    assert [(point.size_bytes, point.time_us) for point in found.points] == [(20_000_000, 17251.0)]
    assert found.best().line_share == pytest.approx(20e6 / 17251e-6 / 5e9)
    assert "min 14301 us, p99 21113 us" in found.note
    assert "github.com/pytorch/gloo/issues/248" in found.source
    assert gloo.load("cpu-2x1-tcp-gloo-allreduce").nominal_line_rate_GBps is None
    assert sum(len(gloo.load(name).points) for name in gloo.names()) == 12
    with pytest.raises(BaselineError, match="no figures of gloo called 'x'"):
        gloo.load("x")
