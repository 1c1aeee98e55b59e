"""The thread of a group that runs its collectives, one after the other, while the caller computes on.

It overlaps for real: sockets and numpy's additions leave the interpreter to others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import NamedTuple

import torch

from collectives.communicator import Communicator
from collectives.torch_backend.fate import Fate
from collectives.torch_backend.work import GroupWork
from collectives.transport.errors import TransportError


class _Job(NamedTuple):
    work: GroupWork
    run: Callable[[], object]


class Worker:
    """``communicator`` is open, and the thread's alone from now on, but for ``interrupt``."""

    def __init__(self, communicator: Communicator, fate: Fate, me: str) -> None:
        self._communicator = communicator
        self._fate = fate
        self._me = me
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name=f"ringlab-{me}", daemon=True)
        self._thread.start()
        fate.on_failure(self._stop_short)

    def submit(self, what: str, tensors: Sequence[torch.Tensor], run: Callable[[], object]) -> GroupWork:
        """``run()`` when all that came before is done. ``tensors`` are the results."""
        if self._closing:
            raise TransportError(f"{what}: this process group is destroyed")
        work = GroupWork(what, tensors)
        self._jobs.put(_Job(work, run))
        return work

    def close(self) -> None:
        """When all that was submitted is done: part from the other ranks, who come here too, and end the thread."""
        if not self._closing:
            self._closing = True
            self._jobs.put(None)
        self._thread.join()

    def _stop_short(self) -> None:
        self._communicator.interrupt()
        self._jobs.put(_Job(GroupWork("the end", []), lambda: None))  # it may be idle: it is to close them too

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._do(*job)
        with suppress(TransportError):  # whoever needed something from us says so itself
            if not self._fate.failing:
                self._communicator.close()
        self._communicator.abort()

    def _do(self, work: GroupWork, run: Callable[[], object]) -> None:
        if self._fate.failing:
            self._communicator.abort()
            work.fail(self._fate.later(work.what))
            return
        try:
            run()
        except TransportError as error:
            failure: BaseException = self._fate.fail(error)
        except BaseException as error:  # noqa: BLE001 - the caller gets it in wait()
            self._fate.fail(TransportError(f"{self._me}: {work.what} went wrong there: {error}"))
            failure = error
        else:
            work.fulfil()
            return
        self._communicator.abort()
        work.fail(failure)
