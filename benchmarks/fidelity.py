"""Does the certificate tell a run that this machine carried from one that it did not?

Real runs of a ring allreduce, sound and deliberately overloaded ones taking turns. What a run is, is known from outside
the certificate: nothing was done to a sound one, and its links are slow (100 Mb/s); an overloaded
one has its cause (links far too fast, busy processors, a switch that is halted again and again, packet sockets of the
kernel's usual size), and counts as overloaded where that did harm: where its time, scaled by the rates, is more than
HARMFUL off the median of the sound runs of the same fabric. A sound run is taken again where others kept the machine
busy right before or after it.

Every second run (of each kind) is for setting limits; the figures reported are those of the others.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # before this folder, where files have packages' names

from emulation import machine_settings
from emulation.errors import EmulationError
from emulation.observe import PIDFILE
from ringlab.experiments import runner
from ringlab.experiments import spec as specs

SPEC = """
name: fidelity
fabric: {fabric}
placement: interleaved
collective: all_reduce
algorithm: ring
sizes: [{size}]
arms: [pinned]
repeats: 1
warmup: 1
iterations: 2
"""
LEAF_SPINE = "leaf-spine:leaves=4,spines=2,hosts=2"
RING = "ring:switches=4,hosts=1"
SOUND_SCALE = 1000.0  # 100 Mb/s a link: a seventh of what two slow cores switch
HARMFUL = 0.05  # of the time: less is what sound runs differ by among themselves
SIZE = "2M"
QUIET = 0.20  # of the processors, busy with others' work before a run
PATIENCE_S = 30.0

Trouble = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to run: a fabric, its scale, and what is done to the machine meanwhile (None: nothing)."""

    name: str
    fabric: str
    scale: float
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one run. ``time_s`` is the time of the collective as it stands for the fabric at scale 1."""

    kind: str
    verdict: str
    time_us: float
    checks: dict[str, float]
    flagged: dict[str, str]
    failed: str = ""


@contextmanager
def burners(number: int) -> Iterator[None]:
    """So many processes that do nothing but keep a processor busy."""
    argv = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(argv) for _ in range(number)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


HALTS = """
import os, signal, sys, time
pid, halted, running = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
def leave(*_):
    os.kill(pid, signal.SIGCONT)
    sys.exit()
signal.signal(signal.SIGTERM, leave)
while True:
    os.kill(pid, signal.SIGSTOP); time.sleep(halted); os.kill(pid, signal.SIGCONT); time.sleep(running)
"""


@contextmanager
def halted_switch(halted_s: float, running_s: float) -> Iterator[None]:
    """ovs-vswitchd stands still again and again. It goes on when this ends, also when this process is killed."""
    pid = PIDFILE.read_text().strip()
    argv = ["setpriv", "--pdeathsig", "TERM", sys.executable, "-c", HALTS, pid, str(halted_s), str(running_s)]
    process = subprocess.Popen(argv)
    try:
        yield
    finally:
        process.terminate()
        process.wait()
        os.kill(int(pid), signal.SIGCONT)


@contextmanager
def small_sockets() -> Iterator[None]:
    """Packet sockets as the kernel makes them, 208 KiB."""
    usual = machine_settings.SOCKET_BYTES
    machine_settings.SOCKET_BYTES = 0
    try:
        yield
    finally:
        machine_settings.SOCKET_BYTES = usual


SOUND = (
    Kind("sound, leaf-spine", LEAF_SPINE, SOUND_SCALE),
    Kind("sound, ring", RING, SOUND_SCALE),
)
OVERLOADED = (
    Kind("links far too fast", LEAF_SPINE, 40.0),
    Kind("links too fast", LEAF_SPINE, 100.0),
    Kind("busy processors", LEAF_SPINE, 250.0, lambda: burners(6)),
    Kind("busy processors, slow links", LEAF_SPINE, SOUND_SCALE, lambda: burners(12)),
    Kind("halted switch", LEAF_SPINE, SOUND_SCALE, lambda: halted_switch(0.05, 0.05)),
    Kind("small packet sockets", LEAF_SPINE, 250.0, small_sockets),
)
KINDS = tuple(kind for overloaded in OVERLOADED for kind in (*SOUND, overloaded))


def run_once(kind: Kind) -> Run:
    """One run, with its trouble if it has one."""
    wanted = specs.loads(SPEC.format(fabric=kind.fabric, size=SIZE))
    wanted = specs.with_changes(wanted, scale=kind.scale)
    try:
        with kind.trouble() if kind.trouble else nullcontext():
            result = runner.run(wanted, lambda _: None, lambda _: None).result
    except EmulationError as error:  # a fabric that does not even come up has said so
        return Run(kind.name, "failed", float("inf"), {}, {"failed": "invalid"}, str(error))
    found = result.arms[0].results[0] if result.arms[0].results else None
    checks = result.certificate.checks
    return Run(
        kind.name,
        result.certificate.verdict,
        found.time_us / kind.scale if found else float("inf"),
        {check.name: check.value for check in checks if isinstance(check.value, float | int)},
        {check.name: check.verdict for check in checks if check.verdict != "valid"},
        result.failure or "",
    )


def others_busy() -> float:
    """The share of all processors that is busy now, before anything of ours runs."""
    before = _processor_time()
    time.sleep(0.4)
    after = _processor_time()
    return (after[0] - before[0]) / max(1, after[1] - before[1])


def _processor_time() -> tuple[int, int]:
    fields = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(fields) - fields[3] - fields[4], sum(fields)


def await_quiet() -> bool:
    """Wait for others' work to end; False where it does not in PATIENCE_S."""
    deadline = time.monotonic() + PATIENCE_S
    while others_busy() > QUIET:
        if time.monotonic() > deadline:
            return False
    return True


