"""One operation of a collective, simulated, that can be asked for any moment: what links carry, where ranks are. Pure.

Theory of operation. The simulator says when each flow begins and ends (``simulation.run``). What they carry at a moment
follows from who is under way then, by the same max-min sharing (``fair_share.rates``). In between, the *world* may
change: a link is cut, the controller learns of it, the policy is another. A cut link has next to no rate in place of
none, so that whoever is caught on it waits, instead of having no end; once it is whole again, they go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from collectives import algorithms, metrics
from collectives.job import connections, demands
from collectives.schedule import Schedule
from controller.routing import RoutingError, Situation
from ringlab.experiments.simulated_job import SPRAY, Routed, route
from ringlab.experiments.spec import Spec
from simulation.collective import Job, Plan, plan
from simulation.conditions import Conditions
from simulation.fair_share import rates
from simulation.links import Links
from simulation.replay import Change, Flows
from simulation.run import Timeline, joined, simulate
from topologies.fabric import Port
from topologies.traffic import FlowKey

SLACK = 0.3
"""Ends nearer to each other than this share of an average flow's time are one moment, where flows are many."""

MANY = 2000
"""Flows: of fewer every moment is its own."""

STANDSTILL = 1e-9
"""Of its rate, what a cut link has."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class World:
    """``cut`` links carry nothing; of those ``known`` to the controller, flows are led away by ``policy``."""

    policy: str
    cut: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()


class Scene:
    """What stays the same over sizes, arms and worlds: the nominal fabric and the schedule."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.schedule: Schedule = algorithms.build(spec.algorithm, len(spec.placement), spec.channels)
        self.links = Links.of(spec.fabric)
        self.keys: Mapping[tuple[int, int, int], FlowKey] = connections(self.schedule, spec.placement)
        self._itemsize = metrics.DTYPES[spec.dtype].itemsize
        self._routed: dict[tuple[str, frozenset[str]], Routed] = {}
        self._whole: dict[tuple[int, str], Operation] = {}

    def operation(self, size_bytes: int, worlds: Sequence[tuple[float, World]]) -> Operation:
        """Simulated once where nothing is broken and nothing changes."""
        (_, first), *later = worlds
        if later or first.cut or first.known:
            return Operation(self, size_bytes, worlds)
        key = size_bytes, first.policy
        if key not in self._whole:
            self._whole[key] = Operation(self, size_bytes, worlds)
        return self._whole[key]

    def routed(self, world: World) -> Routed:
        """Where there is no way round what is broken, flows stay where they are, and wait."""
        key = world.policy, world.known
        if key not in self._routed:
            wanted = demands(self.schedule, self.spec.placement, max(self.spec.sizes) // self._itemsize, self._itemsize)
            try:
                self._routed[key] = route(self.spec.fabric, world.policy, wanted, Situation(world.known))
            except RoutingError:
                if not world.known:
                    raise
                self._routed[key] = self.routed(replace(world, known=frozenset()))
        return self._routed[key]

    def has_way(self, world: World) -> bool:
        """Whether the policy leads every flow round what it knows to be broken."""
        return not world.known or self.routed(world) is not self.routed(replace(world, known=frozenset()))

    def plan(self, size_bytes: int, world: World) -> Plan:
        routed, conditions = self.routed(world), Conditions.tcp(self.spec.transport.mtu)
        if world.policy == SPRAY:
            conditions = replace(conditions, payload_share=conditions.payload_share / conditions.spray)
        job = Job.of(self.schedule, size_bytes // self._itemsize, self._itemsize)
        there = {pair: routed.there.get(key, ()) for pair, key in self.keys.items()}
        back = {pair: routed.back.get(key, ()) for pair, key in self.keys.items()}
        return plan(job, there, back, self.links, conditions)

    def capacity(self, world: World) -> Numbers:
        capacity = np.array(self.links.rate_bps, dtype=np.float64)
        for port, number in self.links.number.items():
            if self.spec.fabric.link(port).name in world.cut:
                capacity[number] *= STANDSTILL
        return capacity


@dataclass(frozen=True, eq=False)
class Epoch:
    """From ``at_s`` of the operation on: the flows' ways, and what links and flows can carry."""

    at_s: float
    flows: Flows
    capacity: Numbers
    limits: Numbers


class Operation:
    """Of ``size_bytes``; ``worlds`` by when they begin, the first at 0. Times are seconds of the nominal fabric."""

    def __init__(self, scene: Scene, size_bytes: int, worlds: Sequence[tuple[float, World]]) -> None:
        self._scene, self.size_bytes = scene, size_bytes
        plans = [scene.plan(size_bytes, world) for _, world in worlds]
        self._plan = plans[0]
        self._epochs = [
            Epoch(at_s, *_one(made, len(scene.links.ports), scene.capacity(world)))
            for (at_s, world), made in zip(worlds, plans, strict=True)
        ]
        self._timeline = self._simulated()

    def _simulated(self) -> Timeline:
        first, scene = self._epochs[0], self._scene
        changes = [Change(one.at_s, one.capacity, one.flows.rows, one.flows.use) for one in self._epochs[1:]]
        links = replace(scene.links, rate_bps=first.capacity)
        amount = self._plan.flows.amount
        slack_s = SLACK * float(np.mean(amount)) / float(links.rate_bps.max()) if len(amount) > MANY else 0.0
        return simulate([self._plan], [scene.schedule.num_ranks], links, changes, slack_s)[0]

    @property
    def completion_s(self) -> float:
        return self._timeline.completion_s

    def loads(self, at_s: float) -> dict[Port, float]:
        """Bits a second on every directed link that carries anything."""
        epoch = self._epoch(at_s)
        under_way = self._under_way(at_s)
        rows, use = epoch.flows.rows[under_way], epoch.flows.use[under_way]
        taken = use * self._rates(epoch, under_way)[:, None]
        load = np.zeros(len(epoch.capacity) + len(epoch.limits))
        np.add.at(load, rows[rows >= 0], taken[rows >= 0])
        ports = self._scene.links.ports
        return {ports[number]: float(load[number]) for number in np.flatnonzero(load[: len(ports)] > 1.0).tolist()}

    def steps(self, at_s: float) -> list[int]:
        """The step, from 0, that each rank is at: the last that it began to send."""
        schedule = self._scene.schedule
        if self._timeline.transfers is None:
            step = min(int(self._done(at_s) * schedule.num_steps), schedule.num_steps - 1)
            return [step] * schedule.num_ranks
        begun = self._timeline.transfers[self._timeline.start_s <= at_s]
        steps = np.zeros(schedule.num_ranks, dtype=np.int64)
        np.maximum.at(steps, schedule.src[begun], schedule.step[begun])
        return [int(step) for step in steps]

    def _epoch(self, at_s: float) -> Epoch:
        return [one for one in self._epochs if one.at_s <= at_s or one is self._epochs[0]][-1]

    def _under_way(self, at_s: float) -> NDArray[np.bool_]:
        ends = self._timeline.end_s - self._plan.tail_s
        found: NDArray[np.bool_] = (self._timeline.start_s <= at_s) & (at_s < ends)
        return found

    def _rates(self, epoch: Epoch, under_way: NDArray[np.bool_]) -> Numbers:
        capacity = np.concatenate([epoch.capacity, epoch.limits])
        found = rates(epoch.flows.rows[under_way], capacity, use=epoch.flows.use[under_way])
        return np.where(np.isfinite(found), found, 0.0)

    @cached_property
    def _moments(self) -> Numbers:
        """Between two of these, rates stay as they are."""
        epochs = np.array([one.at_s for one in self._epochs])
        return np.unique(np.concatenate([self._timeline.start_s, self._timeline.end_s - self._plan.tail_s, epochs]))

    def _done(self, at_s: float) -> float:
        """Of all bytes, the share that has been moved."""
        moments = [*self._moments[self._moments < at_s].tolist(), at_s]
        moved = sum(
            float(self._rates(self._epoch(begin), self._under_way(begin)).sum()) * (end - begin)
            for begin, end in pairwise(moments)
        )
        return float(min(moved / self._plan.flows.amount.sum(), 1.0))


def _one(made: Plan, num_links: int, capacity: Numbers) -> tuple[Flows, Numbers, Numbers]:
    flows, limits = joined([made], num_links)
    return flows, capacity, limits
