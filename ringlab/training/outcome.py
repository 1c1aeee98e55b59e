"""What the turns gave as a TrainResult: losses checked, effects of the choices, what was seen of the machine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from emulation import doctor, fidelity
from emulation.faults import Fault
from emulation.plan import Plan
from ringlab.experiments import faults_blame, store
from ringlab.experiments.result import Check, Moment
from ringlab.experiments.scale import Scale
from ringlab.training.effects import effects
from ringlab.training.result import Training, TrainResult, check_losses
from ringlab.training.spec import TrainSpec
from topologies import formats, measures

BOOTSTRAP_SEED = 1


@dataclass(frozen=True, slots=True)
class Ended:
    """What all turns gave, what was seen of the machine, and why the last one failed, if it did."""

    trainings: tuple[Training, ...]
    seen: fidelity.Observation
    never_came: tuple[tuple[str, Fault], ...]
    timeline: tuple[Moment, ...]
    failure: str | None


def assembled(
    spec: TrainSpec, scale: Scale, plan: Plan, ended: Ended, created: datetime, framework: str
) -> TrainResult:
    line_rate = measures.line_rate_bps(spec.fabric)
    return TrainResult(
        id=store.run_id(created, spec.name, plan.tag),
        name=spec.name,
        created=created.isoformat(timespec="seconds"),
        spec=spec.data,
        fabric=formats.to_data(spec.fabric),
        ranks=spec.ranks,
        algorithm=spec.algorithm,
        channels=spec.channels,
        layers=spec.layers,
        parameters=spec.parameters,
        batch=spec.batch,
        warmup=spec.warmup,
        scale=scale.factor,
        line_rate_bps=line_rate / scale.factor,
        nominal_line_rate_bps=line_rate,
        trainings=ended.trainings,
        losses=check_losses(ended.trainings, spec.ranks, spec.loss_tolerance),
        effects=tuple(effects(ended.trainings, spec.warmup, np.random.default_rng(BOOTSTRAP_SEED))),
        checks=_checks(spec, ended),
        fingerprint=_fingerprint(scale, plan, framework),
        timeline=ended.timeline,
        failure=ended.failure,
    )


def _checks(spec: TrainSpec, ended: Ended) -> tuple[Check, ...]:
    """But for the idle processor: ranks are there to keep it busy. That switches waited for it is judged."""
    seen = faults_blame.of_the_machine(ended.seen, spec.faults)
    machine = [check for check in fidelity.judge_machine(seen) if check.name != "cpu_idle"]
    checks = [
        *faults_blame.failed(ended.failure),
        *faults_blame.unjudged(machine, spec.faults),
        *faults_blame.missed(ended.never_came),
    ]
    return tuple(
        Check(check.name, check.value, check.unit, check.limit, str(check.verdict), check.detail)  # type: ignore[arg-type]  # its three names
        for check in checks
    )


def _fingerprint(scale: Scale, plan: Plan, framework: str) -> dict[str, object]:
    settings = plan.settings
    return {
        **doctor.fingerprint(),
        "torch": doctor.version_of("torch"),
        "controller": framework,
        "scale_from": scale.why,
        "mtu": settings.mtu,
        "congestion": settings.congestion,
        "segmentation_offload": settings.offload,
        "delays": settings.delays,
        "bootstrap_seed": BOOTSTRAP_SEED,
    }
