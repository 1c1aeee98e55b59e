"""Which algorithm for which message: what each costs on this network, in the alpha-beta-gamma model. Pure.

A step costs alpha, a byte that the busiest rank sends or receives beta, a byte of memory that a step touches (reads to
send it, combines, writes) gamma. So an exchange of whole messages between two ranks, one step, beats halves there and
back, which send as many bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from collectives import algorithms
from collectives.operations import Operation
from collectives.schedule import Schedule, ScheduleError

AUTO = "auto"
"""In place of an algorithm's name."""


@dataclass(frozen=True, slots=True)
class Network:
    """Seconds a step, a byte on the wire, and a byte of memory touched."""

    alpha_s: float
    beta_s_per_byte: float
    gamma_s_per_byte: float


TYPICAL = Network(20e-6, 1 / 1.2e9, 1 / 10e9)
"""Of TCP between processes of one small machine, where nobody measured."""

_UNIT = 1 << 24
"""Bytes that a schedule's loads are taken at: large, so that uneven chunks do not matter."""


@dataclass(frozen=True, slots=True)
class Choice:
    """``costs`` are the candidates' seconds, cheapest first."""

    algorithm: str
    costs: tuple[tuple[str, float], ...]

    def explain(self) -> str:
        """One line."""
        return ", ".join(f"{name} {seconds * 1e6:.0f} us" for name, seconds in self.costs)


@dataclass(frozen=True, slots=True)
class Load:
    """Of a schedule's busiest rank: steps of all, and bytes moved and touched for each byte of the largest buffer."""

    steps: int
    moved: float
    touched: float

    @classmethod
    def of(cls, schedule: Schedule) -> Load:
        sizes = schedule.chunk_sizes(_UNIT)
        accesses = schedule.accesses()
        rank, chunk = np.divmod(accesses.place, schedule.num_chunks)
        touched = _busiest(rank, accesses.step, chunk, sizes, schedule.num_ranks)
        ways = [_weighed(rank[way], sizes[chunk[way]], schedule.num_ranks) for way in (accesses.write, ~accesses.write)]
        return cls(schedule.num_steps, float(np.maximum(*ways).max()) / _UNIT, touched / _UNIT)

    def time_s(self, nbytes: int, network: Network) -> float:
        bytes_s = self.moved * network.beta_s_per_byte + self.touched * network.gamma_s_per_byte
        return self.steps * network.alpha_s + nbytes * bytes_s


def _busiest(
    rank: NDArray[np.int64],
    step: NDArray[np.int32],
    chunk: NDArray[np.int64],
    sizes: NDArray[np.int64],
    num_ranks: int,
) -> float:
    """Bytes touched: a chunk that is sent and combined in one step counts once."""
    steps = int(step.max(initial=0)) + 1
    cells = np.unique((rank * steps + step) * len(sizes) + chunk)
    return float(_weighed(cells // len(sizes) // steps, sizes[cells % len(sizes)], num_ranks).max())


def _weighed(rank: NDArray[np.int64], nbytes: NDArray[np.int64], num_ranks: int) -> NDArray[np.float64]:
    return np.bincount(rank, nbytes, num_ranks).astype(np.float64)


@lru_cache(1024)
def load(name: str, operation: Operation, num_ranks: int) -> Load | None:
    """Of the algorithm; None if it can't serve so many ranks."""
    try:
        return Load.of(algorithms.build(name, num_ranks, operation=operation))
    except ScheduleError:
        return None


def choose(
    operation: Operation,
    num_ranks: int,
    nbytes: int,
    network: Network = TYPICAL,
    candidates: Sequence[str] | None = None,
) -> Choice:
    """The cheapest algorithm. Those that can't serve so many ranks are left out."""
    names = algorithms.names(operation.name) if candidates is None else candidates
    loads = {name: found for name in names if (found := load(name, operation, num_ranks))}
    costs = sorted(((name, one.time_s(nbytes, network)) for name, one in loads.items()), key=lambda cost: cost[1])
    return Choice(costs[0][0], tuple(costs))
