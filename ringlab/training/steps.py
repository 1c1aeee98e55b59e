"""What one training step took, from the moments that a rank noted; and the lines in which ranks tell of their steps.

A step is split where backward's computation ends. DDP hands a bucket of gradients over as soon as its last gradient is
there, and computes on; so communication is *hidden* behind computation until the last gradient of all is there, and
*exposed* from then until backward returns with every gradient reduced. Pure: no clock, no torch.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Marks:
    """Moments of one step, in seconds of one clock; ``buckets`` are (handed over, arrived) of each bucket.

    ``gradients_ready``: the last parameter's own gradient is computed; ``reduced``: backward returned.
    """

    began: float
    gradients_ready: float
    reduced: float
    ended: float
    buckets: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of one rank. ``run`` (from 0) is the place of its bucket size in the list, ``step`` is from 0.

    ``began_s`` is a moment of the machine's monotonic clock. ``communication_s``: some bucket was on its way.
    ``alone_s``: the same step without communication, None where this was not measured.
    """

    run: int
    step: int
    loss: float
    began_s: float
    computation_s: float
    exposed_s: float
    communication_s: float
    buckets: int
    alone_s: float | None = None

    @property
    def step_s(self) -> float:
        return self.computation_s + self.exposed_s


def split(run: int, step: int, loss: float, marks: Marks, alone_s: float | None = None) -> Step:
    """The step that ``marks`` tell of. ValueError where they are not in order."""
    if not marks.began <= marks.gradients_ready <= marks.reduced <= marks.ended:
        raise ValueError(f"moments of step {step} are not in order: {marks}")
    exposed_s = marks.reduced - marks.gradients_ready
    return Step(
        run=run,
        step=step,
        loss=loss,
        began_s=marks.began,
        computation_s=marks.ended - marks.began - exposed_s,
        exposed_s=exposed_s,
        communication_s=covered_s(marks.buckets),
        buckets=len(marks.buckets),
        alone_s=alone_s,
    )


def covered_s(intervals: Iterable[tuple[float, float]]) -> float:
    """Seconds within at least one of the intervals."""
    total, until = 0.0, float("-inf")
    for begins, ends in sorted(intervals):
        total += max(0.0, ends - max(begins, until))
        until = max(until, ends)
    return total


def line(step: Step) -> str:
    """The step as a line of a rank's file."""
    return json.dumps(asdict(step), allow_nan=False) + "\n"


def read(text: str) -> Iterator[Step]:
    """The steps in a rank's file; a last line that the rank's end cut short is left out."""
    for whole in text.splitlines(keepends=True):
        if whole.endswith("\n"):
            yield Step(**json.loads(whole))


def last_words(text: str, rank: str, backend: str) -> str:
    """An error as one line that names a rank: the backend's own words where they do, else after ``rank``'s name."""
    lines = [one.strip() for one in text.splitlines() if one.strip()] or ["an error without a word"]
    for one in lines:
        if (at := one.find("rank ")) >= 0 and "(" in one[at : at + 12]:
            return one[at:]
    return f"{rank}, {backend}: {lines[0]}"
