"""One line of a comparison: a run's arms, a baseline or a prediction, as a sweep at nominal rates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from collectives.baseline import Baseline

Kind = Literal["run", "baseline", "prediction"]


@dataclass(frozen=True, slots=True)
class Curve:
    """One line. ``measured_us``: an emulated run's times as they were measured, before dilation was taken out.

    ``group`` is the name of a run's arms within it; ``run`` is the run it belongs to (the first is 0).
    ``interval_us``: a prediction's, within which the time lies four times in five.
    """

    kind: Kind
    sweep: Baseline
    measured_us: Mapping[int, float] = field(default_factory=dict)
    group: str = ""
    run: int | None = None
    interval_us: Mapping[int, tuple[float, float]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.sweep.name

    def share_interval(self, size_bytes: int) -> tuple[float, float] | None:
        """A prediction's share of line rate at a size, low and high."""
        reading, interval = self.sweep.at(size_bytes), self.interval_us.get(size_bytes)
        if interval is None or reading.line_share is None or reading.time_us is None:
            return None
        work = reading.line_share * reading.time_us
        return work / interval[1], work / interval[0]

    def half_of_best(self) -> Half:
        """At which size busbw first reaches half of its best."""
        readings = self.sweep.readings()
        rates = [reading.busbw_GBps or 0.0 for reading in readings]
        half = max(rates) / 2
        first = next(place for place, rate in enumerate(rates) if rate >= half)
        if first == 0:
            return Half(readings[0].size_bytes, at_most=True)
        low, high = (math.log(readings[place].size_bytes) for place in (first - 1, first))
        slow, fast = (math.log(rates[place]) for place in (first - 1, first))
        return Half(round(math.exp(low + (high - low) * (math.log(half) - slow) / (fast - slow))))


@dataclass(frozen=True, slots=True)
class Half:
    """``at_most``: already at the smallest size that was measured."""

    size_bytes: int
    at_most: bool = False
