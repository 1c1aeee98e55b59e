"""Trainings of equal choices as one row: what the table and the plot show, over all turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ringlab.experiments.statistics import Spread, median, spread
from ringlab.training.result import StepResult, Training, TrainResult


@dataclass(frozen=True, slots=True)
class Row:
    """Medians over the timed steps of all turns, in seconds; ``spread`` holds the quartiles of the whole step.

    Medians of parts do not add up to the median of the whole exactly. ``alone_s`` None: it was not measured.
    """

    placement: str
    backend: str
    arm: str
    bucket_mb: float
    buckets: int
    steps: int
    step_s: float
    spread: Spread
    computation_s: float
    exposed_s: float
    communication_s: float
    alone_s: float | None

    @property
    def exposed_share(self) -> float:
        return self.exposed_s / (self.computation_s + self.exposed_s)


def rows(result: TrainResult) -> list[Row]:
    """A row for each combination that has a timed step, in the order of the spec."""
    alike: dict[str, list[Training]] = {}
    for training in result.trainings:
        alike.setdefault(training.label, []).append(training)
    timed = [(found, [step for one in found for step in one.timed(result.warmup)]) for found in alike.values()]
    order = list(dict.fromkeys(one.placement for one in result.trainings))
    made = [_row(found[0], steps) for found, steps in timed if steps]
    return sorted(made, key=lambda row: order.index(row.placement))


def _row(one: Training, steps: Sequence[StepResult]) -> Row:
    alone = [step.alone_s for step in steps if step.alone_s is not None]
    return Row(
        placement=one.placement,
        backend=one.backend,
        arm=one.arm,
        bucket_mb=one.bucket_mb,
        buckets=steps[-1].buckets,
        steps=len(steps),
        step_s=median([[step.step_s for step in steps]]),
        spread=spread([[step.step_s for step in steps]]),
        computation_s=median([[step.computation_s for step in steps]]),
        exposed_s=median([[step.exposed_s for step in steps]]),
        communication_s=median([[step.communication_s for step in steps]]),
        alone_s=median([alone]) if alone else None,
    )
