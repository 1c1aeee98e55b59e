"""Which group of arms is better, by how much, at which size; and the GPU baseline at the same sizes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from collectives.baseline import Baseline
from ringlab.experiments.figures import size_text
from ringlab.experiments.result import Arm, BaselineBeside, BaselinePoint, Blocks, Comparison
from ringlab.experiments.statistics import Interval, group_median, ratio_interval


def compare(arms: Sequence[Arm], pairs: Iterable[tuple[str, str]], rng: np.random.Generator) -> tuple[Comparison, ...]:
    """Each pair of groups (or single arms) at every size that both ran, sizes rising, pairs as given."""
    sizes = sorted({result.size_bytes for arm in arms for result in arm.results})
    chosen = tuple(pairs)
    return tuple(
        _compare_pair(pair, size, samples, rng)
        for size in sizes
        for pair in chosen
        if all(samples := [_samples(arms, name, size) for name in pair])
    )


def beside(baseline: Baseline, sizes: Iterable[int]) -> BaselineBeside:
    """``baseline`` at our sizes; equal sizes are comparable, as time dilation changes times and rates but no bytes."""
    readings = [baseline.at(size) for size in sizes]
    points = tuple(
        BaselinePoint(found.size_bytes, found.busbw_GBps, found.line_share, found.interpolated, found.why)
        for found in readings
    )
    return BaselineBeside(baseline.name, baseline.nominal_line_rate_GBps, baseline.source, points, baseline.caveat)


def _samples(arms: Sequence[Arm], name: str, size_bytes: int) -> list[Blocks]:
    """The samples at one size of each arm of the group ``name``, or of the one arm of that name."""
    return [
        result.samples_us
        for arm in arms
        if name in (arm.group, arm.name)
        for result in arm.results
        if result.size_bytes == size_bytes
    ]


def _compare_pair(
    pair: tuple[str, str], size_bytes: int, samples: Sequence[Sequence[Blocks]], rng: np.random.Generator
) -> Comparison:
    (better, fast), (than, slow) = sorted(zip(pair, samples, strict=True), key=lambda side: group_median(side[1]))
    interval = ratio_interval(slow, fast, rng)
    return Comparison(
        better=better,
        than=than,
        size_bytes=size_bytes,
        ratio=interval.ratio,
        low=interval.low,
        high=interval.high,
        blocks=interval.blocks,
        text=_sentence(better, than, size_bytes, interval),
    )


def _sentence(better: str, than: str, size_bytes: int, interval: Interval) -> str:
    note = f" ({interval.note})" if interval.note else ""
    size = size_text(size_bytes)
    if interval.low is None or interval.high is None:
        return f"{better} is {interval.ratio:.2f}x faster than {than} at {size}{note}"
    places = 2 if interval.ratio >= 1.1 else 3
    bounds = f"{interval.ratio:.{places}f}x [{interval.low:.{places}f}, {interval.high:.{places}f}]"
    if interval.low <= 1.0:
        return f"no difference shown between {better} and {than} at {size}: {bounds}{note}"
    return f"{better} is {bounds} faster than {than} at {size}{note}"
