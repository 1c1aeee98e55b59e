"""A Baseline: how long one collective took on one real system, by size, and what its wires allow at most.

Theory of operation. busbw is algbw times a factor that depends only on the collective and the number of ranks, chosen
by nccl-tests such that a *ring* that keeps its slowest link busy all the time has busbw = the rate of that link. So the
*line rate* of a baseline is the busbw that a ring could reach at most: across nodes the rate of all NICs of a node
together (every ring enters and leaves each node once, and the rings share the data), within one node the rate of one
GPU's links. busbw / line rate is a share that can be compared between a GPU cluster and an emulated fabric.

Algorithms that reduce inside a node or a switch before they use the wire (tree, NVLS) put fewer bytes on it than a ring
does, and may pass the ring's line: ``Baseline.caveat`` says so where it happens, with the bound of any algorithm.
Rates are in GB/s = 1e9 bytes a second, one way; times in microseconds; as in nccl-tests.
"""
# ruff: noqa: N802, N803, N815 - GBps and Gbps are not the same

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, replace

from collectives.metrics import busbw_factor


class BaselineError(ValueError):
    """A baseline that is not there, can't be read, or makes no sense: says what and where."""


@dataclass(frozen=True, slots=True)
class Point:
    """One row of a sweep: the time of one operation, out of place; in place too where that was measured."""

    size_bytes: int
    time_us: float
    in_place_us: float | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a baseline says at a size: all figures None, and why, where it says nothing.

    ``in_place_us`` and its busbw are there at sizes that were measured in place, not between them.
    """

    size_bytes: int
    time_us: float | None = None
    algbw_GBps: float | None = None
    busbw_GBps: float | None = None
    line_share: float | None = None
    interpolated: bool = False
    why: str = ""
    in_place_us: float | None = None
    in_place_busbw_GBps: float | None = None


@dataclass(frozen=True, slots=True)
class Baseline:
    """A sweep of one collective (by nccl-tests' name), and the system it was measured on.

    ``nodes`` and ``gpus_per_node`` are None where nobody says. ``nominal_line_rate_GBps`` is None where it is unknown;
    ``line_rate_why`` gives the reason either way.
    """

    name: str
    collective: str
    nranks: int
    gpu: str
    nodes: int | None
    gpus_per_node: int | None
    network: str
    library: str
    note: str
    source: str
    nominal_line_rate_GBps: float | None
    line_rate_why: str
    points: tuple[Point, ...]

    def __post_init__(self) -> None:
        if not self.points:
            raise BaselineError(f"baseline {self.name}: no sizes; it needs at least one")
        times = [time for point in self.points for time in (point.time_us, point.in_place_us) if time is not None]
        if not all(0 < number < math.inf for number in (*times, *(point.size_bytes for point in self.points))):
            raise BaselineError(f"baseline {self.name}: a size or a time is not above 0, or not finite")
        sizes = [point.size_bytes for point in self.points]
        if sizes != sorted(set(sizes)):
            raise BaselineError(f"baseline {self.name}: the sizes must rise, each once")

    def readings(self) -> tuple[Reading, ...]:
        """Every size of the sweep."""
        return tuple(self._measured(point) for point in self.points)

    def best(self) -> Reading:
        """The size with the highest busbw."""
        return max(self.readings(), key=lambda reading: reading.busbw_GBps or 0.0)

    def at(self, size_bytes: int) -> Reading:
        """The figures at ``size_bytes``: measured, or on the line between its neighbours in log(size), log(time).

        Never beyond the smallest or largest size: there all figures are None, and ``why`` says so.
        """
        sizes = [point.size_bytes for point in self.points]
        place = bisect_left(sizes, size_bytes)
        if place < len(sizes) and sizes[place] == size_bytes:
            return self._measured(self.points[place])
        if place in {0, len(sizes)}:
            why = f"{self.name} was measured from {sizes[0]} to {sizes[-1]} bytes"
            return Reading(size_bytes, why=why)
        time_us = _between(self.points[place - 1], self.points[place], size_bytes)
        return self._reading(size_bytes, time_us, interpolated=True)

    @property
    def caveat(self) -> str:
        """Why the best busbw passes the line rate, where it does; else empty."""
        best, line = self.best().busbw_GBps, self.nominal_line_rate_GBps
        if line is None or best is None or best <= line:
            return ""
        start = f"its best busbw, {best:.4g} GB/s, passes the line rate of a ring"
        bound = self._bound_of_any_algorithm(line)
        if bound is None or best > bound:
            return f"{start} of {line:.4g} GB/s: is that the rate of all NICs of a node together?"
        where = "in the switch" if self.nodes == 1 else "inside each node"
        why = f"an algorithm that reduces {where} first (NVLS, tree) puts fewer bytes on the wire"
        return f"{start}: {why}; its own bound is {bound:.4g} GB/s"

    def _bound_of_any_algorithm(self, line_rate_GBps: float) -> float | None:
        """The busbw of an allreduce that puts no more on the wire than it must; None for other collectives.

        Among N nodes each must send 2(N-1)/N of the buffer; where one switch adds, each GPU sends the buffer once.
        """
        if self.collective != "all_reduce" or self.nodes is None:
            return None
        wire = 1.0 if self.nodes == 1 else busbw_factor("all_reduce", self.nodes)
        return line_rate_GBps * busbw_factor("all_reduce", self.nranks) / wire

    def _measured(self, point: Point) -> Reading:
        found = self._reading(point.size_bytes, point.time_us)
        if point.in_place_us is None:
            return found
        beside = self._reading(point.size_bytes, point.in_place_us)
        return replace(found, in_place_us=beside.time_us, in_place_busbw_GBps=beside.busbw_GBps)

    def _reading(self, size_bytes: int, time_us: float, *, interpolated: bool = False) -> Reading:
        algbw = size_bytes / time_us / 1e3
        busbw = algbw * busbw_factor(self.collective, self.nranks)
        line = self.nominal_line_rate_GBps
        return Reading(size_bytes, time_us, algbw, busbw, None if line is None else busbw / line, interpolated)


def ring_line_rate_GBps(
    collective: str,
    nodes: int,
    gpus_per_node: int,
    link_rate_GBps: float,
) -> tuple[float, str]:
    """The busbw that a ring could reach at most, and the reason.

    ``link_rate_GBps`` is what leaves one node by all its NICs (``nodes`` > 1), or one GPU by all its links. All-to-all
    has no ring: each rank sends (n-g)/n of its buffer out of its node of g ranks, and all g share the NICs.
    """
    if nodes == 1:
        return link_rate_GBps, "one node: a ring's busbw is at most the rate of one GPU's links"
    ranks = nodes * gpus_per_node
    if collective == "alltoall" and gpus_per_node > 1:
        rate = link_rate_GBps * (ranks - 1) / (gpus_per_node * (ranks - gpus_per_node))
        why = f"{gpus_per_node} ranks share the node's {link_rate_GBps:g} GB/s, and each sends"
        return rate, f"{why} {ranks - gpus_per_node}/{ranks} of its buffer to other nodes"
    if gpus_per_node == 1:
        return link_rate_GBps, "one rank a node: a ring's busbw is at most the rate of the node's NICs"
    return link_rate_GBps, "all rings enter and leave a node by its NICs: their busbw is at most the NICs' rate"


def _between(low: Point, high: Point, size_bytes: int) -> float:
    """The time at ``size_bytes`` on the straight line through two points in log(size), log(time)."""
    along = math.log(size_bytes / low.size_bytes) / math.log(high.size_bytes / low.size_bytes)
    return math.exp(math.log(low.time_us) + along * math.log(high.time_us / low.time_us))
