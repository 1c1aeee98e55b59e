"""In this process, one after the other: to see where an error comes from, and for what has the machine for itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ringlab.sweeps import work
from ringlab.sweeps.engines import Data, Work
from ringlab.sweeps.work import Record


@contextmanager
def engine() -> Iterator[Work]:
    yield _one_by_one


def _one_by_one(scenarios: Sequence[Data]) -> Iterator[Record]:
    for scenario in scenarios:
        yield work.run(scenario)
