"""The loop that moves the bytes of a program: one thread, non-blocking sockets, no decisions.

Each turn pumps every lane that its program lets move: send what may go, receive what has come, add it while it is in
cache. Only when nothing moved does the rank sleep, in epoll, until a socket says so; edge-triggered, so that a
collective registers nothing. What may move when is decided in ``progress.py``.
"""

from __future__ import annotations

import select
from collections.abc import Iterable
from os import sched_yield
from time import monotonic
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from collectives.memory import Memory
from collectives.progress import Piece, Progress, Track
from collectives.transport.connections import SEGMENT, Connection, Group
from collectives.transport.errors import PeerLostError, PeerSilentError, TransportError

_EVENTS = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
_ENDED = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
STRAIGHT = 16 * 1024
"""A program that moves no more bytes than this on any lane is worked off straight: they fit the sockets' buffers."""

SPINS = 10
"""How often a small receive is tried, giving the core to others in between, before the rank sleeps."""

FAREWELL_S = 2.0
"""How long to wait for the peers' resets at the end: they come at once, unless packets are lost."""


class _Move(NamedTuple):
    """A piece that crosses as one; ``scratch`` is None where it is sent."""

    track: Track
    connection: Connection
    piece: Piece
    scratch: NDArray[np.generic] | None


class Bound:
    """A program under way, with the connection of each of its lanes, and the receivers' scratch as its elements.

    ``straight`` is the same as a plain list, where the program is small enough to be worked off without looking what
    else could move: all sends of a step, then all its receives. None otherwise.
    """

    __slots__ = ("copies", "itemsize", "receiving", "sending", "straight")

    def __init__(self, progress: Progress, loop: Loop, dtype: np.dtype[Any]) -> None:
        self.itemsize = dtype.itemsize
        self.copies = progress.program.copies
        self.sending = [(track, loop.connection(track, outgoing=True)) for track in progress.sends]
        self.receiving = [
            (track, connection, connection.scratch.view(dtype))
            for track in progress.receives
            for connection in [loop.connection(track, outgoing=False)]
        ]
        self.straight = None if progress.watched else self._line_up()

    def _line_up(self) -> tuple[_Move, ...] | None:
        lanes = [sum(piece.hi - piece.lo for piece in track.pieces) for track, _ in self.tracks()]
        if max(lanes, default=0) > STRAIGHT:
            return None
        moves = [_Move(track, connection, piece, None) for track, connection in self.sending for piece in track.pieces]
        for track, connection, scratch in self.receiving:
            moves += [_Move(track, connection, piece, scratch) for piece in track.pieces]
        return tuple(sorted(moves, key=lambda move: (move.piece.step, move.scratch is not None)))

    def restart(self) -> None:
        for track, _ in self.sending:
            track.restart()
        for track, _, _ in self.receiving:
            track.restart()

    def catch_up(self, number: int, moved: int) -> None:
        """Bring the tracks to where the straight way is: before move ``number``, of which ``moved`` bytes are done."""
        assert self.straight is not None
        self.restart()
        for move in self.straight[:number]:
            move.piece.reached = move.piece.hi
            move.track.advance()
        self.straight[number].piece.reached += moved

    def tracks(self) -> Iterable[tuple[Track, Connection]]:
        yield from ((track, connection) for track, connection, _ in self.receiving)
        yield from self.sending


