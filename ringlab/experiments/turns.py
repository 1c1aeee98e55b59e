"""The arms taking turns on one fabric that is up: probe it, run every block, keep what was measured.

Theory of operation. A *block* gives every arm one turn; each turn installs the arm's policy and runs the collective at
every size in fresh processes on fresh connections. Blocks begin with another arm each time, so that whatever drifts
(the machine, its neighbours) falls on all arms alike. Before the first block two things are measured in the fabric
itself: a single stream (does shaping hold?) and the time of a step that carries next to nothing (alpha).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import TypeVar

import numpy as np

from collectives import metrics
from collectives.peers.libraries import LIBRARIES, RINGLAB, Library
from controller import routing
from controller.client import ControllerError
from emulation import departures, fidelity, probe
from emulation.errors import RunError
from emulation.faults import Fault
from emulation.observe import Watch
from ringlab.experiments import faults_blame
from ringlab.experiments import result as results
from ringlab.experiments.bench import Bench, Block, Faults, Installed
from ringlab.experiments.faults_spec import scaled
from ringlab.experiments.simulated_job import whole
from ringlab.experiments.spec import Arm, Spec
from ringlab.experiments.statistics import median
from simulation import collective, fluid
from simulation.conditions import Conditions
from simulation.links import Links
from simulation.run import simulate
from topologies.fabric import Fabric, Port
from topologies.traffic import Demand, FlowKey, Path, Paths

ALPHA_ITERATIONS = 20
MOST_ITERATIONS = 1000  # where a spec asks for no more
PATIENCE = 10.0  # times the predicted duration: beyond it a turn is stuck

Say = Callable[[str], None]
Item = TypeVar("Item")


@dataclass
class Turns:
    """What one arm's turns gave so far."""

    arm: Arm
    installed: Installed | None = None
    blocks: list[Block] = field(default_factory=list)
    crossed: Counter[Port] = field(default_factory=Counter)
    predicted: Counter[Port] = field(default_factory=Counter)

    @property
    def library(self) -> Library:
        return LIBRARIES[self.arm.library]

    @property
    def is_ours(self) -> bool:
        """Whether our schedule runs, so that what it moves, and how fast, can be predicted."""
        return self.library is RINGLAB


@dataclass(frozen=True, slots=True)
class Ended:
    """What was seen of the machine in all turns, and why the last one failed, if it did."""

    seen: fidelity.Observation
    failure: str | None = None


