"""Draws in chunks of seeds: with a bar as they come, and in processes where they would take long.

A draw's outcome depends on its seed alone, so chunks and processes change nothing but the time.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import lru_cache

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from simulation.collisions import Case, Draws, collide, joined
from simulation.next_hops import NextHops
from topologies.fabric import Fabric

FLOWS_A_CHUNK = 2**18
WORTH_PROCESSES_S = 4.0
"""Processes take a second to start and to find the next hops of a large fabric again."""

Done = Callable[[int], None]
_wanted: list[tuple[Fabric, frozenset[str]]] = []


def draw(tables: NextHops, case: Case, seeds: Sequence[int], processes: int | None, done: Done) -> Draws:
    """The outcomes of ``case`` with ``seeds``; ``done`` hears of each chunk's number of draws.

    ``processes``: None for one, or one a core where the first chunk shows that it is worth it. Raises as ``collide``.
    """
    size = max(1, FLOWS_A_CHUNK // case.flows)
    chunks = [seeds[start : start + size] for start in range(0, len(seeds), size)]
    started = time.monotonic()
    parts = [collide(tables, case, chunks[0])]
    done(len(chunks[0]))
    expected_s = (time.monotonic() - started) * (len(chunks) - 1)
    cores = os.process_cpu_count() if hasattr(os, "process_cpu_count") else len(os.sched_getaffinity(0))
    workers = min(processes or (cores if expected_s > WORTH_PROCESSES_S else 1), len(chunks) - 1)
    if workers > 1:
        parts += _in_processes(tables, case, chunks[1:], workers, done)
    else:
        for chunk in chunks[1:]:
            parts.append(collide(tables, case, chunk))
            done(len(chunk))
    return joined(parts)


def _in_processes(
    tables: NextHops, case: Case, chunks: Sequence[Sequence[int]], workers: int, done: Done
) -> list[Draws]:
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(tables.fabric, tables.dead))
    parts = []
    try:
        waiting = [pool.submit(_collide, case, chunk) for chunk in chunks]
        for future, chunk in zip(waiting, chunks, strict=True):
            parts.append(future.result())
            done(len(chunk))
    finally:
        pool.shutdown(cancel_futures=True)
    return parts


def _begin(fabric: Fabric, dead: frozenset[str]) -> None:
    """In a worker. Ctrl-C is the parent's affair: it ends us."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _wanted[:] = [(fabric, dead)]


@lru_cache(maxsize=1)
def _tables() -> NextHops:
    return NextHops.of(*_wanted[0])


def _collide(case: Case, seeds: Sequence[int]) -> Draws:
    return collide(_tables(), case, seeds)


@contextmanager
def bar(total: int) -> Iterator[Done]:
    """A bar of ``total`` draws on standard error; nothing where that is no terminal."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("draws"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    ) as shown:  # fmt: skip
        task = shown.add_task("", total=total)
        yield lambda number: shown.advance(task, number)
