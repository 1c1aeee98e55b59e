"""When to look at what was measured, and when to stop: an experiment's course, block by block.

Theory of operation. A course takes the times of one whole block after another. At fixed numbers of blocks (``looks``)
it judges every comparison; it stops where all intervals are narrow enough, or at the last block that was planned.
Between looks it says nothing, so that nobody can stop at a lucky moment; ``finish`` is the last look of an experiment
whose time is over. Two corrections keep the promise that with 95 % probability *all* intervals hold the truth: the
error is shared among the comparisons (Bonferroni), and each comparison spends its share over the looks (``spending``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log

import numpy as np

from ringlab.experiments.ab.interval import TRIM, interval
from ringlab.experiments.ab.spending import level_of_last
from ringlab.experiments.ab.verdict import Judged, judge

ALPHA = 0.05
"""How often one or more of all intervals may miss the truth."""

FIRST_LOOK = 6
"""Blocks: with fewer, the noise itself is not known well enough to call an interval narrow."""

SHARES = (0.3, 0.5, 0.75)
"""Looks before the last, as shares of the blocks."""

NARROW, BUDGET = "narrow", "budget"

Times = Mapping[str, Mapping[int, float]]
"""Of one block: each arm's time in microseconds by size."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What was decided before the first block. ``within`` and ``same`` are shares: 0.02 is 2 %.

    ``trim`` of the blocks do not count at either end.
    """

    blocks: int
    within: float
    same: float
    seed: int
    trim: float = TRIM


@dataclass(frozen=True, slots=True)
class Look:
    """What all comparisons said after so many blocks."""

    blocks: int
    judged: tuple[Judged, ...]


def looks(blocks: int) -> tuple[int, ...]:
    """After which blocks there is a look; the last is one of them."""
    early = {max(FIRST_LOOK, round(blocks * share)) for share in SHARES}
    return (*sorted(look for look in early if look < blocks), blocks)


class Course:
    """The arms are compared with the first of them, at every size. ``stopped`` says why it is over, if it is."""

    def __init__(self, rules: Rules, arms: Sequence[str], sizes: Sequence[int]) -> None:
        self.rules = rules
        self._logs: dict[tuple[str, int], list[float]] = {(arm, size): [] for size in sizes for arm in arms[1:]}
        self._first = arms[0]
        self._due = looks(rules.blocks)
        self.blocks = 0
        self.looked: list[Look] = []
        self.stopped: str | None = None

    def add(self, times: Times) -> Look | None:
        """One more block; the look that was due after it."""
        assert self.stopped is None, "the course is over"
        for (arm, size), logs in self._logs.items():
            logs.append(log(times[self._first][size] / times[arm][size]))
        self.blocks += 1
        if self.blocks not in self._due:
            return None
        look = self._look(ends=self.blocks == self.rules.blocks)
        if all(one.interval.width <= self.rules.within for one in look.judged):
            self.stopped = NARROW
        elif self.blocks == self.rules.blocks:
            self.stopped = BUDGET
        return look

    def finish(self) -> Look | None:
        """The last look, at a moment that the data did not choose. None where there was no block."""
        if self.stopped is None:
            self.stopped = BUDGET
            if self.blocks and not (self.looked and self.looked[-1].blocks == self.blocks):
                self._look(ends=True)
        return self.looked[-1] if self.looked else None

    def _look(self, *, ends: bool) -> Look:
        numbers = [*(look.blocks for look in self.looked), self.blocks]
        level = level_of_last(numbers, self.rules.blocks, ALPHA / len(self._logs), ends=ends)
        rng = np.random.default_rng([self.rules.seed, self.blocks])
        judged = tuple(
            judge(arm, self._first, size, interval(logs, level, rng, self.rules.trim), self.rules.same)
            for (arm, size), logs in self._logs.items()
        )
        self.looked.append(Look(self.blocks, judged))
        return self.looked[-1]
