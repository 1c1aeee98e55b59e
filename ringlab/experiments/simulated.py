"""A spec to a Result without a packet: the same fabric, schedule and policies, and flows that share links fairly.

Theory of operation. Every arm's policy routes the same demands as in an emulated run; every size is one replay
(``simulation.run``); operations follow each other, so that faults find the one that is under way. A spec's result is
the same to the bit whenever it runs; it has no spread, and its samples are all the time itself.

By default the fabric is the nominal one, as a spec states it: its rates and latencies, and a step's turnaround from
``simulation.conditions``. ``Beside`` an emulated run it has that run's rates, and the turnaround measured there.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from collectives import metrics
from collectives.choice import AUTO, Network, choose
from collectives.operations import Operation
from collectives.schedule import ScheduleError
from collectives.verify import verify
from controller.routing import RoutingError, Situation
from ringlab.errors import UsageError
from ringlab.experiments import baselines, store
from ringlab.experiments import result as results
from ringlab.experiments import simulated_faults as faulty
from ringlab.experiments.arms import OURS
from ringlab.experiments.compare import beside, compare
from ringlab.experiments.faults_spec import scaled
from ringlab.experiments.simulated_job import SPRAY, Routed, SimulatedJob, route
from ringlab.experiments.spec import Arm, Spec
from simulation import fluid
from simulation.conditions import TURNAROUND_S, Conditions
from simulation.links import Links
from simulation.replay import Change, StalledError
from simulation.run import Timeline, joined, simulate
from topologies import formats, measures
from topologies.fabric import Port
from topologies.traffic import Demand, link_bytes

SLACK = 0.01
"""Ends nearer to each other than this share of an average transfer's time are one moment: see ``replay``."""

LATENCY_DECIDES = 0.5
"""Of a collective's time: where turnarounds and latencies are more than this, their constants decide the result."""

CLOSED_FORM_TRANSFERS = 1 << 18
"""Of more the closed form would take longer than the replay that it stands beside."""

PROVEN_CELLS = 1 << 24
"""Schedules up to so many ranks squared times steps are proven anew in each run; all are in the tests."""


@dataclass(frozen=True, slots=True)
class Beside:
    """The emulated run that this one stands beside: its scale, and what a step was measured to take there."""

    scale: float
    step_s: float


def run(spec: Spec, beside_run: Beside | None = None) -> results.Result:
    """Simulate ``spec``. UsageError for what has no simulation; a flow without a way is the result's ``failure``."""
    _check(spec)
    created = datetime.now(UTC)
    scale = beside_run.scale if beside_run else spec.scale or 1.0
    spec, notes = _settled(replace(spec, faults=scaled(spec.faults, scale)))
    links = _links(spec, scale, silent=beside_run is not None)
    turnaround_s = beside_run.step_s if beside_run else TURNAROUND_S * scale
    conditions = Conditions.tcp(spec.transport.mtu, turnaround_s)
    job = SimulatedJob.of(spec)
    arms, crossed, failure = [], [], None
    for arm in spec.arms:
        try:
            found, bytes_by_link = _Arm(job, arm, links, conditions, scale).run()
        except (StalledError, RoutingError) as error:
            failure = f"{arm.name}: {error}"
            break
        arms.append(found)
        crossed.append(bytes_by_link)
    line_rate = measures.line_rate_bps(spec.fabric)
    baseline = baselines.choose(spec.baseline, spec.baseline_line_rate_GBps) if spec.baseline else None
    return results.Result(
        id=store.run_id(created, spec.name, f"sim{secrets.token_hex(3)}"),
        name=spec.name,
        created=created.isoformat(timespec="seconds"),
        spec=spec.data,
        fabric=formats.to_data(spec.fabric),
        collective=spec.collective,
        algorithm=spec.algorithm,
        channels=spec.channels,
        ranks=len(spec.placement),
        placement=spec.placement,
        scale=scale,
        line_rate_bps=line_rate / scale,
        nominal_line_rate_bps=line_rate,
        arms=tuple(arms),
        comparisons=compare(arms, spec.compare, np.random.default_rng(1)),
        certificate=_certificate(spec, job, arms, conditions, links, notes),
        fingerprint={
            "backend": "simulated", "scale_from": "the emulated run" if beside_run else "the spec",
            "turnaround_us": round(turnaround_s * 1e6, 3), "mtu": spec.transport.mtu, "slack": SLACK,
            "numpy": np.__version__,
        },
        links=tuple(one for found in crossed for one in found),
        baseline=beside(baseline, spec.sizes) if baseline else None,
        timeline=(),
        failure=failure,
    )  # fmt: skip


