"""``ringlab train SPEC --backend simulated``: what a spec means, what can be wrong with it, and what comes out."""

import json
from pathlib import Path

import pytest

from ringlab.cli import main
from ringlab.experiments.spec import SpecError
from ringlab.training import simulated_plot, simulated_run
from ringlab.training.simulated_spec import loads, read

EXAMPLES = Path(__file__).parents[2] / "examples"

GOOD = """name: demo
model: {layers: 4, hidden: 512, heads: 8, vocabulary: 1000, sequence: 128}
device: a100
fabric: leaf-spine:leaves=2,spines=1,hosts=2,rate=10G
devices_per_host: 2
placements: [contiguous, interleaved]
arms: [pinned]
parallel: {data: 4, tensor: 2}
batch: 16
bucket_mb: [1, 25]
"""


def errors(text):
    with pytest.raises(SpecError) as caught:
        loads(text, "demo.yaml")
    return caught.value.errors


def test_a_spec_means_what_it_says():
    spec = loads(GOOD)
    assert spec.model.parameters == 4 * (12 * 512 * 512 + 13 * 512) + (1000 + 128) * 512 + 2 * 512
    assert spec.parallel.devices == 8
    assert [place.hosts for place in spec.placements] == [("h1", "h2", "h3", "h4"), ("h1", "h3", "h2", "h4")]
    assert loads(GOOD.replace("batch", "sequence: 64\nbatch")).model.sequence == 64


def test_all_data_groups_cross_the_one_uplink_at_once():
    """Contiguous: rings cross each way once, four of them (two tensor places, a ring each); interleaved: twice."""
    near, _, far, _ = simulated_run.run(loads(GOOD)).rows
    assert far.step.communication_s["gradients"] == pytest.approx(2 * near.step.communication_s["gradients"], rel=0.2)
    assert far.step.step_s > near.step.step_s
    nbytes = 2 * loads(GOOD).model.parameters / 2
    uplink = 2 * 2 * 3 / 4 * 8 * nbytes / (10e9 * 0.97)  # two rings, each 2 (n - 1) / n of its bytes
    assert near.step.communication_s["gradients"] == pytest.approx(uplink, rel=0.05)


def test_one_host_needs_no_fabric_but_its_own():
    (row,) = simulated_run.run(
        loads(GOOD.replace("data: 4", "data: 1").replace("[1, 25]", "[25]"))
    ).rows  # fmt: skip
    assert row.placement == "one host"
    assert row.step.exposed_s["gradients"] == 0 < row.step.exposed_s["tensor"]


BAD = {
    "no model": ("model: {", "modell: {", "demo.yaml:1: model: is missing; name a model"),
    "unknown model": (GOOD.splitlines()[1], "model: gpt3-17b", "demo.yaml:2: model: no model 'gpt3-17b'; did you mean"),
    "no heads": ("heads: 8, ", "", "demo.yaml:2: model.heads: is missing; give the number of attention heads"),
    "odd heads": ("heads: 8", "heads: 7", "demo.yaml:2: model: demo: 7 heads do not divide a hidden size of 512"),
    "unknown device": ("a100", "a10", "demo.yaml:3: device: no 'a10'; did you mean 'a100'?"),
    "degrees": ("tensor: 2", "tensor: 3", "demo.yaml:8: parallel.tensor: 3 does not divide demo's 8 heads"),
    "batch": ("batch: 16", "batch: 15", "demo.yaml:9: batch: 15 samples are no multiple of 4, data times micro_batch"),
    "no data": ("data: 4", "dat: 4", "demo.yaml:8: parallel.dat: there is no such field; did you mean 'data'?"),
    "nothing": ("data: 4", "data: 0", "demo.yaml:8: parallel.data: 0 is out of range; write at least 1"),
    "few hosts": ("data: 4", "data: 8", "demo.yaml:4: fabric: has 4 hosts; 16 devices (data x tensor x pipeline) need"),
    "odd hosts": ("host: 2", "host: 3", "demo.yaml:5: devices_per_host: 3 does not divide 8 devices"),
    "named hosts": ("[contiguous, interleaved]", "[[h1, h2]]", "demo.yaml:6: placements: they name 2 hosts; 4 are"),
    "zero": ("tensor: 2", "tensor: 2, zero: 4", "demo.yaml:8: parallel.zero: 4 is out of range; write at most 3"),
    "recompute": ("tensor: 2", "recompute: al", "demo.yaml:8: parallel.recompute: no 'al'; there are none, selective"),
    "bucket twice": ("[1, 25]", "[25, 25]", "demo.yaml:10: bucket_mb[1]: 25 is there twice; keep one"),
    "policy": ("[pinned]", "[pined]", "demo.yaml:7: arms[0]: no routing policy 'pined'"),
}


