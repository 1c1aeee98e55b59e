"""The fabrics that a budget buys, ranked by what they do for a workload.

All are screened; the first are then replayed with their best placements and algorithms. Fabrics whose steps are within
a hundredth of each other are equal, and the cheaper comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import floor, log

from ringlab.errors import UsageError
from ringlab.experiments.placement import KINDS
from ringlab.planning.candidates import Budget, Candidate, candidates
from ringlab.planning.contest import Entry, replayed_s, screened
from ringlab.planning.workload import Workload

EQUAL = 0.01
CLOSE = 1.3
"""Of the best screened time: what takes longer is not looked at again."""

LOOKS = 3
"""Placements and algorithms of one fabric that are replayed."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A fabric, its best placement and algorithm; ``step_s``: computation, and what of the all_reduce is exposed."""

    candidate: Candidate
    best: Entry
    step_s: float
    efficiency: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """``found``: how many fabrics fit the budget, of which ``ranked`` are the first."""

    found: int
    ranked: tuple[Ranked, ...]


def rank(
    work: Workload,
    devices: int,
    budget: Budget,
    rate: str,
    policy: str,
    top: int,
    placements: Sequence[str] = tuple(KINDS),
    say: Callable[[str], None] = lambda _: None,
) -> Ranking:
    """UsageError where no fabric fits."""
    fitting = list(candidates(devices, budget, rate))
    if not fitting:
        raise UsageError(
            f"no fabric of the catalog has {devices} hosts within the budget; allow more switches, ports or cost"
        )
    say(f"{len(fitting)} fabrics fit the budget; looking at each")
    nbytes = int(work.nbytes)
    looked = [(one, screened(one.fabric, devices, nbytes, policy, work.step_s, placements)) for one in fitting]
    least_s = min(entries[0].time_s for _, entries in looked)
    looked.sort(key=lambda pair: (_class(pair[1][0].time_s, least_s), pair[0].parts.cost))
    ranked = []
    for one, entries in looked[:top]:
        close = [entry for entry in entries[:LOOKS] if entry.time_s <= CLOSE * entries[0].time_s]
        times = {entry: replayed_s(one.fabric, devices, nbytes, policy, work.step_s, entry) for entry in close}
        best = min(times, key=times.__getitem__)
        time_s = times[best]
        entry = Entry(best.placement, best.algorithm, time_s)
        ranked.append(Ranked(one, entry, work.step_time_s(devices, time_s), work.efficiency(devices, time_s)))
    least_s = min(one.step_s for one in ranked)
    ranked.sort(key=lambda one: (_class(one.step_s, least_s), one.candidate.parts.cost))
    return Ranking(len(fitting), tuple(ranked))


def _class(time_s: float, least_s: float) -> int:
    """0 for times within a hundredth of the least, and so on."""
    return floor(log(time_s / least_s) / log(1 + EQUAL) + 1e-9)
