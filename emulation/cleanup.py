"""Removes what labs made and nothing else: what a dead lab's record lists, and bridges that carry our mark.

Most of a killed lab goes by itself: its processes are told by the kernel to die with the one that started them, and
namespaces go with their last process, their interfaces with them. What stays are bridges and the links between them.
"""

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
from emulation.machine_settings import changed, put_back, quick_closing
from emulation.plan import run_folder
from emulation.scripts import device_group

GRACE_S = 2.0


@dataclass(frozen=True, slots=True)
class Removed:
    """What ``clean`` found: tags removed, tags of labs that live and were left alone, machine settings put back."""

    removed: tuple[str, ...]
    alive: tuple[str, ...]
    settings: tuple[str, ...] = ()


def clean() -> Removed:
    """Remove every dead lab of this machine. Living labs and foreign things stay.

    Raises MachineError without root, and where Open vSwitch does not answer (nothing is forgotten: the records stay).
    """
    settings = put_back()
    removed = []
    for path in records():
        if is_alive(path):
            continue
        remove(_read(path))
        path.unlink(missing_ok=True)
        removed.append(path.stem)
    marked = _marked_bridges()  # before the living: a lab that comes up now has its record before its bridges
    alive = [path.stem for path in records() if is_alive(path)]
    for tag in marked.keys() - set(alive):
        remove(Record(tag))
        removed.append(tag)
    return Removed(tuple(dict.fromkeys(removed)), tuple(alive), tuple(settings))


def remove(record: Record) -> None:
    """Processes first, then bridges in one transaction, the links that no namespace took along, temporary folders."""
    end([pid for pid, start in record.processes if start_time(pid) == start])
    bridges = sorted({*record.bridges, *_marked_bridges().get(record.tag, ())} & set(_bridges()))
    if bridges:
        args = [arg for bridge in bridges for arg in ("--", "--if-exists", "del-br", bridge)]
        with changed(quick_closing()):
            run(["ovs-vsctl", "--timeout=50", *args])
    _remove_interfaces(record)
    for folder in (Path(run_folder(record.tag)), *Path(tempfile.gettempdir()).glob(f"{scratch_prefix(record.tag)}*")):
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


def _remove_interfaces(record: Record) -> None:
    """The lab's device group in one request, if all in it are ours; then what is in no group, one by one.

    A veth's other end goes with it, and namespaces take theirs along at any moment: so that one is missing is no error.
    """
    group = str(device_group(record.tag))
    if all(_is_ours(name, record) for name in _group(group)):
        with suppress(RunError):
            run(["ip", "link", "delete", "group", group])
    left = [name for name in _interfaces() if _is_ours(name, record)]
    if left:
        with suppress(RunError):
            run(["ip", "-force", "-batch", "-"], stdin="\n".join(f"link delete {name}" for name in sorted(left)))


def _is_ours(name: str, record: Record) -> bool:
    return name in record.interfaces or name.startswith((f"{record.tag}-", f"{record.tag}."))


def _group(group: str) -> list[str]:
    return [link["ifname"] for link in json.loads(run(["ip", "-json", "link", "show", "group", group]) or "[]") if link]


def _read(path: Path) -> Record:
    try:
        return Record.read(path)
    except (ValueError, KeyError):  # killed while writing its first line: the tag tells all
        return Record(path.stem)


def _interfaces() -> list[str]:
    return [path.name for path in Path("/sys/class/net").iterdir()]


def _bridges() -> list[str]:
    return [name for names in _all_bridges().values() for name in names]


def _marked_bridges() -> dict[str, list[str]]:
    """Bridges that carry our mark, by tag."""
    return {tag: names for tag, names in _all_bridges().items() if tag}


def _all_bridges() -> dict[str, list[str]]:
    """Every bridge of this machine, by the tag of our mark; those of others under the empty tag."""
    try:
        text = run(["ovs-vsctl", "--timeout=5", "--format=json", "--columns=name,external_ids", "list", "Bridge"])
    except RunError as error:
        raise MachineError(
            f"Open vSwitch does not answer, so bridges stay: start it ('make setup'), then 'ringlab clean' ({error})"
        ) from None
    found: dict[str, list[str]] = {}
    for name, (_, pairs) in json.loads(text)["data"]:
        found.setdefault(dict(pairs).get("ringlab", ""), []).append(name)
    return found
