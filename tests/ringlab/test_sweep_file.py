# ruff: noqa: E501 - the table of bad files reads best with a row a line
"""A sweep file read: its scenarios, and for every way to get it wrong the line and the field of the error."""

import json
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringlab.errors import UsageError
from ringlab.experiments import spec as specs
from ringlab.sweeps.changes import ChangeError, with_change
from ringlab.sweeps.check import check
from ringlab.sweeps.scenario import Scenario, seed_of
from ringlab.sweeps.sweep_file import loads, read
from topologies.formats import dumps
from topologies.ring import ring

EXAMPLES = Path(__file__).parents[2] / "examples"

BASE = """\
base:
  name: demo
  fabric: leaf-spine:leaves=2,spines=2,hosts=2
  algorithm: ring
  sizes: [1M]
  arms: [pinned, ecmp: {seeds: [$seed]}]
"""
GRID = """\
grid:
  fabric.spines: [1, 2]
  algorithm: [ring, halving-doubling]
"""


def scenarios(text, folder=Path()):
    sweep = loads(text, "s.yaml", folder)
    check(sweep)
    return list(sweep.scenarios())


def errors(text, folder=Path()):
    with pytest.raises(UsageError) as caught:
        scenarios(text, folder)
    return str(caught.value).splitlines()


def spec_of(scenario):
    return scenario.data["spec"]


# What a sweep file means


def test_a_grid_is_every_combination_the_last_field_soonest():
    found = scenarios(BASE + GRID)
    assert [tuple(one.changes.values()) for one in found] == [
        (1, "ring"),
        (1, "halving-doubling"),
        (2, "ring"),
        (2, "halving-doubling"),
    ]
    assert spec_of(found[1])["fabric"] == "leaf-spine:leaves=2,spines=1,hosts=2"
    assert spec_of(found[1])["algorithm"] == "halving-doubling"
    assert all(one.data["backend"] == "simulated" and one.data["needs"] == [] for one in found)


def test_a_list_names_scenarios_one_by_one():
    found = scenarios(BASE + "list:\n- {algorithm: halving-doubling}\n- {channels: 2, sizes: [4M]}\n")
    assert [spec_of(one)["algorithm"] for one in found] == ["halving-doubling", "ring"]
    assert [spec_of(one)["sizes"] for one in found] == [["1M"], ["4M"]]


def test_draws_differ_in_their_seed_alone():
    found = scenarios(BASE + GRID + "draws: 3\nseed: 5\n")
    assert len(found) == 12
    assert [one.changes["draw"] for one in found[:4]] == [1, 2, 3, 1]
    seeds = [spec_of(one)["arms"][1]["ecmp"]["seeds"][0] for one in found]
    assert len(set(seeds)) == 12
    assert [one.data["seed"] for one in found] == seeds
    assert spec_of(found[0])["sizes"] == spec_of(found[1])["sizes"]


def test_the_seed_follows_from_content_and_the_sweeps_seed_not_from_the_order():
    one, two = (
        scenarios(BASE + GRID),
        scenarios(BASE + "grid:\n  algorithm: [halving-doubling, ring]\n  fabric.spines: [2, 1]\n"),
    )
    assert {scenario.id for scenario in one} == {scenario.id for scenario in two}
    other = scenarios(BASE + GRID + "seed: 1\n")
    assert not {scenario.id for scenario in one} & {scenario.id for scenario in other}


def test_an_id_is_the_same_wherever_and_whenever_it_is_made():
    scenario = Scenario.of({"name": "x", "sizes": ["1M"]}, "simulated", 7, {})
    assert scenario.id == "9a65a16d2e39b3cd"
    assert scenario.data["seed"] == seed_of(7, {"sizes": ["1M"], "name": "x"}) == 95222216


def test_a_seed_may_stand_within_a_text():
    found = scenarios(BASE.replace("ecmp: {seeds: [$seed]}", "ecmp:seed=$seed") + GRID)
    assert spec_of(found[0])["arms"][1] == f"ecmp:seed={found[0].data['seed']}"


