"""How far every rank is, for whoever looks: a small file that ranks write in place and nobody waits for.

Theory of operation. Each rank has a slot of 8 bytes in a file that all have mapped: the timed operation that runs
(from 1; 0 between them, as in ``step_reports``) times 2**32, plus the step that it last began, from 0. A rank writes
its slot when it sends the first byte of a step. Nothing is sent and nobody is woken, so that looking costs the ranks
next to nothing; who looks seldom misses steps.
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from collectives.perf.step_reports import Operations, StepReports
from collectives.progress import StepWatch

_SLOT = struct.Struct("<Q")
_OPERATION = 1 << 32


class StepBoard(Operations):
    """A rank's own slot of the board at ``path``; what is told there is told to ``also``, too."""

    def __init__(self, rank: int, path: str, also: StepReports | None = None) -> None:
        super().__init__()
        self._board = _mapped(Path(path))
        self._at = rank * _SLOT.size
        self._also = also

    @property
    def watch(self) -> StepWatch:
        """What the communicator is to watch: every step; a glance will do, unless somebody waits for one."""
        return StepWatch(range(sys.maxsize), self._begun, glance=self._also is None)

    def operation_begins(self) -> None:
        super().operation_begins()
        if self._also:
            self._also.operation_begins()

    def operation_ends(self) -> None:
        super().operation_ends()
        if self._also:
            self._also.operation_ends()

    def _begun(self, step: int) -> None:
        _SLOT.pack_into(self._board, self._at, self.running * _OPERATION + step)
        if self._also:
            self._also.begun(step)


class Board:
    """Of the one who looks: ``ranks`` slots in a file of its own, ``path``, removed on leaving."""

    def __init__(self, path: Path, ranks: int) -> None:
        self.path = path
        self._ranks = ranks
        path.write_bytes(bytes(_SLOT.size * ranks))
        self._board = _mapped(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._board.close()
        self.path.unlink(missing_ok=True)

    def clear(self) -> None:
        """As before the first operation."""
        self._board[:] = bytes(len(self._board))

    def read(self) -> Sequence[tuple[int, int]]:
        """Of each rank: the operation (0 between them), and the step."""
        return [divmod(_SLOT.unpack_from(self._board, rank * _SLOT.size)[0], _OPERATION) for rank in range(self._ranks)]


def _mapped(path: Path) -> mmap.mmap:
    descriptor = os.open(path, os.O_RDWR)
    try:
        return mmap.mmap(descriptor, 0)
    finally:
        os.close(descriptor)
