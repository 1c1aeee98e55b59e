"""Every fault on a real fabric: the sum stays exact, or every rank ends with the one error that explains it."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from emulation import doctor
from emulation.errors import RunError
from emulation.lab import new_tag, records
from emulation.outages import prepare_hosts
from emulation.plan import Plan
from ringlab.experiments.bench import Faults, Job, bench
from ringlab.experiments.faults_spec import Scene, read_faults, scaled
from topologies.leaf_spine import leaf_spine
from topologies.yaml_lines import Document, Problems

pytestmark = [pytest.mark.root, pytest.mark.timeout(120)]

FABRIC = leaf_spine(2, 1, 1)
HOSTS = ("h1", "h2")
SCALE = 1000
SIZE = 1 << 20
OPERATIONS = 3
TIMEOUT_S = 2.0


@pytest.fixture(scope="module")
def ready():
    """One small fabric for all tests here; nothing of it is left."""
    plan = Plan(FABRIC, new_tag(), doctor.settings(SCALE, mtu=9000, congestion="reno"))
    with bench(plan, Job("ring", HOSTS, timeout_s=TIMEOUT_S), lambda _: None) as found:
        prepare_hosts(found.network, TIMEOUT_S)
        found.install("spanning-tree", SIZE)
        yield found
    assert not [path.name for path in Path("/sys/class/net").iterdir() if path.name.startswith(plan.tag)]
    assert plan.tag not in [path.stem for path in records()]


def turn(ready, text):
    """One turn with the faults in ``text``: its block, and what was noted."""
    problems = Problems(Document("test", None))
    read = read_faults(yaml.safe_load(text), Scene(FABRIC, HOSTS, 2, OPERATIONS), problems)
    assert problems.errors == []
    noted: list[str] = []
    faults = Faults(scaled(read, SCALE), noted.append)
    block = ready.measure([SIZE], 0, [OPERATIONS], 20.0, faults=faults)
    assert faults.never_came == ()
    return block.sizes[0], [note.partition(" (")[0] for note in noted]


@pytest.mark.parametrize(
    ("fault", "events"),
    [
        ("down: leaf1-spine1", ["link leaf1-spine1 down", "link leaf1-spine1 up again"]),
        ("lose: h2-leaf2", ["link h2-leaf2 loses 100 % of its frames", "link h2-leaf2 as before"]),
        ("degrade: h1->leaf1, rate: 5G", ["link h1->leaf1 limited to 5Mb/s", "link h1->leaf1 as before"]),
        ("pause: h2", ["host h2 paused", "host h2 resumed"]),
        ("kill: spine1", ["switch spine1 killed", "switch spine1 restarted", "switch spine1 has its rules again"]),
    ],
)  # fmt: skip
def test_an_outage_costs_its_time_and_the_sum_is_exact(ready, fault, events):
    found, noted = turn(ready, f"[{{at_step: 1, operation: 2, {fault}, for: 250ms}}]")
    assert found.wrong == 0
    assert noted == events
    assert found.times_us[1] > 0.25e6, "the operation that was hit takes longer than the outage"
    assert found.times_us[0] < 0.2e6


def test_frames_lost_by_the_dice_are_sent_again(ready):
    found, noted = turn(ready, "[{at: 0, lose: leaf1-spine1, share: 5%}]")
    assert found.wrong == 0
    assert noted == ["link leaf1-spine1 loses 5 % of its frames", "link leaf1-spine1 as before"]


def test_a_flap_and_a_restore_are_seen_in_the_timeline(ready):
    found, noted = turn(
        ready,
        "[{at_step: 0, operation: 1, flap: h1-leaf1, period: 60ms, count: 2},"
        " {at: 0, degrade: leaf2-spine1, rate: 50G}, {at_step: 0, operation: 3, restore: leaf2-spine1}]",
    )
    assert found.wrong == 0
    down, up = "link h1-leaf1 down", "link h1-leaf1 up again"
    assert [note for note in noted if "h1" in note] == [down, up, down, up]
    assert [note for note in noted if "h1" not in note] == [
        "link leaf2-spine1 limited to 50Mb/s", "link leaf2-spine1 as before",
    ]  # fmt: skip


def test_switches_forward_on_without_their_controller_which_comes_back(ready):
    pid = ready.control.pid
    found, noted = turn(ready, "[{at_step: 0, kill: controller, for: 100ms}]")
    assert found.wrong == 0
    assert noted == ["controller killed", "controller restarted", "controller and switches agree again"]
    assert ready.control.pid != pid
    assert ready.control.client.status()["jobs"]


def test_a_link_that_stays_down_ends_every_rank_with_one_error(ready):
    began = time.monotonic()
    with pytest.raises(RunError) as caught:
        turn(ready, "[{at_step: 1, operation: 2, down: leaf1-spine1}]")
    assert re.fullmatch(
        r"rank (\d) \(h\d\) heard nothing from rank (?!\1)\d \(h\d\) at step \d for 2 s; "
        r"link leaf1-spine1 is down since \d\.\d\d s",
        str(caught.value),
    )
    assert time.monotonic() - began < 4 * TIMEOUT_S


def test_a_rank_that_is_killed_ends_the_others_at_once(ready):
    with pytest.raises(RunError) as caught:
        turn(ready, "[{at_step: 1, operation: 2, kill: rank 1}]")
    assert re.fullmatch(
        r"rank 1 \(h2\) was ended by SIGKILL; rank 0 \(h1\) lost rank 1 \(h2\) at step \d: .*; "
        r"rank 1 was killed at \d\.\d\d s, as the spec says",
        str(caught.value),
    )


def test_after_all_that_the_fabric_is_whole(ready):
    block = ready.measure([SIZE], 0, [OPERATIONS], 20.0)
    assert block.sizes[0].wrong == 0
    assert max(block.sizes[0].times_us) < 0.12e6


SPEC = """
name: broken
fabric: leaf-spine:leaves=2,spines=1,hosts=1
algorithm: ring
sizes: [1M]
arms: [spanning-tree, shortest]
repeats: 1
iterations: 1
warmup: 0
scale: 1000
timeout_s: 1
faults: [{at_step: 1, down: leaf1-spine1}]
"""


@pytest.mark.usefixtures("nothing_left")
def test_a_run_that_fails_keeps_its_timeline_and_ends_with_4(tmp_path):
    spec = tmp_path / "broken.yaml"
    spec.write_text(SPEC)
    done = subprocess.run(
        [sys.executable, "-m", "ringlab", "run", str(spec), "--json", "-", "--out", str(tmp_path)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 4
    found = json.loads(done.stdout)
    assert found["certificate"]["verdict"] == "invalid"
    assert re.search(r"^block 1, spanning-tree: rank \d .* heard nothing from rank", found["failure"])
    assert f"ringlab: {found['failure']}" in done.stderr.splitlines()
    events = [moment["event"] for moment in found["timeline"]]
    assert any(event.startswith("block 1, spanning-tree: link leaf1-spine1 down (") for event in events)
    assert events[-1] == "block 1, spanning-tree: failed"
    assert (tmp_path / found["id"] / "result.json").exists()
