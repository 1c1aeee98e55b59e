"""The runs of a folder, quickly: an index that follows from the folders, and is never the truth.

``.index.json`` holds each run's entry beside the size and time of its main file. What is not so any more is read anew,
what is gone is left out; an index that is lost, torn or of another version is as good as none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ringlab.errors import UsageError
from ringlab.experiments import runs_entry
from ringlab.experiments.runs_entry import Entry
from ringlab.experiments.runs_tags import tags_of
from ringlab.text_files import write_text

INDEX = ".index.json"
SCHEMA = 1

Stamp = list[Any]


@dataclass(frozen=True, slots=True)
class Listed:
    """A run in its folder, with its tags."""

    folder: Path
    entry: Entry
    tags: tuple[str, ...]


def listed(root: Path) -> list[Listed]:
    """Every run in ``root``, the newest last; broken ones too. UsageError where there is no such folder."""
    if not root.is_dir():
        raise UsageError(f"{root}: no such folder; runs are kept in runs/, or where --out said: name it with --runs")
    known, found = _known(root), {}
    for folder in _folders(root):
        file = runs_entry.main_file(folder)
        if file is None:
            continue
        stamp = _stamp(file)
        if known.get(folder.name, ([], None))[0] == stamp and stamp:
            found[folder.name] = known[folder.name]
        else:
            found[folder.name] = stamp, runs_entry.read(folder, file)
    if found != known:
        _keep(root, found)
    runs = [Listed(root / name, entry, tags_of(root / name)) for name, (_, entry) in found.items() if entry]
    return sorted(runs, key=lambda run: (_when(run.entry) or datetime.min.replace(tzinfo=UTC), run.entry.id))


def chosen(
    runs: Iterable[Listed],
    *,
    name: str | None = None,
    tag: str | None = None,
    backend: str | None = None,
    since: datetime | None = None,
    verdict: str | None = None,
) -> list[Listed]:
    """Those that are all of it; ``name`` is a part of the name."""
    tests: list[Callable[[Listed], bool]] = []
    if name is not None:
        tests.append(lambda run: name.lower() in run.entry.name.lower())
    if tag is not None:
        tests.append(lambda run: tag in run.tags)
    if backend is not None:
        tests.append(lambda run: backend in run.entry.backend.split("+"))
    if since is not None:
        tests.append(lambda run: (when := _when(run.entry)) is not None and when >= since)
    if verdict is not None:
        tests.append(lambda run: verdict in run.entry.verdicts)
    return [run for run in runs if all(test(run) for test in tests)]


def moment(text: str, now: datetime) -> datetime:
    """``2026-11-27``, ``2026-11-27T14:00`` (universal time unless it says), or so long ago: ``7d``, ``12h``."""
    units = {"d": "days", "h": "hours", "m": "minutes"}
    with suppress(ValueError, OverflowError):
        if text[-1:] in units and text[:-1].isdecimal():
            return now - timedelta(**{units[text[-1]]: int(text[:-1])})
        when = datetime.fromisoformat(text)
        return when if when.tzinfo else when.replace(tzinfo=UTC)
    raise UsageError(f"--since {text}: is no time; write one like 2026-11-27, 7d or 12h")


def _folders(root: Path) -> list[Path]:
    """Not hidden ones: what is being written, or deleted, is."""
    return sorted(path for path in root.iterdir() if not path.name.startswith(".") and path.is_dir())


def _stamp(file: Path) -> Stamp:
    try:
        seen = file.stat()
    except OSError:  # deleted just now
        return []
    return [file.name, seen.st_mtime_ns, seen.st_size]


def _when(entry: Entry) -> datetime | None:
    try:
        when = datetime.fromisoformat(entry.created)
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _known(root: Path) -> dict[str, tuple[Stamp, Entry]]:
    """What the index says; nothing where it says nothing sound."""
    try:
        data = json.loads((root / INDEX).read_text(encoding="utf-8"))
        if data["schema"] != SCHEMA:
            return {}
        return {
            name: (stamp, Entry(**{**fields, "verdicts": tuple(fields["verdicts"])}))
            for name, (stamp, fields) in data["runs"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _keep(root: Path, found: dict[str, tuple[Stamp, Entry]]) -> None:
    """In a folder that can't be written it is made anew each time."""
    data = {"schema": SCHEMA, "runs": {name: [stamp, asdict(entry)] for name, (stamp, entry) in found.items()}}
    with suppress(UsageError):
        write_text(root / INDEX, json.dumps(data) + "\n")
