"""Killed at any moment, nothing is left: ``kill -9`` at random moments of build and run, then ``ringlab clean``.

Use:
    python benchmarks/crash.py                 # 20 moments, about two minutes
    python benchmarks/crash.py --quick         # 6 moments
    python benchmarks/crash.py --moments 40 --seed 7 --json -

Half of the moments lie in the build, half in the run of a small ring. After each, everything is compared with what was
there before: bridges, interfaces, namespaces, processes, temporary folders, records, settings of the whole machine.
A bridge, a veth pair and a namespace that are not ours stand beside it all the time and must still be there.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
SPEC = """
name: crash
fabric: leaf-spine:leaves=4,spines=2,hosts=2
collective: all_reduce
algorithm: ring
sizes: [64K]
arms: [spanning-tree, pinned]
repeats: 2
warmup: 0
scale: 2000
"""
BUILD_BEGINS, RUN_BEGINS = "making", "waiting for the switches"
BUILD_S, RUN_S = 0.4, 5.0
CLEAN_GOAL_S = 2.0
SETTLE_S = 3.0  # the kernel removes namespaces, and a controller sees its parent's end, a little later
SETTINGS = ("/proc/sys/net/core/rmem_default", "/proc/sys/net/core/wmem_default", "/sys/kernel/rcu_expedited")

MARK = f"RINGLAB_CRASH={os.getpid()}"
"""In the environment of all that a run starts: so its processes are told from those of others."""

State = dict[str, set[str]]


@dataclass(frozen=True)
class Outcome:
    """One moment: where it lay, what stayed though it was ours, what went though it was not, how long clean took."""

    moment: str
    left: dict[str, list[str]]
    lost: dict[str, list[str]]
    clean_s: float

    @property
    def passed(self) -> bool:
        return not self.left and not self.lost


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    moments = 6 if options.quick else options.moments
    draw = random.Random(options.seed)
    outcomes = []
    with foreign_things(), tempfile.TemporaryDirectory(prefix="crash-") as folder:
        (Path(folder) / "spec.yaml").write_text(SPEC)
        before = state()
        for number in range(moments):
            outcome = crash(Path(folder), before, draw, in_build=number % 2 == 0)
            outcomes.append(outcome)
            print(f"{number + 1:>3} of {moments}: {_line(outcome)}", file=sys.stderr, flush=True)
    passed = sum(outcome.passed for outcome in outcomes)
    clean_s = [outcome.clean_s for outcome in outcomes]
    if options.json != "-":
        print(f"{passed}/{moments} moments left nothing and touched nothing (seed {options.seed})")
        print(f"clean: median {statistics.median(clean_s):.2f} s, longest {max(clean_s):.2f} s")
    if options.json:
        text = json.dumps(_figures(outcomes), indent=2) + "\n"
        sys.stdout.write(text) if options.json == "-" else Path(options.json).write_text(text)
    return 0 if passed == moments else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="6 moments, under a minute")
    parser.add_argument("--json", metavar="FILE", help="write figures and raw samples there, - for standard output")
    return parser


def crash(folder: Path, before: State, draw: random.Random, in_build: bool) -> Outcome:
    """Start a run, kill it at a moment, clean, and compare."""
    begins, longest_s = (BUILD_BEGINS, BUILD_S) if in_build else (RUN_BEGINS, RUN_S)
    delay_s = draw.uniform(0, longest_s)
    with subprocess.Popen(
        _ringlab("run", "spec.yaml"), cwd=folder, env=_environment(), text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        for line in process.stderr:
            if begins in line:
                break
        time.sleep(delay_s)
        process.send_signal(signal.SIGKILL)
    began = time.monotonic()
    subprocess.run(_ringlab("clean"), cwd=folder, env=_environment(), stdout=subprocess.DEVNULL, check=True)
    clean_s = time.monotonic() - began
    left, lost = _difference(before)
    return Outcome(f"{'build' if in_build else 'run'} + {delay_s:.3f} s", left, lost, clean_s)


def _ringlab(*words: str) -> list[str]:
    return [sys.executable, "-m", "ringlab", *words]


def _environment() -> dict[str, str]:
    name, _, value = MARK.partition("=")
    return {**os.environ, "PYTHONPATH": str(ROOT), name: value}


@contextmanager
def foreign_things() -> Iterator[None]:
    """A bridge, a veth pair and a namespace that no lab made."""
    run = subprocess.run
    run(["ovs-vsctl", "add-br", "foreign0", "--", "set", "Bridge", "foreign0", "datapath_type=netdev"], check=True)
    run(["ip", "link", "add", "foreign1", "type", "veth", "peer", "name", "foreign2"], check=True)
    run(["ip", "netns", "add", "foreign3"], check=True)
    try:
        yield
    finally:
        run(["ip", "netns", "delete", "foreign3"], check=False)
        run(["ip", "link", "delete", "foreign1"], check=False)
        run(["ovs-vsctl", "--if-exists", "del-br", "foreign0"], check=False)


def state() -> State:
    """What a lab could leave or take: names of everything of its kinds on this machine."""
    shown = subprocess.run(["ovs-vsctl", "list-br"], capture_output=True, text=True, check=True)
    processes, namespaces = _processes()
    records = Path("/run/ringlab")
    return {
        "bridges": set(shown.stdout.split()),
        "interfaces": {path.name for path in Path("/sys/class/net").iterdir()},
        "namespaces": namespaces | {f"named {path.name}" for path in Path("/run/netns").glob("*")},
        "processes": processes,
        "folders": {path.name for path in Path(tempfile.gettempdir()).glob("ringlab-*")},
        "records": {path.name for path in records.glob("*") if path.suffix != ".lock"},
        "settings": {f"{path} is {Path(path).read_text().strip()}" for path in SETTINGS if Path(path).exists()},
    }


def _processes() -> tuple[set[str], set[str]]:
    """Processes that our runs started, known by their environment, and network namespaces in use."""
    found, namespaces = set(), set()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if MARK.encode() in (folder / "environ").read_bytes():
                found.add(f"{folder.name} {(folder / 'comm').read_text().strip()}")
            namespaces.add(str((folder / "ns/net").readlink()))
    return found, namespaces


def _difference(before: State) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """What is there beyond ``before``, and what is missing of it, once things have settled."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        now = state()
        left = {kind: sorted(now[kind] - before[kind]) for kind in now if now[kind] - before[kind]}
        # Other programs of the machine may end meanwhile: of processes and their namespaces only more is a fault.
        watched = set(now) - {"processes"}
        lost = {kind: sorted(before[kind] - now[kind]) for kind in watched if before[kind] - now[kind]}
        if not (left or lost) or time.monotonic() > deadline:
            return left, lost
        time.sleep(0.05)


def _line(outcome: Outcome) -> str:
    verdict = "passed" if outcome.passed else f"FAILED left {outcome.left} lost {outcome.lost}"
    return f"{outcome.moment}: {verdict}, clean took {outcome.clean_s:.2f} s"


def _figures(outcomes: Sequence[Outcome]) -> list[dict[str, object]]:
    passed = sum(outcome.passed for outcome in outcomes)
    longest_s = max(outcome.clean_s for outcome in outcomes)
    return [
        {
            "name": "kill -9 moments that left nothing and touched nothing", "value": passed, "unit": "moments",
            "goal": len(outcomes), "better": "higher", "met": passed == len(outcomes),
            "samples": [_line(outcome) for outcome in outcomes],
        },
        {
            "name": "ringlab clean, the longest", "value": longest_s, "unit": "s", "goal": CLEAN_GOAL_S,
            "better": "lower", "met": longest_s < CLEAN_GOAL_S, "samples": [outcome.clean_s for outcome in outcomes],
        },
    ]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
