"""What a training's result says: gathered steps, loss checks, effects, rows, table, plot and JSON."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from ringlab.experiments.result import Check, Moment, ResultError
from ringlab.training import plot, runner, table
from ringlab.training.effects import effects
from ringlab.training.result import StepResult, Training, TrainResult, check_losses, dumps, gathered
from ringlab.training.rows import rows
from ringlab.training.steps import Step


def training(backend="ringlab", arm="pinned", placement="contiguous", bucket_mb=25.0, turn=1, exposed_s=0.1, drift=0.0):
    steps = tuple(
        StepResult(
            step=number,
            losses=(2.0 / (number + 1) + drift, 1.0 / (number + 1)),
            began_s=number * 0.2,
            computation_s=0.05 + 0.001 * number,
            exposed_s=exposed_s + 0.003 * number,
            communication_s=exposed_s + 0.03,
            buckets=3,
            alone_s=0.04 if number == 2 else None,
        )
        for number in range(4)
    )
    return Training(placement, backend, arm, arm.partition(":")[0], bucket_mb, turn, steps)


def result(trainings, ranks=2, **changes):
    found = TrainResult(
        id="x", name="demo", created="2026-03-14T15:09:26+00:00", spec={}, fabric={}, ranks=ranks, algorithm="ring",
        channels=1, layers=(32, 64, 64, 8), parameters=6792, batch=16, warmup=1, scale=1000.0, line_rate_bps=1e8,
        nominal_line_rate_bps=1e11, trainings=tuple(trainings), losses=check_losses(trainings, ranks, 1e-5),
        effects=tuple(effects(trainings, 1, np.random.default_rng(1))), checks=(), fingerprint={}, timeline=(),
    )  # fmt: skip
    return replace(found, **changes)


@pytest.fixture
def four():
    """Two policies, two backends: the tree takes twice as long."""
    return [
        training(backend, arm, exposed_s=0.2 if arm == "spanning-tree" else 0.1)
        for arm in ("spanning-tree", "pinned")
        for backend in ("ringlab", "gloo")
    ]


def printed(found):
    console = Console(width=110, record=True, file=io.StringIO())
    table.show(found, console)
    return console.export_text()


def test_only_steps_that_every_rank_finished_are_gathered():
    one = Step(0, 0, 1.0, 100.5, 0.1, 0.2, 0.25, 2, alone_s=0.3)
    ranks = [[one, replace(one, step=1)], [replace(one, loss=3.0, began_s=100.4, exposed_s=0.4, alone_s=None)]]
    ((run, step),) = gathered(ranks, since_s=100.0)
    assert (run, step.step, step.losses, step.loss) == (0, 0, (1.0, 3.0), 2.0)
    assert step.began_s == pytest.approx(0.4)
    assert step.exposed_s == pytest.approx(0.3)
    assert step.alone_s == pytest.approx(0.3)
    assert list(gathered([], 0.0)) == list(gathered([[one], []], 0.0)) == []


def test_two_ranks_must_agree_to_the_bit_and_more_within_the_tolerance():
    same, other = training("gloo"), training(drift=1e-6)
    assert [check.ok for check in check_losses([same, training()], 2, 1e-5)] == [True]
    assert [check.ok for check in check_losses([same, other], 2, 1e-5)] == [False]
    (check,) = check_losses([other, same], 4, 1e-5)
    assert (check.reference, check.trainings, check.allowed, check.ok) == ("gloo", 2, 1e-5, True)
    assert check.largest == pytest.approx(2e-6, rel=1e-3), "the last step's loss is 0.5"
    assert not check_losses([same, other], 4, 1e-7)[0].ok


def test_each_bucket_size_is_checked_and_a_single_training_is_not():
    found = check_losses([training("gloo"), training(), training(bucket_mb=1.0)], 4, 1e-5)
    assert [check.bucket_mb for check in found] == [25.0]


def test_an_effect_is_the_ratio_of_one_choice_to_the_other(four):
    by_what = {effect.what: effect for effect in result(four).effects}
    assert set(by_what) == {"routing, contiguous", "backend"}
    routing = by_what["routing, contiguous"]
    assert (routing.one, routing.other) == ("spanning-tree", "pinned")
    assert routing.exposed.ratio == pytest.approx(0.206 / 0.106)
    assert routing.step.ratio == pytest.approx(0.258 / 0.158)
    assert routing.exposed.shown
    assert by_what["backend"].step.ratio == 1.0
    assert not by_what["backend"].step.shown


def test_a_turn_without_a_timed_step_shows_no_effect(four):
    assert list(effects([replace(one, steps=one.steps[:1]) for one in four], 1, np.random.default_rng(1))) == []


def test_what_only_one_side_has_is_in_no_effect(four):
    whole = {effect.what: effect for effect in result(four).effects}
    early = training("ringlab", "spanning-tree", bucket_mb=1.0, exposed_s=5.0)  # the run failed before pinned had it
    by_what = {effect.what: effect for effect in result([*four, early]).effects}
    assert by_what["routing, contiguous"].step.ratio == whole["routing, contiguous"].step.ratio
    assert by_what["backend"].step.ratio == whole["backend"].step.ratio
    assert by_what["bucket size"].step.ratio == pytest.approx(0.258 / 5.058)
    lone = [training("ringlab", "spanning-tree", bucket_mb=1.0), training("ringlab", "pinned")]
    assert result(lone).effects == ()


def test_rows_leave_the_warm_up_out_and_pool_turns(four):
    found = rows(result([*four, replace(four[0], turn=2)]))
    assert [(row.arm, row.backend, row.steps) for row in found] == [
        ("spanning-tree", "ringlab", 6), ("spanning-tree", "gloo", 3), ("pinned", "ringlab", 3), ("pinned", "gloo", 3),
    ]  # fmt: skip
    assert found[2].exposed_s == pytest.approx(0.106)
    assert found[2].computation_s == pytest.approx(0.052)
    assert found[2].alone_s == pytest.approx(0.04)
    assert found[2].exposed_share == pytest.approx(0.106 / 0.158)


def test_the_table_says_what_was_measured(four):
    text = printed(result(four))
    assert "DDP on 2 hosts, 6,792 parameters (32-64-64-8), 16 samples a rank" in text
    assert "line rate 100 Mb/s, standing for 100 Gb/s (time dilation: 1000x slower)" in text
    row = next(line for line in text.splitlines() if "pinned" in line and "ringlab" in line)
    assert row.split() == (
        "contiguous pinned ringlab 25 3 158 156 - 160 52.0 106 67.1 % 130 40.0".split()  # noqa: SIM905 - as printed
    )
    assert "loss: from 1.5000 to 0.3750 in 4 steps" in text
    assert "4 trainings from gloo's, over ranks and steps, is 0 of" in text
    assert "must be none" in text
    assert "routing, contiguous" in text


def test_a_failed_run_shows_why_and_its_timeline(four):
    check = Check("turns", 1, "", 0, "invalid", "the run failed: rank 1 (h2) heard nothing")
    moments = (Moment(1.5, "block 1: link leaf1-spine1 down (1.20 s after its work began)"),)
    text = printed(result(four[:1], spec={"faults": [1]}, checks=(check,), failure="x", timeline=moments))
    assert "invalid: the run failed: rank 1 (h2) heard nothing" in text
    assert "1.50 s  block 1: link leaf1-spine1 down" in text
    assert printed(result([], failure="x"))


def test_the_figure_has_a_panel_for_faults_only_where_there_are_any(four):
    assert len(plot.figure(result(four)).axes) == 2
    moments = (
        Moment(0.3, "block 1 of 1: ringlab, contiguous, pinned: link leaf1-spine1 down (0.20 s after its work began)"),
    )
    found = result(four, spec={"faults": [1]}, timeline=moments, failure="x")
    assert len(plot.figure(found).axes) == 3
    assert "FAILED" in plot.svg(found)
    assert plot.png(result([], failure="x")).startswith(b"\x89PNG")


def test_json_holds_everything_and_only_finite_numbers(four):
    found = json.loads(dumps(result(four)))
    assert found["schema"] == "training/1"
    assert found["trainings"][0]["steps"][1]["losses"] == [1.0, 0.5]
    with pytest.raises(ResultError, match="a figure is not a finite number"):
        dumps(result(four, scale=float("inf")))


def test_without_torch_the_machine_lacks_something(monkeypatch):
    from ringlab.errors import MachineError

    monkeypatch.setattr(runner, "find_spec", lambda _: None)
    with pytest.raises(MachineError, match="PyTorch is not installed: pip install torch"):
        runner.require_torch()
