"""Tells whoever waits for a step of a timed operation that it has begun: a line in a pipe, ``RANK OPERATION STEP``.

A step begins on a rank when the rank sends its first byte of it. Operations are the timed ones, numbered from 1 in the
order in which they run (sizes as given, each with its iterations); warm-up, checks and barriers have no number.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from collectives.progress import StepWatch


class StepReports:
    """``wanted`` holds (operation, step) pairs; each is told once, in the file descriptor ``fd``."""

    def __init__(self, rank: int, wanted: Iterable[tuple[int, int]], fd: int) -> None:
        self._rank = rank
        self._wanted = set(wanted)
        self._fd = fd
        self._last = 0
        self._running = 0

    @property
    def watch(self) -> StepWatch:
        """What the communicator is to watch."""
        return StepWatch(frozenset(step for _, step in self._wanted), self.begun)

    def operation_begins(self) -> None:
        self._last += 1
        self._running = self._last

    def operation_ends(self) -> None:
        self._running = 0

    def begun(self, step: int) -> None:
        if (self._running, step) in self._wanted:
            self._wanted.remove((self._running, step))
            os.write(self._fd, f"{self._rank} {self._running} {step}\n".encode())  # short: whole or not at all
