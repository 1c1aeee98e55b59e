"""A user's own baselines: a plain JSON file each, ``baselines/NAME.json``, in the folder where ringlab is run.

They lie beside ``runs/``, so that a project keeps both, and root (who runs emulations) sees what the user imported.
"""

from __future__ import annotations

import re
from pathlib import Path

from collectives.baseline import Baseline, BaselineError, gloo, published, stored
from ringlab.errors import UsageError
from ringlab.text_files import read_text, write_text

FOLDER = Path("baselines")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


def names(folder: Path = FOLDER) -> tuple[str, ...]:
    """Those that are kept, in order."""
    return tuple(sorted(file.stem for file in folder.glob("*.json") if _NAME.fullmatch(file.stem)))


def load(name: str, folder: Path = FOLDER) -> Baseline:
    """UsageError where it is not there, or not what was written."""
    file = _file(name, folder)
    text = read_text(file, "baseline")
    try:
        return stored.loads(text, str(file))
    except BaselineError as error:
        raise UsageError(str(error)) from None


def save(baseline: Baseline, folder: Path = FOLDER, *, replace: bool = False) -> Path:
    """Keep it under its name, and return the file. UsageError where the name is taken, or makes no file name."""
    file = _file(baseline.name, folder)
    if baseline.name in (*published.names(), *gloo.names()):
        raise UsageError(f"--name {baseline.name}: a published baseline has this name; choose another")
    if file.exists() and not replace:
        raise UsageError(f"--name {baseline.name}: {file} is there already; choose another name, or give --replace")
    write_text(file, stored.dumps(baseline))
    return file


def _file(name: str, folder: Path) -> Path:
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name of a baseline: letters, digits and . _ + -, as in my-cluster")
    return folder / f"{name}.json"
