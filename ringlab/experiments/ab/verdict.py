"""What an interval says, in a word: faster, slower, same within x %, or unknown.

*same* wants evidence as the others do: the whole interval lies in the band of what makes no difference to anybody. An
interval that lies in the band and beside 1 is *same* too: there is a difference, and it is too small to matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ringlab.experiments.ab.interval import Interval
from ringlab.experiments.figures import size_text

Verdict = Literal["faster", "slower", "same", "unknown"]


@dataclass(frozen=True, slots=True)
class Judged:
    """``arm`` beside ``than`` at one size: a ratio above 1 says that ``arm`` took less time."""

    arm: str
    than: str
    size_bytes: int
    interval: Interval
    verdict: Verdict
    text: str


def judge(arm: str, than: str, size_bytes: int, interval: Interval, same: float) -> Judged:
    """``same`` is the band's half: 0.02 is from 1/1.02 to 1.02."""
    verdict = verdict_of(interval, same)
    return Judged(arm, than, size_bytes, interval, verdict, _sentence(arm, than, size_bytes, interval, verdict, same))


def verdict_of(interval: Interval, same: float) -> Verdict:
    if interval.low is None or interval.high is None:
        return "unknown"
    if 1 / (1 + same) <= interval.low and interval.high <= 1 + same:
        return "same"
    if interval.low > 1:
        return "faster"
    return "slower" if interval.high < 1 else "unknown"


def _sentence(arm: str, than: str, size_bytes: int, interval: Interval, verdict: Verdict, same: float) -> str:
    size, band = size_text(size_bytes), f"{same * 100:.3g} %"
    match verdict:
        case "faster":
            return f"{arm} is {figures(interval)} times as fast as {than} at {size}: faster"
        case "slower":
            return f"{arm} is {figures(interval)} times as fast as {than} at {size}: slower"
        case "same":
            return f"{arm} and {than} are the same within {band} at {size}: {figures(interval)}"
    return f"unknown whether {arm} is faster than {than} at {size}: {figures(interval)}"


def figures(interval: Interval) -> str:
    """``1.048 [1.031, 1.066]``; two places from 1.1 on."""
    places = 2 if interval.ratio >= 1.1 or interval.ratio <= 1 / 1.1 else 3
    if interval.low is None or interval.high is None:
        return f"{interval.ratio:.{places}f} (one block: no interval)"
    return f"{interval.ratio:.{places}f} [{interval.low:.{places}f}, {interval.high:.{places}f}]"
