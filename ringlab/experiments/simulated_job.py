"""A spec's collective on a policy's ways, as the simulator takes it: one operation at one size.

Theory of operation. Of a sweep's scenarios most differ in a seed. So what does not depend on it (the schedule, what it
moves, whether it is right, the ways of policies that draw nothing) belongs to a ``SimulatedJob``, and the last few of
these are remembered. ECMP's ways, which do depend on it, are arrays from the hash on (``simulation.hashing.emulated``):
those that the controller would install, flow by flow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from collectives import algorithms
from collectives.job import demands
from collectives.schedule import Schedule
from controller import routing
from controller.routing import CLEAR, Situation, spray
from simulation.collective import Connections, Job, Moves
from simulation.fluid import Steps
from simulation.hashing import Pairs, emulated, walk
from simulation.links import Links
from simulation.next_hops import NextHops
from simulation.routes import Route, Routes
from topologies.fabric import Fabric
from topologies.ports import CONNECT_PORT, LISTEN_PORT, MAX_CHANNELS, slots
from topologies.traffic import Demand, FlowKey, Path, Paths

SPRAY = "spray"
"""The one policy that is only simulated: it has no paths."""

MAX_CELLS = 1 << 22
"""Switches times leaves: of larger fabrics not all next hops are worth finding, for what are at most 1,024 ranks."""

REMEMBERED = frozenset(["spanning-tree", "shortest", "ecmp", "least-loaded", "pinned", "rail", SPRAY, "spray-channels"])
"""Policies whose ways follow from their text. One of a user's own may be another tomorrow, under the same name."""

_ECMP = re.compile(r"ecmp(?::seed=([0-9]+))?")


@dataclass(frozen=True, eq=False)
class Ways:
    """The ways of a job's connections and of their acknowledgements, in the order of its connections."""

    there: Routes
    back: Routes


