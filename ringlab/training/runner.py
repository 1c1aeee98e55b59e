"""A training spec to a TrainResult: build the fabric once, let all combinations take turns, compare.

Theory of operation. A *turn* is one backend under one routing policy on one placement: the policy is installed for that
backend's flows, then one process a rank trains the same model once for every bucket size, from the same seeds. A block
gives every combination a turn, and begins with another one each time, so that drift falls on all alike.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from collectives.perf.layout import alike
from controller.client import ControllerError
from controller.process import RunningController
from emulation.errors import RunError
from emulation.faults import Fault
from emulation.lab import scratch_folder
from emulation.network import Network
from emulation.observe import Watch
from emulation.outages import prepare_hosts
from ringlab.errors import MachineError
from ringlab.experiments import faults_blame
from ringlab.experiments.arms import Arm
from ringlab.experiments.bench import Bench, Faults, fabric_up
from ringlab.experiments.faults_spec import check_machine, scaled
from ringlab.experiments.progress import Say
from ringlab.experiments.result import Moment
from ringlab.experiments.runner import plan_of
from ringlab.experiments.scale import Scale, chosen, rounded_up
from ringlab.experiments.turns import rotated
from ringlab.training import outcome, steps
from ringlab.training.jobs import gradient_bytes, job_of
from ringlab.training.options import steps_file
from ringlab.training.places import Place
from ringlab.training.result import Training, TrainResult, gathered
from ringlab.training.spec import TrainSpec
from topologies import addressing, measures

START_TIMEOUT_S = 60.0
"""Loading torch takes two seconds of a core, for each rank."""

PATIENCE = 5.0
"""Times what a turn takes when all ranks share one link and computation is slow: beyond it a turn is stuck."""

COMPUTATION_S = 2.0
"""A step's, generously: a small model on a busy machine."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One backend under one policy on one placement."""

    place: Place
    backend: str
    arm: Arm

    @property
    def name(self) -> str:
        return f"{self.backend}, {self.place.name}, {self.arm.name}"

    def gave(self, training: Training) -> bool:
        return (training.backend, training.placement, training.arm) == (self.backend, self.place.name, self.arm.name)


def require_torch() -> None:
    """MachineError where PyTorch is not there; it is loaded by the ranks alone."""
    if find_spec("torch") is None:
        raise MachineError("PyTorch is not installed: pip install torch (from https://download.pytorch.org/whl/cpu)")


def turns(spec: TrainSpec) -> list[Turn]:
    """One block's turns."""
    return [Turn(place, backend, arm) for place in spec.placements for arm in spec.arms for backend in spec.backends]


def scale_of(spec: TrainSpec, say: Say) -> Scale:
    """The spec's scale, or one at which switching takes half of what it may: ranks compute on the same cores."""
    if spec.scale is not None:
        return Scale(spec.scale, "as the spec says")
    found = chosen(spec.fabric, spec.demands(spec.placements[0]), say, relayed=spec.transport.delays == "relay")
    return Scale(rounded_up(2 * found.factor), f"{found.why}; half of that, for ranks compute as well")


def run(spec: TrainSpec, say: Say, step: Say, framework: str = "auto") -> TrainResult:
    """Run ``spec``; ``say`` hears what is being done, ``step`` each turn as it begins.

    A turn that fails ends the run, and the result, with all finished steps, says so (``failure``). Raises as
    ``ringlab.experiments.runner.run`` where the fabric does not come up, MachineError where there is no torch.
    """
    require_torch()
    created = datetime.now(UTC)
    scale = scale_of(spec, say)
    plan = plan_of(spec.fabric, spec.transport, scale.factor)
    check_machine(spec.faults, plan)
    with fabric_up(plan, say, framework=framework) as (network, control):
        if spec.faults:
            prepare_hosts(network, spec.timeout_s)
        ended = _Session(spec, network, control, step).run()
    return outcome.assembled(spec, scale, plan, ended, created, control.framework)


