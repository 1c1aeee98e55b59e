"""The same question as ``measure.simulate`` asks, answered by packets: a fabric of 100 Mb/s links is built, as root.

One fabric serves all routes of a setup, one after the other. Any schedule runs, also one that a student has just
written: ranks get it as an MSCCL program, as they would one of any other library. What the switches' counters say is
kept as it is, headers too (``payload`` takes them off). Of several operations the fastest counts: a network is never
too fast, and what else runs on the machine only ever adds time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from collectives.interchange import msccl_writer
from collectives.peers.libraries import Library
from collectives.schedule import Schedule
from emulation.errors import RunError
from emulation.network import require_machine
from ringlab.exercises.measure import Measurement, Setup
from ringlab.experiments.bench import Bench, Block, Job, Measured, fabric_up
from ringlab.experiments.runner import plan_of
from ringlab.experiments.spec import Transport
from simulation.fluid import payload_share
from topologies.fabric import Fabric, Port

MTU = 9000
TRANSPORT = Transport(mtu=MTU, congestion="reno", queue_bytes=None, delays="none")
ITERATIONS = 3
PATIENCE_S = 120.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class ScheduledJob(Job):
    """A job whose schedule is given, in place of an algorithm's name."""

    given: Schedule = field(kw_only=True)

    @cached_property
    def schedule(self) -> Schedule:
        return self.given


class ScheduledBench(Bench):
    """Ranks read the schedule from a file."""

    def _argv(self, library: Library, folder: Path) -> list[str]:
        argv = super()._argv(library, folder)
        at = argv.index("--algorithm")
        program = folder / "schedule.xml"
        program.write_text(msccl_writer.write(self.job.schedule, "exercise"), encoding="utf-8")
        return [*argv[:at], "--schedule", str(program), *argv[at + 4 :]]  # --channels, too: the program has its own


class RealFabric:
    """A fabric that stands, for one setup."""

    def __init__(self, setup: Setup, bench: Bench) -> None:
        self.setup, self.bench = setup, bench
        self._installed: str | None = None

    def measure(
        self, policy: str, *, iterations: int = ITERATIONS, nbytes: int | None = None, setup: Setup | None = None
    ) -> Measurement:
        """The fastest of some operations, ``link_bytes`` of one. Another ``setup`` may follow on the same cables."""
        self._follow(policy, setup)
        size = nbytes or self.setup.nbytes
        block, (found,) = self._block([size], iterations)
        moved = sum(nbytes * number for nbytes, number in block.operations.items())
        crossed = Counter({port: round(count * size / moved) for port, count in block.crossed.items()})
        return Measurement(replace(self.setup, nbytes=size), min(found.times_us) * 1e-6, crossed)

    def times_s(self, policy: str, sizes: Sequence[int], iterations: int, setup: Setup | None = None) -> list[float]:
        """The fastest at each size, of ranks that are started once for all of them."""
        self._follow(policy, setup)
        _, found = self._block(sizes, iterations)
        return [min(one.times_us) * 1e-6 for one in found]

    def _follow(self, policy: str, setup: Setup | None) -> None:
        if setup is not None:
            self._use(setup)
        if self._installed != policy:
            self.bench.install(policy, self.setup.nbytes)
            self._installed = policy

    def _block(self, sizes: Sequence[int], iterations: int) -> tuple[Block, tuple[Measured, ...]]:
        block = self.bench.measure(sizes, 1, [iterations] * len(sizes), PATIENCE_S)
        wrong = sum(one.wrong for one in block.sizes)
        if wrong:
            raise RunError(f"{wrong} elements came out wrong on {self.setup.fabric.name}")
        return block, block.sizes

    def _use(self, setup: Setup) -> None:
        self.setup, self.bench.job, self._installed = setup, job_of(setup), None


def job_of(setup: Setup) -> ScheduledJob:
    return ScheduledJob("exercise", setup.placement, setup.schedule.num_channels, given=setup.schedule)


@contextmanager
def standing(setup: Setup, say: Say = lambda _: None, fabric: Fabric | None = None) -> Iterator[RealFabric]:
    """The setup's fabric, up; removed on leaving. MachineError where this machine can't. ``fabric`` in its place."""
    require_machine()
    plan = plan_of(fabric or setup.fabric, TRANSPORT, 1.0)
    with fabric_up(plan, say) as (network, control):
        yield RealFabric(setup, ScheduledBench(network, control, job_of(setup)))


def payload(crossed: Counter[Port]) -> Counter[Port]:
    """Of what switches counted, what full frames carry."""
    return Counter({port: round(count * payload_share(MTU)) for port, count in crossed.items()})
