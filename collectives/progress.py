"""How far a program has come: the rules of ``program.py`` at work, without sockets, clocks or arrays.

Whoever moves bytes asks a piece how far it may go (``limit``) and writes down how far it came (``reached``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from collectives.program import Lane, Part, Program


class Piece:
    """A part under way; positions are byte offsets in its home. Mutable: only ``reached`` changes."""

    __slots__ = ("after", "behind", "fresh", "hi", "home", "lo", "reached", "reduce", "shift", "step")

    def __init__(self, part: Part) -> None:
        self.step = part.step
        self.lo = part.lo
        self.hi = part.hi
        self.reduce = part.reduce
        self.fresh = part.fresh
        self.home = part.home
        self.shift = part.shift
        self.reached = part.lo
        self.behind: tuple[Piece, ...] = ()
        self.after: tuple[Piece, ...] = ()

    def limit(self) -> int:
        """How far it may go now: it may move only if this is above ``reached``."""
        limit = self.hi
        for piece in self.behind:
            if piece.reached < limit and piece.reached < piece.hi:
                limit = piece.reached
        for piece in self.after:
            if piece.reached < piece.hi:
                return self.lo
        return limit


@dataclass(frozen=True, slots=True)
class StepWatch:
    """``begun(step)`` is called whenever this rank sends its first byte of one of ``steps`` on a connection.

    A *glance* costs next to nothing: it is told of every step, and more than once, whatever ``steps`` says.
    """

    steps: Collection[int]
    begun: Callable[[int], None]
    glance: bool = False


class WatchedPiece(Piece):
    """A piece that somebody waits for. Only such pieces pay for it: all others keep a plain attribute."""

    __slots__ = ("_begun", "_position")

    def __init__(self, part: Part, begun: Callable[[int], None]) -> None:
        self._begun = begun
        self._position = part.lo
        super().__init__(part)

    @property
    def reached(self) -> int:
        return self._position

    @reached.setter
    def reached(self, position: int) -> None:
        first = self._position == self.lo < position
        self._position = position
        if first:
            self._begun(self.step)


class Track:
    """A lane under way; ``piece`` is the one whose bytes are next, None when all have crossed."""

    __slots__ = ("_left", "channel", "peer", "piece", "pieces")

    def __init__(self, lane: Lane, pieces: list[Piece]) -> None:
        self.peer = lane.peer
        self.channel = lane.channel
        self.pieces = [pieces[index] for index in lane.parts]
        self.restart()

    def restart(self) -> None:
        """Before the collective runs again."""
        for piece in self.pieces:
            piece.reached = piece.lo
        self._left = iter(self.pieces)
        self.piece: Piece | None = next(self._left)

    def advance(self) -> None:
        """When ``piece`` has reached its end."""
        self.piece = next(self._left, None)

    def nbytes_left(self) -> int:
        return sum(piece.hi - piece.reached for piece in self.pieces)


class Progress:
    """All the lanes of a program under way."""

    __slots__ = ("glanced", "program", "receives", "sends", "watched")

    def __init__(self, program: Program, watch: StepWatch | None = None) -> None:
        self.program = program
        self.glanced = watch.begun if watch and watch.glance else None
        self.watched = watch is not None and not watch.glance and bool(watch.steps)
        pieces = [Piece(part) for part in program.parts]
        if watch and self.watched:
            for index in (index for lane in program.sends for index in lane.parts):
                if program.parts[index].step in watch.steps:
                    pieces[index] = WatchedPiece(program.parts[index], watch.begun)
        for piece, part in zip(pieces, program.parts, strict=True):
            piece.behind = tuple(pieces[index] for index in part.behind)
            piece.after = tuple(pieces[index] for index in part.after)
        self.sends = [Track(lane, pieces) for lane in program.sends]
        self.receives = [Track(lane, pieces) for lane in program.receives]

    def restart(self) -> None:
        for track in (*self.sends, *self.receives):
            track.restart()