def test_a_base_may_be_a_file_and_has_no_baseline_then():
    found = scenarios("base: leaf-spine.yaml\ngrid:\n  channels: [1, 2]\n", EXAMPLES)
    assert spec_of(found[1])["channels"] == 2
    assert "baseline" not in spec_of(found[0])
    assert "baseline" in specs.read(EXAMPLES / "leaf-spine.yaml")[0].data


def test_fabric_files_are_in_the_scenario_with_their_content(tmp_path):
    (tmp_path / "a.yaml").write_text(dumps(ring(4, 1)))
    (tmp_path / "b.yaml").write_text(dumps(ring(5, 1)))
    base = BASE.replace("leaf-spine:leaves=2,spines=2,hosts=2", "a.yaml")
    found = scenarios(base + "grid:\n  fabric: [a.yaml, {file: b.yaml}]\n", tmp_path)
    assert [len(spec_of(one)["fabric"]["hosts"]) for one in found] == [4, 5]
    assert [one.changes["fabric"] for one in found] == ["a.yaml", {"file": "b.yaml"}]
    kept = scenarios(base + "grid:\n  algorithm: [ring]\n", tmp_path)
    assert specs.loads(str(spec_of(kept[0])).replace("'", '"')).fabric == ring(4, 1)


def test_a_combination_that_can_not_be_is_left_to_the_run():
    found = scenarios(
        BASE + "grid:\n  fabric.hosts: [1, 2, 4]\n  placement: [[h1, h2], [h1, h8]]\n"
    )  # 2, 4 and 8 hosts
    assert len(found) == 6
    (error,) = errors(BASE + "grid:\n  fabric.hosts: [1, 2, 4]\n  placement: [[h1, h2], [h1, h9]]\n")
    assert error == "s.yaml:9: grid.placement[1]: placement[1]: no host 'h9' in this fabric; its hosts are h1 to h2"


def test_the_example_is_sound():
    sweep, text = read(EXAMPLES / "sweep.yaml")
    check(sweep)
    assert text.startswith("#")
    assert len(list(sweep.scenarios())) == 48


def test_the_how_to_is_sound():
    text = (EXAMPLES.parent / "docs" / "how-to" / "sweep.md").read_text().partition("```yaml\n")[2].partition("```")[0]
    assert len(scenarios(text, EXAMPLES)) == 3 * 2 * 2 * 2 * 10


# What is wrong with one

