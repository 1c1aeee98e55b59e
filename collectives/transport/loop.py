"""The loop that moves the bytes of a program: one thread, non-blocking sockets, no decisions.

Each turn pumps every lane that its program lets move: send what may go, receive what has come, add it while it is in
cache. Only when nothing moved does the rank sleep, in epoll, until a socket says so; edge-triggered, so that a
collective registers nothing. What may move when is decided in ``progress.py``.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from operator import attrgetter, itemgetter
from os import sched_yield
from time import monotonic
from typing import Any, NamedTuple, NoReturn, Self

import numpy as np
from numpy.typing import NDArray

from collectives.memory import Memory
from collectives.progress import Piece, Progress, Track
from collectives.transport.connections import SEGMENT, Connection, Group, guard
from collectives.transport.door import last_words
from collectives.transport.errors import PeerLostError, PeerSilentError, TransportError

_EVENTS = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
_ENDED = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR

SPINS = 10
"""How often a rank looks for news, giving the core to others in between, before it sleeps: waking up takes longer."""

FAREWELL_S = 2.0
"""How long to wait for the peers' resets at the end: they come at once, unless packets are lost."""


class _Move(NamedTuple):
    """A segment that crosses as one: bytes ``lo`` to ``hi`` of the input, if ``fresh``, or else of its home.

    What arrives to be combined goes to ``room`` first; ``arrived`` are its elements, ``combined`` their place in the
    home, and ``kept`` the place in the input of those they are combined with, if fresh. None for all others.
    """

    sends: bool
    fresh: bool
    home: int
    lo: int
    hi: int
    room: memoryview | None
    arrived: NDArray[np.generic] | None
    combined: slice | None
    kept: slice | None
    connection: Connection
    track: Track
    piece: Piece

    @classmethod
    def sent(cls, track: Track, connection: Connection, piece: Piece, lo: int, hi: int) -> Self:
        shift = piece.shift if piece.fresh else 0
        lo, hi = lo + shift, hi + shift
        return cls(True, piece.fresh, piece.home, lo, hi, None, None, None, None, connection, track, piece)

    @classmethod
    def received(
        cls, track: Track, connection: Connection, piece: Piece, lo: int, hi: int, scratch: NDArray[np.generic]
    ) -> Self:
        room = arrived = combined = kept = None
        if piece.reduce:
            itemsize = scratch.itemsize
            combined = slice(lo // itemsize, hi // itemsize)
            if piece.fresh:
                kept = slice((lo + piece.shift) // itemsize, (hi + piece.shift) // itemsize)
            room, arrived = connection.view[: hi - lo], scratch[: combined.stop - combined.start]
        return cls(False, False, piece.home, lo, hi, room, arrived, combined, kept, connection, track, piece)


class Bound:
    """A program under way, with the connection of each of its lanes, and the receivers' scratch as its elements.

    ``straight`` is the same as a plain list of segments, to be worked off without looking what else could move, for as
    long as the sockets take all that is sent. Ranks are in step then: each sends a segment and finds its peer's, still
    in the cache, which takes two thirds of the time of ranks that run ahead of each other. None where somebody watches
    the steps; whoever only glances at them (``glanced``) does not stand in its way.
    """

    __slots__ = ("copies", "glanced", "itemsize", "receiving", "sending", "straight")

    def __init__(self, progress: Progress, loop: Loop, dtype: np.dtype[Any]) -> None:
        self.itemsize = dtype.itemsize
        self.copies = progress.program.copies
        self.glanced = progress.glanced
        self.sending = [(track, loop.connection(track, outgoing=True)) for track in progress.sends]
        self.receiving = [
            (track, connection, connection.scratch.view(dtype))
            for track in progress.receives
            for connection in [loop.connection(track, outgoing=False)]
        ]
        self.straight = None if progress.watched else self._line_up()

    def _line_up(self) -> tuple[_Move, ...] | None:
        """Step by step; within a step what is sent of the lanes' first segments, then what must have come by then.

        No rank waits for what its peer sends only after waiting for this one: their segments are counted alike, by the
        bytes of the lane. None where a receive would overwrite what a later segment sends; and for more than a segment,
        where in some step the rank only receives: it should forward what has come while the rest arrives, as in a tree.
        """
        moves = []
        for track, connection in self.sending:
            for piece, number, _, lo, hi in _segments(track):
                moves.append((piece.step, number, _Move.sent(track, connection, piece, lo, hi)))
        for track, connection, scratch in self.receiving:
            for piece, _, number, lo, hi in _segments(track):
                moves.append((piece.step, number, _Move.received(track, connection, piece, lo, hi, scratch)))
        moves.sort(key=itemgetter(0, 1))  # stable: sends stay first
        if moves and max(number for _, number, _ in moves) > 0:
            steps = [{step for step, _, move in moves if move.sends is sends} for sends in (True, False)]
            if not steps[1] <= steps[0]:
                return None
        self.restart()
        for _, _, move in moves:
            piece, nbytes = move.piece, move.hi - move.lo
            if piece.limit() < piece.reached + nbytes:
                return None
            piece.reached += nbytes
        return tuple(move for _, _, move in moves)

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
            move.piece.reached += move.hi - move.lo
            if move.piece.reached == move.piece.hi:
                move.track.advance()
        self.straight[number].piece.reached += moved

    def hindmost(self) -> Track:
        """The one at the lowest step, of those under way."""
        under_way = [(track.piece.step, track) for track, _ in self.tracks() if track.piece is not None]
        return min(under_way, key=itemgetter(0))[1]

    def tracks(self) -> Iterable[tuple[Track, Connection]]:
        yield from ((track, connection) for track, connection, _ in self.receiving)
        yield from self.sending


def _segments(track: Track) -> Iterator[tuple[Piece, int, int, int, int]]:
    """Piece, the number of the segment of its lane and step in which it begins and that in which it ends, lo and hi."""
    for _, pieces in groupby(track.pieces, key=attrgetter("step")):
        passed = 0
        for piece in pieces:
            for lo in range(piece.lo, piece.hi, SEGMENT):
                hi = min(lo + SEGMENT, piece.hi)
                yield piece, passed // SEGMENT, (passed + hi - lo - 1) // SEGMENT, lo, hi
                passed += hi - lo


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
            guard(connection.sock, self._timeout_s)
            self._epoll.register(connection.fd, _EVENTS)

    def connections(self) -> Collection[Connection]:
        return self._by_fd.values()

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
        patience, still_since = SPINS, None
        while (moved := self._turn(bound, memory)) is not None:
            if moved:
                patience, still_since = SPINS, None
            elif patience:
                patience -= 1
                sched_yield()
                for _, connection, _ in bound.receiving:
                    connection.ready = True
            else:
                still_since = self._sleep(bound, leaving, still_since)

    def _turn(self, bound: Bound, memory: Memory) -> bool | None:
        """Every lane that may move does. True if any did, None if all is done."""
        moved = left = False
        for track, connection in bound.sending:
            piece = track.piece
            if piece is not None:
                left = True
                if connection.ready and self._send(track, connection, memory):
                    moved = True
                    if bound.glanced is not None:
                        bound.glanced(piece.step)
        for track, connection, scratch in bound.receiving:
            if track.piece is not None:
                left = True
                if connection.ready and self._receive(track, connection, memory, scratch):
                    moved = True
        return moved if left else None

    def _run_straight(self, bound: Bound, moves: tuple[_Move, ...], memory: Memory, leaving: bool) -> bool:
        """False if a peer does not take all that we send: the rest is for ``_turn`` to do, from where we are."""
        views, glanced = memory.views, bound.glanced
        for number, move in enumerate(moves):
            sends, fresh, home, lo, hi, room, arrived, combined, kept, connection, _, piece = move
            if sends:
                if glanced is not None:
                    glanced(piece.step)
                try:
                    sent = connection.send(memory.source[lo:hi] if fresh else views[home][lo:hi])
                except BlockingIOError:
                    connection.ready, sent = False, 0
                except OSError as error:
                    bound.catch_up(number, 0)
                    self._lost(move.track, connection, error)
                if sent < hi - lo:
                    bound.catch_up(number, sent)
                    return False
                continue
            into = views[home][lo:hi] if room is None else room
            try:
                came = connection.recv_into(into)
            except OSError:  # nothing yet, or what the next try will say again
                came = 0
            if came < hi - lo:
                self._receive_straight(bound, number, into[came:], leaving)
            if arrived is not None and combined is not None:
                memory.combine(home, combined, kept, arrived)
        return True

    def _receive_straight(self, bound: Bound, number: int, into: memoryview, leaving: bool) -> None:
        """What is left of move ``number``: tried a few times, then slept for."""
        assert bound.straight is not None
        move = bound.straight[number]
        connection = move.connection
        patience, size, still_since = SPINS, move.hi - move.lo, None
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
                    still_since = self._sleep(bound, leaving, still_since, (number, size - len(into)))
                continue
            except OSError as error:
                bound.catch_up(number, 0)
                self._lost(move.track, connection, error)
            if not came:
                bound.catch_up(number, 0)
                self._lost(move.track, connection, None)
            into, still_since = into[came:], None

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
            first, last = reached // itemsize, (reached + have - carry) // itemsize
            shift = piece.shift // itemsize
            kept = slice(first + shift, last + shift) if piece.fresh else None
            memory.combine(piece.home, slice(first, last), kept, scratch[: last - first])
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
    def _sleep(
        self, bound: Bound, leaving: bool, since: float | None, straight: tuple[int, int] | None = None
    ) -> float:
        """Until a socket has news. Returns since when nothing has moved: ``since``, or now if that is None.

        News are no movement: of a peer that ended, of bytes that can't be used yet. ``straight`` is the number of the
        move that waits on the straight way, and how many of its bytes are done.
        """
        now = monotonic()
        since = now if since is None else since
        # Once more at the end: if it is this rank that was stopped for so long, the others' news are waiting.
        events = self._epoll.poll(max(0.0, since + self._timeout_s - now)) or self._epoll.poll(0)
        if straight is not None and (not events or any(mask & _ENDED for _, mask in events)):
            bound.catch_up(*straight)
        if not events:
            raise self._silent(bound)
        for fd, mask in events:
            connection = self._by_fd[fd]
            connection.ready = True
            if mask & _ENDED:
                connection.ended = True
                self._judge_end(bound, connection, leaving)
        return since

    def _judge_end(self, bound: Bound, connection: Connection, leaving: bool) -> None:
        """A peer hung up: bad at once, unless all that it owes is here already, or it is allowed to."""
        track = next((track for track, other in bound.tracks() if other is connection), None)
        if track is None or track.piece is None:
            fair = leaving
        else:
            fair = not connection.outgoing and connection.nbytes_waiting() >= track.nbytes_left()
        if fair:
            return
        if track is None or track.piece is None:
            track = bound.hindmost()
        code = connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        why = last_words(connection.sock) if connection.outgoing else ""
        self._lost(track, connection, OSError(code, why or os.strerror(code)) if code or why else None)

    def _lost(self, track: Track, connection: Connection, error: OSError | None) -> NoReturn:
        assert track.piece is not None
        where = f"at step {track.piece.step}"
        if error and error.errno == errno.ETIMEDOUT:
            raise self._unheard(connection, where) from None
        why = error.strerror if error and error.strerror else "it ended the connection"
        why = why[:1].lower() + why[1:]
        raise PeerLostError(
            f"{self._group.me} lost {self._group.name(connection.peer)} {where}: {why}; see what that rank says"
        ) from None

    def _silent(self, bound: Bound) -> TransportError:
        """Who is to blame when nothing moved: whoever we could have heard from, or sent to."""
        for track, connection in bound.tracks():
            piece = track.piece
            if piece is not None and piece.limit() > piece.reached:
                return self._unheard(connection, f"at step {piece.step}")
        raise AssertionError("every lane waits for another: the program is not in the order of its steps")

    def _unheard(self, connection: Connection, where: str) -> PeerSilentError:
        trouble = "could not send to" if connection.outgoing else "heard nothing from"
        peer = self._group.name(connection.peer)
        return PeerSilentError(f"{self._group.me} {trouble} {peer} {where} for {self._timeout_s:g} s")

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
