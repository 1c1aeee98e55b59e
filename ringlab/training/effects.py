"""What each choice did to a step: routing, placement, bucket size and backend, one at a time.

An effect pools the steps of all other choices alike: *routing* compares two policies over every bucket size, within one
placement. What only one of the two has, as in a run that failed in its first block, is left out. All but *backend* are
those of ringlab's trainings, where there are any. Ratios and intervals are those of ``statistics.ratio_interval``; its
blocks are turns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from operator import attrgetter

import numpy as np

from ringlab.experiments.statistics import ratio_interval
from ringlab.training.result import Effect, Ratio, StepResult, Training

Choice = Callable[[Training], str]
Rest = Callable[[Training], object]
"""A training's other choices."""

Samples = list[list[float]]


def effects(trainings: Sequence[Training], warmup: int, rng: np.random.Generator) -> Iterator[Effect]:
    """All effects that the trainings can show; the first ``warmup`` steps of each do not count."""
    rest: Rest = attrgetter("backend", "bucket_mb")
    ours = [one for one in trainings if one.backend == "ringlab"] or list(trainings)
    for placement in dict.fromkeys(one.placement for one in ours):
        there = [one for one in ours if one.placement == placement]
        yield from _among(f"routing, {placement}", there, lambda one: one.group, rest, warmup, rng)
    for arm in dict.fromkeys(one.arm for one in ours):
        by_arm = [one for one in ours if one.arm == arm]
        yield from _among(f"placement, {arm}", by_arm, lambda one: one.placement, rest, warmup, rng)
    rest = attrgetter("placement", "backend", "arm")
    yield from _among("bucket size", ours, lambda one: f"{one.bucket_mb:g} MiB", rest, warmup, rng)
    rest = attrgetter("placement", "arm", "bucket_mb")
    yield from _among("backend", trainings, lambda one: one.backend, rest, warmup, rng)


def _among(
    what: str, trainings: Sequence[Training], choice: Choice, rest: Rest, warmup: int, rng: np.random.Generator
) -> Iterator[Effect]:
    """Each pair of choices, over what else both were tried with."""
    for one, other in combinations(dict.fromkeys(map(choice, trainings)), 2):
        sides = _alike(
            [[training for training in trainings if choice(training) == name] for name in (one, other)], rest
        )
        step = _ratio(sides, lambda done: done.step_s, warmup, rng)
        exposed = _ratio(sides, lambda done: done.exposed_s, warmup, rng)
        if step and exposed:
            yield Effect(what, one, other, step, exposed)


def _alike(sides: Sequence[Sequence[Training]], rest: Rest) -> list[list[Training]]:
    shared = set.intersection(*({rest(training) for training in side} for side in sides))
    return [[training for training in side if rest(training) in shared] for side in sides]


def _ratio(
    sides: Sequence[Sequence[Training]],
    measure: Callable[[StepResult], float],
    warmup: int,
    rng: np.random.Generator,
) -> Ratio | None:
    """How many times the measure is on the first side what it is on the second; None where none can be told."""
    pools = [_samples(trainings, measure, warmup) for trainings in sides]
    turns = min((len(samples) for pool in pools for samples in pool), default=0)
    steps = min((len(block) for pool in pools for samples in pool for block in samples[:turns]), default=0)
    if not steps:
        return None
    cut = [[[block[:steps] for block in samples[:turns]] for samples in pool] for pool in pools]
    found = ratio_interval(cut[0], cut[1], rng)
    return Ratio(found.ratio, found.low, found.high, found.note)


def _samples(trainings: Sequence[Training], measure: Callable[[StepResult], float], warmup: int) -> list[Samples]:
    """Of each combination, a block a turn."""
    by_label: dict[str, Samples] = {}
    for one in trainings:
        by_label.setdefault(one.label, []).append([measure(step) for step in one.timed(warmup)])
    return list(by_label.values())
