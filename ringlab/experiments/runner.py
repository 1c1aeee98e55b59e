"""A spec to a Result on an emulated fabric: build once, let the arms take turns, judge, compare."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from collectives.choice import AUTO
from emulation import doctor
from emulation.lab import new_tag
from emulation.outages import prepare_hosts
from emulation.plan import Plan
from ringlab.errors import UsageError
from ringlab.experiments import auto, baselines, neighbours
from ringlab.experiments.bench import Job, bench
from ringlab.experiments.faults_spec import check_machine
from ringlab.experiments.onlooker import NOBODY, Onlooker, with_deeds
from ringlab.experiments.outcome import Outcome, assembled
from ringlab.experiments.scale import Scale, chosen
from ringlab.experiments.spec import Spec, Transport
from ringlab.experiments.turns import Say, Session, Timeline
from topologies.fabric import Fabric


def job_of(spec: Spec) -> Job:
    algorithm = auto.STAND_IN if spec.algorithm == AUTO else spec.algorithm
    return Job(algorithm, spec.placement, spec.channels, spec.dtype, spec.timeout_s)


def scale_of(spec: Spec, say: Say) -> Scale:
    """The spec's scale, or the one that this machine can carry."""
    if spec.scale is not None:
        return Scale(spec.scale, "as the spec says")
    demands = job_of(spec).demands(max(spec.sizes))
    return chosen(spec.fabric, demands, say, relayed=spec.transport.delays == "relay")


def plan_of(fabric: Fabric, transport: Transport, scale: float) -> Plan:
    settings = doctor.settings(scale, transport.mtu, transport.congestion, transport.queue_bytes, transport.delays)
    return Plan(fabric, new_tag(), settings)


def turns(spec: Spec) -> int:
    """How many steps a progress bar gets from ``run``."""
    return len(spec.arms) * spec.repeats


def run(spec: Spec, say: Say, step: Say, framework: str = "auto", onlooker: Onlooker = NOBODY) -> Outcome:
    """Run ``spec``; ``say`` hears what is being done, ``step`` each turn as it begins, ``onlooker`` all the rest.

    A turn that fails ends the run, and the result, with all turns before it, says so (``failure``). Raises the errors
    of ``emulation.errors`` and ``controller.client`` where the fabric does not come up; nothing is left on the machine.
    """
    if spec.neighbours:
        raise UsageError(neighbours.ONLY_SIMULATED)
    say = _heard_by(say, onlooker)
    created = datetime.now(UTC)
    baseline = baselines.choose(spec.baseline, spec.baseline_line_rate_GBps) if spec.baseline else None
    timeline = Timeline()
    scale = scale_of(spec, say)
    plan = plan_of(spec.fabric, spec.transport, scale.factor)
    check_machine(spec.faults, plan)
    with bench(plan, job_of(spec), say, framework=framework, onlooker=onlooker) as ready:
        timeline.note(f"fabric up at scale {scale.factor:g}, {ready.control.framework}")
        if spec.algorithm == AUTO:
            say("measuring what a step and a byte cost")
            spec, why = auto.settled(spec, ready)
            say(why)
            timeline.note(why)
            ready.job = job_of(spec)
        measured = Session(spec, ready, timeline, step)
        onlooker.fabric_up(spec, ready, timeline.note)
        if spec.faults or onlooker.has_hand:
            prepare_hosts(ready.network, spec.timeout_s)
        measured.probe(say)
        ended = measured.run_blocks()
    outcome = assembled(spec, scale, plan, measured, ended, created, baseline)
    return replace(outcome, result=with_deeds(outcome.result, onlooker.deeds()))


def _heard_by(say: Say, onlooker: Onlooker) -> Say:
    def both(text: str) -> None:
        say(text)
        onlooker.said(text)

    return both
