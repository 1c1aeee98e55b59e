"""A student's folder, checked in a process with a time limit; what came of it is remembered beside the file.

Whatever the student's lines do (hang, exit, fill the memory, never come back), the answer is an ``Attempt``.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ringlab.errors import MachineError, RunError, UsageError
from ringlab.exercises.catalog import EXERCISES, Exercise, by_number
from ringlab.exercises.checking import Verdict

FILE = "exercise.py"
MEMORY = ".passed.json"
LIMIT_S = {False: 30.0, True: 900.0}
"""Simulated checks take seconds; emulated ones up to some minutes."""

CLEAN_UP_S = 20.0
HOME = Path("exercises")


@dataclass(frozen=True, slots=True)
class Attempt:
    """``error``: why no check could run."""

    exercise: Exercise
    file: Path
    emulated: bool
    verdicts: tuple[Verdict, ...]
    error: str = ""

    @property
    def passed(self) -> bool:
        return not self.error and all(verdict.passed for verdict in self.verdicts)


def find(target: str) -> tuple[Exercise, Path]:
    """A number, a student's folder, or the file in it. UsageError where nothing is there."""
    if target.isdigit():
        exercise = by_number(int(target))
        file = HOME / exercise.copy_name / FILE
        if not file.is_file():
            raise UsageError(f"{file}: not there; begin with: ringlab exercise start {exercise.number}")
        return exercise, file
    path = Path(target)
    file = path if path.is_file() else path / FILE
    if not file.is_file():
        raise UsageError(f"{target}: no exercise's number, and no folder with an {FILE} in it")
    return of_folder(file.absolute().parent), file


def of_folder(folder: Path) -> Exercise:
    """By the number that its name begins with. UsageError where it begins with none."""
    number = folder.name[:2]
    if not number.isdigit():
        raise UsageError(f"{folder}: which exercise is it? Let the folder's name begin with its number, as in 02-ring")
    return by_number(int(number))


def attempt(exercise: Exercise, file: Path, *, emulated: bool, limit_s: float | None = None) -> Attempt:
    """MachineError and RunError where packets can't be sent here. A student's mistake is no error of ours."""
    limit = limit_s if limit_s is not None else LIMIT_S[emulated]
    with tempfile.TemporaryDirectory(prefix="ringlab-exercise-") as folder:
        result = Path(folder) / "result.json"
        argv = [sys.executable, "-m", "ringlab.exercises.examine", str(exercise.number), str(file.absolute())]
        process = subprocess.Popen(
            [*argv, str(result), *(["--emulated"] if emulated else [])],
            stdin=subprocess.DEVNULL, stdout=sys.stderr.fileno() if _has_stderr() else None, start_new_session=True,
        )  # fmt: skip
        late = False
        try:
            process.wait(limit)
        except subprocess.TimeoutExpired:
            late = True
        finally:
            _end(process)
        if late:
            return Attempt(exercise, file, emulated, (), f"not through after {limit:g} s{_place(result)}")
        if not result.is_file():
            how = f"exit code {process.returncode}" if process.returncode >= 0 else f"signal {-process.returncode}"
            return Attempt(exercise, file, emulated, (), f"the process ended by itself ({how})")
        found = json.loads(result.read_text(encoding="utf-8"))
    if "refused" in found:
        raise (MachineError if found["code"] == MachineError.exit_code else RunError)(found["refused"])
    return Attempt(exercise, file, emulated, tuple(Verdict(**one) for one in found["verdicts"]), found["error"])


def _place(result: Path) -> str:
    """Where an interrupted process was, if it could still tell."""
    try:
        line = json.loads(result.read_text(encoding="utf-8")).get("line")
    except (OSError, ValueError):
        line = None
    return f", at {FILE}, line {line}: is there an endless loop?" if line else ": is there an endless loop?"


def _has_stderr() -> bool:
    try:
        sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):  # a test has put something else there
        return False
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """Politely first: a fabric that stands is taken down. The whole session goes, whatever the student started."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(CLEAN_UP_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def remember(found: Attempt) -> None:
    """That this very file has passed; a folder that can't be written to is no reason to fail."""
    if found.passed:
        with suppress(OSError):
            text = json.dumps({"sha256": _digest(found.file), "checks": len(found.verdicts)})
            (found.file.parent / MEMORY).write_text(text + "\n", encoding="utf-8")


def is_done(exercise: Exercise, home: Path = HOME) -> bool:
    """Its file has passed, and is the same still."""
    folder = home / exercise.copy_name
    try:
        remembered = json.loads((folder / MEMORY).read_text(encoding="utf-8"))
        return bool(remembered["sha256"] == _digest(folder / FILE))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def folders_of(student: Path) -> list[Path]:
    """A student's exercise folders: in the folder itself, or in its ``exercises``; in the order of their numbers."""
    numbers = {exercise.number for exercise in EXERCISES}
    found = [
        file.parent
        for inner in (student, student / HOME)
        for file in inner.glob(f"[0-9][0-9]*/{FILE}")
        if int(file.parent.name[:2]) in numbers
    ]
    return sorted(found, key=lambda folder: folder.name)
