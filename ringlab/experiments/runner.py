"""A spec to a Result on an emulated fabric: build once, let the arms take turns, judge, compare.

Theory of operation. A *block* gives every arm one turn; each turn installs the arm's policy and runs the collective at
every size in fresh processes on fresh connections. Blocks begin with another arm each time, so that whatever drifts
(the machine, its neighbours) falls on all arms alike. Before the first block two things are measured in the fabric
itself: a single stream (does shaping hold?) and the time of a step that carries next to nothing (alpha).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from collectives import metrics
from collectives.baseline import Baseline
from controller import routing
from emulation import doctor, fidelity, probe
from emulation.lab import new_tag
from emulation.observe import Watch
from emulation.plan import Plan
from ringlab.experiments import baselines, store
from ringlab.experiments import result as results
from ringlab.experiments.bench import Bench, Block, Installed, Job, bench
from ringlab.experiments.compare import beside, compare
from ringlab.experiments.scale import Scale, chosen
from ringlab.experiments.spec import Arm, Spec
from ringlab.experiments.statistics import median
from simulation import fluid
from topologies import formats, measures
from topologies.fabric import Fabric, Port
from topologies.traffic import Demand, FlowKey, Path

ALPHA_ITERATIONS = 20
PATIENCE = 10.0  # times the predicted duration: beyond it a turn is stuck
BOOTSTRAP_SEED = 1

Say = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """The result, and nccl-tests' text of every arm's turn by (arm, block from 1)."""

    result: results.Result
    nccl_tests: dict[tuple[str, int], str]


@dataclass
class _Turns:
    """What one arm's turns gave so far."""

    arm: Arm
    installed: Installed | None = None
    blocks: list[Block] = field(default_factory=list)
    crossed: Counter[Port] = field(default_factory=Counter)
    predicted: Counter[Port] = field(default_factory=Counter)


def job_of(spec: Spec) -> Job:
    return Job(spec.algorithm, spec.placement, spec.channels, spec.dtype, spec.timeout_s)


def scale_of(spec: Spec, say: Say) -> Scale:
    """The spec's scale, or the one that this machine can carry."""
    if spec.scale is not None:
        return Scale(spec.scale, "as the spec says")
    return chosen(spec.fabric, job_of(spec).demands(max(spec.sizes)), say)


def plan_of(spec: Spec, scale: float) -> Plan:
    transport = spec.transport
    settings = doctor.settings(scale, transport.mtu, transport.congestion, transport.queue_bytes)
    return Plan(spec.fabric, new_tag(), settings)


def turns(spec: Spec) -> int:
    """How many steps a progress bar gets from ``run``."""
    return len(spec.arms) * spec.repeats


def run(spec: Spec, say: Say, step: Say, framework: str = "auto") -> Outcome:
    """Run ``spec``; ``say`` hears what is being done, ``step`` each turn as it begins.

    Raises the errors of ``emulation.errors`` and ``controller.client``; nothing is left on the machine.
    """
    created = datetime.now(UTC)
    baseline = baselines.choose(spec.baseline, spec.baseline_line_rate_GBps) if spec.baseline else None
    timeline = _Timeline()
    scale = scale_of(spec, say)
    plan = plan_of(spec, scale.factor)
    with bench(plan, job_of(spec), say, framework=framework) as ready:
        timeline.note(f"fabric up at scale {scale.factor:g}, {ready.control.framework}")
        measured = _Session(spec, ready, timeline, step)
        measured.probe(say)
        measured.run_blocks()
    return _outcome(spec, scale, plan, measured, created, baseline)


