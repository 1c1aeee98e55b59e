"""One fabric with its controller and one job: install a policy, run the collective, read what came of it."""

from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from collectives import algorithms, choice, metrics
from collectives.job import connections, demands
from collectives.peers.libraries import RINGLAB, Library
from collectives.perf.layout import alike
from collectives.schedule import Schedule
from controller.client import ControllerError
from controller.process import RunningController, running_controller
from emulation import counters, hosts
from emulation.errors import RunError
from emulation.faults import Fault
from emulation.lab import scratch_folder
from emulation.network import Network, built, require_machine
from emulation.outages import Outages
from emulation.plan import Plan
from ringlab.experiments.faults_blame import explain
from ringlab.experiments.libraries import pair_demands
from ringlab.experiments.library_start import first_addresses, started_by
from ringlab.experiments.onlooker import NOBODY, Onlooker
from topologies import addressing
from topologies.fabric import Port
from topologies.traffic import Demand, FlowKey, Paths, link_bytes

READY_TIMEOUT_S = 30.0
RANK = "python -m collectives"
START_TIMEOUT_S = 30.0  # eight Python processes on two busy cores


@dataclass(frozen=True)
class Job:
    """What is measured: a collective among ranks placed on hosts."""

    algorithm: str
    placement: tuple[str, ...]
    channels: int = 1
    dtype: str = "float"
    timeout_s: float = 30.0

    @cached_property
    def schedule(self) -> Schedule:
        return algorithms.build(self.algorithm, len(self.placement), self.channels)

    @cached_property
    def connections(self) -> dict[tuple[int, int, int], FlowKey]:
        return connections(self.schedule, self.placement)

    def demands(self, size_bytes: int) -> list[Demand]:
        """What one run of the collective over ``size_bytes`` asks of the fabric."""
        itemsize = metrics.DTYPES[self.dtype].itemsize
        return demands(self.schedule, self.placement, size_bytes // itemsize, itemsize)


@dataclass
class Faults:
    """What breaks during a turn; ``note`` hears of it as it does. ``never_came`` gathers what came too late."""

    faults: Sequence[Fault]
    note: Callable[[str], None]
    never_came: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Installed:
    """A policy in force: the paths the controller chose, and what they cost.

    ``objective_s`` is the time that the worst links need at nominal rates, ``lower_bound_s`` what no routing beats;
    both None where nobody knows what will be sent: for a library that is not ours.
    """

    paths: Paths
    objective_s: float | None
    lower_bound_s: float | None


@dataclass(frozen=True, slots=True)
class Measured:
    """One size in one block: each iteration's time on its slowest rank, and wrong elements over all ranks."""

    size_bytes: int
    count: int
    dtype: str
    redop: str
    times_us: tuple[float, ...]
    wrong: int


@dataclass(frozen=True, slots=True)
class Block:
    """One arm's turn: its sizes, nccl-tests' text, the bytes that the switches saw meanwhile.

    ``operations`` maps bytes to the number of collectives of so many bytes: timed ones, warm-up, checks and barriers;
    it is empty for a library that is not ours. ``library`` is the one that ran, with its version.
    """

    sizes: tuple[Measured, ...]
    text: str
    crossed: Counter[Port]
    operations: dict[int, int]
    library: str = RINGLAB.name


class Bench:
    """The fabric is up; policies and measurements come and go."""

    def __init__(self, network: Network, control: RunningController, job: Job, onlooker: Onlooker = NOBODY) -> None:
        self.network = network
        self.onlooker = onlooker
        self.control = control
        self.job = job
        self.fabric = network.plan.fabric
        self._announced: tuple[str, str, list[Demand]] | None = None
        self._paths: Paths = {}

    def install(self, policy: str, size_bytes: int, library: Library = RINGLAB) -> Installed:
        """Have every switch follow ``policy`` for the job at ``size_bytes``; returns when all have answered.

        Of a library that is not ours the policy routes pairs of hosts, by whatever ports they talk.
        """
        ours = library is RINGLAB
        wanted = self.job.demands(size_bytes) if ours else pair_demands(self.job.placement, size_bytes)
        self._announced = self.job.algorithm if ours else library.name, policy, wanted
        answer = self.control.client.announce(*self._announced)
        self.control.client.wait_ready(READY_TIMEOUT_S)
        self._paths = self.control.client.paths()
        return (
            Installed(self._paths, answer.objective_s, answer.lower_bound_s)
            if ours
            else Installed(self._paths, None, None)
        )

    def measure(
        self,
        sizes: Sequence[int],
        warmup: int,
        iterations: Sequence[int],
        patience_s: float,
        on_line: Callable[[str], None] = lambda _: None,
        faults: Faults | None = None,
        library: Library = RINGLAB,
    ) -> Block:
        """Run the collective at every size, ``iterations`` of each; ``patience_s`` is what all may take at the most.

        With ``faults`` every timed operation is checked, and an error says what was broken.
        """
        before = counters.link_bytes(self.fabric, counters.read(self.network.plan))
        with scratch_folder(self.network.plan.tag) as folder:
            file = folder / "result.json"
            argv = [*self._argv(library, folder), *self._measure_argv(sizes, warmup, iterations, file)]
            argv += ["--check-timed"] if faults else []
            argv += self.onlooker.rank_options() if library is RINGLAB else []
            text = self.run_ranks(argv, START_TIMEOUT_S + patience_s, on_line, faults, library.by_mpirun)
            found = json.loads(file.read_text())
        crossed = counters.link_bytes(self.fabric, counters.read(self.network.plan))
        crossed.subtract(before)
        return Block(
            tuple(map(_measured, found["results"])), text, crossed, dict(found["operations"]), found["library"]
        )

    def run_ranks(
        self,
        argv: Sequence[str],
        timeout_s: float,
        on_line: Callable[[str], None] = lambda _: None,
        faults: Faults | None = None,
        starts_all: bool = False,
    ) -> str:
        """Run ``argv --rank R`` in the host of each rank of the job, and return what rank 0 printed.

        Where it ``starts_all`` ranks itself, ``argv`` is run as it is in the host of rank 0 alone.

        RunError, with hosts by name, and with ``faults`` what was broken, where one fails.
        """
        planned, note = (faults.faults, faults.note) if faults else ((), _nobody_hears)
        outages = self.onlooker.outages(self.network, planned, self, note)
        if outages:
            argv = [*argv, *_report_argv(outages)]
        try:
            said = hosts.run_ranks(
                self.network,
                self.job.placement[:1] if starts_all else self.job.placement,
                lambda rank: argv if starts_all else [*argv, "--rank", str(rank)],
                timeout_s,
                on_line,
                outages,
            )
        except hosts.RanksError as error:
            broken = outages.at_failure or () if outages else ()
            raise RunError(self._with_names(explain(error, broken, self._paths, self.job.placement))) from None
        except RunError as error:
            raise RunError(self._with_names(str(error))) from None
        if faults and outages:
            faults.never_came += outages.scenario.never_came
        return said

    def network_costs(self) -> choice.Network:
        """What a step, a byte on the wire and a byte of memory cost the ranks on the paths that are installed."""
        with scratch_folder(self.network.plan.tag) as folder:
            file = folder / "result.json"
            tiny = [len(self.job.placement) * metrics.DTYPES[self.job.dtype].itemsize]
            argv = [*self._argv(RINGLAB, folder), *self._measure_argv(tiny, 0, [1], file)]
            argv[argv.index("--algorithm") + 1] = choice.AUTO
            self.run_ranks(argv, START_TIMEOUT_S + self.job.timeout_s)
            return choice.Network(*map(float, json.loads(file.read_text())["network"]))

    # -- what outages need of the controller ------------------------------------------------
    @property
    def openflow(self) -> str:
        return f"tcp:{self.control.openflow}"

    def kill_controller(self) -> None:
        self.control.kill()

    def restart_controller(self) -> None:
        """It is told the job at once, but not its switches' tables: they are filled again as switches connect."""
        self.control.restart()
        if self._announced:
            self.control.client.announce(*self._announced)

    def await_switches(self) -> None:
        """Also while the controller is away: it may be back in time."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while True:
            try:
                self.control.client.wait_ready(max(0.0, deadline - time.monotonic()))
            except ControllerError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def _with_names(self, text: str) -> str:
        """Ranks know each other by address; people know hosts by name."""
        names = {nic.ip: nic.host for nic in addressing.nics(self.fabric)}
        text = text.replace(f"{RANK}: ", "")  # the program is ours, and no user called it
        return re.sub(r"\b10\.\d+\.\d+\.\d+\b", lambda found: names.get(found[0], found[0]), text)

    def _argv(self, library: Library, folder: Path) -> list[str]:
        """Who takes part, by which library."""
        job, rank = self.job, [*alike(), sys.executable, "-m", "collectives"]
        if library is not RINGLAB:
            before, after = started_by(library, self.network, job.placement, folder)
            return [*before, *rank, "--peers", ",".join(first_addresses(self.network, job.placement)), *after]
        peers = ",".join(self._addresses(host) for host in job.placement)
        return [
            *rank, "--peers", peers, "--device-name", "numpy/TCP, emulated host",
            "--token", self.network.plan.tag, "--algorithm", job.algorithm, "--channels", str(job.channels),
        ]  # fmt: skip

    def _measure_argv(self, sizes: Sequence[int], warmup: int, iterations: Sequence[int], file: Path) -> list[str]:
        return [
            "--sizes", ",".join(map(str, sizes)), "-n", ",".join(map(str, iterations)), "-w", str(warmup),
            "-d", self.job.dtype, "--no-in-place", "--timeout", f"{self.job.timeout_s:g}", "-J", str(file),
        ]  # fmt: skip

    def _addresses(self, host: str) -> str:
        rails = range(len(self.fabric.ports(host)))
        return "+".join(addressing.ip(self.fabric, host, rail) for rail in rails)

    def predicted_bytes(self, installed: Installed, block: Block) -> Counter[Port]:
        """Payload bytes by directed link that schedule and paths say the block moved."""
        total: Counter[Port] = Counter()
        for size_bytes, number in block.operations.items():
            moved = demands(self.job.schedule, self.job.placement, size_bytes, itemsize=1)
            for port, nbytes in link_bytes(moved, installed.paths).items():
                total[port] += nbytes * number
        return total


def _nobody_hears(_: str) -> None:
    """Where nothing can happen."""


def _report_argv(outages: Outages) -> list[str]:
    """Have ranks tell of the steps that faults wait for."""
    steps = ",".join(f"{operation}:{step}" for operation, step in outages.steps)
    return ["--report-steps", steps, "--report-fd", str(outages.report_fd)] if steps else []


@contextmanager
def fabric_up(
    plan: Plan,
    say: Callable[[str], None],
    openflow_port: int = 0,
    framework: str = "auto",
    controller_options: Sequence[str] = (),
) -> Iterator[tuple[Network, RunningController]]:
    """The fabric of ``plan`` with a controller that every switch follows; all is removed on leaving.

    ``openflow_port`` 0: any free one.
    """
    require_machine()
    say("starting the controller")
    options = ("--scale", str(plan.settings.scale), *controller_options)
    with (
        running_controller(
            plan.fabric, framework=framework, openflow=f"127.0.0.1:{openflow_port}", options=options
        ) as control,
        built(plan, f"tcp:{control.openflow}", say) as network,
    ):
        say("waiting for the switches")
        control.client.wait_ready(READY_TIMEOUT_S)
        yield network, control


@contextmanager
def bench(
    plan: Plan, job: Job, say: Callable[[str], None], framework: str = "auto", onlooker: Onlooker = NOBODY
) -> Iterator[Bench]:
    """``fabric_up``, ready to install policies for ``job`` and to measure it."""
    options = onlooker.controller_options
    with fabric_up(plan, say, framework=framework, controller_options=options) as (network, control):
        yield Bench(network, control, job, onlooker)


def _measured(row: dict[str, Any]) -> Measured:
    return Measured(
        size_bytes=row["size"],
        count=row["count"],
        dtype=row["type"],
        redop=row["redop"],
        times_us=tuple(row["out_of_place_per_iter"]["times_us"]),
        wrong=int(row["out_of_place"]["nwrong"] or 0),
    )
