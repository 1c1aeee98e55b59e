"""Removes what labs made and nothing else: what a dead lab's record lists, and bridges that carry our mark."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from emulation.commands import run
from emulation.errors import MachineError, RunError
from emulation.lab import Record, is_alive, records, scratch_prefix, start_time

GRACE_S = 2.0


@dataclass(frozen=True, slots=True)
class Removed:
    """What ``clean`` found: tags removed, and tags of labs that live and were left alone."""

    removed: tuple[str, ...]
    alive: tuple[str, ...]


def clean() -> Removed:
    """Remove every dead lab of this machine. Living labs and foreign things stay.

    Raises MachineError where Open vSwitch does not answer (nothing is forgotten: the records stay).
    """
    removed, alive = [], []
    for path in records():
        if is_alive(path):
            alive.append(path.stem)
            continue
        remove(_read(path))
        path.unlink(missing_ok=True)
        removed.append(path.stem)
    for tag in _marked_bridges().keys() - set(alive):
        remove(Record(tag))
        removed.append(tag)
    return Removed(tuple(dict.fromkeys(removed)), tuple(alive))


def remove(record: Record) -> None:
    """Processes first, then bridges in one transaction, the links that no namespace took along, temporary folders."""
    end([pid for pid, start in record.processes if start_time(pid) == start])
    bridges = sorted({*record.bridges, *_marked_bridges().get(record.tag, ())})
    if bridges:
        args = [arg for bridge in bridges for arg in ("--", "--if-exists", "del-br", bridge)]
        run(["ovs-vsctl", "--timeout=50", *args])
    present = set(_interfaces())
    left = [name for name in present if name in record.interfaces or name.startswith(f"{record.tag}-")]
    # -force: a veth's other end goes with it, and namespaces take theirs along at any moment.
    with suppress(RunError):
        run(["ip", "-force", "-batch", "-"], stdin="\n".join(f"link delete {name}" for name in sorted(left)))
    for folder in Path(tempfile.gettempdir()).glob(f"{scratch_prefix(record.tag)}*"):
        shutil.rmtree(folder, ignore_errors=True)


def end(pids: list[int]) -> None:
    """End processes by pid: politely, then surely."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + GRACE_S
        while any(start_time(pid) is not None for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.01)


def _read(path: Path) -> Record:
    try:
        return Record.read(path)
    except (ValueError, KeyError):  # killed while writing its first line: the tag tells all
        return Record(path.stem)


def _interfaces() -> list[str]:
    return [path.name for path in Path("/sys/class/net").iterdir()]


def _marked_bridges() -> dict[str, list[str]]:
    """Bridges that carry our mark, by tag."""
    try:
        text = run(["ovs-vsctl", "--timeout=5", "--format=json", "--columns=name,external_ids", "list", "Bridge"])
    except RunError as error:
        raise MachineError(
            f"Open vSwitch does not answer, so bridges stay: start it ('make setup'), then 'ringlab clean' ({error})"
        ) from None
    marked: dict[str, list[str]] = {}
    for name, (_, pairs) in json.loads(text)["data"]:
        tag = dict(pairs).get("ringlab")
        if tag:
            marked.setdefault(tag, []).append(name)
    return marked
