# ruff: noqa: E501 - the table of bad specs reads best with a row a line
"""A spec read: what it means, and for every way to get it wrong the line and the field of the error."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringlab.errors import UsageError
from ringlab.experiments import fabrics
from ringlab.experiments.arms import Arm
from ringlab.experiments.placement import contiguous, interleaved
from ringlab.experiments.spec import SpecError, Transport, loads, read, with_changes
from topologies.fabric import Cable, Fabric
from topologies.formats import dumps
from topologies.leaf_spine import leaf_spine
from topologies.ring import ring

EXAMPLES = Path(__file__).parents[2] / "examples"
BASELINE = "rtx2080ti-16x1-tcp10g-allreduce-default-linear"

GOOD = """\
name: demo
fabric: leaf-spine:leaves=4,spines=2,hosts=2
placement: interleaved
algorithm: ring
sizes: [1M, 16M]
arms:
  - spanning-tree
  - ecmp: {seeds: [1, 2]}
  - pinned
"""


def spec(changes="", text=GOOD, folder=Path()):
    """The good spec, with the fields of ``changes`` instead of (or beside) its own."""
    kept = [line for line in text.splitlines() if not any(line.startswith(f"{key}:") for key in _keys(changes))]
    if "arms" in _keys(changes):
        kept = [line for line in kept if not line.startswith("  -")]
    return loads("\n".join([*kept, changes]) + "\n", "demo.yaml", folder)


def _keys(text):
    return [line.split(":")[0] for line in text.splitlines() if line[:1].isalpha()]


def errors(text, folder=Path()):
    with pytest.raises(SpecError) as caught:
        loads(text, "demo.yaml", folder)
    return caught.value.errors


# What a good spec means


def test_the_short_spec_has_the_defaults():
    found = spec()
    assert found.fabric == leaf_spine(4, 2, 2)
    assert found.placement == ("h1", "h3", "h5", "h7", "h2", "h4", "h6", "h8")
    assert found.sizes == (2**20, 2**24)
    assert found.arms == (
        Arm("spanning-tree", "spanning-tree", "spanning-tree"),
        Arm("ecmp:seed=1", "ecmp", "ecmp:seed=1"),
        Arm("ecmp:seed=2", "ecmp", "ecmp:seed=2"),
        Arm("pinned", "pinned", "pinned"),
    )
    assert found.compare == (("pinned", "spanning-tree"), ("pinned", "ecmp"))
    assert (found.repeats, found.iterations, found.warmup, found.channels, found.dtype) == (3, 2, 1, 1, "float")
    assert (found.scale, found.baseline, found.collective) == (None, None, "all_reduce")
    assert found.transport == Transport(9000, "reno", None)
    assert found.data["fabric"] == "leaf-spine:leaves=4,spines=2,hosts=2"


def test_an_arm_may_have_a_library_of_its_own():
    found = spec(
        "arms: [pinned, {pinned: {library: gloo}}, {ecmp: {seeds: [1, 2], library: openmpi}}]\n"
        "compare: [[pinned, pinned+gloo], [pinned+gloo, ecmp+openmpi]]"
    )
    assert found.arms == (
        Arm("pinned", "pinned", "pinned", "ringlab"),
        Arm("pinned+gloo", "pinned+gloo", "pinned", "gloo"),
        Arm("ecmp:seed=1+openmpi", "ecmp+openmpi", "ecmp:seed=1", "openmpi"),
        Arm("ecmp:seed=2+openmpi", "ecmp+openmpi", "ecmp:seed=2", "openmpi"),
    )
    assert found.compare == (("pinned", "pinned+gloo"), ("pinned+gloo", "ecmp+openmpi"))


def test_the_library_of_all_arms_is_in_no_arms_name():
    arms = spec("library: gloo\narms: [pinned, pinned+ringlab, shortest+gloo]").arms
    assert arms == (
        Arm("pinned", "pinned", "pinned", "gloo"),
        Arm("pinned+ringlab", "pinned+ringlab", "pinned", "ringlab"),
        Arm("shortest", "shortest", "shortest", "gloo"),
    )


def test_every_field_is_read():
    found = spec(
        "channels: 2\ndtype: half\nrepeats: 5\niterations: 7\nwarmup: 0\ntimeout_s: 9.5\nscale: 250\n"
        f"baseline: {BASELINE}\ntransport: {{mtu: 1500, congestion: cubic, queue: 256K}}\n"
        "compare: [[ecmp, pinned], [ecmp:seed=1, ecmp:seed=2]]\nranks: 4\ncollective: all_reduce"
    )
    assert (found.channels, found.dtype, found.repeats, found.iterations, found.warmup) == (2, "half", 5, 7, 0)
    assert (found.timeout_s, found.scale, found.baseline) == (9.5, 250.0, BASELINE)
    assert found.transport == Transport(1500, "cubic", 262144)
    assert found.compare == (("ecmp", "pinned"), ("ecmp:seed=1", "ecmp:seed=2"))
    assert found.placement == ("h1", "h3", "h5", "h7")


@pytest.mark.parametrize(
    ("sizes", "found"),
    [
        ("[8, 64K, 1.5M, 1G]", (8, 65536, 1572864, 2**30)),
        ("{min: 1K, max: 5K}", (1024, 2048, 4096)),
        ("{min: 1K, max: 64K, factor: 4}", (1024, 4096, 16384, 65536)),
        ("{min: 4, max: 20, factor: 1.2}", (4, 8, 12, 16)),
        ("{min: 1M, max: 1M}", (2**20,)),
    ],
)
def test_sizes_are_a_list_or_a_sweep(sizes, found):
    assert spec(f"sizes: {sizes}").sizes == found


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 2**20), st.integers(1, 2**22), st.floats(1.3, 16))
def test_a_sweep_rises_within_its_bounds_in_whole_elements(low, span, factor):
    low = 4 * low
    found = spec(f"sizes: {{min: {low}, max: {low + span}, factor: {factor}}}").sizes
    assert found[0] == low
    assert found[-1] <= low + span
    assert all(size % 4 == 0 for size in found)
    assert list(found) == sorted(set(found))


def test_placements_can_be_listed_two_ranks_on_one_host():
    assert spec("placement: [h1, h1, h8]").placement == ("h1", "h1", "h8")
    assert spec("placement: [h1, h5]\nranks: 2").placement == ("h1", "h5")


@settings(deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(2, 20))
def test_placements_are_fair(leaves, hosts, ranks):
    fabric = leaf_spine(leaves, 1, hosts)
    for place in (contiguous, interleaved):
        counts = [place(fabric, ranks).count(host) for host in fabric.hosts]
        assert sum(counts) == ranks
        assert max(counts) - min(counts) <= 1
    near = [fabric.hosts.index(host) for host in contiguous(fabric, ranks)]
    assert near == sorted(near)
    if leaves > 1:
        far = [fabric.attachment(host).node for host in interleaved(fabric, min(ranks, len(fabric.hosts)))]
        assert all(one != other for one, other in pairwise(far))


def test_interleaving_serves_leaves_of_unequal_size():
    cables = [Cable("h1", "a", 1), Cable("h2", "a", 1), Cable("h3", "a", 1), Cable("h4", "b", 1), Cable("a", "b", 1)]
    assert interleaved(Fabric.cabled("f", ["h1", "h2", "h3", "h4"], ["a", "b"], cables), 5) == (
        "h1", "h4", "h2", "h3", "h1",
    )  # fmt: skip


def test_a_fabric_may_be_in_place_or_in_a_file(tmp_path):
    inline = "fabric:\n  generator: ring\n  switches: 3\n  hosts: 1"
    assert spec(inline).fabric == ring(3, 1)
    (tmp_path / "f.yaml").write_text(dumps(ring(5, 1)))
    for written in ("{file: f.yaml}", "file:f.yaml", "f.yaml"):
        assert spec(f"fabric: {written}", folder=tmp_path).fabric == ring(5, 1)


def test_a_baseline_may_be_a_file_beside_the_spec(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    assert spec("baseline: {file: mine.txt}", folder=tmp_path).baseline == str(tmp_path / "mine.txt")
    found = spec("baseline: {file: mine.txt, line_rate: 50}", folder=tmp_path)
    assert (found.baseline, found.baseline_line_rate_GBps) == (str(tmp_path / "mine.txt"), 50)
    with pytest.raises(SpecError, match=r"baseline\.line_rate: 'fast' is no line rate; write GB/s"):
        spec("baseline: {file: mine.txt, line_rate: fast}", folder=tmp_path)


def test_a_policy_may_stand_without_options():
    assert [arm.name for arm in spec("arms: [{ecmp: }, {ecmp: {seed: 7}}]").arms] == ["ecmp", "ecmp:seed=7"]


def test_one_group_has_nothing_to_compare():
    assert spec("arms: [ecmp:seed=1, ecmp:seed=2]").compare == ()
    assert spec("arms: [pinned]\ncompare: []").compare == ()


@pytest.mark.parametrize("name", ["leaf-spine", "ring"])
def test_the_examples_are_specs(name):
    found, text = read(EXAMPLES / f"{name}.yaml")
    assert found.name == name
    assert len(found.placement) == 8
    assert text.startswith("#")
    assert {arm.group for arm in found.arms} >= {"spanning-tree"}
    assert found.scale is None


def test_the_command_line_has_the_last_word():
    changed = with_changes(spec(), scale=500, repeats=9, baseline=BASELINE)
    assert (changed.scale, changed.repeats, changed.baseline) == (500, 9, BASELINE)
    assert changed.data["repeats"] == 9
    assert with_changes(spec()) == spec()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": 0.5}, "--scale 0.5: a time dilation is a number from 1"),
        ({"scale": float("nan")}, "--scale nan"),
        ({"repeats": 0}, "--repeats 0: at least 1"),
        ({"baseline": "nope"}, "--baseline: .*nope"),
        ({"line_rate_GBps": 0.0}, "--line-rate 0: must be above 0"),
    ],
)
def test_the_command_line_is_checked_too(changes, message):
    with pytest.raises(UsageError, match=message):
        with_changes(spec(), **changes)


# What is wrong with a bad one. Each row: what to replace in GOOD, by what, and how the error begins.

BAD = {
    # text
    "tab": ("  - pinned", "\t- pinned", "demo.yaml:9: indented with a tab; YAML indents with spaces"),
    "duplicate key": ("arms:", "name: again\narms:", "demo.yaml:6: name: given twice, first in line 1; keep one"),
    "unclosed list": ("[1M, 16M]", "[1M, 16M", "demo.yaml:5: is no YAML:"),
    "unclosed quote": ("name: demo", "name: 'demo", "demo.yaml:1: is no YAML:"),
    "two colons": ("algorithm: ring", "algorithm: a: ring", "demo.yaml:4: is no YAML: mapping values"),
    "two documents": ("algorithm", "---\nalgorithm", "demo.yaml:4: a second document begins"),
    "alias": ("[1M, 16M]", "*big", "demo.yaml:5: alias *big is not read here; write the value out"),
    "tag": ("name: demo", "name: !!python/name:os.system", "demo.yaml:1: tag tag:yaml.org,2002:python/name:os.system"),
    "deep": ("[1M, 16M]", "[" * 5000, "demo.yaml:5: nested more than 20 deep"),
    "control character": ("demo", "de\x07mo", "demo.yaml:1: holds a control character"),
    "empty": (GOOD, "", "demo.yaml:1: is empty; begin with examples/leaf-spine.yaml"),
    "only comments": (GOOD, "# nothing\n", "demo.yaml:1: is empty"),
    "a list": (GOOD, "- a\n- b\n", "demo.yaml:1: is a list; a spec is a mapping"),
    "a word": (GOOD, "hello\n", "demo.yaml:1: is text; a spec is a mapping"),
    # fields
    "unknown field": ("algorithm: ring", "algorithm: ring\nsize: 4", "demo.yaml:5: size: there is no such field; did you mean 'sizes'?"),
    "missing name": ("name: demo\n", "", "demo.yaml:1: name: is missing; give the experiment a name"),
    "missing fabric": ("fabric: leaf-spine:leaves=4,spines=2,hosts=2\n", "", "demo.yaml:1: fabric: is missing; give it a short form"),
    "missing sizes": ("sizes: [1M, 16M]\n", "", "demo.yaml:1: sizes: is missing; name the message sizes"),
    "missing algorithm": ("algorithm: ring\n", "", "demo.yaml:1: algorithm: is missing"),
    "name with a slash": ("name: demo", "name: ../demo", "demo.yaml:1: name: '../demo' can't be; write letters, digits"),
    "name a number": ("name: demo", "name: 7", "demo.yaml:1: name: is a number; write text"),
    "name empty": ("name: demo", "name:", "demo.yaml:1: name: is empty; write text"),
    # fabric
    "unknown generator": ("leaf-spine:", "leafspine:", "demo.yaml:2: fabric: no generator 'leafspine'; did you mean 'leaf-spine'?"),
    "unknown parameter": ("spines=2", "spine=2", "demo.yaml:2: fabric: leaf-spine:leaves=4,spine=2,hosts=2: spine: leaf-spine has no such parameter; did you mean 'spines'?"),
    "missing parameter": (",hosts=2", "", "demo.yaml:2: fabric: leaf-spine:leaves=4,spines=2: hosts: is missing"),
    "bad rate": ("hosts=2", "hosts=2,rate=fast", "demo.yaml:2: fabric: leaf-spine:leaves=4,spines=2,hosts=2,rate=fast: rate: 'fast' is not a rate"),
    "fabric a number": ("leaf-spine:leaves=4,spines=2,hosts=2", "4", "demo.yaml:2: fabric: is a number; write a short form, a file's path or a mapping"),
    "inline fabric": ("fabric: leaf-spine:leaves=4,spines=2,hosts=2", "fabric:\n  generator: ring\n  switches: 2\n  hosts: 1", "demo.yaml:4: fabric.switches: 2 is too few; give at least 3"),
    "inline links": ("fabric: leaf-spine:leaves=4,spines=2,hosts=2", "fabric:\n  name: f\n  hosts: [h1, h2]\n  switches: [s]\n  links:\n  - {a: h1, b: s, rate: 1G}\n  - {a: h2, b: s, rate: 1}\n  - {a: h2, b: s}", "demo.yaml:9: fabric.links[2].rate: is missing"),
    "fabric file not there": ("leaf-spine:leaves=4,spines=2,hosts=2", "{file: nope.yaml}", "demo.yaml:2: fabric: nope.yaml: no such fabric file"),
    "fabric file and more": ("leaf-spine:leaves=4,spines=2,hosts=2", "{file: nope.yaml, leaves: 2}", "demo.yaml:2: fabric: leaves can't stand beside file"),
    "fabric file no path": ("leaf-spine:leaves=4,spines=2,hosts=2", '{file: "\\0"}', "demo.yaml:2: fabric: '\\x00' is no path; name a fabric file"),
    "fabric file a number": ("leaf-spine:leaves=4,spines=2,hosts=2", "{file: 3}", "demo.yaml:2: fabric: file is no path"),
    # ranks
    "unknown placement": ("interleaved", "interleaf", "demo.yaml:3: placement: no placement 'interleaf'; did you mean 'interleaved'?"),
    "placement a number": ("interleaved", "3", "demo.yaml:3: placement: is a number; write contiguous, interleaved or a list of hosts"),
    "placement names no host": ("interleaved", "[h1, h2, h77]", "demo.yaml:3: placement[2]: no host 'h77' in this fabric"),
    "placement holds a number": ("interleaved", "[h1, 2]", "demo.yaml:3: placement[1]: is a number; write text"),
    "placement of a wrong count": ("interleaved", "[h1, h2]\nranks: 3", "demo.yaml:3: placement: places 2 ranks, but ranks is 3"),
    "all on one host": ("interleaved", "[h1, h1]", "demo.yaml:3: placement: puts all ranks on one host"),
    "too few ranks": ("interleaved", "interleaved\nranks: 1", "demo.yaml:4: ranks: 1 is out of range; write at least 2"),
    "too many hosts": ("hosts=2", "hosts=500", "demo.yaml:2: fabric: 2000 ranks are too many; write ranks: 1024 or fewer"),
    # collective
    "unknown collective": ("algorithm", "collective: all_gather\nalgorithm", "demo.yaml:4: collective: no 'all_gather'; there are all_reduce"),
    "unknown algorithm": ("algorithm: ring", "algorithm: rings", "demo.yaml:4: algorithm: no algorithm 'rings'; did you mean 'ring'?"),
    "auto with faults": ("algorithm: ring", "algorithm: auto\nfaults: [{kill: {rank: 1}, at: 1s}]", "demo.yaml:4: algorithm: auto's steps are not known before a fault needs them; name an algorithm"),
    "six ranks": ("algorithm: ring", "algorithm: hierarchical:4\nranks: 6", "demo.yaml:4: algorithm: hierarchical:4 does not divide 6 ranks"),
    "channels 0": ("algorithm", "channels: 0\nalgorithm", "demo.yaml:4: channels: 0 is out of range; write at least 1"),
    "channels 65": ("algorithm", "channels: 65\nalgorithm", "demo.yaml:4: channels: 65 is out of range; write at most 64"),
    "channels of two rings": ("algorithm: ring", "channels: 33\nalgorithm: bidirectional-ring", "demo.yaml:4: channels: 33 channels of bidirectional-ring: from 1 to 32"),
    "channels as text": ("algorithm", "channels: '2'\nalgorithm", "demo.yaml:4: channels: is text; write a whole number"),
    "channels a fraction": ("algorithm", "channels: 1.5\nalgorithm", "demo.yaml:4: channels: is a number; write a whole number"),
    "unknown dtype": ("algorithm", "dtype: flaot\nalgorithm", "demo.yaml:4: dtype: no 'flaot'; did you mean 'float'?"),
    "dtype a list": ("algorithm", "dtype: [float]\nalgorithm", "demo.yaml:4: dtype: no ['float']"),
    # sizes
    "bad size": ("16M", "16X", "demo.yaml:5: sizes[1]: '16X' is no size: write bytes or K, M, G"),
    "size of no whole elements": ("16M", "17", "demo.yaml:5: sizes[1]: 17 bytes are no whole number of float elements; write a multiple of 4"),
    "size 0": ("16M", "0", "demo.yaml:5: sizes[1]: 0 is out of range"),
    "size true": ("16M", "true", "demo.yaml:5: sizes[1]: True is no size"),
    "size too large": ("16M", "2000G", "demo.yaml:5: sizes[1]: 2000G is out of range"),
    "size twice": ("16M", "1024K", "demo.yaml:5: sizes[1]: 1M is there twice; keep one"),
    "sizes on lines": ("[1M, 16M]", "\n- 1M\n- 3M\n- 5 parsecs", "demo.yaml:8: sizes[2]: '5 parsecs' is no size"),
    "no sizes": ("[1M, 16M]", "[]", "demo.yaml:5: sizes: is empty; name the message sizes"),
    "sizes as text": ("[1M, 16M]", "16M", "demo.yaml:5: sizes: is text; write a list, like [1M, 16M], or a sweep"),
    "too many sizes": ("[1M, 16M]", str([4 * n for n in range(1, 66)]), "demo.yaml:5: sizes: has 65 items; at most 64"),
    "min above max": ("[1M, 16M]", "{min: 2M, max: 1M}", "demo.yaml:5: sizes.min: 2097152 is above max, 1048576; swap them"),
    "min of no whole elements": ("[1M, 16M]", "{min: 5, max: 1M}", "demo.yaml:5: sizes.min: 5 bytes are no whole number"),
    "no max": ("[1M, 16M]", "{min: 1M}", "demo.yaml:5: sizes.max: is missing; name the largest size"),
    "factor 1": ("[1M, 16M]", "{min: 1M, max: 4M, factor: 1}", "demo.yaml:5: sizes.factor: 1 is out of range; write more than 1"),
    "factor too small": ("[1M, 16M]", "{min: 1M, max: 4M, factor: 1.0001}", "demo.yaml:5: sizes.factor: 1.0001 makes more than 64 sizes"),
    "factor infinite": ("[1M, 16M]", "{min: 1M, max: 4M, factor: .inf}", "demo.yaml:5: sizes.factor: is a number; write a finite number"),
    "unknown in a sweep": ("[1M, 16M]", "{min: 1M, max: 4M, step: 2}", "demo.yaml:5: sizes.step: there is no such field; there are min, max, factor"),
    # arms
    "no arms": ("arms:\n  - spanning-tree\n  - ecmp: {seeds: [1, 2]}\n  - pinned\n", "arms: []\n", "demo.yaml:6: arms: is empty; name the policies"),
    "arms as text": ("arms:\n  - spanning-tree\n  - ecmp: {seeds: [1, 2]}\n  - pinned\n", "arms: pinned\n", "demo.yaml:6: arms: is text; write a list"),
    "unknown policy": ("- pinned", "- pined", "demo.yaml:9: arms[2]: no routing policy 'pined': did you mean 'pinned'?"),
    "unknown policy with seeds": ("ecmp:", "ecpm:", "demo.yaml:8: arms[1].ecpm.seeds[0]: no routing policy 'ecpm': did you mean 'ecmp'?"),
    "bad seed": ("[1, 2]", "[1, x]", "demo.yaml:8: arms[1].ecmp.seeds[1]: policy 'ecmp': seed 'x' must be a whole number"),
    "seeds no list": ("[1, 2]", "3", "demo.yaml:8: arms[1].ecmp.seeds: is no list of seeds"),
    "no seeds": ("[1, 2]", "[]", "demo.yaml:8: arms[1].ecmp.seeds: is no list of seeds"),
    "ecmp a list": ("{seeds: [1, 2]}", "[1, 2]", "demo.yaml:8: arms[1].ecmp: write its options as a mapping"),
    "unknown option": ("{seeds: [1, 2]}", "{sed: 1}", "demo.yaml:8: arms[1].ecmp: policy 'ecmp' has no option 'sed'"),
    "same seed twice": ("[1, 2]", "[1, 1]", "demo.yaml:8: arms[1].ecmp.seeds[1]: the arm 'ecmp:seed=1' is there twice; keep one"),
    "same arm twice": ("- pinned", "- spanning-tree", "demo.yaml:9: arms[2]: the arm 'spanning-tree' is there twice; keep one"),
    "arm a number": ("- pinned", "- 3", "demo.yaml:9: arms[2]: is no policy; write one like pinned"),
    # libraries
    "unknown library": ("algorithm", "library: glo\nalgorithm", "demo.yaml:4: library: no 'glo'; did you mean 'gloo'?"),
    "shared memory": ("algorithm", "library: openmpi-sm\nalgorithm", "demo.yaml:4: library: no 'openmpi-sm'; did you mean 'openmpi'?"),
    "unknown library of an arm": ("- pinned", "- pinned: {library: glo}", "demo.yaml:9: arms[2].pinned: no library 'glo'; did you mean 'gloo'?"),
    "unknown library in short": ("- pinned", "- pinned+glo", "demo.yaml:9: arms[2]: no library 'glo'; did you mean 'gloo'?"),
    "library a number": ("- pinned", "- pinned: {library: 3}", "demo.yaml:9: arms[2].pinned: no library 3; there are ringlab, gloo, openmpi"),
    "library of three seeds": ("{seeds: [1, 2]}", "{seeds: [1, 2], library: glo}", "demo.yaml:8: arms[1].ecmp.seeds[0]: no library 'glo'"),
    "a type the library lacks": ("- pinned", "- pinned+openmpi\ndtype: half", "demo.yaml:9: arms[2]: openmpi has no all_reduce of type half: it has int8"),
    "the same with its library": ("- pinned", "- pinned+gloo\n  - pinned: {library: gloo}", "demo.yaml:10: arms[3].pinned: the arm 'pinned+gloo' is there twice; keep one"),
    "too many ranks for a library": ("hosts=2\nplacement: interleaved\nalgorithm: ring\nsizes: [1M, 16M]\narms:", "hosts=20\nplacement: interleaved\nalgorithm: ring\nsizes: [1M, 16M]\narms:\n  - pinned+gloo", "demo.yaml:6: arms: 80 ranks are too many for gloo; write ranks: 64 or fewer"),
    "faults and a library": ("- pinned", "- pinned+gloo\nfaults: [{kill: {rank: 1}, at: 1s}]", "demo.yaml:10: faults: can't be beside gloo, whose steps nobody sees"),
    # the rest
    "repeats 0": ("arms:", "repeats: 0\narms:", "demo.yaml:6: repeats: 0 is out of range; write at least 1"),
    "iterations 0": ("arms:", "iterations: 0\narms:", "demo.yaml:6: iterations: 0 is out of range; write at least 1"),
    "warmup -1": ("arms:", "warmup: -1\narms:", "demo.yaml:6: warmup: -1 is out of range; write at least 0"),
    "timeout 0": ("arms:", "timeout_s: 0\narms:", "demo.yaml:6: timeout_s: 0 is out of range; write more than 0"),
    "scale below 1": ("arms:", "scale: 0.5\narms:", "demo.yaml:6: scale: 0.5 is no time dilation: write auto, or a number from 1"),
    "scale a word": ("arms:", "scale: fast\narms:", "demo.yaml:6: scale: 'fast' is no time dilation"),
    "scale not a number": ("arms:", "scale: .nan\narms:", "demo.yaml:6: scale: nan is no time dilation"),
    "unknown baseline": ("arms:", "baseline: h1000\narms:", "demo.yaml:6: baseline: "),
    "baseline name and file": ("arms:", "baseline: {name: a, file: b}\narms:", "demo.yaml:6: baseline: write either a published name"),
    "baseline file not there": ("arms:", "baseline:\n  file: nope.txt\narms:", "demo.yaml:7: baseline.file: nope.txt: no such file"),
    "mtu too small": ("arms:", "transport: {mtu: 100}\narms:", "demo.yaml:6: transport.mtu: 100 is out of range; write at least 576"),
    "mtu too large": ("arms:", "transport:\n  mtu: 9001\narms:", "demo.yaml:7: transport.mtu: 9001 is out of range; write at most 9000"),
    "congestion no name": ("arms:", "transport: {congestion: 'reno; reboot'}\narms:", "demo.yaml:6: transport.congestion: 'reno; reboot' can't be; write the name of a TCP congestion control"),
    "queue no size": ("arms:", "transport: {queue: long}\narms:", "demo.yaml:6: transport.queue: 'long' is no size"),
    "unknown in transport": ("arms:", "transport: {tso: 1}\narms:", "demo.yaml:6: transport.tso: there is no such field; there are mtu, congestion, queue"),
    "transport empty": ("arms:", "transport:\narms:", "demo.yaml:6: transport: is empty; write a mapping"),
    "compare with no arm": ("arms:", "compare: [pinned, shortest]\narms:", "demo.yaml:6: compare[1]: no arm 'shortest'"),
    "compare with itself": ("arms:", "compare: [pinned, pinned]\narms:", "demo.yaml:6: compare: compares 'pinned' with itself"),
    "compare no pair": ("arms:", "compare: [[pinned]]\narms:", "demo.yaml:6: compare[0]: is no pair; write two arms or groups"),
    "compare of compare": ("arms:", "compare:\n- [pinned, ecmp]\n- [pinned, {a: 1}]\narms:", "demo.yaml:8: compare[1][1]: no arm {'a': 1}"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_spec_gets_its_line_and_field(kind):
    old, new, message = BAD[kind]
    assert old in GOOD, "the row replaces nothing"
    found = errors(GOOD.replace(old, new, 1))
    assert len(found) == 1, found
    assert found[0].startswith(message), found[0]
    assert "\n" not in found[0]


def test_all_errors_of_a_stage_are_told_at_once():
    text = GOOD.replace("[1M, 16M]", "[1X, 2X]").replace("name: demo", "name: 3\nrepeats: 0")
    assert [line.split(": ")[1] for line in errors(text)] == ["name", "sizes[0]", "sizes[1]", "repeats"]
    text = GOOD.replace("pinned", "pined").replace("16M", "17").replace("ring", "rig")
    assert [line.split(": ")[1] for line in errors(text)] == ["arms[2]", "sizes[1]", "algorithm"]


def test_a_bad_fabric_file_is_named_with_its_own_lines(tmp_path):
    (tmp_path / "f.yaml").write_text(dumps(ring(3, 1)).replace("100G", "fast", 1))
    (line,) = errors(GOOD.replace("leaf-spine:leaves=4,spines=2,hosts=2", "f.yaml"), tmp_path)
    assert line.startswith(f"demo.yaml:2: fabric: {tmp_path}/f.yaml:5: links[0].rate: 'fast' is not a rate")


# Files


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such spec file; check the path"),
        (b"name: caf\xe9\n", ":1: is not UTF-8 text; save it as UTF-8"),
        ("name: x\n".encode("utf-16"), ":1: is not UTF-8 text"),
        (b"#" * (9 * 2**20), "larger than 8 MiB; is it a spec file?"),
        (b"\x00\x01\x02", ":1: holds a control character"),
    ],
)
def test_a_file_that_can_not_be_read_gets_one_line(tmp_path, content, message):
    path = tmp_path / "s.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_the_system_refuses_is_told(tmp_path):
    with pytest.raises(UsageError, match="can't be read: File name too long; name a spec file that you may read"):
        read(tmp_path / ("x" * 300))


def test_a_folder_is_no_spec(tmp_path):
    with pytest.raises(UsageError, match="is a folder; name a spec file in it"):
        read(tmp_path)


def test_a_byte_order_mark_does_no_harm(tmp_path):
    (tmp_path / "s.yaml").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert read(tmp_path / "s.yaml")[0].name == "demo"


def test_the_text_comes_with_the_spec(tmp_path):
    (tmp_path / "s.yaml").write_text(GOOD)
    assert read(tmp_path / "s.yaml") == (spec(), GOOD)


def test_a_fabric_is_a_short_form_or_a_file(tmp_path):
    (tmp_path / "f.yaml").write_text(dumps(ring(3, 1)))
    assert fabrics.read(str(tmp_path / "f.yaml")) == fabrics.read("ring:switches=3,hosts=1")
    with pytest.raises(UsageError, match=r"no generator 'rin'; did you mean 'ring'\? \(nor is there a file 'rin'\)"):
        fabrics.read("rin")
    with pytest.raises(UsageError, match=r"nope.yaml: no such fabric file"):
        fabrics.read("nope.yaml")


@settings(max_examples=50, deadline=None)
@given(st.integers(0, len(GOOD)), st.integers(0, 12), st.text(max_size=6))
def test_no_slip_of_the_pen_gives_a_traceback(at, cut, typed):
    try:
        loads(GOOD[:at] + typed + GOOD[at + cut :], "demo.yaml")
    except SpecError as error:
        assert all(line.startswith("demo.yaml:") for line in error.errors)  # noqa: PT017 - either outcome is right
