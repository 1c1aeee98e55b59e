"""A sweep's progress, on standard error: a bar in a terminal; piped, if lines are asked for, one for each tenth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ringlab.experiments.progress import lines_wanted
from ringlab.talk import say

Done = Callable[[bool], None]
"""Hears of each record: was it a failed one?"""


@contextmanager
def shown(total: int) -> Iterator[Done]:
    console = Console(stderr=True)
    if console.is_terminal:
        with _bar(console) as bar:
            task = bar.add_task("", total=total)
            count = _Count()

            def advance(failed: bool) -> None:
                count.add(failed)
                bar.update(task, advance=1, description=count.words)

            yield advance
        return
    counted = _Count()

    def line(failed: bool) -> None:
        counted.add(failed)
        if lines_wanted() and counted.done * 10 // total > (counted.done - 1) * 10 // total:
            say(f"{counted.done} of {total} scenarios{counted.words and ', '}{counted.words}")

    yield line


class _Count:
    """Of records, and the failed ones among them."""

    def __init__(self) -> None:
        self.done = self.failed = 0

    def add(self, failed: bool) -> None:
        self.done += 1
        self.failed += failed

    @property
    def words(self) -> str:
        return f"{self.failed} failed" if self.failed else ""


def _bar(console: Console) -> Progress:
    return Progress(
        BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("{task.description}"),
        console=console, transient=True,
    )  # fmt: skip
