"""Tells whoever waits for a step of a timed operation that it has begun: a line in a pipe, ``RANK OPERATION STEP``.

A step begins on a rank when the rank sends its first byte of it. Operations are the timed ones, numbered from 1 in the
order in which they run (sizes as given, each with its iterations); warm-up, checks and barriers have no number.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from collectives.progress import StepWatch


class Operations:
    """Numbers the timed operations; ``running`` is the one that runs, 0 between them."""

    def __init__(self) -> None:
        self._last = 0
        self.running = 0

    def operation_begins(self) -> None:
        self._last += 1
        self.running = self._last

    def operation_ends(self) -> None:
        self.running = 0


class StepReports(Operations):
    """``wanted`` holds (operation, step) pairs; each is told once, in the file descriptor ``fd``."""

    def __init__(self, rank: int, wanted: Iterable[tuple[int, int]], fd: int) -> None:
        super().__init__()
        self._rank = rank
        self._wanted = set(wanted)
        self._fd = fd

    @property
    def watch(self) -> StepWatch:
        """What the communicator is to watch."""
        return StepWatch(frozenset(step for _, step in self._wanted), self.begun)

    def begun(self, step: int) -> None:
        if (self.running, step) in self._wanted:
            self._wanted.remove((self.running, step))
            os.write(self._fd, f"{self._rank} {self.running} {step}\n".encode())  # short: whole or not at all
