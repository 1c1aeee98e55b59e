"""A run that is over, from its folder: its figures as they were measured, its movement simulated at that pace. Pure.

A result keeps how long every operation took, and how many bytes crossed each link, but not when. So the film is the
simulation of the same spec, each operation stretched to the time that it was measured to take.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from statistics import median

from ringlab.errors import UsageError
from ringlab.experiments import kept
from ringlab.experiments.arms import OURS
from ringlab.experiments.result import Result
from ringlab.experiments.spec import Spec
from ringlab.experiments.turns import rotated
from ringlab.web.events import PhaseChanged
from ringlab.web.playback import Turn


def spec_of(result: Result) -> Spec:
    """What was run, without what can't be played: arms of other libraries or of files, faults, a baseline."""
    spec = kept.spec_of(result)
    arms = tuple(arm for arm in spec.arms if arm.library == OURS)
    if not arms:
        raise UsageError(f"{result.id}: no arm ran by our own library, so its movement can't be simulated")
    return replace(spec, arms=arms)


def program(result: Result, spec: Spec) -> list[Turn]:
    """Its blocks, arms and sizes in the order in which they ran. UsageError where there is nothing."""
    turns = list(_turns(result, spec))
    if not turns:
        raise UsageError(f"{result.id}: no turn of it was finished, so there is nothing to show")
    return turns


def _turns(result: Result, spec: Spec) -> Iterator[Turn]:
    played = {arm.name: arm for arm in spec.arms}
    blocks = max((len(found.samples_us) for arm in result.arms for found in arm.results), default=0)
    for block in range(blocks):
        for measured in result.arms if result.is_simulated else rotated(result.arms, block):
            for found in measured.results if measured.name in played else ():
                if block < len(found.samples_us):
                    time_us = median(found.samples_us[block]) / result.scale
                    yield Turn(played[measured.name], block + 1, found.size_bytes, time_us, found.wrong)


def ending(result: Result) -> PhaseChanged:
    text = result.failure or (result.certificate.reasons[0] if result.certificate.reasons else "")
    return PhaseChanged("failed" if result.failure else "ended", text, result.certificate.verdict)


def said(result: Result) -> list[str]:
    """For the log: the arms that are left out, and the moments that the run itself noted."""
    missing = ", ".join(arm.name for arm in result.arms if not arm.is_ours or kept.is_own(arm.name))
    left_out = [f"left out, as a result alone does not say how they move: {missing}"] if missing else []
    return left_out + [f"recorded at {moment.t_s:.1f} s: {moment.event}" for moment in result.timeline]
