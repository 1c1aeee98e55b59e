"""What a result and a spec say of libraries that are not ours. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ringlab.experiments.result import Arm
from topologies.traffic import Demand, FlowKey

MAX_RANKS = 64
"""Of a library that is not ours: any host may talk to any other, and each pair needs a path."""


def pair_demands(placement: Sequence[str], size_bytes: int) -> list[Demand]:
    """As much from every host to every other: which of them talk, by which ports, is the library's own business."""
    hosts = list(dict.fromkeys(placement))
    return [Demand(FlowKey.any_port(src, dst), (0,), (size_bytes,)) for src in hosts for dst in hosts if src != dst]


def told(arms: Sequence[Arm]) -> Iterator[str]:
    """Which arms another library ran, a sentence a library."""
    for library in dict.fromkeys(arm.library for arm in arms if not arm.is_ours):
        names = ", ".join(arm.name for arm in arms if arm.library == library)
        yield f"{names}: {library}"


def notes(arms: Sequence[Arm], polled: Sequence[str]) -> Iterator[str]:
    """What a reader should know of a run with other libraries."""
    foreign = list(told(arms))
    if foreign:
        yield (
            f"{'; '.join(foreign)}: by schedules of their own, so nothing is predicted, times or bytes; a policy gives "
            "each pair of hosts one path for all their connections, as it knows no more of them"
        )
    if polled:
        yield f"{', '.join(polled)}: ranks poll, so the processor's idle time was not judged in their turns"
