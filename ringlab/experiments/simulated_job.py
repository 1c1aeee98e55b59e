"""A spec's collective on a policy's ways, as the simulator takes it: one operation at one size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from collectives import algorithms, metrics
from collectives.job import connections, demands
from collectives.schedule import Schedule
from controller import routing
from controller.routing import CLEAR, Situation, spray
from ringlab.experiments.spec import Spec
from simulation.collective import Job, Plan, Route, Ways, plan
from simulation.conditions import Conditions
from simulation.links import Links
from topologies.fabric import Fabric, Port
from topologies.traffic import Demand, FlowKey, Path, Paths

SPRAY = "spray"
"""The one policy that is only simulated: it has no paths."""


@dataclass(frozen=True)
class SimulatedJob:
    """What stays the same over sizes and arms: the schedule, and which connection is which flow."""

    spec: Spec
    schedule: Schedule
    keys: Mapping[tuple[int, int, int], FlowKey]

    @classmethod
    def of(cls, spec: Spec) -> SimulatedJob:
        schedule = _schedule(spec.algorithm, len(spec.placement), spec.channels)
        return cls(spec, schedule, _connections(spec.algorithm, spec.channels, spec.placement))

    def demands(self, size_bytes: int) -> list[Demand]:
        spec = self.spec
        return _demands(spec.algorithm, spec.channels, spec.placement, size_bytes, metrics.DTYPES[spec.dtype].itemsize)

    def plan(self, size_bytes: int, routed: Routed, links: Links, conditions: Conditions) -> Plan:
        itemsize = metrics.DTYPES[self.spec.dtype].itemsize
        job = _job(self.spec.algorithm, self.schedule.num_ranks, self.spec.channels, size_bytes, itemsize)
        there: Ways = {pair: routed.there[key] for pair, key in self.keys.items()}
        back: Ways = {pair: routed.back[key] for pair, key in self.keys.items()}
        return plan(job, there, back, links, conditions)


# A sweep's scenarios share these; each may be large.
@lru_cache(2)
def _schedule(algorithm: str, ranks: int, channels: int) -> Schedule:
    return algorithms.build(algorithm, ranks, channels)


@lru_cache(2)
def _connections(algorithm: str, channels: int, placement: tuple[str, ...]) -> dict[tuple[int, int, int], FlowKey]:
    return connections(_schedule(algorithm, len(placement), channels), placement)


@lru_cache(4)
def _demands(algorithm: str, channels: int, placement: tuple[str, ...], size_bytes: int, itemsize: int) -> list[Demand]:
    return demands(_schedule(algorithm, len(placement), channels), placement, size_bytes // itemsize, itemsize)


@lru_cache(4)
def _job(algorithm: str, ranks: int, channels: int, size_bytes: int, itemsize: int) -> Job:
    return Job.of(_schedule(algorithm, ranks, channels), size_bytes // itemsize, itemsize)


@dataclass(frozen=True)
class Routed:
    """The ways of flows and of their acknowledgements; ``paths`` of both, None where flows are sprayed."""

    there: Mapping[FlowKey, Route]
    back: Mapping[FlowKey, Route]
    paths: Paths | None

    def link_bytes(self, wanted: Sequence[Demand]) -> Counter[Port]:
        """Payload bytes by directed link; those of a sprayed flow are rounded link by link."""
        load: Counter[Port] = Counter()
        for demand in wanted:
            for port, share in self.there[demand.key]:
                load[port] += demand.nbytes if share == 1 else round(demand.nbytes * share)
        return load


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
