"""What a comparison of a run with baselines can say, and what it can't, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from collectives.baseline import Baseline

if TYPE_CHECKING:
    from ringlab.experiments.compare_baseline import RunFacts

ALIKE = 0.02
"""Line rates that differ by less count as the same."""


def limits(
    run: RunFacts, sweeps: Sequence[Baseline], runs: Sequence[RunFacts]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What can be compared, and what can't: of ``run`` with ``sweeps`` and further ``runs``."""
    return tuple(_can(run, sweeps, runs)), tuple(_cannot(run, sweeps, runs))


def _can(run: RunFacts, sweeps: Sequence[Baseline], runs: Sequence[RunFacts]) -> Iterator[str]:
    if run.certificate.verdict == "invalid":
        yield "Nothing to rely on, as the run is invalid. What follows is of use once a run is valid."
    else:
        yield (
            "Shares of line rate at equal size: yes. Bytes are the same whatever the dilation, and each share is of "
            "its own system's line rate."
        )
    for facts in (run, *runs):
        if facts.certificate.verdict == "doubtful":
            yield f"With care: the verdict of {facts.name} is doubtful: {facts.certificate.reasons[0]}"
    yield from _differences(run, sweeps)
    for sweep in sweeps:
        if sweep.nodes == 1:
            yield f"{sweep.name} was measured inside one node: its line rate is that of a GPU's links, not of a NIC."
        if sweep.caveat:
            yield f"{sweep.name}: {sweep.caveat}."


def _differences(run: RunFacts, sweeps: Sequence[Baseline]) -> Iterator[str]:
    rates = [
        f"{rate:.4g} of {sweep.name}"
        for sweep in sweeps
        if (rate := sweep.nominal_line_rate_GBps) and abs(rate / run.line_rate_GBps - 1) > ALIKE
    ]
    if rates:
        yield (
            f"Line rates differ: {run.line_rate_GBps:.4g} GB/s here, {', '.join(rates)}. On a faster one latency "
            "weighs more at equal size: compare the level that each reaches; sizes at which they rise or cross belong "
            "to these rates."
        )
    ranks = [f"{sweep.nranks} of {sweep.name}" for sweep in sweeps if sweep.nranks != run.ranks]
    if ranks:
        yield (
            f"Ranks differ: {run.ranks} here, {', '.join(ranks)}. busbw takes the bytes of that out, but an "
            "algorithm's steps, and so its latency, grow with the ranks."
        )


def _cannot(run: RunFacts, sweeps: Sequence[Baseline], runs: Sequence[RunFacts]) -> Iterator[str]:
    for facts in (run, *runs):
        if facts.certificate.verdict == "invalid":
            yield f"Nothing of {facts.name}: its verdict is invalid: {facts.certificate.reasons[0]}"
    names: dict[str, list[str]] = {}
    for facts in (run, *runs):
        names.setdefault(_microseconds(facts), []).append(facts.name)
    for why, of in names.items():
        yield f"Microseconds of {', '.join(dict.fromkeys(of))}: no. {why}"
    for sweep in sweeps:
        if sweep.nominal_line_rate_GBps is None:
            yield f"Shares of {sweep.name}: {sweep.line_rate_why}."


def _microseconds(facts: RunFacts) -> str:
    if facts.simulated:
        return (
            "They are simulated: wires and their delay, but no host's own work, so "
            "small messages come out quicker than any machine has them."
        )
    if facts.scale == 1:
        return "At small sizes they are what this machine's kernel and Python take, not what a GPU and its NIC take."
    return (
        f"Links run {facts.scale:g} times slower, this machine's kernel and Python "
        f"do not: as measured, latency is the emulator's; nominal, that same work is divided by {facts.scale:g} too."
    )
