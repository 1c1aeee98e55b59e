"""A/B files: what arms are, where each error is."""

import json

import pytest

from ringlab.errors import UsageError
from ringlab.experiments.ab import ab_file, arms
from ringlab.experiments.ab.ab_file import AbError
from ringlab.experiments.ab.quantities import duration_s, share
from topologies import catalog, formats

BASE = """
base:
  fabric: leaf-spine:leaves=2,spines=2,hosts=2
  algorithm: ring
  sizes: [1M]
  policy: pinned
"""


def read(text, folder=None):
    return ab_file.loads(text, "ab.yaml", *([folder] if folder else []))


def test_an_arm_changes_the_base():
    wanted = read(
        BASE + "arms: {as-is: {}, one: {fabric.spines: 1, policy: 'ecmp:seed=3'}, sim: {backend: simulated}}\n"
        "within: 3%\ntime: 10m\nseed: 5\n"
    )
    as_is, one, _ = (arm.spec(1, 1) for arm in wanted.arms)
    assert [arm.name for arm in wanted.arms] == ["as-is", "one", "sim"]
    assert len(as_is.fabric.switches) == len(one.fabric.switches) + 1
    assert [one.policy for one in one.arms] == ["ecmp:seed=3"]
    assert [arm.backend for arm in wanted.arms] == ["emulated", "emulated", "simulated"]
    assert (wanted.within, wanted.time_s, wanted.seed, wanted.blocks) == (0.03, 600.0, 5, ab_file.BLOCKS)
    assert arms.check(wanted.arms, 1) == (1 << 20,)


def test_arms_that_differ_in_policy_share_a_bench_and_others_do_not():
    wanted = read(
        BASE + "arms: {a: {}, b: {policy: shortest}, c: {fabric.rate: 10G}, d: {algorithm: halving-doubling}}\n"
    )
    benches = [arm.bench for arm in wanted.arms]
    assert benches[0] == benches[1]
    assert len(set(benches)) == 3
    first, again = arms.twice(wanted.arms)
    assert first.bench != again.bench  # as the arms' fabrics are built apart, so are those of the A/A
    first, again = arms.twice(wanted.arms[:2])
    assert (first.bench == again.bench, again.name) == (True, "a again")


def test_a_drawn_seed_is_the_blocks_own_and_the_same_for_all_arms():
    wanted = read(BASE + "arms: {a: {policy: 'ecmp:seed=$seed'}, b: {policy: 'ecmp:seed=$seed', channels: 2}}\n")
    a, b = wanted.arms
    drawn = [a.spec(1, block).arms[0].policy for block in range(5)]
    assert len(set(drawn)) == 5
    assert drawn == [b.spec(1, block).arms[0].policy for block in range(5)]
    assert drawn[0] != a.spec(2, 0).arms[0].policy


def test_files_are_sought_from_the_file_that_names_them(tmp_path):
    (tmp_path / "specs").mkdir()
    fabric = formats.to_data(catalog.from_short_form("star:hosts=2"))
    (tmp_path / "specs" / "f.yaml").write_text(json.dumps(fabric))
    (tmp_path / "specs" / "base.yaml").write_text(
        "name: x\nfabric: f.yaml\nalgorithm: ring\nsizes: [1M]\narms: [pinned]\n"
    )
    wanted = read("base: specs/base.yaml\narms: {a: {}, b: {channels: 2}}\n", tmp_path)
    assert wanted.arms[0].spec(1, 1).fabric.hosts == ("h1", "h2")
    text = (tmp_path / "specs" / "base.yaml").read_text()
    (tmp_path / "base.yaml").write_text(text.replace("f.yaml", "star:hosts=2"))
    both, text = ab_file.of_specs([tmp_path / "specs" / "base.yaml", tmp_path / "base.yaml"], "emulated")
    assert [arm.name for arm in both.arms] == [str(tmp_path / "specs" / "base.yaml"), str(tmp_path / "base.yaml")]
    assert '"specs"' in text
    with pytest.raises(UsageError, match=r"base\.yaml is there twice; --aa"):
        ab_file.of_specs([tmp_path / "base.yaml"] * 2, "emulated")


