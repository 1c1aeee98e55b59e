"""Gives every message its step: as early as the versions that it needs and makes, and its program's order, allow.

A move takes a chunk in one version from one rank, and makes the next version at another. Within a step everything is
read before anything is written, so a version may be sent for the last time in the step that replaces it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from collectives.schedule import Op

Place = tuple[int, int]
"""A rank, and a chunk."""


@dataclass(frozen=True, slots=True)
class Move:
    """One chunk from ``src`` to ``dst``: version ``needs`` there makes version ``makes`` here."""

    src: int
    dst: int
    chunk: int
    needs: int
    makes: int
    op: Op

    @property
    def source(self) -> Place:
        return self.src, self.chunk

    @property
    def target(self) -> Place:
        return self.dst, self.chunk


@dataclass(frozen=True, slots=True)
class Batch:
    """Moves that go together, after the batches ``after`` (in earlier steps), and not before those ``beside``."""

    moves: tuple[Move, ...]
    after: tuple[int, ...] = ()
    beside: tuple[int, ...] = ()


def steps(batches: Sequence[Batch]) -> list[int | None]:
    """The step of each batch; None where it can never go."""
    state = _State(batches)
    candidates = {number for number in range(len(batches)) if state.enabled(number)}
    step = 0
    while going := state.together(candidates):
        candidates -= set(going)
        candidates |= {number for number in state.go(going, step) if state.enabled(number)}
        step += 1
    return state.step


class _State:
    """Versions as they are, how many moves still need them, and the steps found so far."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        self.step: list[int | None] = [None] * len(batches)
        self._batches = batches
        self._version: Counter[Place] = Counter()
        self._readers = Counter((move.source, move.needs) for batch in batches for move in batch.moves)
        self._touching: defaultdict[Place, list[int]] = defaultdict(list)
        self._later: defaultdict[int, list[int]] = defaultdict(list)
        for number, batch in enumerate(batches):
            for earlier in batch.after:
                self._later[earlier].append(number)
            for move in batch.moves:
                self._touching[move.source].append(number)
                self._touching[move.target].append(number)

    def enabled(self, number: int) -> bool:
        batch = self._batches[number]
        return (
            self.step[number] is None
            and all(self.step[earlier] is not None for earlier in batch.after)
            and all(
                self._version[move.source] == move.needs and self._version[move.target] == move.makes - 1
                for move in batch.moves
            )
        )

    def together(self, candidates: Iterable[int]) -> list[int]:
        """The most of ``candidates`` that can go in one step: none replaces what another still has to send later."""
        going = sorted(candidates)
        while True:
            sent = Counter((move.source, move.needs) for number in going for move in self._batches[number].moves)
            there = set(going)
            stay = [number for number in going if self._may_go(self._batches[number], there, sent)]
            if len(stay) == len(going):
                return going
            going = stay

    def _may_go(self, batch: Batch, going: set[int], sent: Counter[tuple[Place, int]]) -> bool:
        replaced = ((move.target, move.makes - 1) for move in batch.moves)
        return all(self._readers[version] == sent[version] for version in replaced) and all(
            self.step[other] is not None or other in going for other in batch.beside
        )

    def go(self, going: Sequence[int], step: int) -> set[int]:
        """The batches that this may have enabled."""
        changed: set[int] = set()
        for number in going:
            self.step[number] = step
            changed.update(self._later[number])
            for move in self._batches[number].moves:
                self._readers[move.source, move.needs] -= 1
                self._version[move.target] += 1
                changed.update(self._touching[move.target])
        return changed
