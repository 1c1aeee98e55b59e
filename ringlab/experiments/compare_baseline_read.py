"""What stands beside a run: another run, a baseline by name, a prediction, a file of a benchmark's output."""

from __future__ import annotations

import json
from pathlib import Path

from collectives.baseline.stated import NOTHING_STATED, Stated
from ringlab.errors import UsageError
from ringlab.experiments import baselines, store
from ringlab.experiments.compare_baseline_curve import Curve
from ringlab.experiments.compare_baseline_predicted import PREFIX, predicted
from ringlab.experiments.result import Result
from ringlab.experiments.runs_folder import path_of
from ringlab.experiments.store import load


def read_run(word: str) -> Result:
    """A folder in runs/, a result's file, a run's id or a part of it, ``last``. UsageError if it is none."""
    return load(path_of(word))


def read_other(word: str, run: Result, stated: Stated = NOTHING_STATED) -> Result | Curve:
    """A run, a baseline, a prediction for ``run``, or a file, of which ``stated`` is said. UsageError if it is none."""
    if word.startswith(PREFIX):
        return predicted(word, run)
    path = Path(word)
    if path.is_dir() or (Path("runs") / word / store.RESULT).is_file() or (path.is_file() and _is_result(path)):
        return read_run(word)
    if not path.is_file() and ("/" in word or word.endswith((".json", ".txt", ".log"))):
        raise UsageError(f"{word}: no such file or folder; name a run, a file of output, or a baseline")
    return Curve("baseline", baselines.from_file(word, stated) if path.is_file() else baselines.from_name(word))


def _is_result(path: Path) -> bool:
    """JSON with a result's head; what can't be read is told by who reads it next."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(data, dict) and {"schema", "arms"} <= data.keys()
