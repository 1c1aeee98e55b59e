import json
from pathlib import Path

import pytest

from ringlab.cli import main

SPEC = str(Path(__file__).parents[2] / "examples/leaf-spine.yaml")
FABRIC = "leaf-spine:leaves=4,spines=2,hosts=2"
SMALL = "name: small\nfabric: leaf-spine:leaves=2,spines=2,hosts=2\nalgorithm: ring\nsizes: [1M]\narms: {arms}\n"


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


def changed(tmp_path, old, new):
    text = Path(SPEC).read_text()
    assert text.count(old) == 1
    (tmp_path / "spec.yaml").write_text(text.replace(old, new))
    return str(tmp_path / "spec.yaml")


def test_auto_is_settled_and_said(capsys, tmp_path):
    assert main(["explain", changed(tmp_path, "algorithm: ring", "algorithm: auto"), "--json", "-"]) == 0
    found = capsys.readouterr()
    assert json.loads(found.out)["flows"] > 0
    assert "ringlab: auto is " in found.err


def test_spraying_has_no_paths_and_the_other_arms_are_told(capsys, tmp_path):
    file = tmp_path / "spec.yaml"
    file.write_text(SMALL.format(arms="[ecmp, pinned, spray]"))
    assert main(["explain", str(file), "--json", "-"]) == 0
    found = capsys.readouterr()
    assert [row["policy"] for row in json.loads(found.out)["policies"]] == ["ecmp", "pinned"]
    assert "ringlab: spray is left out: it has no paths to explain" in found.err
    file.write_text(SMALL.format(arms="[spray]"))
    assert "name another, as --policy pinned" in said(capsys, str(file))


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