class Loop:
    """All connections of a rank. Raises TransportError from ``run`` when a peer is lost or silent."""

    def __init__(self, group: Group, connections: Iterable[Connection], timeout_s: float) -> None:
        self._group = group
        self._timeout_s = timeout_s
        self._epoll = select.epoll()
        self._by_fd: dict[int, Connection] = {}
        self._by_end: dict[tuple[int, int, bool], Connection] = {}
        self.add(connections)

    def add(self, connections: Iterable[Connection]) -> None:
        for connection in connections:
            self._by_fd[connection.fd] = connection
            self._by_end[connection.peer, connection.channel, connection.outgoing] = connection
            self._epoll.register(connection.fd, _EVENTS)

    def has(self, peer: int, channel: int, *, outgoing: bool) -> bool:
        return (peer, channel, outgoing) in self._by_end

    def connection(self, track: Track, *, outgoing: bool) -> Connection:
        return self._by_end[track.peer, track.channel, outgoing]

    def run(self, bound: Bound, memory: Memory, *, leaving: bool = False) -> None:
        """Run the program once. ``leaving``: it is the last, so that peers may hang up as soon as they are through."""
        if bound.copies:
            memory.copy(bound.copies)
        if bound.straight is None:
            bound.restart()
        elif self._run_straight(bound, bound.straight, memory, leaving):
            return
        while not self._turn(bound, memory, leaving):
            pass

    def _turn(self, bound: Bound, memory: Memory, leaving: bool) -> bool:
        """Every lane that may move does, or else the rank sleeps. True if all is done."""
        moved = left = False
        for track, connection in bound.sending:
            if track.piece is not None:
                left = True
                if connection.ready and self._send(track, connection, memory):
                    moved = True
        for track, connection, scratch in bound.receiving:
            if track.piece is not None:
                left = True
                if connection.ready and self._receive(track, connection, memory, scratch):
                    moved = True
        if left and not moved:
            self._sleep(bound, leaving)
        return not left

    def _run_straight(self, bound: Bound, moves: tuple[_Move, ...], memory: Memory, leaving: bool) -> bool:
        """False if a peer does not take all that we send: the rest is for ``_turn`` to do, from where we are."""
        for number, move in enumerate(moves):
            piece, scratch = move.piece, move.scratch
            if scratch is None:
                sent = self._send_straight(bound, number, move, memory)
                if sent < piece.hi - piece.lo:
                    bound.catch_up(number, sent)
                    return False
            elif piece.reduce:
                self._receive_straight(bound, number, move.connection.view[: piece.hi - piece.lo], leaving)
                memory.combine(piece, piece.lo, piece.hi, scratch)
            else:
                self._receive_straight(bound, number, memory.views[piece.home][piece.lo : piece.hi], leaving)
        return True

    def _send_straight(self, bound: Bound, number: int, move: _Move, memory: Memory) -> int:
        """How many bytes went."""
        piece, connection = move.piece, move.connection
        try:
            if piece.fresh:
                return connection.send(memory.source[piece.lo + piece.shift : piece.hi + piece.shift])
            return connection.send(memory.views[piece.home][piece.lo : piece.hi])
        except BlockingIOError:
            connection.ready = False
            return 0
        except OSError as error:
            bound.catch_up(number, 0)
            self._lost(move.track, connection, error)

    def _receive_straight(self, bound: Bound, number: int, into: memoryview, leaving: bool) -> None:
        """All of move ``number``: tried a few times, then slept for."""
        assert bound.straight is not None
        track, connection, _, _ = bound.straight[number]
        patience = SPINS
        while len(into):
            try:
                came = connection.recv_into(into)
            except BlockingIOError:
                if patience:
                    patience -= 1
                    sched_yield()
                    continue
                connection.ready = False
                while not connection.ready:
                    self._sleep(bound, leaving, number)
                continue
            except OSError as error:
                bound.catch_up(number, 0)
                self._lost(track, connection, error)
            if not came:
                bound.catch_up(number, 0)
                self._lost(track, connection, None)
            into = into[came:]

    def _send(self, track: Track, connection: Connection, memory: Memory) -> bool:
        """One segment at most; True if any byte went."""
        piece = track.piece
        assert piece is not None
        reached = piece.reached
        end = min(piece.limit(), reached + SEGMENT)
        if end <= reached:
            return False
        try:
            if piece.fresh:
                sent = connection.send(memory.source[reached + piece.shift : end + piece.shift])
            else:
                sent = connection.send(memory.views[piece.home][reached:end])
        except BlockingIOError:
            connection.ready = False
            return False
        except OSError as error:
            self._lost(track, connection, error)
        piece.reached = reached + sent
        if piece.reached == piece.hi:
            track.advance()
        return True

    def _receive(self, track: Track, connection: Connection, memory: Memory, scratch: NDArray[np.generic]) -> bool:
        """One segment at most; True if any byte came."""
        piece = track.piece
        assert piece is not None
        if piece.reduce:
            return self._receive_and_add(track, connection, memory, scratch)
        reached = piece.reached
        end = min(piece.limit(), reached + SEGMENT)
        if end <= reached:
            return False
        came = self._take(track, connection, memory.views[piece.home][reached:end])
        piece.reached = reached + came
        if piece.reached == piece.hi:
            track.advance()
        return came > 0

    def _receive_and_add(
        self, track: Track, connection: Connection, memory: Memory, scratch: NDArray[np.generic]
    ) -> bool:
        piece = track.piece
        assert piece is not None
        reached, carry, itemsize = piece.reached, connection.carry, scratch.itemsize
        room = min(piece.limit() - reached, SEGMENT)
        room -= room % itemsize
        if room <= carry:  # carry is less than an element, so there is no room for one
            return False
        came = self._take(track, connection, connection.view[carry:room])
        have = carry + came
        carry = have % itemsize
        if have > carry:
            memory.combine(piece, reached, reached + have - carry, scratch)
            piece.reached = reached + have - carry
            if carry:
                connection.view[:carry] = connection.view[have - carry : have]
            if piece.reached == piece.hi:
                track.advance()
        connection.carry = carry
        return came > 0

    def _take(self, track: Track, connection: Connection, into: memoryview) -> int:
        try:
            came = connection.recv_into(into)
        except BlockingIOError:
            connection.ready = False
            return 0
        except OSError as error:
            self._lost(track, connection, error)
        if not came:
            self._lost(track, connection, None)
        return came

    # -- sleeping, and what can happen meanwhile ----------------------------------------
    def _sleep(self, bound: Bound, leaving: bool, straight: int | None = None) -> None:
        """Until a socket has news. ``straight`` is the number of the move that waits, on the straight way."""
        events = self._epoll.poll(self._timeout_s)
        if straight is not None and (not events or any(mask & _ENDED for _, mask in events)):
            bound.catch_up(straight, 0)
        if not events:
            raise self._silent(bound)
        for fd, mask in events:
            connection = self._by_fd[fd]
            connection.ready = True
            if mask & _ENDED:
                connection.ended = True
                self._judge_end(bound, connection, leaving)

    def _judge_end(self, bound: Bound, connection: Connection, leaving: bool) -> None:
        """A peer hung up: bad at once, unless its last bytes are still to be read, or it is allowed to."""
        track = next((track for track, other in bound.tracks() if other is connection), None)
        through = track is None or track.piece is None
        if not (through and leaving) and (connection.outgoing or through):
            self._lost(track, connection, None)

    def _lost(self, track: Track | None, connection: Connection, error: OSError | None) -> NoReturn:
        piece = track.piece if track else None
        where = f"at step {piece.step}" if piece else "between its steps"
        why = error.strerror.lower() if error and error.strerror else "it ended the connection"
        raise PeerLostError(
            f"{self._group.me} lost {self._group.name(connection.peer)} {where}: {why}; see what that rank says"
        ) from None

    def _silent(self, bound: Bound) -> TransportError:
        """Who is to blame when nothing moved: whoever we could have heard from, or sent to."""
        me, waited = self._group.me, f"for {self._timeout_s:g} s"
        for track, connection in bound.tracks():
            piece = track.piece
            if piece is not None and piece.limit() > piece.reached:
                peer, step = self._group.name(connection.peer), f"at step {piece.step}"
                if connection.outgoing:
                    return PeerSilentError(f"{me} could not send to {peer} {step} {waited}")
                return PeerSilentError(f"{me} heard nothing from {peer} {step} {waited}")
        raise AssertionError("every lane waits for another: the program is not in the order of its steps")

    # -- the end ------------------------------------------------------------------------
    def leave(self) -> None:
        """End all connections after the last collective, without TIME_WAIT and without losing a byte.

        The receiver ends a connection, as it knows that it has everything; the sender waits for that.
        """
        deadline = monotonic() + min(self._timeout_s, FAREWELL_S)
        outgoing = {fd: c for fd, c in self._by_fd.items() if c.outgoing and not c.ended}
        for connection in self._by_fd.values():
            if not connection.outgoing:
                connection.reset()
        while outgoing and (left := deadline - monotonic()) > 0:
            for fd, mask in self._epoll.poll(left):
                if mask & _ENDED:
                    outgoing.pop(fd, None)
        self.abort()

    def abort(self) -> None:
        """End all connections at once: peers in the middle of a collective will say that they lost this rank."""
        self._epoll.close()
        for connection in self._by_fd.values():
            connection.reset()
