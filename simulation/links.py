"""A fabric's directed links as numbers, so that paths become rows of an array."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from controller.routing.layout import once_a_fabric
from topologies.fabric import Fabric, Port
from topologies.traffic import Path


@dataclass(frozen=True, eq=False)
class Links:
    """``ports[number]`` is the port that link ``number`` leaves by; rates in bits a second, latencies in seconds."""

    ports: tuple[Port, ...]
    number: Mapping[Port, int]
    rate_bps: NDArray[np.float64]
    latency_s: NDArray[np.float64]

    @classmethod
    def of(cls, fabric: Fabric, rate_bps: Callable[[Port], float] | None = None) -> Links:
        """Of every link of ``fabric``, both directions; ``rate_bps`` instead of the rates that it states."""
        stated = _stated(fabric)
        return replace(stated, rate_bps=np.array(list(map(rate_bps, stated.ports)))) if rate_bps else stated

    def rows(self, paths: Sequence[Path] | Iterable[Path]) -> NDArray[np.int32]:
        """``rows[flow, hop]``: link numbers, filled up with -1."""
        found = [[self.number[port] for port in path.hops] for path in paths]
        rows = np.full((len(found), max(map(len, found), default=1)), -1, dtype=np.int32)
        for row, numbers in zip(rows, found, strict=True):
            row[: len(numbers)] = numbers
        return rows


@once_a_fabric
def _stated(fabric: Fabric) -> Links:
    ports = tuple(fabric.directed_links())
    links = [fabric.link(port) for port in ports]
    rate_bps, latency_s = (np.array([getattr(link, name) for link in links]) for name in ("rate_bps", "latency_s"))
    for shared in (rate_bps, latency_s):
        shared.setflags(write=False)
    return Links(ports, {port: number for number, port in enumerate(ports)}, rate_bps, latency_s)
