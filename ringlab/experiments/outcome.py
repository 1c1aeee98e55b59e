"""What a session measured as a Result: figures with their predictions, comparisons, the certificate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from collectives import metrics
from collectives.baseline import Baseline
from emulation import doctor, fidelity
from emulation.plan import Plan
from ringlab.experiments import faults_blame, libraries, store
from ringlab.experiments import result as results
from ringlab.experiments.compare import beside, compare
from ringlab.experiments.scale import Scale
from ringlab.experiments.spec import Spec
from ringlab.experiments.turns import Ended, Session, Turns
from topologies import formats, measures

BOOTSTRAP_SEED = 1


@dataclass(frozen=True)
class Outcome:
    """The result, and nccl-tests' text of every arm's turn by (arm, block from 1)."""

    result: results.Result
    nccl_tests: dict[tuple[str, int], str]


def assembled(
    spec: Spec,
    scale: Scale,
    plan: Plan,
    session: Session,
    ended: Ended,
    created: datetime,
    baseline: Baseline | None,
) -> Outcome:
    line_rate = measures.ring_line_rate_bps(spec.fabric)
    arms = tuple(_arm(spec, session, turn, line_rate / scale.factor, scale.factor) for turn in session.turns.values())
    certificate = _certificate(spec, scale, plan, session, ended, arms)
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
        comparisons=compare(_in_common(arms), spec.compare, np.random.default_rng(BOOTSTRAP_SEED)),
        certificate=certificate,
        fingerprint=_fingerprint(scale, plan, session),
        links=tuple(_links(spec, session)),
        baseline=beside(baseline, spec.sizes) if baseline else None,
        timeline=tuple(session.timeline.moments),
        failure=ended.failure,
    )
    return Outcome(result, texts)


def _arm(spec: Spec, session: Session, turn: Turns, line_rate_bps: float, scale: float) -> results.Arm:
    found = []
    for index, size in enumerate(spec.sizes if turn.blocks else ()):
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
                predicted_us=session.predicted_s(turn, size) * 1e6 if turn.is_ours else None,
                wrong=sum(one.wrong for one in measured),
            )
        )
    objective_s = turn.installed.objective_s if turn.installed else None
    lower_bound_s = turn.installed.lower_bound_s if turn.installed else None
    library = turn.blocks[0].library if turn.blocks else turn.arm.library
    return results.Arm(turn.arm.name, turn.arm.group, objective_s, lower_bound_s, tuple(found), library)


def _in_common(arms: Sequence[results.Arm]) -> list[results.Arm]:
    """The arms with the blocks that all of them finished: a comparison draws whole blocks."""
    blocks = min((len(found.samples_us) for arm in arms for found in arm.results), default=0)
    return [
        replace(arm, results=tuple(replace(found, samples_us=found.samples_us[:blocks]) for found in arm.results))
        for arm in arms
    ]


def _links(spec: Spec, session: Session) -> Iterator[results.LinkBytes]:
    for turn in session.turns.values():
        for port in spec.fabric.directed_links():
            yield results.LinkBytes.of(
                turn.arm.name, spec.fabric.direction(port), turn.crossed[port], turn.predicted[port]
            )


def _certificate(
    spec: Spec, scale: Scale, plan: Plan, session: Session, ended: Ended, arms: Sequence[results.Arm]
) -> results.Certificate:
    largest = max(spec.sizes)
    reach = {
        arm.name: found.time_us / found.predicted_us
        for arm in arms
        for found in arm.results
        if found.size_bytes == largest and found.predicted_us
    }
    faster = [
        found.time_us / 1e6 / session.bytes_alone_s(session.turns[arm.name], largest)
        for arm in arms
        for found in arm.results
        if found.size_bytes == largest and arm.is_ours
    ]
    seen = faults_blame.of_the_machine(ended.seen, spec.faults)
    assert session.seen_on_path is not None
    ran = any(arm.results for arm in arms)
    checks = fidelity.judge(seen, session.seen_on_path, reach, min(faster, default=1.0)) if ran else []
    checks = [
        *faults_blame.failed(ended.failure),
        *faults_blame.unjudged(checks, spec.faults),
        *faults_blame.missed(session.never_came),
    ]
    notes = [*_notes(spec, scale, plan), *libraries.notes(arms, polled=[t.arm.name for t in session.polled()])]
    made = fidelity.Certificate(tuple(checks), tuple(notes))
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
    if latency_s and plan.settings.delays == "none":
        yield (
            f"delays not emulated (up to {latency_s * 1e6:.0f} us a link asked for; "
            "'transport: {delays: relay}' emulates them at half the speed): "
            "small sizes show the machine's own latency, and predictions use the measured base latency"
        )
    yield from faults_blame.notes(spec.faults)


def _fingerprint(scale: Scale, plan: Plan, session: Session) -> dict[str, object]:
    settings = plan.settings
    return {
        **doctor.fingerprint(),
        "controller": session.bench.control.framework,
        "libraries": sorted({block.library for turn in session.turns.values() for block in turn.blocks}),
        "scale_from": scale.why,
        "mtu": settings.mtu,
        "congestion": settings.congestion,
        "segmentation_offload": settings.offload,
        "delays": settings.delays,
        "alpha_us": round(session.alpha_s * 1e6, 1),
        "bootstrap_seed": BOOTSTRAP_SEED,
        "limits": {name: (limit.doubtful, limit.invalid) for name, limit in fidelity.LIMITS.items()},
    }
