"""The predictor: its skeleton is NCCL's, its figures are what fitting gives, and it says so with an interval."""

import importlib.util
import json
import sys
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectives.baseline import published
from collectives.baseline.nccl import NcclError, nccl_time
from collectives.baseline.nccl.published import is_gpu
from collectives.baseline.predict_fit import figures_for, fit, kind_figures, leave_out, sweep_of
from collectives.baseline.predict_network import DEFAULT, Figures, Key, bounded, default, key_of, kind_of, time_us
from collectives.baseline.predict_paths import Question, paths
from collectives.baseline.predictor import interval, key_for, network, predict, question_of, quickest

FITTED = json.loads((files("collectives.baseline") / "predictor.json").read_text())
ALL = [published.load(name) for name in published.names()]
POLARIS = published.load("a100-2x4-slingshot-allreduce-nccl2.18-polaris")
NCCLS_OWN = Figures(5.0, 32768.0, 1e-9, 1.0)


@pytest.mark.parametrize("name", ["h100-1x8-nvswitch-allreduce-dgxc", "gh200-1x4-slingshot11-allreduce-ofi192"])
def test_inside_a_node_the_skeleton_with_nccl_s_figures_is_nccl_s_model(name):
    question = question_of(published.load(name))
    for size in (8, 1 << 12, 1 << 20, 1 << 30):
        _, time = quickest(question, NCCLS_OWN, size)
        assert time == pytest.approx(nccl_time(question.system, "all_reduce", size, question.version))


def test_across_nodes_a_tree_with_nccl_s_figures_is_nccl_s():
    question = replace(question_of(POLARIS), algorithm="Tree")
    for size in (8, 1 << 12, 1 << 20, 1 << 30):
        _, time = quickest(question, NCCLS_OWN, size)
        assert time == pytest.approx(nccl_time(question.system, "all_reduce", size, question.version, "Tree"))


