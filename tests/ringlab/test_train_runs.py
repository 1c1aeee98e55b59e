"""Small trainings on real fabrics: losses agree, a cut is survived where there is another way, and named where not."""

import json
import re
import subprocess
import sys
from importlib.util import find_spec

import pytest

pytestmark = [
    pytest.mark.root,
    pytest.mark.usefixtures("nothing_left"),
    pytest.mark.timeout(120),
    pytest.mark.skipif(find_spec("torch") is None, reason="needs torch"),
]

SPEC = """
name: small
fabric: leaf-spine:leaves=2,spines=1,hosts=1,rate=100G
backends: [ringlab, gloo]
arms: [pinned]
layers: [16, 64, 64, 4]
batch: 8
bucket_mb: [0.01, 25]
steps: 4
repeats: 1
scale: 1000
timeout_s: 20
"""
# A megabyte of gradients takes 90 ms at 100 Mb/s: a step still lasts when the link that its beginning cuts is down.
LONG_STEPS = SPEC.replace("[16, 64, 64, 4]", "[16, 512, 512, 4]").replace("[0.01, 25]", "[25]")
CUT = LONG_STEPS + "faults: [{at_step: 2, down: leaf1-spine1}]\n"


def train(tmp_path, text):
    spec = tmp_path / "small.yaml"
    spec.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "ringlab", "train", str(spec), "--json", "-", "--out", str(tmp_path)],
        capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    complaints = [line for line in done.stderr.splitlines() if not line.startswith("ringlab:  ")]
    return done.returncode, json.loads(done.stdout), complaints


def test_two_ranks_learn_the_same_by_both_backends_to_the_bit(tmp_path):
    code, found, complaints = train(tmp_path, SPEC)
    assert (code, complaints, found["failure"]) == (0, [], None)
    assert [(check["bucket_mb"], check["largest"]) for check in found["losses"]] == [(0.01, 0.0), (25.0, 0.0)]
    assert [(one["backend"], one["bucket_mb"]) for one in found["trainings"]] == [
        ("ringlab", 0.01), ("ringlab", 25.0), ("gloo", 0.01), ("gloo", 25.0),
    ]  # fmt: skip
    for one in found["trainings"]:
        assert [step["step"] for step in one["steps"]] == [0, 1, 2, 3]
        assert [step["buckets"] for step in one["steps"][1:]] == [2 if one["bucket_mb"] < 1 else 1] * 3
        assert all(step["exposed_s"] > 0 and step["computation_s"] > 0 for step in one["steps"])
        assert one["steps"][2]["alone_s"] > 0
    folder = tmp_path / found["id"]
    assert {path.name for path in folder.iterdir()} == {"result.json", "training.png", "training.svg", "spec.yaml"}


def test_four_ranks_survive_a_cut_where_there_is_another_way(tmp_path):
    text = CUT.replace("spines=1,hosts=1", "spines=2,hosts=2").replace(
        "steps: 4", "placements: [interleaved]\nsteps: 4"
    )
    code, found, complaints = train(tmp_path, text)
    assert (code, complaints, found["failure"]) == (0, [], None)
    (check,) = found["losses"]
    assert check["largest"] <= 1e-5
    for backend in ("ringlab", "gloo"):
        events = [
            moment["event"] for moment in found["timeline"] if f"{backend}, interleaved, pinned" in moment["event"]
        ]
        assert "link leaf1-spine1 down (" in events[0]
        assert events[-1].endswith("done")


def test_a_cut_without_another_way_names_rank_peer_and_link_and_keeps_finished_steps(tmp_path):
    text = CUT.replace("[ringlab, gloo]", "[ringlab]").replace("timeout_s: 20", "timeout_s: 2")
    code, found, complaints = train(tmp_path, text)
    assert code == 4
    (line,) = complaints
    assert re.search(
        r"rank (\d) \(h\d\) heard nothing from rank (?!\1)\d \(h\d\) at step \d for 2 s.*"
        r"link leaf1-spine1 is down since \d+\.\d\d s; [12] steps were finished$",
        line,
    )
    (one,) = found["trainings"]
    assert [step["step"] for step in one["steps"]] in ([0], [0, 1])
