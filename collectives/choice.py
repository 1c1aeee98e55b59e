"""Which algorithm for which message: what each costs on this network, in the alpha-beta-gamma model. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collectives import algorithms
from collectives.operations import Operation
from collectives.schedule import Op, Schedule, ScheduleError


@dataclass(frozen=True, slots=True)
class Network:
    """Seconds a message, a byte on the wire, and a byte combined."""

    alpha_s: float
    beta_s_per_byte: float
    gamma_s_per_byte: float


TYPICAL = Network(20e-6, 1 / 1.2e9, 1 / 10e9)
"""Of TCP between processes of one small machine, where nobody measured."""


@dataclass(frozen=True, slots=True)
class Choice:
    """``costs`` are the candidates' seconds, cheapest first."""

    algorithm: str
    costs: tuple[tuple[str, float], ...]

    def explain(self) -> str:
        """One line."""
        return ", ".join(f"{name} {seconds * 1e6:.0f} us" for name, seconds in self.costs)


def estimate_s(schedule: Schedule, nbytes: int, network: Network) -> float:
    """Seconds that its busiest rank is busy, its largest buffer having ``nbytes``, and of all steps' latency."""
    bounds = np.concatenate([[0], np.cumsum(schedule.chunk_sizes(nbytes))])
    moved = bounds[schedule.chunk + schedule.count] - bounds[schedule.chunk]
    sent = np.bincount(schedule.src, moved, schedule.num_ranks)
    came = np.bincount(schedule.dst, moved, schedule.num_ranks)
    added = np.bincount(schedule.dst, moved * (schedule.op == Op.REDUCE), schedule.num_ranks)
    busiest = float(np.maximum(sent, came).max(initial=0))
    waits = schedule.num_steps * network.alpha_s
    return waits + busiest * network.beta_s_per_byte + float(added.max(initial=0)) * network.gamma_s_per_byte


def choose(
    operation: Operation,
    num_ranks: int,
    nbytes: int,
    network: Network = TYPICAL,
    candidates: Sequence[str] | None = None,
) -> Choice:
    """The cheapest algorithm. Those that can't serve so many ranks are left out."""
    costs = []
    for name in algorithms.names(operation.name) if candidates is None else candidates:
        try:
            schedule = algorithms.build(name, num_ranks, operation=operation)
        except ScheduleError:
            continue
        costs.append((name, estimate_s(schedule, nbytes, network)))
    costs.sort(key=lambda cost: cost[1])
    return Choice(costs[0][0], tuple(costs))
