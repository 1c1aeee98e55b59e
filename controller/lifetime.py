"""Lifetime: until when the controller's process runs. It sleeps until a signal comes or its parent is gone."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable


class Lifetime:
    """Ends on SIGTERM, on SIGINT, and with the process ``parent_pid``: then it was ``orphaned``.

    A signal writes a byte into a pipe (the hub would sleep on through a Python handler alone); the parent is watched
    through a pid file descriptor, which becomes readable when it ends, whoever its own parent is.
    """

    def __init__(self, parent_pid: int | None) -> None:
        self._readable, self._writable = os.pipe()
        os.set_blocking(self._writable, False)
        signal.set_wakeup_fd(self._writable)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        self._parent_pid = parent_pid
        self.orphaned = False

    def wait(self, sleep_until_readable: Callable[[int], None], spawn: Callable[[Callable[[], None]], object]) -> None:
        """Returns at the end of the lifetime; the hub's own ways to sleep and to start a thread come as arguments."""
        if self._parent_pid is not None:
            try:
                parent = os.pidfd_open(self._parent_pid)
            except ProcessLookupError:
                self.orphaned = True
                return
            spawn(lambda: self._end_with(parent, sleep_until_readable))
        sleep_until_readable(self._readable)

    def _end_with(self, parent: int, sleep_until_readable: Callable[[int], None]) -> None:
        sleep_until_readable(parent)
        self.orphaned = True
        os.write(self._writable, b"\0")
