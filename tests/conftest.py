"""What all tests share: the check that a test on a real machine leaves nothing of ours behind."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ["RINGLAB_PROGRESS"] = "lines"
"""Programs that tests start tell what they are doing: tests wait for it, and a failed one shows it."""


def machine_state() -> dict[str, set[str]]:
    """Bridges, network interfaces, network namespaces in use, and lab records of this machine."""
    bridges = subprocess.run(["ovs-vsctl", "list-br"], capture_output=True, text=True, check=True).stdout.split()
    namespaces = set()
    for link in Path("/proc").glob("[0-9]*/ns/net"):
        try:
            namespaces.add(str(link.readlink()))
        except OSError:
            continue  # a process that has just ended
    return {
        "bridges": set(bridges),
        "interfaces": {path.name for path in Path("/sys/class/net").iterdir()},
        "namespaces": namespaces,
        "records": {path.name for path in Path("/run/ringlab").glob("r*.json")},
    }


def await_state(wanted: dict[str, set[str]], timeout_s: float = 5.0) -> dict[str, set[str]]:
    """What is there beyond ``wanted`` once it is gone, or after ``timeout_s`` (the kernel removes namespaces later)."""
    deadline = time.monotonic() + timeout_s
    while True:
        now = machine_state()
        extra = {kind: found - wanted[kind] for kind, found in now.items() if found - wanted[kind]}
        if not extra or time.monotonic() > deadline:
            return extra
        time.sleep(0.02)


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Fails the test if it leaves bridges, interfaces, namespaces or records behind."""
    before = machine_state()
    yield
    extra = await_state(before)
    assert not extra, f"left behind: {extra}"


@pytest.fixture(autouse=True)
def _needs_root(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("root") and os.geteuid():
        pytest.skip("needs root")
