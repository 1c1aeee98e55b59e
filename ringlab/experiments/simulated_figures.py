"""A spec to the figures of its arms without a packet, and nothing besides: what a sweep does ten thousand times.

Theory of operation. Every arm's policy routes the same demands as in an emulated run; every size is one replay
(``simulation.run``); operations follow each other, so that faults find the one that is under way. A spec's figures are
the same to the bit whenever they are worked out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from collectives import metrics
from collectives.choice import AUTO, Choice, Network, choose
from collectives.operations import Operation
from controller.routing import RoutingError, Situation
from controller.routing.layout import once_a_fabric
from emulation.faults import Fault
from ringlab.errors import UsageError
from ringlab.experiments import result as results
from ringlab.experiments import simulated_faults as faulty
from ringlab.experiments.arms import OURS
from ringlab.experiments.faults_spec import scaled
from ringlab.experiments.neighbours import Neighbour, arm_name
from ringlab.experiments.simulated_certificate import Ended, certificate
from ringlab.experiments.simulated_job import SPRAY, SimulatedJob, Ways, ways_together
from ringlab.experiments.spec import Arm, Spec
from simulation import fluid
from simulation.collective import Plan, place
from simulation.conditions import TURNAROUND_S, Conditions
from simulation.links import Links
from simulation.replay import Change, StalledError
from simulation.routes import both
from simulation.run import Timeline, joined, simulate
from topologies import measures
from topologies.fabric import Fabric

SLACK = 0.03
"""Ends nearer to each other than this share of an average transfer's time are one moment: see ``replay``.

What it moved a completion by, at most, on ECMP and pinned ways of 16 ranks on a leaf-spine and a fat-tree, 32 KiB to
4 MiB: 0.06 % (trees, halving-doubling, recursive doubling, hierarchical, torus, rooted); 0.1 % and more with 0.1.
"""

SLACK_BY_CHANCE = 0.001
"""The same where ranks drift apart (pairwise: 0.03 %; with 0.003 it was 0.06 %, with 0.01 up to 10 %), or jobs do."""

CLOSED_FORM_TRANSFERS = 1 << 18
"""Of more the closed form would take longer than the replay that it stands beside."""


@dataclass(frozen=True, slots=True)
class Beside:
    """The emulated run that this one stands beside: its scale, and what a step was measured to take there."""

    scale: float
    step_s: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What a simulation finds, in the words of a ``Result``; ``spec`` is the one that was simulated (no ``auto``)."""

    spec: Spec
    name: str
    collective: str
    algorithm: str
    channels: int
    ranks: int
    scale: float
    line_rate_bps: float
    nominal_line_rate_bps: float
    arms: tuple[results.Arm, ...]
    certificate: results.Certificate
    turnaround_s: float
    failure: str | None


@dataclass(frozen=True, slots=True)
class _Cut:
    """From ``at_s`` on a flow has no way."""

    at_s: float
    error: RoutingError


def figures(spec: Spec, beside_run: Beside | None = None) -> Figures:
    """UsageError for what has no simulation; a flow without a way is the ``failure``."""
    _check(spec)
    scale = beside_run.scale if beside_run else spec.scale or 1.0
    spec, notes = settled(replace(spec, faults=scaled(spec.faults, scale)))
    links = _links(spec, scale, silent=beside_run is not None)
    turnaround_s = beside_run.step_s if beside_run else TURNAROUND_S * scale
    conditions = Conditions.tcp(spec.transport.mtu, turnaround_s)
    jobs = jobs_of(spec)
    arms: list[results.Arm] = []
    ended: list[Ended] = []
    failure = None
    for arm in spec.arms:
        try:
            one = _Arm(spec, jobs, arm, links, conditions, scale)
            found = one.run()
            ended.append(Ended(found[0], one.latency_s, one.never_came))
            arms += found
        except (StalledError, RoutingError) as error:
            failure = f"{arm.name}: {error}"
            break
    line_rate = line_rate_bps(spec.fabric)
    trust = certificate(spec, jobs[0].schedule, ended, conditions, notes)
    return Figures(
        spec, spec.name, spec.collective, spec.algorithm, spec.channels, len(spec.placement), scale, line_rate / scale,
        line_rate, tuple(arms), trust, turnaround_s, failure,
    )  # fmt: skip


def step_spans(
    spec: Spec, arm: Arm, size_bytes: int, beside_run: Beside | None = None
) -> tuple[tuple[float, float], ...]:
    """When each step of one operation begins and ends, seconds; steps overlap. Without faults."""
    scale = beside_run.scale if beside_run else spec.scale or 1.0
    links = _links(spec, scale, silent=beside_run is not None)
    turnaround_s = beside_run.step_s if beside_run else TURNAROUND_S * scale
    conditions = Conditions.tcp(spec.transport.mtu, turnaround_s)
    return _Arm(replace(spec, faults=()), jobs_of(spec), arm, links, conditions, scale).spans(size_bytes)