@pytest.mark.parametrize("baseline", ALL, ids=lambda baseline: baseline.name)
def test_the_columns_that_are_fitted_are_the_paths(baseline):
    sweep, question = sweep_of(baseline), question_of(baseline)
    together = sweep.predicted_us(DEFAULT.logs())
    for place in (0, len(sweep.sizes) // 2, -1):
        _, alone = quickest(question, DEFAULT, int(sweep.sizes[place]))
        assert together[place] == pytest.approx(alone)


@pytest.mark.parametrize(
    "name", ["h100-2x8-ndr-ib-allreduce-nebius", "gh200-4x4-slingshot11-allreduce-ofi192", "mi300x-1x8-xgmi-allreduce"]
)
def test_fitting_again_gives_the_figures_of_the_file(name):
    sweeps = [sweep_of(baseline) for baseline in ALL]
    target = next(sweep for sweep in sweeps if sweep.name == name)
    found, evidence = figures_for(target, sweeps)
    known = network(target.key, target.line_GBps)
    assert (evidence, known.evidence) == ("network", "network")
    assert found.logs() == pytest.approx(known.figures.logs(), abs=0.02)


def test_the_file_says_what_every_row_was_fitted_on():
    for rows in (FITTED["kinds"], FITTED["sites"], FITTED["networks"]):
        assert {name for row in rows for name in row["fitted_on"]} == set(published.names())
        assert all(0 < row["efficiency"] < 1.2 and row["latency_us"] > 0 for row in rows)


@settings(deadline=None, max_examples=20)
@given(st.floats(2, 40), st.floats(1, 100), st.floats(0.3, 1.0))
def test_a_fit_finds_the_figures_that_made_the_sweep(latency, cost, efficiency):
    """Times made by known figures: fitted from a start nearby, they predict the same again."""
    sweep = sweep_of(published.load("h100-2x8-ndr-ib-allreduce-nebius"))
    truth = Figures(latency, 65536.0, cost, efficiency)
    made = replace(sweep, times_us=sweep.predicted_us(truth.logs()))
    found = fit([made], Figures(latency * 1.3, 50000.0, cost * 0.8, min(1.0, efficiency * 1.1)), (0.5, 1.5, 0.8, 0.8))
    assert float(np.median(np.abs(made.errors(found.logs())))) < 0.03


def test_a_sweep_left_out_is_not_looked_at():
    sweeps = [sweep_of(baseline) for baseline in ALL]
    place = next(i for i, sweep in enumerate(sweeps) if sweep.name == POLARIS.name)
    spoilt = [*sweeps[:place], replace(sweeps[place], times_us=sweeps[place].times_us * 10), *sweeps[place + 1 :]]
    for site in (False, True):
        assert leave_out(sweeps, sweeps[place], site=site) == leave_out(spoilt, spoilt[place], site=site)


def test_most_predictions_of_fitted_sweeps_are_near():
    """Not a score (that leaves sweeps out: benchmarks/predictor.py), but it must hold for what was fitted."""
    near = 0
    for baseline in ALL:
        question, key = question_of(baseline), key_for(baseline)
        errors = [abs(predict(question, key, p.size_bytes).time_us / p.time_us - 1) for p in baseline.points[::3]]
        near += sorted(errors)[len(errors) // 2] <= 0.20
    assert near >= len(ALL) - 4


def test_a_prediction_has_its_interval_bandwidths_and_nccl_s_time():
    question, key = question_of(POLARIS), key_for(POLARIS)
    found = predict(question, key, 1 << 30)
    assert found.low_us < found.time_us < found.high_us
    assert found.algbw_GBps == pytest.approx((1 << 30) / found.time_us / 1e3)
    assert found.busbw_GBps == pytest.approx(found.algbw_GBps * 7 / 4)
    assert found.nccl_us == nccl_time(question.system, "all_reduce", 1 << 30, "2.18")
    alltoall = published.load("a100-2x4-slingshot-alltoall-nccl2.18-polaris")
    assert predict(question_of(alltoall), key_for(alltoall), 1 << 20).nccl_us is None


def test_more_nodes_take_longer():
    key = key_for(POLARIS)
    times = [predict(question_of(POLARIS, nodes), key, 8).time_us for nodes in (2, 4, 8, 16)]
    assert times == sorted(times)
    assert times[0] < times[-1]


@given(
    st.sampled_from([b for b in ALL if is_gpu(b)]),
    st.integers(1, 1 << 34),
    st.sampled_from(["all_reduce", "all_gather", "reduce_scatter", "broadcast", "reduce", "alltoall"]),
)
def test_every_collective_has_a_time_at_every_size(baseline, size, collective):
    found = predict(question_of(baseline, collective=collective), key_for(baseline, collective), size)
    assert 0 < found.low_us < found.time_us < found.high_us < float("inf")


def test_four_figures_act_on_what_they_should():
    path = paths(question_of(POLARIS), 1 << 20)[0]
    base = time_us(DEFAULT, path, 1 << 20)
    assert time_us(replace(DEFAULT, latency_us=DEFAULT.latency_us + 1), path, 1 << 20) == pytest.approx(
        base + path.hops * path.plateau
    )
    at_threshold = replace(DEFAULT, rendezvous_bytes=path.message_bytes)
    without = replace(at_threshold, rendezvous_us=1e-12)
    assert time_us(at_threshold, path, 1 << 20) - time_us(without, path, 1 << 20) == pytest.approx(
        path.hops * DEFAULT.rendezvous_us / 2
    )


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a100-2x4-tcp-slingshot-allreduce-nccl2.18-polaris", "tcp"),
        ("a100-2x4-slingshot-alltoall-nccl2.18-polaris", "slingshot-alltoall"),
        ("h100-2x8-efa3200-allreduce-p5", "efa"),
        ("v100-2x8-roce-allreduce", "roce"),
        ("a100-4x8-hdr-ib-allreduce", "ib"),
        ("mi300x-1x8-xgmi-allreduce", "xgmi"),
        ("gh200-1x4-slingshot11-allreduce-ofi192", "nvlink"),
        ("cpu-16x1-100g-ompi-allreduce-run1", "mpi-ib"),
        ("cpu-16x1-10g-ompi-allreduce-run1", "mpi-tcp"),
        ("rtx2080ti-16x1-tcp10g-allreduce-default-linear", "tcp"),
    ],
)
def test_the_kind_of_a_network_stands_in_its_words(name, kind):
    assert kind_of(published.load(name)) == kind