class SimulatedJob:
    """A schedule on the hosts of ``placement``: what stays the same over sizes, arms and seeds, each worked out once.

    ``sizes`` are bytes of a buffer of elements of ``itemsize``.
    """

    def __init__(self, fabric: Fabric, placement: tuple[str, ...], schedule: Schedule, itemsize: int) -> None:
        self.fabric, self.placement, self.schedule, self.itemsize = fabric, placement, schedule, itemsize
        self.moves = lru_cache(16)(self._moves)
        self.steps = lru_cache(16)(self._steps)
        self.demands = lru_cache(4)(self._demands)
        self._remembering = lru_cache(16)(self._route)

    @classmethod
    def of(
        cls, fabric: Fabric, placement: tuple[str, ...], algorithm: str, channels: int, itemsize: int
    ) -> SimulatedJob:
        return _remembered(_Same(fabric), placement, algorithm, channels, itemsize)

    @cached_property
    def connections(self) -> Connections:
        return Connections.of(self.schedule)

    @cached_property
    def crossing(self) -> NDArray[np.int64]:
        """The numbers of the connections that leave their host."""
        hosts = np.array([self._number[host] for host in self.placement])
        return np.flatnonzero(hosts[self.connections.src] != hosts[self.connections.dst])

    @cached_property
    def _number(self) -> Mapping[str, int]:
        return {host: number for number, host in enumerate(self.fabric.hosts)}

    def _moves(self, size_bytes: int) -> Moves:
        return Moves.of(self._job(size_bytes))

    def _steps(self, size_bytes: int) -> Steps:
        job = self._job(size_bytes)
        return Steps.alike(self.schedule.step.astype(np.int64), job.connection, job.nbytes)

    def _job(self, size_bytes: int) -> Job:
        return Job.of(self.schedule, size_bytes // self.itemsize, self.itemsize)

    def _demands(self, size_bytes: int) -> list[Demand]:
        """Of the connections ``crossing``, in that order."""
        return demands(self.schedule, self.placement, size_bytes // self.itemsize, self.itemsize)

    def ways(self, policy: str, size_bytes: int, situation: Situation = CLEAR) -> Ways:
        """By the policy's text; one that weighs bytes is shown those of ``size_bytes``. RoutingError without a way."""
        drawn = _ECMP.fullmatch(policy)
        if drawn and not situation.dead and self._walks:
            return self._hashed(int(drawn[1] or 0))
        return self._routed(policy)(policy, size_bytes, situation.dead)[0]

    def paths(self, policy: str, size_bytes: int) -> Paths | None:
        """Those that the controller would install; None where flows are sprayed."""
        return self._routed(policy)(policy, size_bytes, frozenset())[1]

    def _routed(self, policy: str) -> Callable[[str, int, frozenset[str]], tuple[Ways, Paths | None]]:
        return self._remembering if policy.partition(":")[0] in REMEMBERED else self._route

    def _route(self, policy: str, size_bytes: int, dead: frozenset[str]) -> tuple[Ways, Paths | None]:
        wanted = self.demands(size_bytes)
        found = route(self.fabric, policy, wanted, Situation(dead))
        return self.ways_in(found, wanted), found.paths

    def ways_in(self, found: Routed, wanted: Sequence[Demand]) -> Ways:
        """Of the connections whose demands are ``wanted``, in what was found for them and perhaps others."""
        links, number = Links.of(self.fabric), len(self.connections)
        there, back = (
            Routes.of([given[demand.key] for demand in wanted], links).among(self.crossing, number)
            for given in (found.there, found.back)
        )
        return Ways(there, back)

    @cached_property
    def _walks(self) -> bool:
        return len(self.fabric.switches) * len(self.fabric.leaves) <= MAX_CELLS

    def _hashed(self, seed: int) -> Ways:
        """ECMP's; flows and acknowledgements (5-tuples the other way round) walk side by side."""
        src, dst, channel, connect, listen = self._five_tuples
        pairs = Pairs.of(np.append(src, dst), np.append(dst, src), np.append(channel, channel))
        pick = emulated(seed, np.append(connect, listen), np.append(listen, connect))
        found = walk(NextHops.of(self.fabric), pairs, pick)
        there, back = (
            Routes.whole(rows).among(self.crossing, len(self.connections))
            for rows in (found[: len(src)], found[len(src) :])
        )
        return Ways(there, back)

    @cached_property
    def _five_tuples(self) -> tuple[NDArray[np.intp], ...]:
        """Of the connections ``crossing``: hosts' numbers, channel, and ports as ``collectives.job`` has them."""
        made, slot = self.connections, np.array(slots(self.placement))
        hosts = np.array([self._number[host] for host in self.placement])
        src, dst, channel = (column[self.crossing] for column in (made.src, made.dst, made.channel))
        return (
            hosts[src],
            hosts[dst],
            channel,
            CONNECT_PORT + MAX_CHANNELS * slot[src] + channel,
            LISTEN_PORT + slot[dst],
        )


def ways_together(
    jobs: Sequence[SimulatedJob], policy: str, size_bytes: int, situation: Situation = CLEAR
) -> list[Ways]:
    """The ways of jobs on hosts of their own, routed together."""
    if len(jobs) == 1:
        return [jobs[0].ways(policy, size_bytes, situation)]
    found = _routed_together(jobs, policy, size_bytes, situation)
    return [job.ways_in(found, job.demands(size_bytes)) for job in jobs]


def paths_together(jobs: Sequence[SimulatedJob], policy: str, size_bytes: int) -> Paths | None:
    """Those of all jobs that the controller would install; None where flows are sprayed."""
    return jobs[0].paths(policy, size_bytes) if len(jobs) == 1 else _routed_together(jobs, policy, size_bytes).paths


def _routed_together(
    jobs: Sequence[SimulatedJob], policy: str, size_bytes: int, situation: Situation = CLEAR
) -> Routed:
    wanted = [demand for job in jobs for demand in job.demands(size_bytes)]
    return route(jobs[0].fabric, policy, wanted, situation)


class _Same:
    """A fabric as a key: by identity, as to hash its content takes as long as to make it."""

    def __init__(self, fabric: Fabric) -> None:
        self.fabric = fabric

    def __hash__(self) -> int:
        return id(self.fabric)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.fabric is other.fabric


@lru_cache(4)
def _remembered(
    fabric: _Same, placement: tuple[str, ...], algorithm: str, channels: int, itemsize: int
) -> SimulatedJob:
    return SimulatedJob(fabric.fabric, placement, _schedule(algorithm, len(placement), channels), itemsize)


@lru_cache(2)
def _schedule(algorithm: str, ranks: int, channels: int) -> Schedule:
    """Fabrics and placements share it; it may be large."""
    return algorithms.build(algorithm, ranks, channels)


@dataclass(frozen=True)
class Routed:
    """The ways of flows and of their acknowledgements; ``paths`` of both, None where flows are sprayed."""

    there: Mapping[FlowKey, Route]
    back: Mapping[FlowKey, Route]
    paths: Paths | None


def whole(path: Path | None) -> Route:
    """All of a flow on one path; nowhere without one."""
    return tuple((port, 1.0) for port in path.hops) if path else ()


def route(fabric: Fabric, policy: str, wanted: Sequence[Demand], situation: Situation = CLEAR) -> Routed:
    """By the policy's text. RoutingError for a flow without a way."""
    keys = [demand.key for demand in wanted]
    back = [key.reversed() for key in keys]
    if policy == SPRAY:
        found = spray.spread(fabric, [*keys, *back], situation)
        return Routed({key: found[key] for key in keys}, {key: found[key.reversed()] for key in keys}, None)
    chosen = routing.policy(policy)
    paths = chosen.route(fabric, wanted, situation)
    paths = routing.with_acknowledgements(chosen, fabric, wanted, paths, situation)
    return Routed(
        {key: whole(paths[key]) for key in keys},
        {key: whole(paths[key.reversed()]) for key in keys},
        paths,
    )
