"""Settings of the whole machine, changed for a moment and put back, also after ``kill -9`` in between.

Theory of operation. What is changed is noted in a file first, with the value it had. Whoever holds the lock may change
settings and removes the note when all is put back; a note that is found while nobody holds the lock is a dead lab's,
and its values are put back by the next who comes: another lab, or ``clean``.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from stat import S_IWUSR

from emulation import lab
from emulation.errors import MachineError

SOCKET_BYTES = 64 << 20
SOCKET_DEFAULTS = (Path("/proc/sys/net/core/rmem_default"), Path("/proc/sys/net/core/wmem_default"))
RCU_EXPEDITED = Path("/sys/kernel/rcu_expedited")

Change = Callable[[str], str]
"""From a setting's value to what it should be for the moment."""


def large_packet_sockets() -> dict[Path, Change]:
    """New sockets get 64 MiB buffers, while ports are added.

    Open vSwitch's userspace datapath receives by one packet socket a port and sends by a single one for all ports.
    The kernel's usual 208 KiB hold three 64 KiB frames on the way in, and on the way out are shared by all that
    waits in all queues: a full buffer drops frames that no counter shows.
    """
    ours = [path for path in SOCKET_DEFAULTS if path.exists() and path.stat().st_mode & S_IWUSR]  # not in a container
    return dict.fromkeys(ours, lambda value: str(max(SOCKET_BYTES, int(value))))


def quick_closing() -> dict[Path, Change]:
    """A packet socket closes at once instead of after a grace period of 14 ms; a bridge has one a port."""
    return {RCU_EXPEDITED: lambda _: "1"} if RCU_EXPEDITED.exists() else {}


@contextmanager
def changed(changes: Mapping[Path, Change]) -> Iterator[None]:
    """The settings as ``changes`` has them, one lab at a time, and then as they were."""
    with lab.machine_lock("settings"):
        _put_back_noted()
        before = {path: path.read_text().strip() for path in changes}
        _note(before)
        try:
            for path, change in changes.items():
                path.write_text(change(before[path]))
            yield
        finally:
            _put_back_noted()


def put_back() -> list[str]:
    """Put back what a dead lab left changed; the settings that it was. MachineError without root."""
    try:
        lab.RECORDS.mkdir(parents=True, exist_ok=True)
        lock = (lab.RECORDS / "settings.lock").open("w")
    except PermissionError:
        raise MachineError(lab.NO_ROOT) from None
    with lock as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return []  # somebody alive changes them now and will put them back
        return _put_back_noted()


def _file() -> Path:
    return lab.RECORDS / "settings.json"


def _note(before: Mapping[Path, str]) -> None:
    """All or nothing: a note half written would put back the wrong thing."""
    draft = _file().with_suffix(".draft")
    draft.write_text(json.dumps({str(path): value for path, value in before.items()}))
    draft.replace(_file())


def _put_back_noted() -> list[str]:
    try:
        noted: dict[str, str] = json.loads(_file().read_text())
    except FileNotFoundError:
        return []
    found = []
    for path, value in noted.items():
        if Path(path).read_text().strip() != value:
            Path(path).write_text(value)
            found.append(path)
    _file().unlink()
    return found
