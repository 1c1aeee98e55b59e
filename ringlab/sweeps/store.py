"""Where records are kept: ``results.jsonl``, a JSON object a line, each written as soon as it is there.

A sweep that is killed leaves whole lines and at most one that is torn, the last; it is cut off when the sweep goes on.
The file is locked while a sweep writes to it, so that two of them don't mix.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ringlab.errors import RunError, UsageError
from ringlab.sweeps.work import Record

RESULTS = "results.jsonl"


class Store:
    """An open store: ``known`` holds the records that were there, by id; of two with one id, the later."""

    def __init__(self, file: IO[bytes], known: Mapping[str, Record]) -> None:
        self._file = file
        self.known = known

    def add(self, record: Mapping[str, Any]) -> None:
        """Appended and flushed. RunError where it can't be written."""
        line = json.dumps(record, allow_nan=False, separators=(",", ":")) + "\n"
        try:
            self._file.write(line.encode())
            self._file.flush()
        except OSError as error:
            raise RunError(
                f"{self._file.name}: can't be written: {error.strerror}; free some space and --resume"
            ) from None


@contextmanager
def opened(folder: Path, *, resume: bool) -> Iterator[Store]:
    """The store in ``folder``, which is made. UsageError where there are records and ``resume`` is not wanted."""
    path = folder / RESULTS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b")
    except OSError as error:
        raise UsageError(f"{path}: can't be written: {error.strerror}; name another folder with --out") from None
    with file:
        _lock(file)
        if path.stat().st_size and not resume:
            raise UsageError(f"{path}: is there already; --resume goes on with it, --out FOLDER begins another")
        known = _whole(file)
        yield Store(file, known)


def _lock(file: IO[bytes]) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError(f"{file.name}: another sweep writes to it; wait for it, or name a folder with --out") from None


def _whole(file: IO[bytes]) -> dict[str, Record]:
    """The records of the whole lines; what is torn is cut off."""
    file.seek(0)
    content = file.read()
    end = content.rfind(b"\n") + 1
    if end < len(content):
        os.ftruncate(file.fileno(), end)
        file.seek(0, os.SEEK_END)
    known: dict[str, Record] = {}
    for number, line in enumerate(content[:end].splitlines(), 1):
        try:
            record = json.loads(line)
            known[record["id"]] = record
        except (ValueError, TypeError, KeyError):
            where = f"{file.name}:{number}"
            raise UsageError(f"{where}: is no record of a sweep; mend the line or remove it, then --resume") from None
    return known
