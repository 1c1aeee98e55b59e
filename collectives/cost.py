"""What an allreduce costs in the alpha-beta-gamma model, in closed form.

A message of m bytes takes alpha + m * beta; adding m bytes takes m * gamma. Every rank has one full-duplex port, which
the channels share; the fabric does not get in the way. Source: Thakur, Rabenseifner and Gropp, IJHPCA 2005.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log2

from collectives.schedule import ScheduleError
from topologies.spelling import did_you_mean


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one allreduce, for its busiest rank: steps, bytes sent (as many are received), and bytes added to its own."""

    steps: int
    sent_bytes: float
    added_bytes: float

    def time_s(self, alpha_s: float, beta_s_per_byte: float, gamma_s_per_byte: float = 0.0) -> float:
        """Seconds, with a latency a step, a time a byte on the wire, and a time a byte added."""
        return self.steps * alpha_s + self.sent_bytes * beta_s_per_byte + self.added_bytes * gamma_s_per_byte


def _ring(n: int, nbytes: float) -> Cost:
    share = (n - 1) / n * nbytes
    return Cost(2 * (n - 1), 2 * share, share)


def _halving_doubling(n: int, nbytes: float) -> Cost:
    p = 2 ** int(log2(n))
    share = (p - 1) / p * nbytes
    return _folded(n > p, Cost(2 * int(log2(p)), 2 * share, share), nbytes)


def _recursive_doubling(n: int, nbytes: float) -> Cost:
    steps = int(log2(n))
    return _folded(n > 2**steps, Cost(steps, steps * nbytes, steps * nbytes), nbytes)


def _folded(others: bool, core: Cost, nbytes: float) -> Cost:
    """With a message into the power of two before, and one back after (``algorithms/powers.py``)."""
    return Cost(core.steps + 2, core.sent_bytes + nbytes, core.added_bytes + nbytes) if others else core


COSTS: Mapping[str, Callable[[int, float], Cost]] = {
    "ring": _ring,
    "bidirectional-ring": _ring,
    "halving-doubling": _halving_doubling,
    "recursive-doubling": _recursive_doubling,
}


def cost(algorithm: str, num_ranks: int, nbytes: float) -> Cost:
    """Of ``algorithm`` among ``num_ranks`` on a message of ``nbytes``. Channels do not change it.

    Raises ScheduleError for a name without a closed form.
    """
    if algorithm not in COSTS:
        raise ScheduleError(f"no closed form for {algorithm!r}: {did_you_mean(algorithm, COSTS)}")
    return COSTS[algorithm](num_ranks, nbytes)
