"""Where two lines of a comparison change places.

Between sizes a sweep is read on the straight line in log(size), log(time), never beyond its ends. Two lines cross
between two sizes of the run where the sign of log(share / share) changes; two arms of a run count as equal where its
samples show no difference. Pure; randomness comes in as a seeded generator.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise, product

import numpy as np

from ringlab.experiments.compare import compare
from ringlab.experiments.compare_baseline_curve import Curve
from ringlab.experiments.figures import size_text
from ringlab.experiments.result import Result


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


def crossings(run: Result, curves: Sequence[Curve], rng: np.random.Generator) -> Iterator[Crossing]:
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
    """log(share / share); None where one of them says nothing, or has one rank and so a share of 0."""
    shares = [curve.sweep.at(size).line_share for curve in (one, other)]
    if not shares[0] or not shares[1]:
        return None
    lead = math.log(shares[0] / shares[1])
    return 0.0 if abs(lead) < 1e-9 else lead  # shares of equal times differ in their last digits


def _zero(low: int, lead_low: float, high: int, lead_high: float) -> int:
    """The size at which the straight line through both leads passes 0."""
    along = lead_low / (lead_low - lead_high)
    return round(math.exp(math.log(low) + along * math.log(high / low)))