@pytest.mark.parametrize("wrong", BAD)
def test_what_is_wrong_is_said_where_it_is(wrong):
    old, new, words = BAD[wrong]
    assert old in GOOD
    found = errors(GOOD.replace(old, new))
    assert any(error.startswith(words) for error in found), found


def test_the_example_is_sound():
    spec, _ = read(EXAMPLES / "train-simulated.yaml")
    assert spec.parallel.devices == 128


def test_the_command_prints_the_table_and_keeps_the_run(tmp_path, capsys):
    file = tmp_path / "demo.yaml"
    file.write_text(GOOD)
    out = tmp_path / "runs"
    assert main(["train", str(file), "--backend", "simulated", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "on 8 x a100 (4 hosts of leaf-spine-2x1x2); simulated" in printed
    assert "fastest: contiguous, pinned, 1 MiB" in printed or "fastest: contiguous, pinned, 25 MiB" in printed
    (folder,) = out.iterdir()
    assert {path.name for path in folder.iterdir()} == {"result.json", "training.svg", "training.png", "spec.yaml"}
    kept = json.loads((folder / "result.json").read_text())
    for row in kept["rows"]:
        parts = row["computation_s"] + row["bubble_s"] + sum(row["exposed_s"].values())
        assert row["step_s"] == pytest.approx(parts)


def test_json_alone_on_standard_output_and_the_same_again(tmp_path, capsys):
    file = tmp_path / "demo.yaml"
    file.write_text(GOOD)
    found = []
    for number in (1, 2):
        words = ["train", str(file), "--backend", "simulated", "--out", str(tmp_path / f"{number}"), "--json", "-"]
        assert main(words) == 0
        found.append(json.loads(capsys.readouterr().out)["rows"])
    assert found[0] == found[1]


def test_a_model_that_does_not_fit_is_a_failed_check(tmp_path, capsys):
    file = tmp_path / "demo.yaml"
    file.write_text(GOOD.replace(GOOD.splitlines()[1], "model: gpt3-175b"))
    assert main(["train", str(file), "--backend", "simulated", "--out", str(tmp_path / "runs")]) == 1
    assert "ringlab: demo: does not fit: " in capsys.readouterr().err


def test_a_spec_of_the_other_kind_is_one_error(tmp_path, capsys):
    assert main(["train", str(EXAMPLES / "train.yaml"), "--backend", "simulated"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["train", str(EXAMPLES / "train-simulated.yaml")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "model: is of a spec for the simulated backend; write --backend simulated" in said


def test_options_of_emulation_alone_are_refused(capsys):
    spec = str(EXAMPLES / "train-simulated.yaml")
    assert main(["train", spec, "--backend", "simulated", "--scale", "10"]) == 2
    assert "--scale: is for --backend emulated" in capsys.readouterr().err


def test_the_bars_are_the_steps():
    outcome = simulated_run.run(loads(GOOD))
    (axes,) = simulated_plot.figure(outcome).axes
    ends = {}
    for bar in axes.patches:
        place = round(bar.get_y() + bar.get_height() / 2)
        ends[place] = max(ends.get(place, 0), bar.get_x() + bar.get_width())
    assert [ends[place] for place in range(4)] == pytest.approx([row.step.step_s for row in outcome.rows])
