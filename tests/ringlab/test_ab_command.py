"""``ringlab ab`` in its forms, simulated; what it prints and keeps."""

import json
from pathlib import Path

import pytest

from ringlab.cli import main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def ab(capsys, tmp_path):
    def run(*argv):
        code = main(["ab", *map(str, argv), "--out", str(tmp_path / "runs")])
        said = capsys.readouterr()
        return code, said.out, [line for line in said.err.splitlines() if " s  " not in line]

    return run


def test_an_ab_file_gives_a_table_and_a_folder(ab, tmp_path):
    code, out, _ = ab(ROOT / "examples" / "ab.yaml", "--backend", "simulated", "--seed", "3")
    assert code == 0
    assert "spines  four-spines | two-spines | hashed, 6 blocks" in out
    assert "two-spines and four-spines are the same within 2 % at 1 MiB: 1.000 [1.000, 1.000]" in out
    assert "at 4 MiB: slower" in out
    (folder,) = (tmp_path / "runs").iterdir()
    assert {path.name for path in folder.iterdir()} == {"ab.json", "ab.png", "ab.svg", "spec.yaml"}
    kept = json.loads((folder / "ab.json").read_text())
    assert (kept["found"]["rules"]["seed"], kept["id"]) == (3, folder.name)
    assert folder.joinpath("spec.yaml").read_text() == (ROOT / "examples" / "ab.yaml").read_text()
    assert "<svg" in folder.joinpath("ab.svg").read_text()


def test_json_is_alone_on_standard_output(ab):
    code, out, _ = ab(ROOT / "examples" / "ab.yaml", "--backend", "simulated", "--json", "-")
    assert code == 0
    assert json.loads(out)["kind"] == "ab"


def test_specs_are_arms_named_after_their_files(ab, tmp_path):
    text = (
        "name: x\nfabric: leaf-spine:leaves=4,spines={},hosts=2\nplacement: interleaved\n"
        "algorithm: ring\nsizes: [4M]\narms: [pinned]\n"
    )
    for name, spines in (("wide", 2), ("thin", 1)):
        (tmp_path / f"{name}.yaml").write_text(text.format(spines))
    code, out, _ = ab(tmp_path / "wide.yaml", tmp_path / "thin.yaml", "--backend", "simulated")
    assert code == 0
    assert "thin is 0.50 [0.50, 0.50] times as fast as wide at 4 MiB: slower" in out


def test_any_policy_can_take_part_in_a_test(ab, tmp_path):
    mine = ROOT / "examples" / "my_policy.py"
    fabric = "leaf-spine:leaves=4,spines=2,hosts=2"
    code, _, said = ab(fabric, f"file:{mine}", "ecmp:seed=$seed", "--blocks", "6", "--backend", "simulated")
    assert code == 0, said
    (folder,) = (tmp_path / "runs").iterdir()
    names = list(json.loads((folder / "ab.json").read_text())["specs"])
    assert names[0].endswith("my_policy.py")
    assert names[1] == "ecmp:seed:seed"


def test_policies_with_an_option_of_a_test_are_a_test(ab):
    code, out, _ = ab(
        "leaf-spine:leaves=4,spines=2,hosts=2",
        "pinned",
        "ecmp",
        "--size",
        "4M",
        "--blocks",
        "8",
        "--backend",
        "simulated",
    )
    assert code == 0
    assert "ecmp is 0.50 [0.50, 0.50] times as fast as pinned at 4 MiB: slower" in out


def test_policies_alone_are_one_run_as_ever(ab, tmp_path):
    code, out, _ = ab(
        "leaf-spine:leaves=4,spines=2,hosts=2", "ecmp", "pinned", "--size", "4M", "--backend", "simulated"
    )
    assert code == 0
    assert "Verdict:" in out
    (folder,) = (tmp_path / "runs").iterdir()
    assert (folder / "result.json").is_file()


def test_hashes_that_are_drawn_anew_have_a_spread(ab, tmp_path):
    (tmp_path / "ab.yaml").write_text(
        "base: {fabric: 'leaf-spine:leaves=4,spines=2,hosts=2', placement: interleaved, algorithm: ring, sizes: [4M]}\n"
        "arms: {pinned: {policy: pinned}, hashed: {policy: 'ecmp:seed=$seed'}}\n"
        "backend: simulated\nseed: 1\n"
    )
    code, out, _ = ab(tmp_path / "ab.yaml", "--json", "-")
    assert code == 0
    found = json.loads(out)["found"]
    assert len({block["times_us"]["hashed"]["4194304"] for block in found["blocks"]}) > 1
    assert found["rules"]["trim"] == 0, "a draw of a hash is no noise"
    assert len({block["times_us"]["pinned"]["4194304"] for block in found["blocks"]}) == 1
    assert found["comparisons"][0]["verdict"] == "slower"
    assert 0.4 < found["comparisons"][0]["low"] < found["comparisons"][0]["high"] < 1


@pytest.mark.parametrize(
    ("argv", "error"),
    [
        (["star:hosts=4"], "star:hosts=4: is no A/B file; after a fabric name policies"),
        (["none.yaml"], "none.yaml: no such A/B file"),
        ([ROOT / "examples/ab.yaml", "--size", "1M"], "--size: an A/B of files has it in its specs"),
        ([ROOT / "examples/ab.yaml", "--within", "none"], "--within: 'none' is no share"),
        ([ROOT / "examples/ab.yaml", "--backend", "both"], "--backend both: a test is emulated or simulated"),
        (["star:hosts=4", "pinned", "--aa", "--backend", "simulated"], "pinned alone: an A/B needs two policies"),
        (["star:hosts=4", "pinned", "ecmp", "--aa", "--baseline", "x"], "--baseline: a test has none"),
        (["star:hosts=4", "pinned", "pinned", "--aa"], "pinned is there twice; --aa compares the first policy"),
        ([ROOT / "examples/ring.yaml", ROOT / "examples/ring.yaml"], "ring.yaml is there twice; --aa compares"),
        ([ROOT / "examples/ab.yaml", "--scale", "0.1"], "--scale 0.1: a time dilation is a number from 1"),
        ([ROOT / "examples/ring.yaml", ROOT / "examples/leaf-spine.yaml"], "arm ring has 2 policies"),
    ],
)
def test_what_cannot_be_is_one_clear_line(ab, argv, error):
    code, out, said = ab(*argv)
    assert (code, out) == (2, "")
    assert error in said[0], said
    assert len(said) == 1
