"""One run's folder: found by a part of its name, and deleted, if it is a run and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from ringlab.errors import RunError, UsageError
from ringlab.experiments import runs_entry
from ringlab.experiments.runs_entry import BROKEN, SWEEP_FILE, SWEEP_RECORDS
from ringlab.experiments.runs_index import Listed, listed
from ringlab.experiments.runs_tags import TAGS, tags_of
from ringlab.text_files import PLOTS
from topologies.spelling import did_you_mean

LAST = "last"
OF_A_SWEEP = (SWEEP_RECORDS, SWEEP_FILE, TAGS, "slurm")


def path_of(word: str, root: Path = Path("runs")) -> Path:
    """What ``word`` names: the file or folder of that path, else as ``find`` finds it in ``root``."""
    path = Path(word)
    return path if path.exists() else find(root, word).folder


def find(root: Path, word: str) -> Listed:
    """The run whose folder, id, or a part of its id that no other has, is ``word``; ``last`` is the newest.

    UsageError where there is none, or more than one.
    """
    path = Path(word)
    if path.is_dir() and (file := runs_entry.main_file(path)):
        folder = path.resolve() if path.name in ("", "..") else path
        return Listed(folder, runs_entry.read(folder, file), tags_of(folder))
    runs = listed(root)
    if word == LAST and runs:
        return runs[-1]
    for run in runs:
        if run.entry.id == word:
            return run
    having = [run for run in runs if word in run.entry.id]
    if len(having) > 1:
        raise UsageError(f"{word}: is in {len(having)} ids, {_some(having)}; write more of it")
    if not having:
        hint = did_you_mean(word, [run.entry.id for run in runs]) if runs else "there are no runs"
        raise UsageError(f"no run {word!r} in {root}; {hint if hint.startswith('did') else 'see: ringlab runs list'}")
    return having[0]


def check_deletable(run: Listed) -> None:
    """UsageError unless the folder is a run that lies where it was put: nothing else is ever deleted."""
    folder, entry = run.folder, run.entry
    if folder.is_symlink():
        raise UsageError(f"{folder}: is a link to another folder; remove it yourself")
    if entry.kind == BROKEN:
        raise UsageError(f"{folder}: {entry.what}, so nobody knows what it is; remove it yourself")
    if entry.kind == "sweep":
        strange = [path.name for path in folder.iterdir() if not _of_a_sweep(path)]
        if strange:
            raise UsageError(f"{folder}: holds {min(strange)}, which no sweep wrote; remove it yourself")
    elif entry.own_id != folder.name:
        raise UsageError(f"{folder}: its result calls it {entry.own_id}; rename it back, or remove it yourself")


def delete(run: Listed) -> None:
    """Out of sight in one move, then gone. Raises as ``check_deletable``; RunError where it can't be removed."""
    check_deletable(run)
    hidden = run.folder.with_name(f".{run.folder.name}.deleted")
    try:
        run.folder.rename(hidden)
        shutil.rmtree(hidden)
    except OSError as error:
        raise RunError(f"{run.folder}: can't be deleted: {error.strerror}; is it yours?") from None


def _of_a_sweep(path: Path) -> bool:
    return path.name in OF_A_SWEEP or path.suffix in PLOTS


def _some(runs: Sequence[Listed]) -> str:
    names = ", ".join(run.entry.id for run in runs[:3])
    return f"{names}, ..." if len(runs) > 3 else names
