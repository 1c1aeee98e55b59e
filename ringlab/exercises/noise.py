"""Synthetic experiments with the noise of a shared machine: what exercise 11 decides on.

Three sources, as logarithms, normal: a block's drift, which all of its turns share (5 %: the machine is busy for some
minutes); a turn's own luck, which all its iterations share (2 %: where the kernel put its processes); an iteration's
(1 %). The sizes are the exercise's own, of the kind that small machines show; nothing is measured here.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from random import Random

Block = tuple[list[float], list[float]]
"""Times of A and of B, in seconds, of a turn each."""

DRIFT, TURN, ITERATION = 0.05, 0.02, 0.01
ITERATIONS = 5
TIME_S = 0.143


def experiment(gain: float, blocks: int, seed: int) -> list[Block]:
    """B takes ``1 - gain`` of A's time, in truth."""
    rng = Random(seed)  # noqa: S311 - no secret

    def turn(time_s: float, drift: float) -> list[float]:
        luck = drift + rng.gauss(0, TURN)
        return [time_s * exp(luck + rng.gauss(0, ITERATION)) for _ in range(ITERATIONS)]

    found = []
    for _ in range(blocks):
        drift = rng.gauss(0, DRIFT)
        found.append((turn(TIME_S, drift), turn(TIME_S * (1 - gain), drift)))
    return found


def t_quantile(degrees: int, confidence: float = 0.95) -> float:
    """Student's t: so many standard errors to both sides hold the truth in 95 of 100 cases."""
    from scipy.special import stdtrit  # noqa: PLC0415 - slow to import

    return float(stdtrit(degrees, (1 + confidence) / 2))


def share(verdicts: Sequence[str], wanted: str) -> float:
    return sum(verdict == wanted for verdict in verdicts) / len(verdicts)