class Timeline:
    """What happened when, seconds since the run began."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self.moments: list[results.Moment] = []

    def note(self, event: str) -> None:
        self.moments.append(results.Moment(round(time.monotonic() - self._started, 3), event))


class Session:
    """The arms taking turns on one bench."""

    def __init__(self, spec: Spec, ready: Bench, timeline: Timeline, step: Say) -> None:
        self.spec = spec
        self.bench = ready
        self.timeline = timeline
        self.step = step
        self.never_came: list[tuple[str, Fault]] = []
        self.turns = {arm.name: Turns(arm) for arm in spec.arms}
        self.seen_on_path: fidelity.Probe | None = None
        self.alpha_s = 0.0
        self.iterations: list[int] = []

    def probe(self, say: Say) -> None:
        """Measure what the verdict and the predictions need, before anything is compared."""
        say("probing the shaped rate")
        self.seen_on_path = self._path_seen()
        say("measuring the base latency")
        self.alpha_s = self._alpha_s()
        self.timeline.note(
            f"probe {self.seen_on_path.rate_share:.1%} of the shaped rate; "
            f"round trip {self.seen_on_path.round_trips_s[0] * 1e6:.0f} us; a step takes {self.alpha_s * 1e6:.0f} us"
        )

    def _path_seen(self) -> fidelity.Probe:
        """One path while nothing else is on: its round trip, and what a single stream makes of it."""
        (src, dst), network = self._probed, self.bench.network
        there, back = _resident_path(self.bench.fabric, src, dst), _resident_path(self.bench.fabric, dst, src)
        probe.settle(network, src, dst, there, back)
        delays_s = probe.delays_s(network, there, back)
        round_trip_s = probe.usual_round_trip_s(network, src, dst, probe.statistic_of(delays_s))
        rate_share, spaced = self._stream_seen(src, dst, there)
        if spaced is not None and fidelity.LIMITS["departures"].judge(spaced):  # a neighbour's moment passes
            rate_share, again = self._stream_seen(src, dst, there)
            spaced = spaced if again is None else min(spaced, again)
        return fidelity.Probe(rate_share, spaced, delays_s, (round_trip_s,))

    def _stream_seen(self, src: str, dst: str, there: Path) -> tuple[float, float | None]:
        """Goodput as a share of what the path's rate carries, and the 99th percentile of its departures' deviation."""
        plan = self.bench.network.plan
        slowest_bps = min(map(plan.rate_bps, there.hops))
        found = probe.stream(self.bench.network, src, dst, there)
        share = found.goodput_bps / (slowest_bps * fluid.payload_share(plan.settings.mtu))
        return share, departures.p99(found.departures, slowest_bps, plan.settings.mtu)

    def _alpha_s(self) -> float:
        """What a step takes that carries next to nothing."""
        schedule = self.bench.job.schedule
        tiny = schedule.num_chunks * metrics.DTYPES[self.spec.dtype].itemsize
        self.bench.install(self.spec.arms[-1].policy, tiny)
        block = self.bench.measure([tiny], warmup=2, iterations=[ALPHA_ITERATIONS], patience_s=60)
        return median([block.sizes[0].times_us]) / 1e6 / schedule.num_steps

    def run_blocks(self) -> Ended:
        """All turns of all arms, or those until one fails."""
        watch = Watch(self.bench.network)
        for number in range(self.spec.repeats):
            for arm in rotated(self.spec.arms, number):
                self.step(f"block {number + 1} of {self.spec.repeats}, {arm.name}")
                name = f"block {number + 1}, {arm.name}"
                try:
                    self._turn(self.turns[arm.name], name, watch)
                except (RunError, ControllerError) as error:
                    self.timeline.note(f"{name}: failed")
                    return Ended(watch.observation(), f"{name}: {error}")
                self.timeline.note(f"{name}: done")
        try:
            if not self.spec.faults:
                self._probe_again()
        except (RunError, ControllerError) as error:
            self.timeline.note("round trip after the run: failed")
            return Ended(watch.observation(), f"round trip after the run: {error}")
        return Ended(watch.observation())

    def _probe_again(self) -> None:
        """Is a round trip what it was before the first block?"""
        before = self.seen_on_path
        assert before is not None
        wanted_s = before.wanted_s or before.round_trips_s[0]
        again_s = probe.round_trip_near_s(
            self.bench.network, *self._probed, wanted_s, fidelity.allowed_s(wanted_s),
            probe.statistic_of(before.wanted_s),
        )  # fmt: skip
        self.seen_on_path = replace(before, round_trips_s=(*before.round_trips_s, again_s))

    @property
    def _probed(self) -> tuple[str, str]:
        first = self.spec.placement[0]
        return first, next(host for host in self.spec.placement if host != first)

    def _turn(self, turn: Turns, name: str, watch: Watch) -> None:
        turn.installed = self.bench.install(turn.arm.policy, max(self.spec.sizes), turn.library)
        predicted_s = [self.predicted_s(turn, size) for size in self.spec.sizes]
        self.iterations = self.iterations or [self._iterations(seconds) for seconds in predicted_s]
        operations = [self.spec.warmup + number + 1 for number in self.iterations]
        patience_s = PATIENCE * float(np.dot(operations, predicted_s))
        onlooker = self.bench.onlooker
        onlooker.turn_begins(turn.arm, len(turn.blocks) + 1, turn.installed, self.iterations)
        faults = self._faults(name)
        if faults or onlooker.has_hand:
            patience_s = faults_blame.patience_s(
                faults.faults if faults else (), patience_s, self.bench.network.plan, self.spec.timeout_s
            )
        with watch.stretch(ranks_poll=turn.library.by_mpirun) as work_begins:

            def heard(line: str) -> None:
                work_begins()
                onlooker.line(line)

            block = self.bench.measure(
                self.spec.sizes,
                self.spec.warmup,
                self.iterations,
                patience_s,
                heard,
                faults,
                turn.library,
            )
        if faults:
            self.never_came += [(name, fault) for fault in faults.never_came]
        onlooker.turn_ends()
        turn.blocks.append(block)
        turn.crossed.update(block.crossed)
        if turn.is_ours:
            turn.predicted.update(self.bench.predicted_bytes(turn.installed, block))

    def _iterations(self, predicted_s: float) -> int:
        """Of a size whose operation takes ``predicted_s``; the first turn's serve all, so that blocks are alike."""
        if self.spec.faults:  # they count operations
            return self.spec.iterations
        return max(self.spec.iterations, min(MOST_ITERATIONS, ceil(self.spec.min_time_s / predicted_s)))

    def _faults(self, name: str) -> Faults | None:
        """The spec's faults for the turn ``name``, as they are emulated."""
        if not self.spec.faults:
            return None
        faults = scaled(self.spec.faults, self.bench.network.plan.settings.scale)
        return Faults(faults, lambda event: self.timeline.note(f"{name}: {event}"))

    def polled(self) -> list[Turns]:
        """Turns whose ranks poll."""
        return [turn for turn in self.turns.values() if turn.library.by_mpirun]

    def predicted_s(self, turn: Turns, size_bytes: int) -> float:
        """What our schedule needs on the turn's paths: of another library no prediction, but a measure of patience."""
        return self._network_s(turn, size_bytes, self.alpha_s)

    def bytes_alone_s(self, turn: Turns, size_bytes: int) -> float:
        """What no fabric of these rates can beat: latency costs nothing."""
        return self._network_s(turn, size_bytes, 0.0)

    def _network_s(self, turn: Turns, size_bytes: int, alpha_s: float) -> float:
        """By the simulator, at the rates that are emulated; what a step takes holds its way's latency."""
        assert turn.installed is not None
        plan, job = self.bench.network.plan, self.bench.job
        paths = turn.installed.paths
        if not turn.is_ours:
            paths = _of_pairs(paths, job.demands(size_bytes))
        links = Links.of(plan.fabric, plan.rate_bps)
        links = replace(links, latency_s=np.zeros_like(links.latency_s))
        ways = {pair: whole(paths.get(key)) for pair, key in job.connections.items()}
        back = {pair: whole(paths.get(key.reversed())) for pair, key in job.connections.items()}
        itemsize = metrics.DTYPES[job.dtype].itemsize
        moved = collective.Job.of(job.schedule, size_bytes // itemsize, itemsize)
        flows = collective.plan(moved, ways, back, links, Conditions.tcp(plan.settings.mtu, alpha_s))
        (timeline,) = simulate([flows], [job.schedule.num_ranks], links)
        return timeline.completion_s


def _of_pairs(paths: Paths, demands: Sequence[Demand]) -> Paths:
    """The paths that ``demands`` would take where those of their hosts are known."""
    keys = [key for demand in demands for key in (demand.key, demand.key.reversed())]
    return {key: paths[FlowKey.any_port(key.src, key.dst)] for key in keys}


def _resident_path(fabric: Fabric, src: str, dst: str) -> Path:
    """The way of packets that no job asked for: the resident rules follow the spanning tree."""
    flow = Demand(FlowKey(src, dst, 0, 0), (0,), (0,))
    return routing.policy("spanning-tree").route(fabric, [flow])[flow.key]


def rotated(items: Sequence[Item], number: int) -> Iterator[Item]:
    """Each block begins with another one."""
    first = number % len(items)
    yield from (*items[first:], *items[:first])
