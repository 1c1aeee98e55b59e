"""A lab's record on the machine: what it made, so that exactly that can be removed, also after ``kill -9``.

Theory of operation. Before a lab makes anything it writes ``/run/ringlab/TAG.json`` with the names of all that it is
going to make, and holds a lock on that file for as long as it lives. The kernel drops the lock when the process ends,
however it ends: a record that nobody locks belongs to a dead lab, and ``cleanup`` may remove what it lists.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from emulation.errors import MachineError
from emulation.plan import TAG_LENGTH, Plan, run_folder

RECORDS = Path("/run/ringlab")
NO_ROOT = f"{RECORDS} cannot be written, which needs root: run it with sudo"
ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # no l, o, 0, 1


def new_tag() -> str:
    """A tag that no lab of this machine has: ``r`` and four letters or digits."""
    while True:
        tag = "r" + "".join(secrets.choice(ALPHABET) for _ in range(TAG_LENGTH - 1))
        if not (RECORDS / f"{tag}.json").exists():
            return tag


@dataclass
class Record:
    """What a lab made. Processes are (pid, start time in clock ticks), so that a pid used again is not ours.

    ``links`` says where each link can be seen: an interface of the machine, its node, and the node at the other end.
    """

    tag: str
    bridges: list[str] = field(default_factory=list)
    interfaces: list[str] = field(default_factory=list)
    processes: list[tuple[int, int]] = field(default_factory=list)
    links: dict[str, tuple[str, str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: Plan) -> Record:
        bridges = [plan.bridge(switch) for switch in plan.switches]
        return cls(plan.tag, bridges, [end.name for end in plan.switch_interfaces], links=_links(plan))

    @classmethod
    def read(cls, path: Path) -> Record:
        data = json.loads(path.read_text())
        processes = [(int(pid), int(start)) for pid, start in data["processes"]]
        links = {name: (interface, node, peer) for name, (interface, node, peer) in data.get("links", {}).items()}
        return cls(data["tag"], data["bridges"], data["interfaces"], processes, links)


def _links(plan: Plan) -> dict[str, tuple[str, str, str]]:
    found: dict[str, tuple[str, str, str]] = {}
    if plan.shares:  # in namespaces of the switches' daemons
        return {}
    for end in reversed(plan.switch_interfaces):  # of a link's two ends, the first remains
        link = plan.fabric.link(end.port)
        found[link.name] = end.name, end.port.node, link.other(end.port).node
    return found


class Lab:
    """The locked record of one living lab, a context manager. Without ``forget`` the record stays, for ``clean``."""

    def __init__(self, plan: Plan) -> None:
        self.record = Record.of(plan)
        self.path = RECORDS / f"{plan.tag}.json"
        self.folder = Path(run_folder(plan.tag))  # sockets of the lab's own switch daemons
        self._file = -1

    def __enter__(self) -> Self:
        try:
            RECORDS.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except PermissionError:
            raise MachineError(NO_ROOT) from None
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._write()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def forget(self) -> None:
        """All that the record lists is gone."""
        self.path.unlink(missing_ok=True)

    def add_process(self, pid: int) -> None:
        """Note a process that must not outlive the lab."""
        start = start_time(pid)
        if start is not None:
            self.record.processes.append((pid, start))
            self._write()

    def _write(self) -> None:
        text = json.dumps(asdict(self.record)).encode()
        os.pwrite(self._file, text, 0)
        os.ftruncate(self._file, len(text))


def scratch_prefix(tag: str) -> str:
    """How the lab's temporary folders begin, so that they can be removed when it is dead."""
    return f"ringlab-{tag}-"


@contextmanager
def scratch_folder(tag: str) -> Iterator[Path]:
    """A temporary folder of the lab ``tag``, removed on leaving, or by ``cleanup``."""
    with tempfile.TemporaryDirectory(prefix=scratch_prefix(tag)) as folder:
        yield Path(folder)


def start_time(pid: int) -> int | None:
    """When the process started, in clock ticks since boot; None if there is none (or only its zombie)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat[stat.rindex(")") + 2 :].split()
    return None if fields[0] == "Z" else int(fields[19])


def records() -> list[Path]:
    """The records on this machine, of living and dead labs."""
    return sorted(RECORDS.glob("r*.json"))


def is_alive(path: Path) -> bool:
    """Does a process hold the record's lock? Any user may ask."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


@contextmanager
def machine_lock(name: str) -> Iterator[None]:
    """One lab at a time may change what belongs to the whole machine."""
    RECORDS.mkdir(parents=True, exist_ok=True)
    with (RECORDS / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
