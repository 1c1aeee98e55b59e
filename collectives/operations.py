"""What a collective is: who holds which block of data before, and who must hold it after. Pure.

Theory of operation. The data of a collective are *blocks*. Each starts at one rank, or at ``ALL`` (every rank has a
contribution of its own, and they are to be reduced), and must end at one rank, or at ``ALL``. That is all there is to
an operation: the verifier, the programs of the ranks, the demands and the benchmark's columns follow from it.

Blocks are cut into the *chunks* of a schedule: chunk c is part ``c // blocks`` of block ``c % blocks``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collectives.chunks import chunk_bounds
from topologies.spelling import did_you_mean

ALL = -1
"""In place of a rank: every rank."""

Ends = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Where each block starts, and where it must end: a rank or ALL."""


OWN = -2
"""In place of a rank, where there is a block a rank: the rank of the same number."""

ROOT, PEER = -3, -4

_BLOCK_A_RANK: Mapping[str, tuple[int, int]] = {
    "reduce_scatter": (ALL, OWN),
    "all_gather": (OWN, ALL),
    "gather": (OWN, ROOT),
    "scatter": (ROOT, OWN),
}

_ONE_BLOCK: Mapping[str, tuple[int, int]] = {
    "all_reduce": (ALL, ALL),
    "broadcast": (ROOT, ALL),
    "reduce": (ALL, ROOT),
    "send": (ROOT, PEER),
}

_NAMES = (*_ONE_BLOCK, *_BLOCK_A_RANK, "all_to_all", "sendrecv")

ROOTED = ("broadcast", "reduce", "gather", "scatter")
"""Operations with a root."""


def operation_names() -> tuple[str, ...]:
    return _NAMES


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation by name. ``root`` matters to rooted ones; ``send`` goes from ``root`` to ``peer``.

    ValueError for a name that is none.
    """

    name: str
    root: int = 0
    peer: int = 0

    def __post_init__(self) -> None:
        if self.name not in _NAMES:
            raise ValueError(f"no operation {self.name!r}: {did_you_mean(self.name, _NAMES)}")

    def __str__(self) -> str:
        return f"{self.name} at root {self.root}" if self.name in ROOTED else self.name

    @property
    def reduces(self) -> bool:
        """Are contributions of several ranks combined?"""
        return self.name in ("all_reduce", "reduce", "reduce_scatter")

    def ends(self, num_ranks: int) -> Ends:
        """Of each block among ``num_ranks``."""
        ranks = np.arange(num_ranks, dtype=np.int64)
        if self.name == "all_to_all":
            return np.repeat(ranks, num_ranks), np.tile(ranks, num_ranks)
        if self.name == "sendrecv":
            return ranks, np.roll(ranks, -1)
        named = {ALL: ALL, ROOT: self.root, PEER: self.peer}
        if self.name in _ONE_BLOCK:
            start, end = (np.array([named[end]], dtype=np.int64) for end in _ONE_BLOCK[self.name])
        else:
            ends = _BLOCK_A_RANK[self.name]
            start, end = (ranks if end == OWN else np.full(num_ranks, named[end], dtype=np.int64) for end in ends)
        return start, end

    def num_blocks(self, num_ranks: int) -> int:
        return len(self.ends(num_ranks)[0])

    def block_sizes(self, num_ranks: int, count: int) -> NDArray[np.int64]:
        """Elements of each block where the largest buffer of a rank has ``count``: nearly equal parts."""
        blocks = self.num_blocks(num_ranks)
        if self.name == "sendrecv":
            return np.full(blocks, count, dtype=np.int64)
        if self.name == "all_to_all":
            return np.tile(np.diff(chunk_bounds(count, num_ranks)), num_ranks)
        return np.diff(chunk_bounds(count, blocks))

    def lengths(self, num_ranks: int, rank: int, count: int) -> tuple[int, int]:
        """Elements that ``rank`` puts in, and gets out, where the largest buffer of a rank has ``count``."""
        sizes = self.block_sizes(num_ranks, count)
        put, got = (int(sizes[(ends == ALL) | (ends == rank)].sum()) for ends in self.ends(num_ranks))
        return put, got


ALL_REDUCE = Operation("all_reduce")
