"""Partition: which node of a fabric goes on which machine, so that little is cut and no machine works for the others.

The rule. A host goes with the switch that its first NIC is plugged into; such a switch with its hosts is one *unit*.
The load of a machine is what its switches may have to forward: the sum of the rates of their ports. Of all divisions
in which no machine has more than a tenth over its even share (or, where whole switches don't allow that, no more than
handing out the largest first would give it), the one is wanted that cuts the least rate; of these, the evenest.

Theory of operation. The search starts from three divisions: every tier cut into blocks (natural for a Clos), the
switches in breadth-first order cut into blocks (natural for a torus or a line), and largest-first. Each is refined by
passes in the manner of Fiduccia and Mattheyses ("A linear-time heuristic for improving network partitions", DAC 1982):
every unit is moved once, always the move that saves most (or costs least), and the best state seen on the way is
kept; passes go on while they improve. The result is no proven optimum; it is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from emulation.errors import PlanError
from topologies.fabric import Fabric

TOLERANCE = 0.1
"""How far a machine's load may be above its even share for the sake of fewer cut links."""

Places = NDArray[np.int64]  # a machine's number for each unit
Rates = NDArray[np.int64]  # b/s


def partition(fabric: Fabric, machines: int, fixed: Mapping[str, int] | None = None) -> dict[str, int]:
    """Each node's machine, from 0. ``fixed`` nodes are where the user wants them; the hosts of a switch go along.

    Raises PlanError where there are fewer switches than machines.
    """
    units = _Units(fabric, dict(fixed or {}))
    if machines > len(fabric.switches):
        raise PlanError(f"{machines} machines for {len(fabric.switches)} switches: a machine needs one at least")
    search = _Search(units, machines)
    best = min((search.refined(start) for start in search.starts()), key=search.judged)
    return {node: int(best[units.number[units.leader(node)]]) for node in fabric.nodes}


@dataclass(frozen=True)
class _Units:
    """What is moved as one piece: a switch with its hosts, or a host that the user named."""

    fabric: Fabric
    fixed: Mapping[str, int]

    def leader(self, node: str) -> str:
        """The node that stands for the unit of ``node``."""
        if self.fabric.is_switch(node) or node in self.fixed:
            return node
        return self.fabric.peer(self.fabric.ports(node)[0]).node

    @cached_property
    def number(self) -> dict[str, int]:
        named = [host for host in self.fabric.hosts if host in self.fixed]
        return {leader: index for index, leader in enumerate((*self.fabric.switches, *named))}

    @cached_property
    def loads(self) -> Rates:
        """What each unit may have to forward; a host alone forwards nothing."""
        loads = np.zeros(len(self.number), np.int64)
        for switch in self.fabric.switches:
            loads[self.number[switch]] = sum(self.fabric.rate_bps(port) for port in self.fabric.ports(switch))
        return loads

    @cached_property
    def joined(self) -> Rates:
        """(units, units): the rate of the links between two units."""
        joined = np.zeros((len(self.number), len(self.number)), np.int64)
        for link in self.fabric.links:
            a, b = (self.number[self.leader(port.node)] for port in (link.a, link.b))
            if a != b:
                joined[a, b] += link.rate_bps
                joined[b, a] += link.rate_bps
        return joined

    @cached_property
    def tiers(self) -> list[list[int]]:
        """Switches by their distance from the hosts, each tier in the fabric's order."""
        far = nx.multi_source_dijkstra_path_length(self.fabric.graph, set(self.fabric.hosts))
        tiers: dict[int, list[int]] = {}
        for switch in self.fabric.switches:
            tiers.setdefault(round(far[switch]), []).append(self.number[switch])
        return [tiers[distance] for distance in sorted(tiers)]

    @cached_property
    def breadth_first(self) -> list[int]:
        graph = self.fabric.graph.subgraph(self.fabric.switches)
        found: dict[str, None] = {}
        for switch in self.fabric.switches:  # switches may hang together only through hosts with several NICs
            if switch not in found:
                found |= dict.fromkeys((switch, *(to for _, to in nx.bfs_edges(graph, switch))))
        return [self.number[switch] for switch in found]


