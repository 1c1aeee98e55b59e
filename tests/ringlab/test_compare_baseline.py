"""A run beside baselines: shares at nominal rates, where lines rise and cross, and what can't be compared."""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from collectives.baseline import Baseline, Point, published
from collectives.baseline.predict_machine import machine
from collectives.baseline.predictor import key_for, predict, question_of
from ringlab.cli import main
from ringlab.commands.compare import command
from ringlab.experiments import baseline_store, compare_baseline_plot
from ringlab.experiments.compare_baseline import NotComparableError, side_by_side
from ringlab.experiments.compare_baseline_crossing import crossing
from ringlab.experiments.compare_baseline_curve import Curve
from ringlab.experiments.compare_baseline_predicted import predicted
from ringlab.experiments.result import Certificate, dumps

A100 = "a100-4x8-hdr-ib-allreduce"
TCP = "rtx2080ti-16x1-tcp10g-allreduce-default-linear"
SIZES = [2**power for power in range(10, 27, 2)]


@pytest.fixture
def make_result(make_result):
    """As runs name their collective."""
    return lambda **changes: make_result(**{"collective": "all_reduce"} | changes)


def sweep(name, alpha_us, rate_GBps, sizes=SIZES, line=12.5, **changes):  # noqa: N803
    """Latency and rate: time = alpha + bytes / rate."""
    fields = {
        "name": name, "collective": "all_reduce", "nranks": 8, "gpu": "", "nodes": 8, "gpus_per_node": 1, "network": "",
        "library": "", "note": "", "source": "", "nominal_line_rate_GBps": line, "line_rate_why": "said so",
        "points": tuple(Point(size, alpha_us + size / rate_GBps / 1e3) for size in sizes),
    }  # fmt: skip
    return Baseline(**(fields | changes))


def curve(*words, **changes):
    return Curve("baseline", sweep(*words, **changes))


def beside(result, *others):
    return side_by_side(result, others, np.random.default_rng(0))


def test_a_run_stands_at_nominal_rates(make_result):
    """A run of 100 Gb/s nominal, measured 250 times slower."""
    result = make_result(baseline=None)
    found = beside(result, Curve("baseline", published.load(A100)))
    assert [line.name for line in found.curves] == ["spanning-tree", "ecmp", "pinned", A100]
    pinned = found.curves[2]
    measured = next(arm for arm in result.arms if arm.name == "pinned").results[-1]
    reading = pinned.sweep.at(measured.size_bytes)
    assert reading.time_us == pytest.approx(measured.time_us / 250)
    assert reading.line_share == pytest.approx(measured.line_share)  # a share is the same in both
    assert reading.busbw_GBps == pytest.approx(measured.nominal.busbw_GBps)
    assert pinned.measured_us[measured.size_bytes] == pytest.approx(measured.time_us)
    assert found.run.line_rate_GBps == 12.5


def test_a_group_s_line_is_the_median_of_its_arms(make_result):
    result = make_result(baseline=None)
    ecmp = beside(result).curves[1]
    times = [arm.results[-1].time_us for arm in result.arms if arm.group == "ecmp"]
    assert ecmp.measured_us[16777216] == pytest.approx(np.median(times))


@given(st.floats(1, 500), st.floats(1, 500), st.floats(0.5, 12), st.floats(0.5, 12))
def test_a_crossing_is_where_times_are_equal(alpha, beta, one_rate, other_rate):
    """The closed form: alpha + s/r = beta + s/q at s = (beta - alpha) / (1/r - 1/q)."""
    found = crossing(curve("one", alpha, one_rate), curve("other", beta, other_rate), SIZES)
    slope = 1 / one_rate - 1 / other_rate
    exact = (beta - alpha) / slope * 1e3 if abs(slope) > 1e-6 else math.inf
    if not SIZES[0] * 1.01 < exact < SIZES[-1] / 1.01:
        assert found.size_bytes is None or not SIZES[0] < exact < SIZES[-1]
        return
    assert found.low_bytes * 0.999 <= exact <= found.high_bytes * 1.001
    assert found.one == ("one" if alpha < beta else "other")  # lower latency is ahead before it
    assert found.low_bytes <= found.size_bytes <= found.high_bytes


