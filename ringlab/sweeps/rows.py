"""What a sweep found, as rows of its table and curves of its plot: a row an arm of each combination, over its draws.

Figures are those at the largest size, as they stand for the nominal fabric (``ringlab.experiments.result.Nominal``).
The arms of one group (ecmp by several seeds) are draws of one thing, and so are the draws of a scenario: a row holds
them all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from ringlab.sweeps.scenario import DRAW

Changes = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """One arm in one scenario."""

    time_us: float
    busbw_GBps: float  # noqa: N815 - GBps and Gbps are not the same
    line_share: float


@dataclass(frozen=True, slots=True)
class Row:
    """``changes`` without the draw."""

    changes: Changes
    arm: str
    size_bytes: int
    samples: tuple[Sample, ...]

    @property
    def median(self) -> Sample:
        """Of each figure."""
        return Sample(
            median(one.time_us for one in self.samples),
            median(one.busbw_GBps for one in self.samples),
            median(one.line_share for one in self.samples),
        )

    @property
    def slowest(self) -> Sample:
        return max(self.samples, key=lambda one: one.time_us)

    @property
    def fastest(self) -> Sample:
        return min(self.samples, key=lambda one: one.time_us)


def rows(results: Sequence[tuple[Changes, Mapping[str, Any]]]) -> list[Row]:
    """The rows of (a scenario's changes, its record's ``result``), in the order of their first scenario."""
    found: dict[tuple[str, str], tuple[Changes, int, list[str], list[Sample]]] = {}
    for changes, result in results:
        kept = {field: value for field, value in changes.items() if field != DRAW}
        for arm, size_bytes, sample in _samples(result):
            key = (json.dumps(kept, sort_keys=True), arm["group"])
            _, _, names, samples = found.setdefault(key, (kept, size_bytes, [], []))
            names.append(arm["name"])
            samples.append(sample)
    return [
        Row(changes, names[0] if len(set(names)) == 1 else group, size, tuple(samples))
        for (_, group), (changes, size, names, samples) in found.items()
    ]


def _samples(result: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], int, Sample]]:
    """Each arm with its largest size."""
    for arm in result["arms"]:
        if not arm["results"]:
            continue
        largest = max(arm["results"], key=lambda found: found["size_bytes"])
        scale = result["scale"]
        sample = Sample(largest["time_us"] / scale, largest["busbw_GBps"] * scale, largest["line_share"])
        yield arm, largest["size_bytes"], sample


def value_text(value: object) -> str:
    """A change's value as it is written in a sweep file, nearly."""
    return value if isinstance(value, str) else json.dumps(value)


def changes_text(changes: Changes) -> str:
    """``fabric.spines=2 algorithm=ring``."""
    return " ".join(f"{field}={value_text(value)}" for field, value in changes.items())
