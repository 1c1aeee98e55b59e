import json
from pathlib import Path

import pytest

from ringlab.cli import main

SPEC = str(Path(__file__).parents[2] / "examples/leaf-spine.yaml")
FABRIC = "leaf-spine:leaves=4,spines=2,hosts=2"


def shown(capsys, *words):
    assert main(["explain", *words]) == 0
    return capsys.readouterr().out


def said(capsys, *words):
    assert main(["explain", *words]) == 2
    return capsys.readouterr().err


def test_a_spec_is_explained_arm_by_arm(capsys):
    data = json.loads(shown(capsys, SPEC, "--json", "-"))
    gaps = {row["policy"]: row["gap"] for row in data["policies"]}
    assert list(gaps) == ["spanning-tree", "ecmp:seed=1", "ecmp:seed=2", "ecmp:seed=3", "pinned"]
    assert gaps["pinned"] == 0
    assert gaps["spanning-tree"] == pytest.approx(1)
    assert data["flows"] == 8
    (phase,) = data["policies"][0]["phases"]
    assert phase["bound"]["kind"] == "host link"
    assert phase["objective_s"] == pytest.approx(2 * phase["lower_bound_s"])


def test_for_people(capsys):
    out = shown(capsys, SPEC, "--policy", "pinned", "--policy", "spanning-tree", "--flow", "h1:h3")
    assert "leaf-spine-4x2x2: 8 flows" in out
    assert "met: no policy can do better" in out
    assert "100.0% above" in out
    assert "flow h1:30000->h3:20000: every other shortest way would make the whole job slower" in out
    assert "*  h1 leaf1 spine1 leaf2 h3" in out


def test_a_flow_as_data(capsys):
    data = json.loads(shown(capsys, FABRIC, "--policy", "pinned", "--flow", "h1:h3", "--json", "-"))
    flow = data["policies"][0]["flow"]
    assert [way["chosen"] for way in flow["ways"]] == [True, False]
    assert flow["ways"][1]["objective_s"] == pytest.approx(2 * flow["ways"][0]["objective_s"])


def test_phases_of_a_halving_doubling(capsys):
    words = FABRIC, "--algorithm", "halving-doubling", "--placement", "contiguous", "--json", "-"
    data = json.loads(shown(capsys, *words))
    phases = data["policies"][-1]["phases"]
    assert sum(len(phase["steps"]) for phase in phases) == 6
    assert len({phase["bound"]["kind"] for phase in phases}) >= 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((SPEC, "--ranks", "4"), "--ranks: "),
        ((SPEC, "--flow", "h1"), "--flow h1: write two hosts, as in h1:h3"),
        ((SPEC, "--flow", "h1:h2"), "the job has no flow from 'h1' to 'h2'; it has h1:h3"),
        ((FABRIC, "--policy", "pined"), "no routing policy 'pined'"),
        ((FABRIC, "--size", "many"), "--size: "),
        ((FABRIC, "--algorithm", "rong"), "rong"),
        (("nothing.yaml",), "nothing.yaml"),
    ],
)
def test_bad_input_is_one_clear_error(capsys, words, message):
    assert message in said(capsys, *words)