@dataclass(frozen=True)
class _Search:
    units: _Units
    machines: int

    @cached_property
    def movable(self) -> NDArray[np.bool_]:
        return np.array([leader not in self.units.fixed for leader in self.units.number])

    @cached_property
    def allowed(self) -> float:
        """The load that no machine should be above."""
        largest_first = self._machine_loads(self._largest_first()).max()
        return max((1 + TOLERANCE) * float(self.units.loads.sum()) / self.machines, float(largest_first))

    def starts(self) -> Iterable[Places]:
        yield self._blocks(self.units.tiers)
        yield self._blocks([self.units.breadth_first])
        yield self._largest_first()

    def _fixed(self) -> Places:
        fixed = self.units.fixed
        return np.array([fixed.get(leader, 0) for leader in self.units.number], np.int64)

    def _blocks(self, groups: Iterable[list[int]]) -> Places:
        """Each group, in its order, cut into one block a machine of about equal load."""
        places = self._fixed()
        for group in groups:
            loads = self.units.loads[group]
            middles = np.cumsum(loads) - loads / 2
            blocks = (middles * self.machines / loads.sum()).astype(np.int64)
            places[group] = np.where(self.movable[group], blocks, places[group])
        return places

    def _largest_first(self) -> Places:
        places = self._fixed()
        loads = np.zeros(self.machines, np.int64)
        np.add.at(loads, places[~self.movable], self.units.loads[~self.movable])
        for unit in sorted(np.flatnonzero(self.movable), key=lambda unit: -self.units.loads[unit]):
            places[unit] = loads.argmin()
            loads[places[unit]] += self.units.loads[unit]
        return places

    def _machine_loads(self, places: Places) -> Rates:
        loads = np.zeros(self.machines, np.int64)
        np.add.at(loads, places, self.units.loads)
        return loads

    def judged(self, places: Places) -> tuple[int, float, int, int]:
        """Lower is better: idle machines, load above what is allowed, rate cut, the largest load."""
        cut = int(self.units.joined[places[:, None] != places[None, :]].sum()) // 2
        return self._judged(self._machine_loads(places), cut)

    def _judged(self, loads: Rates, cut: int) -> tuple[int, float, int, int]:
        worst = int(loads.max())
        return int((loads == 0).sum()), max(0.0, worst - self.allowed), cut, worst

    def refined(self, places: Places) -> Places:
        """Passes until one brings nothing."""
        while True:
            better = self._passed(places)
            if self.judged(better) >= self.judged(places):
                return places
            places = better

    def _passed(self, start: Places) -> Places:
        """The best state met while every unit is moved once."""
        places, units = start.copy(), np.arange(len(start))
        loads, joined = self.units.loads, self.units.joined
        toward = joined @ np.eye(self.machines, dtype=np.int64)[places]  # (units, machines): rate of links to each
        held, free = self._machine_loads(places), self.movable.copy()
        best, kept = self.judged(places), start
        cut, room = best[2], self.allowed + int(loads.max())
        never = np.iinfo(np.int64).min
        while free.any():
            saved = toward - toward[units, places][:, None]
            saved[~free] = never
            saved[units, places] = never
            saved[held[None, :] + loads[:, None] > room] = never
            unit, to = np.unravel_index(saved.argmax(), saved.shape)
            if saved[unit, to] == never:
                break
            source = places[unit]
            cut -= int(saved[unit, to])
            places[unit], free[unit] = to, False
            held[source] -= loads[unit]
            held[to] += loads[unit]
            toward[:, source] -= joined[:, unit]
            toward[:, to] += joined[:, unit]
            if (judged := self._judged(held, cut)) < best:
                best, kept = judged, places.copy()
        return kept