def collect(seconds: float, say: Callable[[str], None]) -> list[Run]:
    """Runs of all kinds in turn, for as long as ``seconds`` last."""
    runs: list[Run] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for kind in KINDS:
            quiet = await_quiet()
            run = run_once(kind)
            if kind in SOUND and not (quiet and others_busy() < QUIET):
                say(f"{kind.name}: others were busy; not counted")
                continue
            runs.append(run)
            say(f"{kind.name}: {run.verdict} {run.time_us:.3g} {run.failed} {json.dumps(run.flagged)}")
            if time.monotonic() > deadline:
                break
    return runs


def harmed(runs: Sequence[Run]) -> list[Run]:
    """Of the overloaded runs, those that were: whose time is not that of sound runs at the same rates."""
    fabrics = {kind.name: kind.fabric for kind in KINDS}
    usual = {
        kind.fabric: median([run.time_us for run in runs if run.kind == kind.name] or [float("nan")]) for kind in SOUND
    }
    sound = {kind.name for kind in SOUND}
    return [
        run for run in runs if run.kind not in sound and not abs(run.time_us / usual[fabrics[run.kind]] - 1) <= HARMFUL
    ]


def share(runs: Sequence[Run]) -> float:
    """The share that is flagged: doubtful, invalid or failed with a word."""
    return sum(run.verdict != "valid" for run in runs) / len(runs) if runs else float("nan")


def suggested(runs: Sequence[Run]) -> dict[str, float]:
    """What each figure's limit would be by the rule of ``emulation.fidelity``: half more than the worst sound run."""
    worst: dict[str, float] = {}
    for run in runs:
        for name, value in run.checks.items():
            worst[name] = min(worst.get(name, value), value) if name == "cpu_idle" else max(worst.get(name, 0), value)
    return {name: value / 1.5 if name == "cpu_idle" else value * 1.5 for name, value in worst.items()}


