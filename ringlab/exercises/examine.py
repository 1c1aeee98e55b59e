"""python -m ringlab.exercises.examine N FILE RESULT [--emulated]: checks a student's file, in this process.

The student's own lines run here, so it is a process of its own that may hang, exit or fill its memory; who started it
(``attempt.py``) ends it. What it found is one JSON object in RESULT.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType

from ringlab.exercises.catalog import Exercise, by_number
from ringlab.exercises.checking import Checks, Trial, Verdict, line_of, said


@dataclass(frozen=True, slots=True)
class Examined:
    """``error``: why no check could run; empty where they did."""

    verdicts: tuple[Verdict, ...]
    error: str = ""


def examine(exercise: Exercise, file: Path, *, emulated: bool = False) -> Examined:
    """Every check of ``exercise`` on the student's ``file``."""
    try:
        student = _loaded(file, "exercise")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the student's lines do
        return Examined((), said(error, str(file)))
    checks: Checks = _loaded(exercise.folder / "checks.py", f"checks_{exercise.number}").checks
    trial = Trial(student, emulated, _talk if emulated else lambda _: None)
    return Examined(tuple(checks.run(trial)))


def _talk(text: str) -> None:
    print(f"ringlab: {text}", file=sys.stderr, flush=True)


def _loaded(file: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look for it there
    sys.path.insert(0, str(file.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(file.parent))
    return module


def main(argv: list[str]) -> int:
    number, file, result, *rest = argv
    try:
        found = examine(by_number(int(number)), Path(file), emulated="--emulated" in rest)
    except KeyboardInterrupt as interrupt:  # who started us has waited long enough
        text = json.dumps({"verdicts": [], "error": "", "line": line_of(interrupt, str(Path(file).absolute()))})
        Path(result).write_text(text, encoding="utf-8")
        return 0
    except Exception as error:
        from ringlab.errors import exit_code_of  # noqa: PLC0415 - only where it went wrong

        code = exit_code_of(error)
        if code is None:
            raise
        Path(result).write_text(json.dumps({"refused": str(error), "code": code}), encoding="utf-8")
        return 0
    Path(result).write_text(json.dumps(asdict(found)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
