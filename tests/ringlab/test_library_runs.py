"""Our library, gloo and Open MPI take turns in emulated hosts, on real packets."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("nothing_left"), pytest.mark.timeout(240)]
MISSING = [module for module in ("torch", "mpi4py") if find_spec(module) is None]
if MISSING:
    pytestmark.append(pytest.mark.skip(f"{', '.join(MISSING)}: not installed; see setup.sh"))

SPEC = """
name: libraries
fabric: leaf-spine:leaves=2,spines=2,hosts=2,rate=100G
placement: [h1, h3, h2, h4]
algorithm: ring
sizes: [1M]
arms: [pinned, pinned+gloo, pinned+openmpi]
repeats: 1
iterations: 2
warmup: 0
scale: 1000
"""


def ringlab(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ringlab", *words],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def complaints(talk: str) -> list[str]:
    return [line for line in talk.splitlines() if line and not line.startswith("ringlab:  ")]


@pytest.fixture
def spec(tmp_path) -> Path:
    file = tmp_path / "libraries.yaml"
    file.write_text(SPEC)
    return file


def test_three_libraries_on_one_fabric(spec, tmp_path):
    with ringlab("run", str(spec), "--json", "-", "--out", str(tmp_path)) as process:
        out, talk = process.communicate(timeout=200)
    found = json.loads(out)  # neighbours of this test may spoil the verdict, but no value
    assert found["failure"] is None, talk
    arms = {arm["name"]: arm for arm in found["arms"]}
    assert list(arms) == ["pinned", "pinned+gloo", "pinned+openmpi"]
    for arm in arms.values():
        (row,) = arm["results"]
        assert row["wrong"] == 0
        assert row["time_us"] > 1e6 * 1.5 * 2**20 * 8 / 100e6 * 0.9, "faster than the shaped links"
        assert (row["predicted_us"] is None) == (arm["objective"] is None) == (arm["name"] != "pinned")
    assert [arm["library"].split()[0] for arm in arms.values()] == ["ringlab", "gloo", "Open"]
    assert {link["arm"] for link in found["links"] if link["bytes_predicted"]} == {"pinned"}
    for name in ("pinned+gloo", "pinned+openmpi"):
        crossed = {link["name"]: link["bytes_counted"] for link in found["links"] if link["arm"] == name}
        busy = {spine for spine in ("spine1", "spine2") if crossed[f"leaf1->{spine}"] > 2**20}
        assert busy == {"spine1", "spine2"}, "the policy's paths and not the spanning tree's"
    assert any("nothing is predicted" in reason for reason in found["certificate"]["reasons"])
    assert len(found["fingerprint"]["libraries"]) == 3


def processes(*words: bytes) -> list[int]:
    """Those with all ``words`` on their command line, and none of ``setpriv``."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes().split(b"\0")
        except OSError:
            continue
        if set(words) <= set(line) and b"setpriv" not in line:
            found.append(int(file.parent.name))
    return found


def started(spec: Path, tmp_path: Path, library: str) -> tuple[subprocess.Popen[str], list[int]]:
    """A run whose ranks of ``library`` are at work, and these, by pid."""
    spec.write_text(SPEC.replace("[pinned, pinned+gloo, pinned+openmpi]", f"[pinned+{library}]").replace("1M", "64M"))
    process = ringlab("run", str(spec), "--out", str(tmp_path))
    assert any("block 1 of 1" in line for line in process.stderr)
    deadline = time.monotonic() + 60
    while len(found := ranks(library)) < 4:
        assert time.monotonic() < deadline, "no ranks came"
        time.sleep(0.05)
    time.sleep(5)  # they meet
    return process, found


def ranks(library: str) -> list[int]:
    """Of an mpirun those that it started: the launcher has no parent of that name."""
    found = processes(b"collectives", b"--library", library.encode())
    if library == "gloo":
        return found
    return [pid for pid in found if b"OMPI_COMM_WORLD_RANK=" in Path(f"/proc/{pid}/environ").read_bytes()]


def daemons() -> list[int]:
    """Open MPI's daemons in hosts, by the way to their mpirun that stands on their command line."""
    return processes(b"prte_hnp_uri")


@pytest.mark.parametrize("library", ["gloo", "openmpi"])
def test_a_rank_that_is_killed_ends_the_run_with_one_line(spec, tmp_path, library):
    process, found = started(spec, tmp_path, library)
    with process:
        os.kill(sorted(found)[1], signal.SIGKILL)
        _, talk = process.communicate(timeout=60)
    assert process.returncode == 4
    (line,) = complaints(talk)
    assert "was ended by SIGKILL" in line
    assert "(h" in line
    assert ranks(library) == []
    assert daemons() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_of_open_mpi_outlives_a_run_that_was_ended(spec, tmp_path, number):
    process, _ = started(spec, tmp_path, "openmpi")
    with process:
        process.send_signal(number)
        process.communicate(timeout=60)
    if number == signal.SIGKILL:
        subprocess.run([sys.executable, "-m", "ringlab", "clean"], check=True, capture_output=True)
    deadline = time.monotonic() + 10
    while (ranks("openmpi") or daemons()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert ranks("openmpi") == []
    assert daemons() == []
    assert not list(Path(tempfile.gettempdir()).glob("ringlab-r*"))