class _Arm:
    """One arm's operations, one after the other."""

    def __init__(self, job: SimulatedJob, arm: Arm, links: Links, conditions: Conditions, scale: float) -> None:
        self._job, self._arm, self._links, self._scale = job, arm, links, scale
        sprayed = arm.policy == SPRAY
        self._conditions = (
            conditions
            if not sprayed
            else replace(conditions, payload_share=conditions.payload_share / conditions.spray)
        )
        self._begun_s: dict[tuple[int, int], float] = {}
        self._routed: dict[frozenset[str], Routed] = {}

    def run(self) -> tuple[results.Arm, list[results.LinkBytes]]:
        spec = self._job.spec
        found, now, operation = [], 0.0, 0
        for size in spec.sizes:
            times = []
            for _ in range(spec.iterations if spec.faults else 1):
                operation += 1
                times.append(self._operation(size, now, operation))
                now += times[-1]
            found.append(self._size(size, times))
        routed = self._route(frozenset())
        wanted = [self._job.demands(size) for size in spec.sizes]
        crossed = [] if spec.faults else list(_links_crossed(spec, self._arm, routed, wanted))
        return results.Arm(self._arm.name, self._arm.group, None, None, tuple(found)), crossed

    def _route(self, dead: frozenset[str]) -> Routed:
        if dead not in self._routed:
            spec = self._job.spec
            wanted = self._job.demands(max(spec.sizes))
            situation = Situation(dead)
            self._routed[dead] = route(spec.fabric, self._arm.policy, wanted, situation)
        return self._routed[dead]

    def _operation(self, size: int, now: float, operation: int) -> float:
        """Seconds from ``now`` on. Faults that wait for a step of it come in the second replay."""
        spec = self._job.spec
        if not spec.faults:
            return self._replayed(size, [faulty.Epoch(0.0, self._links.rate_bps, Situation())], now).completion_s
        timeline = self._replayed(size, self._epochs(), now)
        for awaited in sorted(one for one in faulty.awaited(spec.faults) if one[0] == operation):
            self._begun_s[awaited] = now + self._step_begins(timeline, awaited[1])
            timeline = self._replayed(size, self._epochs(), now)
        return timeline.completion_s

    def _epochs(self) -> list[faulty.Epoch]:
        return faulty.epochs(self._job.spec.faults, self._begun_s, self._job.spec.fabric, self._links)

    def _step_begins(self, timeline: Timeline, step: int) -> float:
        schedule = self._job.schedule
        if schedule.relays:  # one flow for all steps, each as long as the others
            return timeline.completion_s * step / schedule.num_steps
        steps = schedule.step if timeline.transfers is None else schedule.step[timeline.transfers]
        return float(timeline.start_s[steps == step].min())

    def _replayed(self, size: int, epochs: Sequence[faulty.Epoch], now: float) -> Timeline:
        """From the last epoch that has begun by ``now``; routes that do not change are planned once."""
        current = [epoch for epoch in epochs if epoch.at_s <= now][-1]
        coming = [epoch for epoch in epochs if epoch.at_s > now]
        links = replace(self._links, rate_bps=current.capacity)
        plan = self._job.plan(size, self._route(current.situation.dead), links, self._conditions)
        changes, known = [], current.situation.dead
        for epoch in coming:
            rows = use = None
            if epoch.situation.dead != known:
                known = epoch.situation.dead
                other = self._job.plan(size, self._route(known), links, self._conditions)
                flows, _ = joined([other], len(links.rate_bps))
                rows, use = flows.rows, flows.use
            changes.append(Change(epoch.at_s - now, epoch.capacity, rows, use))
        average_s = float(np.mean(plan.flows.amount)) / float(links.rate_bps.max())
        (timeline,) = simulate([plan], [self._job.schedule.num_ranks], links, changes, SLACK * average_s)
        return timeline

    def _size(self, size: int, times_s: Sequence[float]) -> results.SizeResult:
        spec = self._job.spec
        times_us = [time_s * 1e6 for time_s in times_s]
        return results.SizeResult.measured(
            [times_us] * (1 if spec.faults else spec.repeats),
            size_bytes=size,
            count=size // metrics.DTYPES[spec.dtype].itemsize,
            dtype=spec.dtype,
            redop="sum",
            bus_factor=metrics.busbw_factor(spec.collective, len(spec.placement)),
            line_rate_bps=measures.line_rate_bps(spec.fabric) / self._scale,
            scale=self._scale,
            predicted_us=self._closed_form_us(size),
            wrong=0,
        )

    def _closed_form_us(self, size: int) -> float | None:
        """Step after step, the most loaded link of each; None where flows are sprayed, and for very large schedules."""
        routed, links, spec = self._route(frozenset()), self._links, self._job.spec
        if routed.paths is None or len(self._job.schedule) > CLOSED_FORM_TRANSFERS:
            return None
        return 1e6 * fluid.completion_s(
            self._job.demands(size),
            routed.paths,
            lambda port: float(links.rate_bps[links.number[port]]),
            mtu=spec.transport.mtu,
            alpha_s=self._conditions.turnaround_s + _mean_latency_s(routed, links),
            relay=self._job.schedule.relays,
        )


