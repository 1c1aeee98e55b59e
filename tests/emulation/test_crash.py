"""kill -9 at moments of build and run leaves nothing that clean does not find; benchmarks/crash.py tries more."""

import subprocess
import sys
from pathlib import Path

import pytest

CRASH = Path(__file__).parents[2] / "benchmarks" / "crash.py"
CGROUPS = "/sys/fs/cgroup"

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("nothing_left")]


def test_a_few_moments():
    done = subprocess.run([sys.executable, CRASH, "--moments", "3"], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("3/3 moments left nothing and touched nothing"), done.stdout + done.stderr


BUILD = """
from emulation import doctor
from emulation.lab import new_tag
from emulation.network import built
from emulation.plan import Plan
from topologies.leaf_spine import leaf_spine
with built(Plan(leaf_spine(1, 1, 2), new_tag(), doctor.settings(1000, mtu=9000, congestion="reno"))) as network:
    print(network.run("h1", ["echo", "up"]), network.mininet["h2"].cmd("echo shell"))
"""


@pytest.mark.parametrize(
    "mount", ["true", f"mount -t tmpfs none {CGROUPS}", f"umount -l {CGROUPS} 2>/dev/null || true"]
)
def test_control_groups_as_they_are_or_empty_or_absent_are_never_in_the_way(mount):
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", f'{mount}; exec "$@"', "sh", sys.executable, "-c", BUILD],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["up", "shell"], done.stderr