class _Session:
    """The turns on a fabric that is up."""

    def __init__(self, spec: TrainSpec, network: Network, control: RunningController, step: Say) -> None:
        self._spec = spec
        self._network = network
        self._control = control
        self._step = step
        self._began_s = time.monotonic()
        self._timeline: list[Moment] = []
        self._trainings: list[Training] = []
        self._never_came: list[tuple[str, Fault]] = []
        self._watch = Watch(network)

    def run(self) -> outcome.Ended:
        """All turns of all blocks, or those until one fails."""
        failure = None
        for number, turn in self._order():
            name = f"block {number} of {self._spec.repeats}: {turn.name}"
            self._step(name)
            try:
                self._turn(turn, number, name)
            except (RunError, ControllerError) as error:
                failure = f"{name}: {error}; {self._finished(turn, number)} steps were finished"
                self._note(f"{name}: failed")
                break
            self._note(f"{name}: done")
        seen = self._watch.observation()
        return outcome.Ended(tuple(self._trainings), seen, tuple(self._never_came), tuple(self._timeline), failure)

    def _order(self) -> Iterator[tuple[int, Turn]]:
        block = turns(self._spec)
        for number in range(self._spec.repeats):
            yield from ((number + 1, turn) for turn in rotated(block, number))

    def _note(self, event: str) -> None:
        self._timeline.append(Moment(round(time.monotonic() - self._began_s, 3), event))

    def _turn(self, turn: Turn, number: int, name: str) -> None:
        job = job_of(self._spec, turn.place, turn.backend)
        bench = Bench(self._network, self._control, job)
        bench.install(turn.arm.policy, gradient_bytes(self._spec))
        faults = self._faults(name)
        with scratch_folder(self._network.plan.tag) as folder:
            try:
                with self._watch.stretch() as work_begins:
                    argv = self._argv(turn, folder)
                    bench.run_ranks(argv, self._patience_s(), lambda _: work_begins(), faults)
            finally:
                self._trainings += self._gathered(turn, number, folder)
        if faults:
            self._never_came += [(name, fault) for fault in faults.never_came]

    def _gathered(self, turn: Turn, number: int, folder: Path) -> Iterator[Training]:
        """What the ranks told of their steps, a training for each bucket size that began."""
        files = [steps_file(folder, rank) for rank in range(self._spec.ranks)]
        told = [list(steps.read(file.read_text())) if file.exists() else [] for file in files]
        found = list(gathered(told, self._began_s))
        for run, bucket_mb in enumerate(self._spec.bucket_mb):
            done = tuple(step for place, step in found if place == run)
            if done:
                name, group = turn.arm.name, turn.arm.group
                yield Training(turn.place.name, turn.backend, name, group, bucket_mb, number, done)

    def _finished(self, turn: Turn, number: int) -> int:
        return sum(len(one.steps) for one in self._trainings if one.turn == number and turn.gave(one))

    def _faults(self, name: str) -> Faults | None:
        if not self._spec.faults:
            return None
        faults = scaled(self._spec.faults, self._network.plan.settings.scale)
        return Faults(faults, lambda event: self._note(f"{name}: {event}"))

    def _patience_s(self) -> float:
        spec, plan = self._spec, self._network.plan
        all_bytes = sum(demand.nbytes for demand in spec.demands(spec.placements[0]))
        slowest_bps = measures.line_rate_bps(spec.fabric) / plan.settings.scale
        step_s = all_bytes * 8 / slowest_bps + COMPUTATION_S
        whole_s = PATIENCE * step_s * spec.steps * len(spec.bucket_mb)
        if not spec.faults:
            return START_TIMEOUT_S + whole_s
        return START_TIMEOUT_S + faults_blame.patience_s(spec.faults, whole_s, plan, spec.timeout_s)

    def _argv(self, turn: Turn, folder: Path) -> list[str]:
        spec, fabric = self._spec, self._spec.fabric
        nics = [next(nic for nic in addressing.nics(fabric) if nic.host == host) for host in turn.place.hosts]
        return [
            *alike(), sys.executable, "-m", "ringlab.training.worker", "--backend", turn.backend,
            "--peers", _joined([nic.ip for nic in nics]), "--interfaces",
            _joined([self._network.plan.interface_name(nic.port) for nic in nics]),
            "--algorithm", spec.algorithm, "--channels", str(spec.channels),
            "--bucket-mb", _joined(spec.bucket_mb), "--steps", str(spec.steps), "--batch", str(spec.batch),
            "--layers", _joined(spec.layers), "--learning-rate", f"{spec.learning_rate!r}", "--seed", str(spec.seed),
            "--timeout", f"{spec.timeout_s:g}", "--out", str(folder),
        ]  # fmt: skip


def _joined(values: Sequence[object]) -> str:
    return ",".join(map(str, values))