def jobs_of(spec: Spec) -> list[SimulatedJob]:
    """The spec's own, then its neighbours."""
    itemsize = metrics.DTYPES[spec.dtype].itemsize
    all_jobs: list[Spec | Neighbour] = [spec, *spec.neighbours]
    return [SimulatedJob.of(spec.fabric, one.placement, one.algorithm, one.channels, itemsize) for one in all_jobs]


def slack(jobs: Sequence[SimulatedJob], size_bytes: int) -> float:
    """The share of an average transfer's time that may be one moment."""
    found = [job.moves(size_bytes).parts for job in jobs]
    drift = len(found) > 1 or any(parts is not None and parts.by_chance for parts in found)
    return SLACK_BY_CHANCE if drift else SLACK


class _Arm:
    """One arm's operations, one after the other; all jobs begin each together.

    ``never_came``: faults whose moment had not come when it had ``run``.
    """

    never_came: tuple[Fault, ...] = ()

    def __init__(
        self, spec: Spec, jobs: Sequence[SimulatedJob], arm: Arm, links: Links, conditions: Conditions, scale: float
    ) -> None:
        self._spec, self._jobs, self._arm, self._links, self._scale = spec, jobs, arm, links, scale
        self._job = jobs[0]
        sprayed = arm.policy == SPRAY
        self._conditions = (
            conditions
            if not sprayed
            else replace(conditions, payload_share=conditions.payload_share / conditions.spray)
        )
        self._begun_s: dict[tuple[int, int], float] = {}
        self._ways: dict[frozenset[str], list[Ways]] = {}

    def run(self) -> list[results.Arm]:
        """The spec's own job, then its neighbours."""
        spec = self._spec
        sizes, now, operation = [], 0.0, 0
        for size in spec.sizes:
            times = []
            for _ in range(spec.iterations if spec.faults else 1):
                operation += 1
                times.append(self._operation(size, now, operation))
                now += max(times[-1])
            sizes.append([self._size(number, size, of_job) for number, of_job in enumerate(zip(*times, strict=True))])
        self.never_came = faulty.never_came(spec.faults, self._begun_s, now)
        names = [(self._arm.name, self._arm.group)]
        names += [(arm_name(names[0][0], one.name), arm_name(names[0][1], one.name)) for one in spec.neighbours]
        return [
            results.Arm(name, group, None, None, tuple(found))
            for (name, group), found in zip(names, zip(*sizes, strict=True), strict=True)
        ]

    def spans(self, size: int) -> tuple[tuple[float, float], ...]:
        """Of our own job's steps. A relay's are parts of one flow, each as long as the others."""
        timeline, schedule = self._replayed(size, [self._whole()], 0.0)[0], self._job.schedule
        if schedule.relays:
            each_s = timeline.completion_s / schedule.num_steps
            return tuple((step * each_s, (step + 1) * each_s) for step in range(schedule.num_steps))
        step = schedule.step if timeline.transfers is None else schedule.step[timeline.transfers]
        begin, end = np.full(schedule.num_steps, np.inf), np.zeros(schedule.num_steps)
        np.minimum.at(begin, step, timeline.start_s)
        np.maximum.at(end, step, timeline.end_s)
        return tuple(zip(begin.tolist(), end.tolist(), strict=True))

    @property
    def latency_s(self) -> float:
        """Of the ways of our own job that cross a link, on average."""
        there = self._route(frozenset())[0].there
        crossing = there.crossing
        return float(there.latency_s(self._links)[crossing].mean()) if crossing.any() else 0.0

    def _whole(self) -> faulty.Epoch:
        """All links as they are meant to be."""
        return faulty.Epoch(0.0, self._links.rate_bps, Situation())

    def _route(self, dead: frozenset[str]) -> list[Ways]:
        if dead not in self._ways:
            largest, situation = max(self._spec.sizes), Situation(dead)
            self._ways[dead] = ways_together(self._jobs, self._arm.policy, largest, situation)
        return self._ways[dead]

    def _operation(self, size: int, now: float, operation: int) -> list[float]:
        """Each job's seconds from ``now`` on. Faults that wait for a step of ours come in the second replay."""
        spec = self._spec
        epochs = self._epochs() if spec.faults else [self._whole()]
        timelines = self._replayed(size, epochs, now)
        for awaited in sorted(one for one in faulty.awaited(spec.faults) if one[0] == operation):
            self._begun_s[awaited] = now + self._step_begins(timelines[0], awaited[1])
            timelines = self._replayed(size, self._epochs(), now)
        return [timeline.completion_s for timeline in timelines]

    def _epochs(self) -> list[faulty.Epoch]:
        return faulty.epochs(self._spec.faults, self._begun_s, self._spec.fabric, self._links)

    def _step_begins(self, timeline: Timeline, step: int) -> float:
        schedule = self._job.schedule
        if schedule.relays:  # one flow for all steps, each as long as the others
            return timeline.completion_s * step / schedule.num_steps
        steps = schedule.step if timeline.transfers is None else schedule.step[timeline.transfers]
        return float(timeline.start_s[steps == step].min())

    def _replayed(self, size: int, epochs: Sequence[faulty.Epoch], now: float) -> list[Timeline]:
        """From the last epoch that has begun by ``now``. RoutingError where it is still under way without a way."""
        current = [epoch for epoch in epochs if epoch.at_s <= now][-1]
        coming = [epoch for epoch in epochs if epoch.at_s > now]
        links = replace(self._links, rate_bps=current.capacity)
        plans = self._placed(size, current.situation.dead, links)
        changes, cut = self._changes(size, coming, current.situation.dead, links, now)
        average_s = min(float(np.mean(plan.flows.amount)) for plan in plans) / float(links.rate_bps.max())
        slack_s = slack(self._jobs, size) * average_s
        try:
            found = simulate(plans, [job.schedule.num_ranks for job in self._jobs], links, changes, slack_s)
        except StalledError as stalled:
            raise (cut.error if cut else stalled) from None
        if cut and max(timeline.completion_s for timeline in found) > cut.at_s:
            raise cut.error
        return found

    def _changes(
        self, size: int, coming: Sequence[faulty.Epoch], known: frozenset[str], links: Links, now: float
    ) -> tuple[list[Change], _Cut | None]:
        """As far as there are ways; routes that do not change are planned once. ``known``: dead links before."""
        changes: list[Change] = []
        for epoch in coming:
            rows = use = None
            if epoch.situation.dead != known:
                known = epoch.situation.dead
                try:
                    other = self._placed(size, known, links)
                except RoutingError as error:
                    return changes, _Cut(epoch.at_s - now, error)
                flows, _ = joined(other, len(links.rate_bps))
                rows, use = flows.rows, flows.use
            changes.append(Change(epoch.at_s - now, epoch.capacity, rows, use))
        return changes, None

    def _placed(self, size: int, dead: frozenset[str], links: Links) -> list[Plan]:
        return [
            place(job.moves(size), ways.there, ways.back, links, self._conditions)
            for job, ways in zip(self._jobs, self._route(dead), strict=True)
        ]

    def _size(self, job: int, size: int, times_s: Sequence[float]) -> results.SizeResult:
        spec = self._spec
        times_us = [time_s * 1e6 for time_s in times_s]
        return results.SizeResult.measured(
            [times_us] * (1 if spec.faults else spec.repeats),
            size_bytes=size,
            count=size // metrics.DTYPES[spec.dtype].itemsize,
            dtype=spec.dtype,
            redop="sum",
            bus_factor=metrics.busbw_factor(spec.collective, self._jobs[job].schedule.num_ranks),
            line_rate_bps=line_rate_bps(spec.fabric) / self._scale,
            scale=self._scale,
            predicted_us=self._closed_form_us(size),
            wrong=0,
        )

    def _closed_form_us(self, size: int) -> float | None:
        """Step after step, the most loaded link of each.

        None where flows are sprayed, for very large schedules, and where jobs have neighbours: it knows one alone.
        """
        links, schedule = self._links, self._job.schedule
        if self._arm.policy == SPRAY or len(schedule) > CLOSED_FORM_TRANSFERS or len(self._jobs) > 1:
            return None
        (ways,) = self._route(frozenset())
        conditions = self._conditions
        return 1e6 * fluid.stepped_s(
            self._job.steps(size),
            *both(ways.there, ways.back, conditions.payload_share, conditions.ack_share),
            links.rate_bps,
            alpha_s=conditions.turnaround_s + self.latency_s,
            relay=schedule.relays,
        )