class _Timeline:
    """What happened when, seconds since the run began."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self.moments: list[results.Moment] = []

    def note(self, event: str) -> None:
        self.moments.append(results.Moment(round(time.monotonic() - self._started, 3), event))


class _Session:
    """The arms taking turns on one bench."""

    def __init__(self, spec: Spec, ready: Bench, timeline: _Timeline, step: Say) -> None:
        self.spec = spec
        self.bench = ready
        self.timeline = timeline
        self.step = step
        self.seen: fidelity.Observation | None = None
        self.turns = {arm.name: _Turns(arm) for arm in spec.arms}
        self.probe_share = 0.0
        self.alpha_s = 0.0

    def probe(self, say: Say) -> None:
        """Measure what the verdict and the predictions need, before anything is compared."""
        say("probing the shaped rate")
        src, dst = self.spec.placement[0], next(host for host in self.spec.placement if host != self.spec.placement[0])
        plan = self.bench.network.plan
        slowest_bps = min(map(plan.rate_bps, _resident_path(plan.fabric, src, dst).hops))
        carried_bps = slowest_bps * fluid.payload_share(plan.settings.mtu)
        self.probe_share = probe.stream_bps(self.bench.network, src, dst) / carried_bps
        say("measuring the base latency")
        schedule = self.bench.job.schedule
        tiny = schedule.num_chunks * metrics.DTYPES[self.spec.dtype].itemsize
        self.bench.install(self.spec.arms[-1].policy, tiny)
        block = self.bench.measure([tiny], warmup=2, iterations=ALPHA_ITERATIONS, patience_s=60)
        self.alpha_s = median([block.sizes[0].times_us]) / 1e6 / schedule.num_steps
        self.timeline.note(f"probe {self.probe_share:.1%} of the shaped rate; a step takes {self.alpha_s * 1e6:.0f} us")

    def run_blocks(self) -> None:
        watch = Watch(self.bench.network)
        for number in range(self.spec.repeats):
            for arm in _rotated(self.spec.arms, number):
                self.step(f"block {number + 1} of {self.spec.repeats}, {arm.name}")
                self._turn(self.turns[arm.name], watch)
                self.timeline.note(f"block {number + 1}: {arm.name} done")
        self.seen = watch.observation()

    def _turn(self, turn: _Turns, watch: Watch) -> None:
        turn.installed = self.bench.install(turn.arm.policy, max(self.spec.sizes))
        operations = self.spec.warmup + self.spec.iterations + 1
        patience_s = PATIENCE * operations * sum(self.predicted_s(turn, size) for size in self.spec.sizes)
        with watch.stretch() as work_begins:
            block = self.bench.measure(
                self.spec.sizes, self.spec.warmup, self.spec.iterations, patience_s, lambda _: work_begins()
            )
        turn.blocks.append(block)
        turn.crossed.update(block.crossed)
        turn.predicted.update(self.bench.predicted_bytes(turn.installed, block))

    def predicted_s(self, turn: _Turns, size_bytes: int) -> float:
        return self._network_s(turn, size_bytes, self.alpha_s)

    def bytes_alone_s(self, turn: _Turns, size_bytes: int) -> float:
        """What no fabric of these rates can beat: latency costs nothing."""
        return self._network_s(turn, size_bytes, 0.0)

    def _network_s(self, turn: _Turns, size_bytes: int, alpha_s: float) -> float:
        assert turn.installed is not None
        plan = self.bench.network.plan
        return fluid.completion_s(
            self.bench.job.demands(size_bytes),
            turn.installed.paths,
            plan.rate_bps,
            mtu=plan.settings.mtu,
            alpha_s=alpha_s,
            relay=self.bench.job.schedule.relays,
        )


def _resident_path(fabric: Fabric, src: str, dst: str) -> Path:
    """The way of packets that no job asked for: the resident rules follow the spanning tree."""
    flow = Demand(FlowKey(src, dst, 0, 0), (0,), (0,))
    return routing.policy("spanning-tree").route(fabric, [flow])[flow.key]


def _rotated(arms: Sequence[Arm], number: int) -> Iterator[Arm]:
    first = number % len(arms)
    yield from (*arms[first:], *arms[:first])


def _outcome(
    spec: Spec, scale: Scale, plan: Plan, session: _Session, created: datetime, baseline: Baseline | None
) -> Outcome:
    line_rate = measures.line_rate_bps(spec.fabric)
    arms = tuple(_arm(spec, session, turn, line_rate / scale.factor, scale.factor) for turn in session.turns.values())
    certificate = _certificate(spec, scale, plan, session, arms)
    texts = {
        (t.arm.name, number): block.text for t in session.turns.values() for number, block in enumerate(t.blocks, 1)
    }
    result = results.Result(
        id=store.run_id(created, spec.name, plan.tag),
        name=spec.name,
        created=created.isoformat(timespec="seconds"),
        spec=spec.data,
        fabric=formats.to_data(spec.fabric),
        collective=spec.collective,
        algorithm=spec.algorithm,
        channels=spec.channels,
        ranks=len(spec.placement),
        placement=spec.placement,
        scale=scale.factor,
        line_rate_bps=line_rate / scale.factor,
        nominal_line_rate_bps=line_rate,
        arms=arms,
        comparisons=compare(arms, spec.compare, np.random.default_rng(BOOTSTRAP_SEED)),
        certificate=certificate,
        fingerprint=_fingerprint(scale, plan, session),
        links=tuple(_links(spec, session)),
        baseline=beside(baseline, spec.sizes) if baseline else None,
        timeline=tuple(session.timeline.moments),
    )
    return Outcome(result, texts)


def _arm(spec: Spec, session: _Session, turn: _Turns, line_rate_bps: float, scale: float) -> results.Arm:
    assert turn.installed is not None
    found = []
    for index, size in enumerate(spec.sizes):
        measured = [block.sizes[index] for block in turn.blocks]
        found.append(
            results.SizeResult.measured(
                [one.times_us for one in measured],
                size_bytes=measured[0].size_bytes,
                count=measured[0].count,
                dtype=measured[0].dtype,
                redop=measured[0].redop,
                bus_factor=metrics.busbw_factor(spec.collective, len(spec.placement)),
                line_rate_bps=line_rate_bps,
                scale=scale,
                predicted_us=session.predicted_s(turn, size) * 1e6,
                wrong=sum(one.wrong for one in measured),
            )
        )
    return results.Arm(
        turn.arm.name, turn.arm.group, turn.installed.objective_s, turn.installed.lower_bound_s, tuple(found)
    )


def _links(spec: Spec, session: _Session) -> Iterator[results.LinkBytes]:
    for turn in session.turns.values():
        for port in spec.fabric.directed_links():
            yield results.LinkBytes.of(
                turn.arm.name, spec.fabric.direction(port), turn.crossed[port], turn.predicted[port]
            )


def _certificate(
    spec: Spec, scale: Scale, plan: Plan, session: _Session, arms: Sequence[results.Arm]
) -> results.Certificate:
    largest = max(spec.sizes)
    reach = {
        arm.name: found.time_us / found.predicted_us
        for arm in arms
        for found in arm.results
        if found.size_bytes == largest and found.predicted_us
    }
    fastest = min(
        found.time_us / 1e6 / session.bytes_alone_s(session.turns[arm.name], largest)
        for arm in arms
        for found in arm.results
        if found.size_bytes == largest
    )
    assert session.seen is not None
    checks = fidelity.judge(session.seen, session.probe_share, reach, fastest)
    made = fidelity.Certificate(tuple(checks), tuple(_notes(spec, scale, plan)))
    return results.Certificate(
        verdict=str(made.verdict),  # type: ignore[arg-type]  # its three names
        reasons=made.reasons,
        checks=tuple(
            results.Check(check.name, check.value, check.unit, check.limit, str(check.verdict), check.detail)  # type: ignore[arg-type]  # likewise
            for check in made.checks
        ),
    )


def _notes(spec: Spec, scale: Scale, plan: Plan) -> Iterator[str]:
    """What a reader should know also of a valid run."""
    latency_s = max(link.latency_s for link in spec.fabric.links) * scale.factor
    if latency_s and not plan.settings.netem:
        yield (
            f"delays not emulated (up to {latency_s * 1e6:.0f} us a link asked for; this kernel has no netem): "
            "small sizes show the machine's own latency, and predictions use the measured base latency"
        )


def _fingerprint(scale: Scale, plan: Plan, session: _Session) -> dict[str, object]:
    settings = plan.settings
    return {
        **doctor.fingerprint(),
        "controller": session.bench.control.framework,
        "scale_from": scale.why,
        "mtu": settings.mtu,
        "congestion": settings.congestion,
        "segmentation_offload": settings.offload,
        "delays_emulated": settings.netem,
        "alpha_us": round(session.alpha_s * 1e6, 1),
        "bootstrap_seed": BOOTSTRAP_SEED,
        "limits": {name: (limit.doubtful, limit.invalid) for name, limit in fidelity.LIMITS.items()},
    }
