"""A training spec: what it means, and one line with its place for everything that can be wrong with it."""

import pytest

from ringlab.errors import UsageError
from ringlab.experiments.spec import SpecError
from ringlab.training.spec import loads, read, with_changes

GOOD = """name: demo
fabric: leaf-spine:leaves=2,spines=2,hosts=2
placements: [contiguous, interleaved]
backends: [ringlab, gloo]
algorithm: ring
arms: [spanning-tree, pinned]
layers: [32, 64, 8]
batch: 16
bucket_mb: [0.25, 25]
steps: 5
"""


def errors(text):
    with pytest.raises(SpecError) as caught:
        loads(text, "demo.yaml")
    return caught.value.errors


def test_a_spec_means_what_it_says():
    spec = loads(GOOD)
    assert [(place.name, place.hosts) for place in spec.placements] == [
        ("contiguous", ("h1", "h2", "h3", "h4")),
        ("interleaved", ("h1", "h3", "h2", "h4")),
    ]
    assert [arm.name for arm in spec.arms] == ["spanning-tree", "pinned"]
    assert spec.parameters == 32 * 64 + 64 + 64 * 8 + 8
    assert sum(demand.nbytes for demand in spec.demands(spec.placements[0])) == 2 * 3 * spec.parameters * 4
    assert spec.scale is None


def test_a_placement_may_be_a_list_of_hosts():
    spec = loads(GOOD.replace("[contiguous, interleaved]", "[[h4, h1]]"))
    assert spec.placements[0].name == "h4 h1"
    assert spec.ranks == 2


def test_the_examples_are_sound():
    assert read_example("train").ranks == 4
    (fault,) = read_example("train-link-cut").faults
    assert str(fault) == "link leaf1-spine1 down at step 5 of operation 1"


def read_example(name):
    from pathlib import Path

    return read(Path(__file__).parents[2] / "examples" / f"{name}.yaml")[0]


BAD = {
    "no layers": ("layers: [32, 64, 8]\n", "", "demo.yaml:1: layers: is missing; give the widths"),
    "one layer": ("[32, 64, 8]", "[32]", "demo.yaml:7: layers: has 1 of at least 2 items; give the widths"),
    "width 0": ("64, 8", "0, 8", "demo.yaml:7: layers[1]: 0 is out of range; write at least 1"),
    "no batch": ("batch: 16\n", "", "demo.yaml:1: batch: is missing; give the samples"),
    "unknown field": ("steps:", "bach: 1\nsteps:", "demo.yaml:10: bach: there is no such field; did you mean 'batch'?"),
    "bucket of nothing": ("0.25,", "0,", "demo.yaml:9: bucket_mb[0]: 0 is out of range; write more than 0"),
    "bucket twice": ("[0.25, 25]", "[25, 25]", "demo.yaml:9: bucket_mb[1]: 25.0 is there twice; keep one"),
    "no buckets": ("[0.25, 25]", "[]", "demo.yaml:9: bucket_mb: is empty; name DDP's bucket sizes"),
    "unknown backend": ("gloo]", "nccl]", "demo.yaml:4: backends[1]: no 'nccl'; "),
    "backend twice": ("gloo]", "ringlab]", "demo.yaml:4: backends[1]: ringlab is there twice; keep one"),
    "unknown policy": ("pinned]", "pined]", "demo.yaml:6: arms[1]: no routing policy 'pined': did you mean 'pinned'?"),
    "unknown algorithm": (": ring\n", ": rig\n", "demo.yaml:5: algorithm: no algorithm 'rig'; did you mean 'ring'?"),
    "unknown placement": ("interleaved]", "random]", "demo.yaml:3: placements[1]: no placement 'random'; "),
    "unknown host": ("interleaved]", "[h1, h9]]", "demo.yaml:3: placements[1]: no host 'h9' in this fabric; "),
    "a host twice": ("interleaved]", "[h1, h1]]", "demo.yaml:3: placements[1]: names a host twice; one rank"),
    "one host": ("interleaved]", "[h1]]", "demo.yaml:3: placements[1]: places fewer than two ranks"),
    "ranks beside a list": ("placements: [contiguous, interleaved]", "ranks: 2\nplacements: [[h1, h2, h3, h4]]",
                            "demo.yaml:4: placements[0]: places 4 ranks, but ranks is 2; name a host a rank"),
    "a placement twice": ("interleaved]", "contiguous]", "demo.yaml:3: placements[1]: the placement 'contiguous' is"),
    "unequal placements": ("interleaved]", "[h1, h2]]", "demo.yaml:3: placements: they place 2 and 4 ranks; place"),
    "placements as text": ("[contiguous, interleaved]", "contiguous", "demo.yaml:3: placements: is text; write a list"),
    "too many ranks": ("name: demo", "name: demo\nranks: 9", "demo.yaml:2: ranks: 9 ranks, but the fabric has 4 hosts"),
    "all steps warm up": ("steps: 5", "steps: 5\nwarmup: 5", "demo.yaml:11: warmup: 5 of 5 steps leaves none to time"),
    "unknown fabric": ("leaf-spine:", "leaf-spin:", "demo.yaml:2: fabric: no generator 'leaf-spin'"),
    "unknown link": ("steps: 5", "steps: 5\nfaults: [{at_step: 2, down: leaf1-spine9}]",
                     "demo.yaml:11: faults[0].down: no link 'leaf1-spine9' in this fabric"),
    "fault after the end": ("steps: 5", "steps: 5\nfaults: [{at_step: 5, down: leaf1-spine1}]",
                            "demo.yaml:11: faults[0].at_step: 5 is out of range; write 0 to 4"),
    "fault of no bucket size": ("steps: 5", "steps: 5\nfaults: [{at_step: 1, operation: 3, down: leaf1-spine1}]",
                                "demo.yaml:11: faults[0].operation: 3 is out of range; write 1 to 2"),
    "tolerance below 0": ("steps: 5", "steps: 5\nloss_tolerance: -1", "demo.yaml:11: loss_tolerance: -1 is out of"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_spec_gets_its_line_and_field(kind):
    old, new, message = BAD[kind]
    assert old in GOOD, "the row replaces nothing"
    found = errors(GOOD.replace(old, new, 1))
    assert len(found) == 1, found
    assert found[0].startswith(message), found[0]
    assert "\n" not in found[0]


def test_an_empty_file_says_where_to_begin():
    assert errors("") == ("demo.yaml:1: is empty; begin with examples/train.yaml",)


def test_the_command_line_may_change_a_spec():
    changed = with_changes(loads(GOOD), scale=500, repeats=4, steps=9)
    assert (changed.scale, changed.repeats, changed.steps) == (500, 4, 9)
    assert changed.data["steps"] == 9
    with pytest.raises(UsageError, match="--steps 1: more than warmup, 1"):
        with_changes(loads(GOOD), scale=None, repeats=None, steps=1)
    with pytest.raises(UsageError, match=r"--scale 0\.5: a time dilation is a number from 1"):
        with_changes(loads(GOOD), scale=0.5, repeats=None, steps=None)
