"""Which access to a chunk must come before which: read after write, write after read, write after write.

An *access* is an item (a transfer, a part of a program) that reads or writes a *place* (one chunk of one rank) at a
step. Reads see the place as it stood before the step, so at equal steps a read goes before a write. Pure, vectorised.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]
Pairs = tuple[Index, Index]
"""Items that come before, items that come after; one row a pair."""


@dataclass(frozen=True, eq=False)
class Accesses:
    """One row an access; columns of equal length."""

    item: Index
    place: Index
    step: NDArray[np.int32]
    write: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Hazards:
    """Pairs of rows of ``accesses`` that must keep their order, and which rows see a place never written before."""

    accesses: Accesses
    before: Index
    after: Index
    fresh: NDArray[np.bool_]

    def pairs(self) -> Pairs:
        """The pairs as items."""
        return self.accesses.item[self.before], self.accesses.item[self.after]


def hazards(accesses: Accesses) -> Hazards:
    """The pairs from which the order of all accesses to each place follows."""
    steps = int(accesses.step.max(initial=0)) + 1
    order = np.argsort((accesses.place * steps + accesses.step) * 2 + accesses.write)
    place, step, write = accesses.place[order], accesses.step[order], accesses.write[order]
    at = np.arange(len(order))
    last = np.concatenate([[-1], np.maximum.accumulate(np.where(write, at, -1))])[:-1]  # the last write before each row
    written = (last >= 0) & (place[last] == place)
    coming = np.append(np.minimum.accumulate(np.where(write, at, len(order))[::-1])[::-1], len(order))
    overwritten = _within(place, at[~write], coming[at[~write]])
    # A write of the read's own step is no dependency between steps: the read goes before the next one too.
    own = overwritten[0][step[overwritten[1]] == step[overwritten[0]]]
    again = _within(place, own, coming[coming[own] + 1])
    # A write after a write needs no pair of its own where reads of steps between them carry the order.
    follows = written & (~write | (step[np.minimum(last + 1, at)] == step))
    before = np.concatenate([last[follows], overwritten[0], again[0]])
    after = np.concatenate([at[follows], overwritten[1], again[1]])
    fresh = np.empty(len(order), dtype=bool)
    fresh[order] = ~written
    return Hazards(accesses, order[before], order[after], fresh)


def _within(place: Index, rows: Index, others: Index) -> Pairs:
    """The pairs of ``rows`` and ``others`` that are rows of one place; an ``other`` past the end is none."""
    there = others < len(place)
    rows, others = rows[there], others[there]
    same = place[rows] == place[others]
    return rows[same], others[same]


class Dependencies(Sequence[list[int]]):
    """For item i, ``self[i]`` lists the items that must finish before it starts; held as two flat arrays.

    ``needs[starts[i]:starts[i + 1]]`` is the same without a list, for vectorised readers.
    """

    def __init__(self, starts: Index, needs: Index) -> None:
        self.starts = starts
        self.needs = needs

    def __len__(self) -> int:
        return len(self.starts) - 1

    @overload
    def __getitem__(self, index: int) -> list[int]: ...
    @overload
    def __getitem__(self, index: slice) -> list[list[int]]: ...
    def __getitem__(self, index: int | slice) -> list[int] | list[list[int]]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        row = index % len(self)
        found: list[int] = self.needs[self.starts[row] : self.starts[row + 1]].tolist()
        return found


def depend(num_items: int, parts: Iterable[Pairs]) -> Dependencies:
    """Pairs (before, after) gathered by the item that comes after, each once."""
    columns = list(zip(*parts, strict=True))
    before, after = (np.concatenate(column) for column in columns)
    keys = np.sort(after * num_items + before)
    keys = keys[np.concatenate([[True], keys[1:] != keys[:-1]])] if len(keys) else keys
    counts = np.bincount(keys // num_items, minlength=num_items) if num_items else np.empty(0, dtype=np.int64)
    return Dependencies(np.concatenate([[0], np.cumsum(counts)]), keys % num_items if num_items else keys)
