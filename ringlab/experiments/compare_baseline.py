"""A run beside baselines, for the same question at nominal rates: who reaches which share of its line rate, and where.

Theory of operation. Every line that stands in the comparison is a sweep: sizes and times. A run gives one for each
group of arms, with its times as they stand for the nominal fabric (measured time divided by the time dilation); a
published system, a user's own or a prediction is one already. What two systems of different speed have in common is the
*share* of line rate at a size, as dilation changes times and rates but no bytes. So lines are compared, and cross, by
share; two arms of one run cross by share just where they cross by time.

Between sizes a sweep is read on the straight line in log(size), log(time), never beyond its ends. Two lines cross
between two sizes of the run where the sign of log(share / share) changes; two arms of a run count as equal where its
samples show no difference. Pure; randomness comes in as a seeded generator.
"""
# ruff: noqa: N815 - GBps and Gbps are not the same

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations, pairwise, product
from typing import Any, Literal

import numpy as np

from collectives.baseline import Baseline, Point, Reading
from collectives.perf.kinds import kind_of
from ringlab.experiments.compare import compare
from ringlab.experiments.compare_baseline_words import limits
from ringlab.experiments.figures import size_text
from ringlab.experiments.result import Certificate, Result
from ringlab.experiments.statistics import group_median

SMALL_BYTES = 64 * 1024
"""Up to here latency rules on all published networks."""

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


@dataclass(frozen=True, slots=True)
class Crossing:
    """How two lines lie: ``one`` is ahead up to ``size_bytes``, then ``other``; None where they don't cross.

    The crossing is somewhere between ``low_bytes`` and ``high_bytes``; ``size_bytes`` is on the straight line. Where
    ``one`` is ahead without a crossing, ``where`` says at which sizes.
    """

    one: str
    other: str
    size_bytes: int | None
    low_bytes: int | None
    high_bytes: int | None
    text: str
    where: str = ""


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
        curves += curves_of(one, number, name)
        if not curves:
            raise NotComparableError(f"{run.name}: the run has no figures; it failed: {run.failure or 'no arm ran'}")
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
    return SideBySide(facts, tuple(curves), run.sizes(), tuple(_crossings(run, curves, rng)), can, cannot)


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


def _crossings(run: Result, curves: Sequence[Curve], rng: np.random.Generator) -> Iterator[Crossing]:
    """Of the run's arms among themselves, then of each with each other line; of another run with its like there."""
    ours = [curve for curve in curves if curve.run == 0]
    shown = _shown(run, rng)
    pairs = [(one, other, shown.get((one.group, other.group))) for one, other in combinations(ours, 2)]
    theirs = [curve for curve in curves if curve.run != 0]
    pairs += [(one, other, None) for one, other in product(ours, theirs) if _meet(one, other, curves)]
    for one, other, apart in pairs:
        if found := crossing(one, other, run.sizes(), apart):
            yield found


def _meet(one: Curve, other: Curve, curves: Sequence[Curve]) -> bool:
    """Of two runs with groups of one name, those meet; else all do."""
    if other.run is None:
        return True
    alike = {curve.group for curve in curves if curve.run == 0} & {
        curve.group for curve in curves if curve.run == other.run
    }
    return one.group == other.group or not alike


def _shown(run: Result, rng: np.random.Generator) -> Mapping[tuple[str, str], frozenset[int]]:
    """For each pair of groups, the sizes at which the samples show a difference; nothing where they can't tell."""
    pairs = list(combinations(run.groups(), 2))
    try:
        compared = compare(run.arms, pairs, rng)
    except ValueError:  # a run that ended early has arms of unequal blocks
        return {}
    return {
        pair: frozenset(
            found.size_bytes
            for found in compared
            if {found.better, found.than} == set(pair) and (found.shown or (found.low is None and found.ratio > 1))
        )
        for pair in pairs
    }


def crossing(one: Curve, other: Curve, sizes: Sequence[int], shown: frozenset[int] | None = None) -> Crossing | None:
    """Where ``one`` and ``other`` change places, at ``sizes``; those not in ``shown`` count as equal.

    None where there is no size at which both have a share.
    """
    leads = {size: lead for size in sizes if (lead := _lead(one, other, size)) is not None}
    apart = [size for size in leads if leads[size] and (shown is None or size in shown)]
    if not leads:
        return None
    if not apart:
        text = f"{one.name} and {other.name}: no difference shown at any size"
        return Crossing(one.name, other.name, None, None, None, text)
    changes = [(low, high) for low, high in pairwise(apart) if (leads[low] > 0) != (leads[high] > 0)]
    if not changes:
        return _no_crossing(one, other, list(leads), apart, leads[apart[0]] > 0)
    low, high = changes[-1]
    first, then = (one, other) if leads[low] > 0 else (other, one)
    size = _zero(low, leads[low], high, leads[high])
    more = f" (the last of {len(changes)} crossings)" if len(changes) > 1 else ""
    reach = f"between {size_text(low)} and {size_text(high)}"
    text = f"{first.name} is ahead up to about {size_text(size)}, then {then.name} ({reach}){more}"
    return Crossing(first.name, then.name, size, low, high, text)


def _no_crossing(one: Curve, other: Curve, sizes: Sequence[int], apart: Sequence[int], leads: bool) -> Crossing:
    first, second = (one, other) if leads else (other, one)
    equal = [size for size in sizes if size not in apart]
    where = f"at all sizes that both have ({size_text(sizes[0])} to {size_text(sizes[-1])})"
    if equal:
        where = f"at {', '.join(map(size_text, apart))}; no difference shown at {', '.join(map(size_text, equal))}"
    elif len(sizes) == 1:
        where = f"at {size_text(sizes[0])}, the only size that both have"
    text = f"no crossing: {first.name} is ahead of {second.name} {where}"
    return Crossing(first.name, second.name, None, None, None, text, where)


def _lead(one: Curve, other: Curve, size: int) -> float | None:
    """log(share / share); None where one of them says nothing."""
    shares = [curve.sweep.at(size).line_share for curve in (one, other)]
    if shares[0] is None or shares[1] is None:
        return None
    lead = math.log(shares[0] / shares[1])
    return 0.0 if abs(lead) < 1e-9 else lead  # shares of equal times differ in their last digits


def _zero(low: int, lead_low: float, high: int, lead_high: float) -> int:
    """The size at which the straight line through both leads passes 0."""
    along = lead_low / (lead_low - lead_high)
    return round(math.exp(math.log(low) + along * math.log(high / low)))


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
