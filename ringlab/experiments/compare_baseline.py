"""A run beside baselines, for the same question at nominal rates: who reaches which share of its line rate, and where.

Theory of operation. Every line that stands in the comparison is a sweep: sizes and times. A run gives one for each
group of arms, with its times as they stand for the nominal fabric (measured time divided by the time dilation); a
published system, a user's own or a prediction is one already. What two systems of different speed have in common is the
*share* of line rate at a size, as dilation changes times and rates but no bytes. So lines are compared, and cross, by
share; two arms of one run cross by share just where they cross by time. Pure; randomness comes in as a seeded
generator.
"""
# ruff: noqa: N815 - GBps and Gbps are not the same

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from collectives.baseline import Baseline, Point, Reading
from collectives.perf.kinds import kind_of
from ringlab.experiments.compare_baseline_crossing import Crossing, crossings
from ringlab.experiments.compare_baseline_curve import Curve
from ringlab.experiments.compare_baseline_words import limits
from ringlab.experiments.result import Certificate, Result
from ringlab.experiments.statistics import group_median

SMALL_BYTES = 64 * 1024
"""Up to here latency rules: no published sweep reaches more than 8 % of its line rate at 64 KiB."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What of a run matters for what can be compared."""

    id: str
    name: str
    simulated: bool
    scale: float
    collective: str
    ranks: int
    line_rate_GBps: float
    certificate: Certificate


@dataclass(frozen=True, slots=True)
class SideBySide:
    """``run`` is the one that all others stand beside; ``sizes`` are its. ``can`` and ``cannot`` are sentences."""

    run: RunFacts
    curves: tuple[Curve, ...]
    sizes: tuple[int, ...]
    crossings: tuple[Crossing, ...]
    can: tuple[str, ...]
    cannot: tuple[str, ...]

    def small_sizes(self) -> tuple[int, ...]:
        """Sizes at which latency rules, or the smallest one."""
        return tuple(size for size in self.sizes if size <= SMALL_BYTES) or self.sizes[:1]

    def as_data(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {
            "run": asdict(self.run),
            "curves": [_curve_data(curve, self.sizes) for curve in self.curves],
            "crossings": [asdict(crossing) for crossing in self.crossings],
            "can": list(self.can),
            "cannot": list(self.cannot),
        }


class NotComparableError(ValueError):
    """They answer different questions: says why."""


def side_by_side(run: Result, others: Sequence[Result | Curve], rng: np.random.Generator) -> SideBySide:
    """``run`` beside ``others``: runs too, or lines. NotComparableError where they time another collective."""
    facts = facts_of(run)
    runs = [run, *(other for other in others if isinstance(other, Result))]
    curves: list[Curve] = []
    for number, (one, name) in enumerate(zip(runs, _names(runs), strict=True)):
        check_figures(one)
        curves += curves_of(one, number, name)
    curves += [other for other in others if isinstance(other, Curve)]
    for curve in curves:
        if curve.sweep.collective != facts.collective:
            raise NotComparableError(
                f"{curve.name} times {curve.sweep.collective}, {run.name} {facts.collective}: "
                "compare the same collective"
            )
    second = [facts_of(other) for other in runs[1:]]
    can, cannot = limits(facts, [curve.sweep for curve in curves if curve.run is None], second)
    can += tuple(
        f"{curve.name} is {curve.sweep.note}; four times in five the truth lies in its interval."
        for curve in curves
        if curve.kind == "prediction"
    )
    return SideBySide(facts, tuple(curves), run.sizes(), tuple(crossings(run, curves, rng)), can, cannot)


def check_figures(run: Result) -> None:
    """NotComparableError where no arm of it has a time."""
    if not any(curves_of(run, 0, "")):
        why = run.failure or "no arm ran"
        raise NotComparableError(f"{run.name} ({run.id}): the run has no figures; it failed: {why}")


def facts_of(run: Result) -> RunFacts:
    return RunFacts(
        id=run.id,
        name=run.name,
        simulated=run.is_simulated,
        scale=run.scale,
        collective=_nccl_tests_name(run.collective),
        ranks=run.ranks,
        line_rate_GBps=run.nominal_line_rate_bps / 8e9,
        certificate=run.certificate,
    )


def _nccl_tests_name(collective: str) -> str:
    try:
        return kind_of(collective).name
    except KeyError:  # a result's file may name anything; what no baseline times is told when they meet
        return collective


def _names(runs: Sequence[Result]) -> list[str]:
    """What stands before each run's groups: nothing where there is one run, its id where two have one name."""
    if len(runs) == 1:
        return [""]
    names = [run.name for run in runs]
    return [run.name if names.count(run.name) == 1 else run.id for run in runs]


def curves_of(run: Result, number: int, run_name: str) -> Iterator[Curve]:
    """A line a group of arms, the median over its arms."""
    for group in run.groups():
        measured = {size: _median_us(run, group, size) for size in run.sizes()}
        times = {size: time_us for size, time_us in measured.items() if time_us is not None}
        if not times:
            continue
        name = f"{run_name}: {group}" if run_name else group
        yield Curve("run", _sweep(run, name, times), {} if run.is_simulated else times, group, number)


def _median_us(run: Result, group: str, size: int) -> float | None:
    samples = [
        found.samples_us for arm in run.arms if arm.group == group for found in arm.results if found.size_bytes == size
    ]
    return group_median(samples) if samples else None


def _sweep(run: Result, name: str, measured_us: Mapping[int, float]) -> Baseline:
    """A run's group as a baseline at nominal rates."""
    facts = facts_of(run)
    return Baseline(
        name=name,
        collective=facts.collective,
        nranks=run.ranks,
        gpu="none (simulated)" if run.is_simulated else "none (emulated hosts)",
        nodes=run.ranks,
        gpus_per_node=1,
        network=str(run.fabric.get("name", "")),
        library=next((arm.library for arm in run.arms), "ringlab"),
        note="",
        source=run.id,
        nominal_line_rate_GBps=facts.line_rate_GBps,
        line_rate_why="the run's fabric at nominal rates",
        points=tuple(Point(size, measured_us[size] / run.scale) for size in sorted(measured_us)),
    )


def _curve_data(curve: Curve, sizes: Sequence[int]) -> dict[str, Any]:
    best = curve.sweep.best()
    return {
        "name": curve.name,
        "kind": curve.kind,
        "collective": curve.sweep.collective,
        "ranks": curve.sweep.nranks,
        "nominal_line_rate_GBps": curve.sweep.nominal_line_rate_GBps,
        "source": curve.sweep.source,
        "best": _reading_data(best, curve),
        "half_of_best": asdict(curve.half_of_best()),
        "at": [_reading_data(curve.sweep.at(size), curve) for size in sizes],
    }


def _reading_data(reading: Reading, curve: Curve) -> dict[str, Any]:
    """Times are nominal; a run has them as measured too."""
    data = asdict(reading)
    del data["in_place_us"], data["in_place_busbw_GBps"]
    interval = curve.interval_us.get(reading.size_bytes)
    more = {"low_us": interval[0], "high_us": interval[1]} if interval else {}
    return data | {"measured_us": curve.measured_us.get(reading.size_bytes)} | more