def test_policies_of_ones_own_are_sought_from_the_file_that_names_them(tmp_path):
    for folder in ("one", "other+1"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text("def route(fabric, demands):\n    return {}\n")
        (tmp_path / folder / f"{folder[:3]}.yaml").write_text(
            "name: x\nfabric: star:hosts=2\nalgorithm: ring\nsizes: [1M]\n"
            "arms: ['file:mine.py']\ncompare: []\nbaseline: {file: none.txt, line_rate: 1}\n"
        )
    policies = [f"file:{tmp_path}/one/mine.py", f"file:{tmp_path}/other+1/mine.py"]
    wanted = read("base: one/one.yaml\narms: {a: {}, b: {policy: 'file:other+1/mine.py'}}\n", tmp_path)
    assert [arm.spec(1, 1).arms[0].policy for arm in wanted.arms] == policies
    (tmp_path / "one/none.txt").write_text("")
    for folder in ("one", "other+1"):
        file = tmp_path / folder / f"{folder[:3]}.yaml"
        file.write_text(file.read_text().partition("compare")[0])
    both, _ = ab_file.of_specs([tmp_path / "one/one.yaml", tmp_path / "other+1/oth.yaml"], "simulated")
    assert [arm.spec(1, 1).arms[0].policy for arm in both.arms] == policies


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "ab.yaml:1: is empty; begin with examples/ab.yaml"),
        (BASE, "ab.yaml:2: arms: is missing; name two arms"),
        (BASE + "arms: {a: {}}", "ab.yaml:7: arms: "),
        (BASE + "arms: {a: {}, b: {}}\nwithin: 0", "ab.yaml:8: within: 0 is no share; write one like 2% or 0.02"),
        (BASE + "arms: {a: {}, b: {}}\ntime: soon", "ab.yaml:8: time: 'soon' is no duration"),
        (BASE + "arms:\n  a: {}\n  b: {algorithm: rng}", "ab.yaml:9: arms.b: algorithm: no algorithm 'rng'"),
        (BASE + "arms:\n  a: {}\n  b: {sizes.3: 1M}", "ab.yaml:9: arms.b: sizes is a list of 1"),
        (BASE + "arms:\n  a: {}\n  b: {backend: real}", "ab.yaml:9: arms.b: no backend 'real'"),
        (BASE + "arms:\n  'a b': {}\n  b: {}", "ab.yaml:8: arms.a b: 'a b' can't be a name"),
        (BASE.replace("pinned", "pind") + "arms: {a: {}, b: {}}", "ab.yaml:2: base: arms[0]: no routing policy 'pind'"),
        ("base: none.yaml\narms: {a: {}, b: {}}", "ab.yaml:1: base: none.yaml: no such spec file"),
    ],
)
def test_errors_name_the_place(text, error):
    with pytest.raises(AbError) as raised:
        read(text)
    assert raised.value.errors[0].startswith(error), raised.value.errors
    assert len(raised.value.errors) == 1


def test_arms_that_cannot_be_compared_are_refused():
    several = read(BASE.replace("policy: pinned", "arms: [pinned, shortest]") + "arms: {a: {}, b: {channels: 2}}\n")
    with pytest.raises(UsageError, match="arm a has 2 policies"):
        arms.check(several.arms, 1)
    other = read(BASE + "arms: {a: {}, b: {sizes: [2M]}}\n")
    with pytest.raises(UsageError, match="only equal sizes can be compared"):
        arms.check(other.arms, 1)


def test_what_a_reader_should_know_is_said():
    wanted = read(BASE + "arms: {a: {}, b: {fabric.hosts: 4}, c: {backend: simulated}}\n")
    said = arms.notes(wanted.arms, 1)
    assert "4 and 8 ranks" in said[0]
    assert "a simulated arm stands beside an emulated one" in said[1]


def test_quantities():
    assert (share("2%"), share(0.02), share("100%")) == (0.02, 0.02, 1.0)
    assert (duration_s("90s"), duration_s("10m"), duration_s("1h"), duration_s(5)) == (90.0, 600.0, 3600.0, 5.0)
    for wrong in ("", "0%", "-2%", "200%", True, "nan", "inf%"):
        with pytest.raises(ValueError, match="is no share"):
            share(wrong)
    for wrong in ("", "0s", "m", "-1h", True, "nan"):
        with pytest.raises(ValueError, match="is no duration"):
            duration_s(wrong)