def goals(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """The figures that are held against the goals, and those promised of valid runs."""
    sound = [run for run in runs if run.kind in {kind.name for kind in SOUND}]
    valid = [run for run in runs if run.verdict == "valid"]
    bad = harmed(runs)
    return [
        _figure("overloaded flagged", share(bad), "share", 0.95, "higher"),
        _figure("sound flagged", share(sound), "share", 0.02, "lower"),
        _figure("rate error of valid runs, worst", _worst(valid, "rate"), "share", 0.02, "lower"),
        _figure("round-trip error of valid runs, worst", _worst(valid, "round_trip"), "x allowed", 1.0, "lower"),
        _figure("p99 of departures of valid runs, worst", _worst(valid, "departures"), "share", 0.06, "lower"),
    ]


def _worst(runs: Sequence[Run], check: str) -> float:
    return max((run.checks[check] for run in runs if check in run.checks), default=float("nan"))


def _figure(name: str, value: float, unit: str, goal: float, better: str) -> dict[str, Any]:
    met = value >= goal if better == "higher" else value <= goal
    return {"name": name, "value": value, "unit": unit, "goal": goal, "better": better, "met": met}


def show(runs: Sequence[Run]) -> None:
    """The table: a line for each kind, then what the limits would be, then the goals."""
    bad = {id(run) for run in harmed(runs)}
    print(f"{'kind':30} {'runs':>5} {'harmed':>7} {'flagged':>8} {'invalid':>8}  {'time / ideal rate':>18}  flagged by")
    for name in dict.fromkeys(run.kind for run in runs):
        these = [run for run in runs if run.kind == name]
        by = Counter(check for run in these for check in run.flagged)
        times = sorted(run.checks["reach"] + 1 for run in these if "reach" in run.checks) or [float("nan")]
        said = ", ".join(f"{check} {number}" for check, number in by.most_common())
        print(
            f"{name:30} {len(these):5} {sum(id(run) in bad for run in these):7} "
            f"{sum(run.verdict != 'valid' for run in these):8} "
            f"{sum(run.verdict in ('invalid', 'failed') for run in these):8}  "
            f"{times[0]:5.2f} {median(times):5.2f} {times[-1]:5.2f}   {said}"
        )
    for name in ("rate", "round_trip", "departures"):
        values = sorted(run.checks[name] for run in runs if run.verdict == "valid" and name in run.checks)
        if values:
            print(f"{name} of valid runs: median {median(values):.4f}, worst {values[-1]:.4f}")


def show_limits(runs: Sequence[Run]) -> None:
    sound = {kind.name for kind in SOUND}
    wanted = suggested([run for run in runs if run.kind in sound])
    print("limits by the rule, of the other half:", ", ".join(f"{name} {value:.3g}" for name, value in wanted.items()))


def show_goals(figures: Sequence[dict[str, Any]]) -> None:
    for figure in figures:
        verdict = "met" if figure["met"] else "MISSED"
        print(f"{figure['name']}: {figure['value']:.4g} (goal {figure['goal']:g}) {verdict}")


def as_json(figures: Sequence[dict[str, Any]], runs: Sequence[Run]) -> str:
    """JSON knows no infinity: null is the time of a run that has none, and the value of a goal that nothing shows."""
    samples = [
        asdict(run)
        | {"time_us": _finite(run.time_us), "checks": {name: _finite(value) for name, value in run.checks.items()}}
        for run in runs
    ]
    rows = [figure | {"value": _finite(figure["value"])} for figure in figures]
    return json.dumps([*rows, {"name": "runs", "samples": samples}], allow_nan=False)


def from_data(data: dict[str, Any]) -> Run:
    """A run of ``as_json``."""
    checks = {name: math.inf if value is None else value for name, value in data["checks"].items()}
    time_us = math.inf if data["time_us"] is None else data["time_us"]
    return Run(**data | {"time_us": time_us, "checks": checks})


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def main() -> None:
    """Collect, show, write; exit code 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="about a minute: one or two runs of some kinds")
    parser.add_argument("--seconds", type=float, default=900.0, help="how long to go on (default 900)")
    parser.add_argument("--json", metavar="FILE", help="figures and every run ('-': standard output)")
    parser.add_argument("--runs", metavar="FILE", action="append", default=[], help="runs of before, from --json")
    options = parser.parse_args()
    earlier = [from_data(run) for file in options.runs for run in json.loads(Path(file).read_text())[-1]["samples"]]
    runs = earlier + collect(40.0 if options.quick else options.seconds, lambda text: print(text, file=sys.stderr))
    names = dict.fromkeys(run.kind for run in runs)
    by_kind = [[run for run in runs if run.kind == name] for name in names]
    reported = [run for these in by_kind for run in (these[1::2] or these)]
    figures = goals(reported)
    if options.json != "-":
        show(reported)
        show_limits([run for these in by_kind for run in these[::2]])
        show_goals(figures)
    data = as_json(figures, runs)
    if options.json == "-":
        print(data)
    elif options.json:
        Path(options.json).write_text(data + "\n")
    sys.exit(0 if all(figure["met"] for figure in figures) else 1)


if __name__ == "__main__":
    main()