def test_a_network_without_sweeps_takes_its_site_s_kind_s_or_default_figures():
    key = key_of(POLARIS)
    assert network(key, 48).evidence == "network"
    assert network(replace(key, version="2.29"), 48).evidence == "site"
    assert network(replace(key, hardware="elsewhere"), 48).evidence == "kind"
    assert network(Key("carrier pigeon", "", ""), 48).evidence == "default"
    assert interval("network", 1 << 30) != interval("default", 1 << 30)


def test_sockets_carry_no_more_than_a_kernel_does():
    assert bounded(DEFAULT, "tcp", 1.2).efficiency == 0.92
    assert bounded(DEFAULT, "tcp", 100).efficiency == pytest.approx(0.052)
    assert bounded(replace(DEFAULT, efficiency=0.01), "tcp", 100).efficiency == pytest.approx(0.052)
    assert default("ib", 100).efficiency == DEFAULT.efficiency


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: question_of(POLARIS, nodes=1), "take another system"),
        (lambda: question_of(replace(POLARIS, nodes=None)), "not stated"),
        (lambda: paths(question_of(POLARIS), 0), "above 0 bytes"),
        (lambda: paths(Question(question_of(POLARIS).system, "all_reduce", algorithm="NVLS"), 8), "no 'NVLS'"),
        (
            lambda: paths(question_of(published.load("cpu-16x1-10g-ompi-allreduce-run1"), collective="reduce"), 8),
            "only all_reduce",
        ),
    ],
)
def test_bad_input_is_one_clear_error(wrong, message):
    with pytest.raises(NcclError, match=message):
        wrong()


def test_the_benchmark_scores_sweeps_that_were_held_out(tmp_path, capsys):
    """Its own published sweeps as if they were new: figures of the file, nothing fitted; an unknown GPU is told."""
    module = benchmark()
    systems = (files("collectives.baseline") / "systems.csv").read_text().splitlines()
    wanted = [line for line in systems[1:] if line.startswith("h100-2x8-ndr")]
    unknown = wanted[0].replace("h100-2x8-ndr-ib-allreduce-nebius", "strange").replace("H100/H200 (gpu: 8)", "TPU v5")
    sweeps = (files("collectives.baseline") / "sweeps.csv").read_text().splitlines()
    rows = [line for line in sweeps if line.startswith("h100-2x8-ndr")]
    (tmp_path / "systems.csv").write_text("\n".join([systems[0], *wanted, unknown]) + "\n")
    (tmp_path / "sweeps.csv").write_text("\n".join([sweeps[0], *rows, "strange,8,20.0,"]) + "\n")
    assert module.main(["--held-out", str(tmp_path), "--json", str(tmp_path / "scores.json")]) == 1
    out = capsys.readouterr().out
    assert "by its network" in out
    assert "no model: GPU 'TPU v5'" in out
    scores = {row["name"]: row for row in json.loads((tmp_path / "scores.json").read_text())}
    assert scores["h100-2x8-ndr-ib-allreduce-nebius: better than nccl_time()"]["met"]
    assert not scores["strange: median"]["met"]


def test_the_benchmark_does_not_fit_the_file_to_a_few_sweeps(tmp_path, monkeypatch, capsys):
    module = benchmark()
    monkeypatch.setattr(module, "FILE", tmp_path / "predictor.json")
    monkeypatch.setattr(module, "score", lambda *_: pytest.fail("it began"))
    with pytest.raises(SystemExit) as ended:
        module.main(["--fit", "--quick"])
    assert ended.value.code == 2
    assert "--fit with --quick: predictor.json would get the intervals of a few sweeps" in capsys.readouterr().err


def test_the_kinds_in_the_file_are_what_fitting_gives():
    """Whoever edits the file by hand is found out."""
    sweeps = [sweep_of(baseline) for baseline in ALL]
    for row in FITTED["kinds"]:
        found = kind_figures(sweeps, row["kind"])
        assert found.latency_us == pytest.approx(row["latency_us"], rel=0.03)
        assert found.efficiency == pytest.approx(row["efficiency"], rel=0.02)
        assert found.rendezvous_us == pytest.approx(row["rendezvous_us"], rel=0.05)


def benchmark():
    path = Path(__file__).parents[2] / "benchmarks" / "predictor.py"
    spec = importlib.util.spec_from_file_location("benchmark_of_the_predictor", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module
