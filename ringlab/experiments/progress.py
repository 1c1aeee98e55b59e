"""Progress of long work, on standard error: in a terminal a bar with the time left; where it is piped nothing.

``RINGLAB_PROGRESS=lines`` asks for a line for each step instead, for logs and for programs that wait for one.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Talk:
    """``say`` names what is being done; ``step`` too, and that it is one of the steps that were announced."""

    say: Say
    step: Say


@contextmanager
def talk(total: int | None = None) -> Iterator[Talk]:
    """Progress of ``total`` steps; without a total, of work whose length is not known."""
    console = Console(stderr=True)
    if not console.is_terminal and not lines_wanted():
        yield Talk(_unheard, _unheard)
        return
    if not console.is_terminal:
        started = time.monotonic()

        def line(text: str) -> None:
            print(f"ringlab: {time.monotonic() - started:6.1f} s  {text}", file=sys.stderr, flush=True)

        yield Talk(line, line)
        return
    with _bar(console) as bar:
        task = bar.add_task("", total=total)
        begun = iter([0] + [1] * (total or 0))  # a step is done when the next one begins
        yield Talk(
            lambda text: bar.update(task, description=text),
            lambda text: bar.update(task, description=text, advance=next(begun, 0)),
        )


def lines_wanted() -> bool:
    return os.environ.get("RINGLAB_PROGRESS") == "lines"


def _unheard(_text: str) -> None:
    """Nobody watches."""


def _bar(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(), console=console, transient=True,
    )  # fmt: skip