def test_lines_that_do_not_cross():
    found = crossing(curve("fast", 1.0, 10.0), curve("slow", 2.0, 5.0), SIZES)
    assert found.size_bytes is None
    assert found.text == "no crossing: fast is ahead of slow at all sizes that both have (1 KiB to 64 MiB)"
    assert crossing(curve("a", 1.0, 10.0), curve("b", 1.0, 10.0), SIZES).text.endswith(
        "no difference shown at any size"
    )
    assert crossing(curve("a", 1.0, 10.0), curve("b", 1.0, 10.0, line=None), SIZES) is None
    assert crossing(curve("a", 1.0, 10.0), curve("alone", 1.0, 10.0, nranks=1), SIZES) is None
    apart = curve("b", 1.0, 10.0, sizes=[2**30, 2**31])
    assert crossing(curve("a", 1.0, 10.0), apart, SIZES) is None


def test_sizes_at_which_samples_show_no_difference_count_as_equal():
    one, other = curve("one", 10.0, 5.0), curve("other", 12.0, 10.0)
    assert crossing(one, other, SIZES).size_bytes is not None
    large = frozenset(SIZES[-3:])
    found = crossing(one, other, SIZES, large)
    assert found.size_bytes is None
    assert found.one == "other"
    assert "ahead of one at 4 MiB, 16 MiB, 64 MiB; no difference shown at 1 KiB" in found.text


def test_half_of_the_best_busbw():
    """With time = a + s/r busbw is half of r' at s = a r, where r' is what is reached at the largest size."""
    line = curve("x", 100.0, 10.0)
    best = line.sweep.best().busbw_GBps
    half = line.half_of_best()
    assert not half.at_most
    assert line.sweep.at(half.size_bytes).busbw_GBps == pytest.approx(best / 2, rel=0.02)
    assert curve("x", 0.001, 10.0).half_of_best().at_most


def test_a_run_of_another_run_has_its_name_before_it(make_result):
    other = replace(make_result(shares={"pinned": 0.5}, baseline=None), name="halving", id="other")
    found = beside(make_result(shares={"pinned": 0.9}, baseline=None), other)
    assert [line.name for line in found.curves] == ["leaf-spine: pinned", "halving: pinned"]
    assert found.crossings[0].text.startswith("no crossing: leaf-spine: pinned is ahead of halving: pinned")


def test_two_runs_of_one_name_are_told_apart_and_their_like_arms_meet(make_result):
    found = beside(make_result(), replace(make_result(), id="second"), Curve("baseline", published.load(A100)))
    assert found.curves[3].name == "second: spanning-tree"
    met = [(crossing.one, crossing.other) for crossing in found.crossings if "second" in crossing.text]
    assert len(met) == 3  # of nine
    assert all(one.partition(": ")[2] == other.partition(": ")[2] for one, other in met)
    assert sum(A100 in crossing.text for crossing in found.crossings) == 3


def test_another_collective_is_refused(make_result):
    other = Curve("baseline", published.load("a100-2x4-slingshot-alltoall-nccl2.18-polaris"))
    with pytest.raises(NotComparableError, match="polaris times alltoall, leaf-spine all_reduce: compare the same"):
        beside(make_result(), other)


def words(result, *others):
    found = beside(result, *others)
    return "\n".join(found.can), "\n".join(found.cannot)


def test_what_can_and_cannot_be_compared(make_result):
    can, cannot = words(make_result(), curve("mine", 1.0, 1.0), curve("odd", 1.0, 1.0, line=None, nranks=4))
    assert "Shares of line rate at equal size: yes" in can
    assert "Ranks differ: 8 here, 4 of odd" in can
    assert "Line rates differ" not in can
    assert "Links run 250 times slower" in cannot
    assert "Shares of odd: said so" in cannot
    assert "1.25 of rtx2080ti" in words(make_result(), Curve("baseline", published.load(TCP)))[0]
    simulated = make_result(fingerprint={"backend": "simulated"}, scale=1.0)
    assert "They are simulated" in words(simulated)[1]
    assert "this machine's kernel and Python take" in words(make_result(scale=1.0))[1]


def test_the_verdict_of_the_run_goes_with_it(make_result):
    can, cannot = words(make_result(certificate=Certificate("invalid", ("the CPU was busy",), ())))
    assert "Shares" not in can
    assert "Nothing of leaf-spine: its verdict is invalid: the CPU was busy" in cannot
    can, _ = words(make_result(certificate=Certificate("doubtful", ("loss",), ())))
    assert "With care: the verdict of leaf-spine is doubtful: loss" in can


def test_a_simulated_run_has_nothing_measured(make_result):
    found = beside(make_result(fingerprint={"backend": "simulated"}))
    assert all(not line.measured_us for line in found.curves)


