"""The exercises by number, and where their files lie: ``NN_name/`` with README, start, solution and checks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ringlab.errors import UsageError

HOME = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Exercise:
    """``minutes`` is what a student may take; ``emulated``: it can be checked with real packets, too, as root."""

    number: int
    name: str
    title: str
    minutes: int
    emulated: bool

    @property
    def folder(self) -> Path:
        return HOME / f"{self.number:02}_{self.name.replace('-', '_')}"

    @property
    def copy_name(self) -> str:
        """Of a student's own folder."""
        return f"{self.number:02}-{self.name}"


_TABLE = (
    ("busbw", "What is bus bandwidth?", 20, True),
    ("write-ring-allreduce", "Write ring allreduce", 40, True),
    ("latency-or-bandwidth", "Latency or bandwidth?", 40, True),
    ("parameter-server", "Why not a parameter server?", 30, True),
    ("ecmp-meets-elephants", "ECMP meets elephants", 40, True),
    ("rank-order", "The cheapest fix: rank order", 20, True),
    ("spanning-tree", "Spanning tree wastes links", 30, True),
    ("hierarchical", "Two tiers: hierarchical allreduce", 45, False),
    ("cut-a-cable", "Cut a cable", 45, True),
    ("straggler", "Find the straggler", 40, True),
    ("is-b-better", "Is B really better?", 45, False),
    ("three-answers", "Three answers to one question", 40, True),
    ("routing-policy", "Write a routing policy", 60, True),
    ("edge-training", "Edge training over a thin uplink", 45, False),
    ("ddp-overlap", "Overlap communication with computation in PyTorch DDP", 45, False),
    ("rdma-entropy", "Why RDMA fabrics need entropy", 40, False),
)

EXERCISES = tuple(Exercise(number, *row) for number, row in enumerate(_TABLE, 1))


def by_number(number: int) -> Exercise:
    """UsageError where there is none."""
    if not 1 <= number <= len(EXERCISES):
        raise UsageError(f"no exercise {number}; there are 1 to {len(EXERCISES)}, see: ringlab exercise list")
    return EXERCISES[number - 1]
