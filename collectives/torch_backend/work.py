"""A call under way, as torch wants it: to wait for, to poll, and as a future."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import torch
from torch._C._distributed_c10d import Work

from collectives.transport.errors import PeerSilentError

NO_TIMEOUT = timedelta(0)
"""What torch's own callers pass for: as long as it takes. It ends anyway, by the group's time-out."""


class GroupWork(Work):
    """Ends once: by ``fulfil`` or by ``fail``, from any thread.

    torch's ready-made work of a future keeps silent about the future's error in ``wait``; this one raises it as it is.
    """

    def __init__(self, what: str, tensors: Sequence[torch.Tensor]) -> None:
        super().__init__()
        self.what = what
        self._tensors = list(tensors)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._error: BaseException | None = None
        self._source = -1
        self._trigger: torch.futures.Future[None] | None = None
        self._future: torch.futures.Future[list[torch.Tensor]] | None = None

    def fulfil(self, source: int = -1) -> None:
        self._end(None, source)

    def fail(self, error: BaseException) -> None:
        self._end(error, -1)

    def _end(self, error: BaseException | None, source: int) -> None:
        with self._lock:
            if self._ended.is_set():
                return
            self._error, self._source = error, source
            self._ended.set()
            trigger = self._trigger
        if trigger is not None:  # out of the lock: it calls back
            trigger.set_result(None)

    # -- torch's face -------------------------------------------------------------------
    def wait(self, timeout: timedelta = NO_TIMEOUT) -> bool:
        limit_s = timeout.total_seconds() if timeout > NO_TIMEOUT else None
        if not self._ended.wait(limit_s):
            raise PeerSilentError(f"{self.what} is not done after {limit_s:g} s, and goes on")
        if self._error is not None:
            raise self._error
        return True

    def is_completed(self) -> bool:
        return self._ended.is_set()

    def is_success(self) -> bool:
        return self._ended.is_set() and self._error is None

    def exception(self) -> BaseException | None:
        return self._error

    def synchronize(self) -> None:
        self.wait()

    def result(self) -> list[torch.Tensor]:
        self.wait()
        return self._tensors

    def source_rank(self) -> int:
        """Whom a receive from anybody was from."""
        return self._source

    _source_rank = source_rank

    def get_future(self) -> torch.futures.Future[list[torch.Tensor]]:
        """Made when asked for. By way of ``then``: torch's C++ sees no other error than one raised in a callback."""
        with self._lock:
            if self._future is not None:
                return self._future
            trigger: torch.futures.Future[None] = torch.futures.Future()
            self._future = trigger.then(self._outcome)
            self._trigger = trigger
            ended = self._ended.is_set()
        if ended:
            trigger.set_result(None)
        return self._future

    def _outcome(self, _: Any) -> list[torch.Tensor]:
        if self._error is not None:
            raise self._error
        return self._tensors