def test_a_failed_run_of_unequal_blocks_is_compared_all_the_same(make_result):
    result = make_result()
    first, *others = result.arms
    cut = replace(first, results=tuple(replace(row, samples_us=row.samples_us[:2]) for row in first.results))
    assert beside(replace(result, arms=(cut, *others), failure="a link broke")).crossings
    with pytest.raises(NotComparableError, match="no figures; it failed: a link broke"):
        beside(replace(result, arms=(), failure="a link broke"))


def test_a_second_run_without_figures_is_named(make_result):
    second = replace(make_result(), name="halving", id="second", arms=(), failure="a link broke")
    with pytest.raises(
        NotComparableError, match=r"halving \(second\): the run has no figures; it failed: a link broke"
    ):
        beside(make_result(), second)


@pytest.fixture
def stored(tmp_path, make_result, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs" / "first"
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(dumps(make_result()))
    return folder


def run(*wanted):
    return CliRunner().invoke(command, [str(word) for word in wanted], catch_exceptions=False).output


def test_the_command_prints_table_and_words(stored, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    text = run(stored, A100, TCP)
    assert re.search(r"16 MiB +spanning-tree", text)
    assert "no crossing: ecmp and pinned are ahead of spanning-tree at all sizes" in text
    assert "What can't" in text
    assert "Links run 250 times slower" in " ".join(text.split())
    assert f"{A100} begins at 1 MiB: 135.3 us." in text


def test_the_command_s_json(stored):
    data = json.loads(run(stored, A100, "--json", "-"))
    assert [line["name"] for line in data["curves"]] == ["spanning-tree", "ecmp", "pinned", A100]
    at = data["curves"][3]["at"]
    assert at[0]["line_share"] is None
    assert at[1]["line_share"] == pytest.approx(0.0751, abs=1e-4)
    assert data["curves"][2]["at"][0]["measured_us"] == pytest.approx(data["curves"][2]["at"][0]["time_us"] * 250)
    assert data["run"]["certificate"]["verdict"] == "valid"


def test_a_run_by_its_id_and_runs_and_files_beside_it(stored, tmp_path):
    (tmp_path / "mine.osu").write_text(
        "# OSU MPI Allreduce Latency Test v5.7\n# Size  Avg Latency(us)\n1048576  100.0\n"
    )
    for other in ("first", stored, stored / "result.json"):
        assert len(json.loads(run("first", other, "--json", "-"))["curves"]) == 6
    data = json.loads(run("first", "mine.osu", "--line-rate", 25, "--ranks", 4, "--json", "-"))
    assert data["curves"][-1]["at"][1]["line_share"] == pytest.approx(1048576 / 100e-6 / 1e9 * 1.5 / 25)


def test_the_line_rate_of_a_kept_file(stored, tmp_path):
    kept = baseline_store.save(replace(published.load(TCP), name="mine", nominal_line_rate_GBps=None))
    data = json.loads(run("first", kept, "--line-rate", 25, "--json", "-"))
    assert data["curves"][-1]["nominal_line_rate_GBps"] == 25


@pytest.mark.parametrize("other", [A100, "predict:dgx-h100-4"])
def test_a_run_without_figures_is_told_before_what_stands_beside_it(stored, make_result, capsys, other):
    (stored / "result.json").write_text(dumps(replace(make_result(), arms=(), failure="a link broke")))
    assert main(["compare", "first", other]) == 2
    assert "the run has no figures; it failed: a link broke" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_the_plot(stored, tmp_path, suffix):
    target = tmp_path / f"x.{suffix}"
    run(stored, A100, "--plot", target, "--json", tmp_path / "x.json")
    assert target.read_bytes().startswith({"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}[suffix])


def test_the_plot_says_whether_the_run_can_be_believed(make_result):
    def texts(result):
        figure = compare_baseline_plot.figure(beside(result, Curve("baseline", published.load(A100))))
        assert len(figure.axes[0].get_lines()) == 5  # four lines and the line rate
        return [text.get_text() for text in figure.findobj(match=lambda artist: hasattr(artist, "get_text"))]

    assert "INVALID" in texts(make_result(certificate=Certificate("invalid", ("x",), ())))
    assert "INVALID" not in texts(make_result())


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (["nowhere", A100], "no run 'nowhere'"),
        (["first"], "Missing argument 'BASELINE...'"),
        (["first", "a100-4x8-hdr-allreduce"], f"did you mean '{A100}'?"),
        (["first", "no/such.log"], "no/such.log: no such file or folder"),
        (["first", A100, "--plot", "x.gif"], "--plot x.gif: name a file that ends in .svg, .png, .pdf"),
        (["first", A100, "--line-rate", "0"], "must be above 0"),
        (["first", "a100-2x4-slingshot-alltoall-nccl2.18-polaris"], "compare the same collective"),
    ],
)
def test_a_wrong_command_line_gets_one_clear_line(stored, capsys, wanted, message):
    assert main(["compare", *wanted]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert message in err


def test_a_prediction_stands_beside_a_run(make_result):
    result = make_result()
    found = predicted("predict:a100-4x8-hdr-ib-allreduce", result)
    asked = published.load(A100)
    for size in result.sizes():
        exact = predict(question_of(asked), key_for(asked), size)
        assert found.sweep.at(size).time_us == exact.time_us
        assert found.interval_us[size] == (exact.low_us, exact.high_us)
        low, high = found.share_interval(size)
        assert low < found.sweep.at(size).line_share < high
    assert (found.kind, found.sweep.nranks, found.sweep.nominal_line_rate_GBps) == ("prediction", 32, 200)
    assert found.sweep.points[-1].size_bytes == 1 << 30
    together = beside(result, found, Curve("baseline", asked))
    assert any(sentence.startswith("predict:a100-4x8-hdr-ib-allreduce is predicted;") for sentence in together.can)
    data = together.as_data()["curves"][3]["at"][0]
    assert data["low_us"] < data["time_us"] < data["high_us"]
    assert found.sweep.note == "predicted; the network's figures are fitted to sweeps of this network"
    bands = compare_baseline_plot.figure(together).axes[0].collections
    assert len(bands) == 1


def test_a_prediction_of_other_nodes_and_of_another_collective(make_result):
    eight = predicted(f"predict:{TCP}@8", make_result())
    assert (eight.sweep.nodes, eight.sweep.nranks, eight.sweep.nominal_line_rate_GBps) == (8, 8, 1.25)
    alltoall = predicted("predict:a100-2x4-slingshot-allreduce-nccl2.18-polaris", make_result(collective="alltoall"))
    assert alltoall.sweep.nominal_line_rate_GBps == pytest.approx(21.875)  # as of the sweep of alltoall there
    allreduce = predicted("predict:a100-2x4-slingshot-alltoall-nccl2.18-polaris", make_result())
    assert allreduce.sweep.nominal_line_rate_GBps == pytest.approx(50)


def test_a_prediction_of_a_system_of_the_catalogue(make_result):
    four = predicted("predict:dgx-h100-4", make_result())
    assert (four.sweep.nodes, four.sweep.nranks, four.sweep.nominal_line_rate_GBps) == (4, 32, 400)
    asked = machine("dgx-h100-4", "all_reduce")
    assert four.sweep.at(1 << 20).time_us == predict(asked.question, asked.key, 1 << 20).time_us
    inside = predicted("predict:system:dgx-h100@1", make_result())
    assert (inside.sweep.nodes, inside.sweep.nominal_line_rate_GBps) == (1, 450)


def test_a_prediction_for_a_user_s_own_system(make_result, stored):
    own = replace(published.load(TCP), name="mine", nominal_line_rate_GBps=2.5)
    baseline_store.save(own)
    found = predicted("predict:mine@4", make_result())
    assert (found.sweep.nranks, found.sweep.nominal_line_rate_GBps) == (4, 2.5)


def test_the_command_shows_a_prediction_with_its_interval(stored, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    text = run("first", "predict:a100-4x8-hdr-ib-allreduce")
    row = next(line for line in text.splitlines() if "predict:a100" in line)
    assert re.search(r"%  +[\d.]+\.\.[\d.]+ %", row)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("predict:tpu", "no system 'tpu'; see: ringlab topo systems"),
        ("predict:dgx-h100-4@2", "says 4 nodes"),
        (f"predict:{TCP}@x", "'x' is no number of nodes; write predict:"),
        (f"predict:{TCP}@1", "take another system"),
        ("predict:unstated", "how many nodes and GPUs a node is not stated"),
    ],
)
def test_a_prediction_that_cannot_be_made(stored, capsys, word, message):
    baseline_store.save(replace(sweep("unstated", 1.0, 1.0), nodes=None, gpus_per_node=None))
    assert main(["compare", "first", word]) == 2
    assert message in capsys.readouterr().err