BAD = {
    "empty": ("", "s.yaml:1: is empty; begin with examples/sweep.yaml"),
    "a list": ("- a\n", "s.yaml:1: is a list; a spec is a mapping; begin with examples/sweep.yaml"),
    "no base": (GRID, "s.yaml:1: base: is missing; name a spec's file or write a spec, like base: leaf-spine.yaml"),
    "base a number": ("base: 3\n" + GRID, "s.yaml:1: base: is a number; write a spec's file name or a spec"),
    "no such base": ("base: nope.yaml\n" + GRID, "s.yaml:1: base: nope.yaml: no such spec file; check the path"),
    "unknown field": (BASE + GRID + "sed: 1\n", "s.yaml:10: sed: there is no such field; did you mean 'seed'?"),
    "neither": (BASE, "s.yaml:1: needs a grid or a list, and not both; begin with examples/sweep.yaml"),
    "both": (BASE + GRID + "list: [{algorithm: ring}]\n", "s.yaml:1: needs a grid or a list, and not both; begin with examples/sweep.yaml"),
    "grid a list": (BASE + "grid: [1]\n", "s.yaml:7: grid: is a list; write a mapping, like {algorithm: [ring, halving-doubling]}"),
    "values no list": (BASE + "grid:\n  algorithm: ring\n", "s.yaml:8: grid.algorithm: is text; write a list, like [1, 2]"),
    "no values": (BASE + "grid:\n  algorithm: []\n", "s.yaml:8: grid.algorithm: is empty; write a list of its values"),
    "empty grid": (BASE + "grid: {}\n", "s.yaml:7: grid: is empty; name a field and its values, like grid: {algorithm: [ring, halving-doubling]}"),
    "empty entry": (BASE + "list: [{}]\n", "s.yaml:7: list[0]: changes nothing; write a field and its value"),
    "a value twice": (BASE + "grid:\n  channels:\n  - 1\n  - 2\n  - 1\n", "s.yaml:11: grid.channels[2]: is grid.channels[0] again; keep one"),
    "an entry twice": (BASE + "list:\n- {channels: 2}\n- {channels: 2}\n", "s.yaml:9: list[1]: is list[0] again; keep one"),
    "overlap": (BASE + "grid:\n  arms: [[pinned]]\n  arms.0: [shortest]\n", "s.yaml:9: grid.arms.0: is within arms; change one of them"),
    "no field": (BASE + "grid:\n  a..b: [1]\n", "s.yaml:8: grid.a..b: 'a..b' is no field; write one like algorithm or transport.mtu"),
    "unknown spec field": (BASE + "grid:\n  algoritm: [ring]\n", "s.yaml:8: grid.algoritm[0]: there is no such field; did you mean 'algorithm'?"),
    "a bad value": (BASE + "grid:\n  algorithm:\n  - ring\n  - rign\n", "s.yaml:10: grid.algorithm[1]: no algorithm 'rign'; did you mean 'ring'?"),
    "a bad parameter": (BASE + "grid:\n  fabric.spins: [1, 2]\n", "s.yaml:8: grid.fabric.spins[0]: fabric: leaf-spine:leaves=2,spines=2,hosts=2,spins=1: spins: leaf-spine has no such parameter"),
    "a bad type": (BASE + "grid:\n  channels: [1, two]\n", "s.yaml:8: grid.channels[1]: is text; write a whole number"),
    "a bad entry": (BASE + "list:\n- {channels: 1}\n- {channels: 2,\n   dtype: flaot}\n", "s.yaml:10: list[1].dtype: no 'flaot'; did you mean 'float'?"),
    "bad everywhere": (BASE.replace("sizes: [1M]", "sizes: [1M, 1Q]") + GRID, "s.yaml:5: base.sizes[1]: "),
    "missing in the base": (BASE.replace("  sizes: [1M]\n", "") + GRID, "s.yaml:1: base: sizes: is missing; name the message sizes"),
    "not finite": (BASE + "grid:\n  scale: [.inf]\n", "s.yaml:8: grid.scale[0]: holds a number that is not finite; write a finite one"),
    "beyond a list": (BASE + "grid:\n  arms.2: [shortest]\n", "s.yaml:8: grid.arms.2[0]: arms is a list of 2; write arms.0 to arms.1"),
    "within a number": (BASE + "grid:\n  sizes.0.x.y: [1]\n", "s.yaml:8: grid.sizes.0.x.y[0]: sizes.0 is text, which has no x; write sizes.0 as a whole"),
    "baseline": (BASE + "grid:\n  baseline: [x]\n", "s.yaml:8: grid.baseline: a sweep's scenarios have no baseline; leave it out"),
    "seed in the grid": (BASE + "grid:\n  seed: [1, 2]\n", "s.yaml:8: grid.seed: is no field of a spec; write draws: 10 beside the grid, and $seed where a draw's seed belongs"),
    "nothing drawn": (BASE.replace("$seed", "1") + GRID + "draws: 2\n", "s.yaml:10: draws: nothing is drawn; write $seed in the spec, like arms: [{ecmp: {seeds: [$seed]}}]"),
    "too many": (BASE + GRID + "draws: 1000000\n", "s.yaml:7: grid: makes 4,000,000 scenarios; at most 1,000,000"),
    "backend": (BASE + GRID + "backend: real\n", "s.yaml:10: backend: no 'real'; "),
    "not yaml": ("base: [\n", "s.yaml:2: is no YAML: "),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_told_with_its_line(name):
    text, expected = BAD[name]
    found = errors(text)
    assert any(line.startswith(expected) for line in found), found
    assert all(line.startswith("s.yaml:") for line in found)


def test_each_of_several_bad_values_is_told():
    found = errors(BASE + "grid:\n  algorithm: [rign, ring, rong]\n  channels: [0, 1]\n")
    assert [line.partition(": ")[2].partition(":")[0] for line in found] == [
        "grid.algorithm[0]",
        "grid.channels[0]",
        "grid.algorithm[2]",
    ]


def test_an_error_of_the_base_file_names_its_own_line(tmp_path):
    (tmp_path / "b.yaml").write_text(
        "name: x\nfabric: ring:switches=4,hosts=1\nalgorithm: rign\nsizes: [1M]\narms: [pinned]\n"
    )
    (found,) = errors("base: b.yaml\ngrid:\n  channels: [1, 2]\n", tmp_path)
    assert found == f"{tmp_path}/b.yaml:3: algorithm: no algorithm 'rign'; did you mean 'ring'?"


def test_an_error_of_a_fabric_file_names_that_file(tmp_path):
    (tmp_path / "f.yaml").write_text("generator: rign\n")
    (found,) = errors(BASE + "grid:\n  fabric: [f.yaml]\n", tmp_path)
    assert "f.yaml:1: generator" in found


# Changes


def test_a_change_shares_what_it_does_not_touch():
    data = {"a": {"b": [1, {"c": 2}]}, "d": {"e": 1}}
    changed = with_change(data, "a.b.1.c", 3)
    assert changed == {"a": {"b": [1, {"c": 3}]}, "d": {"e": 1}}
    assert data == {"a": {"b": [1, {"c": 2}]}, "d": {"e": 1}}
    assert changed["d"] is data["d"]


@pytest.mark.parametrize(
    ("short", "field", "value", "expected"),
    [
        ("ring:switches=4,hosts=1", "f.hosts", 2, "ring:switches=4,hosts=2"),
        ("ring:switches=4", "f.rate", "100G", "ring:switches=4,rate=100G"),
        ("ecmp", "f.seed", 3, "ecmp:seed=3"),
        ("ring: switches=4, hosts=1", "f.switches", 5, "ring:switches=5,hosts=1"),
    ],
)
def test_a_short_form_has_fields(short, field, value, expected):
    assert with_change({"f": short}, field, value) == {"f": expected}


def test_a_short_form_takes_no_lists():
    with pytest.raises(ChangeError, match="hosts of ring is a list; write a number or a text"):
        with_change({"f": "ring"}, "f.hosts", [1])


PLAIN = st.recursive(
    st.none() | st.integers() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
)


@given(PLAIN, st.lists(st.sampled_from(["a", "b", "0", "1"]), min_size=1, max_size=4))
def test_what_was_changed_is_found_there_or_it_says_why(data, keys):
    try:
        changed = with_change({"a": data}, ".".join(keys), "new")
    except ChangeError:
        return
    node = changed
    for key in keys:
        node = node[int(key)] if isinstance(node, list) else node[key]
    assert node == "new"


def test_an_id_is_the_hash_of_all_that_a_worker_is_told():
    """Also where parts of it are large, and remembered as text: those who resume find what they had."""
    spec = {"name": "x", "fabric": {"hosts": [f"h{n}" for n in range(2000)]}, "arms": ["ecmp:seed=$seed"], "b": None}
    for draw in (1, 2, None):
        found = Scenario.of(spec, "simulated", 7, {} if draw is None else {"draw": draw}).data
        text = json.dumps([7, draw, spec], sort_keys=True, separators=(",", ":"))
        assert found["seed"] == int.from_bytes(sha256(text.encode()).digest()[:4], "big") >> 1
        assert found["spec"] == {**spec, "arms": [f"ecmp:seed={found['seed']}"]}
        told = {name: found[name] for name in ("backend", "seed", "spec")}
        content = json.dumps(told, sort_keys=True, separators=(",", ":"))
        assert found["id"] == sha256(content.encode()).hexdigest()[:16]
        assert found["spec"]["fabric"] is spec["fabric"]
