"""Processes of this machine, each with one thread: the default.

They are spawned and not forked: a fork would take over the locks of whatever threads this process has. Ctrl-C reaches
this process alone; it ends the workers.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager

from ringlab.sweeps import work
from ringlab.sweeps.engines import Data, Work
from ringlab.sweeps.engines.lanes import spread
from ringlab.sweeps.work import Record

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""Numerical libraries read these once, when they are loaded: one thread a process, as there is a process a core."""


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0))


@contextmanager
def engine(workers: int | None = None) -> Iterator[Work]:
    """``workers`` processes; one a core by default. They are started when the first scenario is sent."""
    with single_threaded():
        pool = Pool(workers or cores())
        try:
            yield lambda scenarios: spread(scenarios, pool)
        finally:
            pool.end()


class Pool:
    """Lanes that are processes."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._others = set(multiprocessing.active_children())
        self._executor = self._made()

    @property
    def count(self) -> int:
        return self._workers

    def submit(self, chunk: Sequence[Data]) -> Future[list[Record]]:
        return self._executor.submit(work.run_all, chunk)

    def revive(self) -> None:
        """A pool that lost a worker takes nothing more."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._executor = self._made()

    def end(self) -> None:
        """At once, also what is being worked on."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        for process in set(multiprocessing.active_children()) - self._others:
            process.terminate()
        self._executor.shutdown(wait=True)

    def _made(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self._workers, mp_context=context, initializer=_ignore_interrupts)


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def single_threaded() -> Iterator[None]:
    """The environment of the processes that start meanwhile; a value that the user has set stays."""
    added = [name for name in THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(added, "1"))
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]