def _check(spec: Spec) -> None:
    foreign = next((arm for arm in spec.arms if arm.library != OURS), None)
    if foreign is not None:
        raise UsageError(
            f"arm {foreign.name}: only our own schedules can be simulated, not {foreign.library}'s; leave it out"
        )
    faulty.check(spec.faults)


def settled(spec: Spec) -> tuple[Spec, list[str]]:
    """``auto`` by the nominal costs of a step and a byte."""
    if spec.algorithm != AUTO:
        return spec, []
    rate = line_rate_bps(spec.fabric)
    latency_s = 2 * max(link.latency_s for link in spec.fabric.links)
    network = Network(TURNAROUND_S + latency_s, 8 / rate, 0.0)
    choice = _chosen(Operation(spec.collective), len(spec.placement), max(spec.sizes), network)
    return replace(spec, algorithm=choice.algorithm), [f"auto is {choice.algorithm}: {choice.explain()}"]


def _links(spec: Spec, scale: float, *, silent: bool) -> Links:
    """``silent``: latencies are in the turnaround already."""
    links = Links.of(spec.fabric)
    latency_s = np.zeros_like(links.latency_s) if silent else links.latency_s * scale
    return replace(links, rate_bps=links.rate_bps / scale, latency_s=latency_s)


@lru_cache(16)
def _chosen(operation: Operation, ranks: int, size_bytes: int, network: Network) -> Choice:
    return choose(operation, ranks, size_bytes, network)


@once_a_fabric
def line_rate_bps(fabric: Fabric) -> float:
    return measures.ring_line_rate_bps(fabric)