def _check(spec: Spec) -> None:
    foreign = next((arm for arm in spec.arms if arm.library != OURS), None)
    if foreign is not None:
        raise UsageError(
            f"arm {foreign.name}: only our own schedules can be simulated, not {foreign.library}'s; leave it out"
        )
    faulty.check(spec.faults)


def _settled(spec: Spec) -> tuple[Spec, list[str]]:
    """``auto`` by the nominal costs of a step and a byte."""
    if spec.algorithm != AUTO:
        return spec, []
    rate = measures.line_rate_bps(spec.fabric)
    latency_s = 2 * max(link.latency_s for link in spec.fabric.links)
    network = Network(TURNAROUND_S + latency_s, 8 / rate, 0.0)
    choice = choose(Operation(spec.collective), len(spec.placement), max(spec.sizes), network)
    return replace(spec, algorithm=choice.algorithm), [f"auto is {choice.algorithm}: {choice.explain()}"]


def _links(spec: Spec, scale: float, *, silent: bool) -> Links:
    """``silent``: latencies are in the turnaround already."""
    links = Links.of(spec.fabric)
    latency_s = np.zeros_like(links.latency_s) if silent else links.latency_s * scale
    return replace(links, rate_bps=links.rate_bps / scale, latency_s=latency_s)


def _mean_latency_s(routed: Routed, links: Links) -> float:
    ways = [sum(links.latency_s[links.number[port]] * share for port, share in way) for way in routed.there.values()]
    return float(np.mean(ways)) if ways else 0.0


def _links_crossed(
    spec: Spec, arm: Arm, routed: Routed, wanted: Sequence[Sequence[Demand]]
) -> Iterator[results.LinkBytes]:
    simulated: Counter[Port] = Counter()
    expected: Counter[Port] = Counter()
    for demands in wanted:
        simulated.update(routed.link_bytes(demands))
        if routed.paths is not None:
            expected.update(link_bytes(demands, routed.paths))
    for port in spec.fabric.directed_links():
        yield results.LinkBytes.of(arm.name, spec.fabric.direction(port), simulated[port], expected[port])


def _certificate(
    spec: Spec,
    job: SimulatedJob,
    arms: Sequence[results.Arm],
    conditions: Conditions,
    links: Links,
    notes: Sequence[str],
) -> results.Certificate:
    checks = [_proof(job)]
    if arms:
        checks.append(_latency_check(spec, job, arms, conditions, links))
    order: list[results.Verdict] = ["valid", "doubtful", "invalid"]
    verdict = max((check.verdict for check in checks), key=order.index)
    reasons = [check.detail for check in checks if check.verdict != "valid"]
    reasons.append(
        "simulated: no packet was sent. Bytes share links fairly and at once; loss, queues and the hosts' own work "
        "are not in it. Believe when a collective of large messages ends, not when one flow does, nor small messages"
    )
    return results.Certificate(verdict, (*reasons, *notes), tuple(checks))


def _proof(job: SimulatedJob) -> results.Check:
    """Does the schedule do what it should? Its transfers are worked off on sets, in place of numbers."""
    schedule = job.schedule
    if schedule.num_ranks**2 * max(schedule.num_chunks, 1) > PROVEN_CELLS:
        return results.Check("schedule", "not proven", "", None, "valid", "too large to be proven in each run")
    try:
        verify(schedule)
    except ScheduleError as error:
        return results.Check("schedule", "wrong", "", "proven", "invalid", f"the schedule is wrong: {error}")
    return results.Check("schedule", "proven", "", "proven", "valid", "every rank ends up with every contribution once")


def _latency_check(
    spec: Spec, job: SimulatedJob, arms: Sequence[results.Arm], conditions: Conditions, links: Links
) -> results.Check:
    """How much of the time at the largest size is steps that carry nothing?"""
    largest = max(spec.sizes)
    steps_s = job.schedule.num_steps * (conditions.turnaround_s + float(links.latency_s.mean()) * 2)
    share = max(steps_s * 1e6 / found.time_us for arm in arms for found in arm.results if found.size_bytes == largest)
    verdict: results.Verdict = "doubtful" if share > LATENCY_DECIDES else "valid"
    detail = (
        f"steps that carry nothing take {share:.0%} of the time at the largest size: their turnaround "
        f"({conditions.turnaround_s * 1e6:.3g} us) decides, and it is a constant"
    )
    return results.Check("latency_share", round(share, 4), "1", LATENCY_DECIDES, verdict, detail)
