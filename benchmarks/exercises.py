"""Do the exercises' solutions pass their checks: simulated, and (as root) with real packets?

Use:
    python benchmarks/exercises.py                          # simulated, half a minute
    python benchmarks/exercises.py --emulated               # with real packets; minutes, on a quiet machine
    python benchmarks/exercises.py --emulated --only 5 6 --json -

Each solution is checked in a process of its own, as ``ringlab exercise check`` does; each unfinished start must fail.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from ringlab.exercises.attempt import Attempt, attempt
from ringlab.exercises.catalog import EXERCISES, Exercise


@dataclass(frozen=True)
class Row:
    """Checks of one file that passed, of all; ``messages`` are the raw findings."""

    name: str
    value: float
    unit: str
    goal: float
    better: str
    met: bool
    seconds: float
    messages: list[str]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--emulated", action="store_true", help="send packets, as root")
    parser.add_argument("--only", type=int, nargs="+", metavar="N", help="these exercises alone")
    parser.add_argument("--quick", action="store_true", help="the first six alone")
    parser.add_argument("--json", metavar="FILE", help="write the figures there, - for standard output")
    options = parser.parse_args()
    numbers = options.only or (range(1, 7) if options.quick else range(1, len(EXERCISES) + 1))
    rows = []
    for exercise in EXERCISES:
        if exercise.number in numbers and (exercise.emulated or not options.emulated):
            rows += judged(exercise, emulated=options.emulated, talks=options.json != "-")
    if options.json:
        text = json.dumps([asdict(row) for row in rows], indent=2) + "\n"
        sys.stdout.write(text) if options.json == "-" else Path(options.json).write_text(text)
    return 0 if all(row.met for row in rows) else 1


def judged(exercise: Exercise, *, emulated: bool, talks: bool) -> list[Row]:
    """The solution; and, simulated, the start."""
    rows = []
    for name in ("solution",) if emulated else ("solution", "start"):
        began = time.monotonic()
        found = attempt(exercise, exercise.folder / f"{name}.py", emulated=emulated)
        rows.append(_row(exercise, name, found, time.monotonic() - began))
        if talks:
            shown(rows[-1])
    return rows


def _row(exercise: Exercise, name: str, found: Attempt, seconds: float) -> Row:
    passed, total = sum(one.passed for one in found.verdicts), len(found.verdicts)
    met = found.passed if name == "solution" else not found.passed
    messages = [found.error] if found.error else []
    messages += [f"{'ok' if one.passed else 'failed'} {one.name}: {one.message}" for one in found.verdicts]
    goal, better = (total, "higher") if name == "solution" else (0, "lower")
    return Row(f"{exercise.copy_name}, {name}", passed, f"checks of {total}", goal, better, met, seconds, messages)


def shown(row: Row) -> None:
    print(f"{row.name:45} {row.value:2} {row.unit:12} {row.seconds:6.1f} s  {'as wanted' if row.met else 'MISSED'}")
    if "solution" in row.name:
        print("\n".join(f"    {message}" for message in row.messages), flush=True)


if __name__ == "__main__":
    sys.exit(main())
