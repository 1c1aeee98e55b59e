"""A training's Result: what every rank's steps came to, and whether the loss curves agree; the JSON of ``--json``.

Times are as measured, in seconds. The fabric runs ``scale`` times slower than the one it stands for; the computation is
this machine's own, so that a step stands for one on processors that are ``scale`` times as fast as a rank here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ringlab.experiments.result import Check, Moment, ResultError
from ringlab.training.steps import Step

SCHEMA = "training/1"


@dataclass(frozen=True, slots=True)
class StepResult:
    """One step that every rank finished; times are means over the ranks, ``losses[rank]`` is the rank's own.

    ``began_s``: since the run began. ``alone_s``: without communication, None where this was not measured.
    """

    step: int
    losses: tuple[float, ...]
    began_s: float
    computation_s: float
    exposed_s: float
    communication_s: float
    buckets: int
    alone_s: float | None

    @property
    def step_s(self) -> float:
        return self.computation_s + self.exposed_s

    @property
    def loss(self) -> float:
        """That of all samples: ranks take equally many."""
        return sum(self.losses) / len(self.losses)


@dataclass(frozen=True, slots=True)
class Training:
    """One training of one turn: with one bucket size, backend, placement and arm. ``turn`` counts from 1."""

    placement: str
    backend: str
    arm: str
    group: str
    bucket_mb: float
    turn: int
    steps: tuple[StepResult, ...]

    def timed(self, warmup: int) -> tuple[StepResult, ...]:
        """The steps whose times count."""
        return tuple(step for step in self.steps if step.step >= warmup)

    @property
    def label(self) -> str:
        return f"{self.placement}, {self.backend}, {self.arm}, {self.bucket_mb:g} MiB"


@dataclass(frozen=True, slots=True)
class LossCheck:
    """The largest relative difference between one bucket size's trainings and the first one of ``reference``."""

    bucket_mb: float
    reference: str
    trainings: int
    steps: int
    largest: float
    allowed: float

    @property
    def ok(self) -> bool:
        return self.largest <= self.allowed


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio with its 95 % interval (None where a single sample gives none); ``note``: what it does not know."""

    ratio: float
    low: float | None
    high: float | None
    note: str = ""

    @property
    def shown(self) -> bool:
        """Is there a difference at all, as far as the samples can tell?"""
        return self.low is not None and self.high is not None and not self.low <= 1.0 <= self.high


@dataclass(frozen=True, slots=True)
class Effect:
    """What one choice does, all else alike: ``step`` and ``exposed`` with ``one``, over those with ``other``."""

    what: str
    one: str
    other: str
    step: Ratio
    exposed: Ratio


@dataclass(frozen=True, slots=True)
class TrainResult:
    """One run. ``failure`` says why it ended early: its trainings have the steps that were finished."""

    id: str
    name: str
    created: str
    spec: Mapping[str, Any]
    fabric: Mapping[str, Any]
    ranks: int
    algorithm: str
    channels: int
    layers: tuple[int, ...]
    parameters: int
    batch: int
    warmup: int
    scale: float
    line_rate_bps: float
    nominal_line_rate_bps: float
    trainings: tuple[Training, ...]
    losses: tuple[LossCheck, ...]
    effects: tuple[Effect, ...]
    checks: tuple[Check, ...]
    fingerprint: Mapping[str, Any]
    timeline: tuple[Moment, ...]
    failure: str | None = None


def gathered(ranks: Sequence[Sequence[Step]], since_s: float) -> Iterator[tuple[int, StepResult]]:
    """The steps that every rank finished, each with the place of its bucket size (from 0); ``ranks[rank]``: its own."""
    by_place = [{(step.run, step.step): step for step in found} for found in ranks]
    for run, number in sorted(set.intersection(*map(set, by_place))) if by_place else ():
        yield run, _gathered([found[run, number] for found in by_place], since_s)


def _gathered(found: Sequence[Step], since_s: float) -> StepResult:
    alone = [step.alone_s for step in found if step.alone_s is not None]
    return StepResult(
        step=found[0].step,
        losses=tuple(step.loss for step in found),
        began_s=min(step.began_s for step in found) - since_s,
        computation_s=_mean([step.computation_s for step in found]),
        exposed_s=_mean([step.exposed_s for step in found]),
        communication_s=_mean([step.communication_s for step in found]),
        buckets=found[0].buckets,
        alone_s=_mean(alone) if alone else None,
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def check_losses(trainings: Sequence[Training], ranks: int, tolerance: float) -> tuple[LossCheck, ...]:
    """Each bucket size's trainings against the first one by gloo (the first of all, if none is).

    Two ranks add two numbers, in either order the same: then no difference is allowed. With more, the order in which
    backends add is their own, and floats differ in their last bits; ``tolerance`` is what they may.
    """
    checks = []
    for bucket_mb in dict.fromkeys(one.bucket_mb for one in trainings):
        alike = [one for one in trainings if one.bucket_mb == bucket_mb and one.steps]
        if len(alike) < 2:
            continue
        reference = next((one for one in alike if one.backend == "gloo"), alike[0])
        pairs = [pair for one in alike if one is not reference for pair in _loss_pairs(one, reference)]
        largest = max((abs(loss - other) / (abs(other) or 1.0) for loss, other in pairs), default=0.0)
        allowed = 0.0 if ranks == 2 else tolerance
        steps = max(len(one.steps) for one in alike)
        checks.append(LossCheck(bucket_mb, reference.backend, len(alike), steps, largest, allowed))
    return tuple(checks)


def _loss_pairs(one: Training, other: Training) -> Iterator[tuple[float, float]]:
    """Losses of equal steps and ranks, as far as both came."""
    for mine, theirs in zip(one.steps, other.steps, strict=False):
        yield from zip(mine.losses, theirs.losses, strict=True)


def dumps(result: TrainResult) -> str:
    """Strict JSON. ResultError if a figure is not finite."""
    try:
        return json.dumps({"schema": SCHEMA, **asdict(result)}, indent=2, allow_nan=False) + "\n"
    except ValueError:
        raise ResultError(f"result of {result.name}: a figure is not a finite number") from None
