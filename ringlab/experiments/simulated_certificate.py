"""Can a simulated result be trusted? Its schedule is proven, and the share of constants in its time is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from collectives.schedule import Schedule, ScheduleError
from collectives.verify import verify
from emulation.faults import Fault
from ringlab.experiments import faults_blame
from ringlab.experiments import result as results
from ringlab.experiments.spec import Spec
from simulation.conditions import Conditions

LATENCY_DECIDES = 0.5
"""Of a collective's time: where turnarounds and latencies are more than this, their constants decide the result."""

PROVEN_CELLS = 1 << 24
"""Schedules up to so many ranks squared times steps are proven anew in each run; all are in the tests."""


@dataclass(frozen=True, slots=True)
class Ended:
    """An arm that ran to its end: the mean latency of the ways it takes, and the faults that came too late for it."""

    arm: results.Arm
    latency_s: float
    never_came: tuple[Fault, ...]


def certificate(
    spec: Spec, schedule: Schedule, ended: Sequence[Ended], conditions: Conditions, notes: Sequence[str]
) -> results.Certificate:
    checks = [_proof(schedule)]
    if ended:
        checks.append(_latency_check(spec, schedule, ended, conditions))
    checks += _missed(ended)
    order: list[results.Verdict] = ["valid", "doubtful", "invalid"]
    verdict = max((check.verdict for check in checks), key=order.index)
    reasons = [check.detail for check in checks if check.verdict != "valid"]
    reasons.append(
        "simulated: no packet was sent. Bytes share links fairly and at once; loss, queues and the hosts' own work "
        "are not in it. Believe when a collective of large messages ends, not when one flow does, nor small messages"
    )
    return results.Certificate(verdict, (*reasons, *notes), tuple(checks))


@lru_cache(4)
def _proof(schedule: Schedule) -> results.Check:
    """Does the schedule do what it should? Its transfers are worked off on sets, in place of numbers."""
    if schedule.num_ranks**2 * max(schedule.num_chunks, 1) > PROVEN_CELLS:
        return results.Check("schedule", "not proven", "", None, "valid", "too large to be proven in each run")
    try:
        verify(schedule)
    except ScheduleError as error:
        return results.Check("schedule", "wrong", "", "proven", "invalid", f"the schedule is wrong: {error}")
    return results.Check("schedule", "proven", "", "proven", "valid", "every rank ends up with every contribution once")


def _latency_check(spec: Spec, schedule: Schedule, ended: Sequence[Ended], conditions: Conditions) -> results.Check:
    """How much of the time at the largest size is steps that carry nothing?"""
    largest = max(spec.sizes)
    share = max(
        schedule.num_steps * (conditions.turnaround_s + one.latency_s) * 1e6 / found.time_us
        for one in ended
        for found in one.arm.results
        if found.size_bytes == largest
    )
    verdict: results.Verdict = "doubtful" if share > LATENCY_DECIDES else "valid"
    detail = (
        f"steps that carry nothing take {share:.0%} of the time at the largest size: their turnaround "
        f"({conditions.turnaround_s * 1e6:.3g} us) decides, and it is a constant"
    )
    return results.Check("latency_share", round(share, 4), "1", LATENCY_DECIDES, verdict, detail)


def _missed(ended: Sequence[Ended]) -> Iterator[results.Check]:
    for check in faults_blame.missed([(one.arm.name, fault) for one in ended for fault in one.never_came]):
        yield results.Check(check.name, check.value, check.unit, check.limit, "doubtful", check.detail)
