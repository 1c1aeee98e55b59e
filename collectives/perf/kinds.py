"""nccl-tests' programs: which operation each times, how it counts, and what its columns say. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from collectives.metrics import busbw_factor

ALIGNMENT_BYTES = 16
"""A block of one rank is a multiple of this."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One program. ``per_rank``: the count is that of one of n blocks; ``redop``: the operation's column is filled.

    ``in_place_checked`` is False where in place has no meaning: the column says N/A.
    """

    name: str
    operation: str
    per_rank: bool = False
    redop: bool = False
    rooted: bool = False
    in_place_checked: bool = True

    @property
    def program(self) -> str:
        return f"{self.name}_perf"

    def count(self, nbytes: int, itemsize: int, num_ranks: int) -> int:
        """Elements, as the count column shows them, of a test of ``nbytes``."""
        if not self.per_rank:
            return nbytes // itemsize
        multiple = max(1, ALIGNMENT_BYTES // itemsize)
        return nbytes // itemsize // num_ranks // multiple * multiple

    def largest(self, count: int, num_ranks: int) -> int:
        """Elements of the largest buffer of a rank."""
        return count * num_ranks if self.per_rank else count

    def busbw_factor(self, num_ranks: int) -> float:
        return busbw_factor(self.name, num_ranks)


_ALL = (
    Kind("all_reduce", "all_reduce", redop=True),
    Kind("all_gather", "all_gather", per_rank=True),
    Kind("reduce_scatter", "reduce_scatter", per_rank=True, redop=True),
    Kind("alltoall", "all_to_all", per_rank=True, in_place_checked=False),
    Kind("broadcast", "broadcast", rooted=True),
    Kind("reduce", "reduce", redop=True, rooted=True),
    Kind("gather", "gather", per_rank=True, rooted=True),
    Kind("scatter", "scatter", per_rank=True, rooted=True),
    Kind("sendrecv", "sendrecv", redop=True, in_place_checked=False),
)

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _ALL}
"""By nccl-tests' names."""


def kind_of(word: str) -> Kind:
    """``all_reduce``, ``all_reduce_perf``, ``all_to_all`` (nccl-tests' ``alltoall``). KeyError if there is none."""
    name = word.removesuffix("_perf").replace("-", "_")
    return {**{kind.operation: kind for kind in _ALL}, **KINDS}[name]
