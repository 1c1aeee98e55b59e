"""The loop that moves the bytes of a program: one thread, non-blocking sockets, no decisions.

Each turn pumps every lane that its program lets move: send what may go, receive what has come, add it while it is in
cache. Only when nothing moved does the rank sleep, in epoll, until a socket says so; edge-triggered, so that a
collective registers nothing. What may move when is decided in ``progress.py``.
"""

from __future__ import annotations

import select
from collections.abc import Iterable
from time import monotonic
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from collectives.memory import Memory
from collectives.progress import Progress, Track
from collectives.transport.connections import SEGMENT, Connection, Group
from collectives.transport.errors import PeerLostError, PeerSilentError, TransportError

_EVENTS = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
_ENDED = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
FAREWELL_S = 2.0
"""How long to wait for the peers' resets at the end: they come at once, unless packets are lost."""


class Bound:
    """A program under way, with the connection of each of its lanes, and the receivers' scratch as its elements."""

    __slots__ = ("itemsize", "receiving", "sending")

    def __init__(self, progress: Progress, loop: Loop, dtype: np.dtype[Any]) -> None:
        self.itemsize = dtype.itemsize
        self.sending = [(track, loop.connection(track, outgoing=True)) for track in progress.sends]
        self.receiving = [
            (track, connection, connection.scratch.view(dtype))
            for track in progress.receives
            for connection in [loop.connection(track, outgoing=False)]
        ]

    def restart(self) -> None:
        for track, _ in self.sending:
            track.restart()
        for track, _, _ in self.receiving:
            track.restart()

    def tracks(self) -> Iterable[tuple[Track, Connection]]:
        yield from ((track, connection) for track, connection, _ in self.receiving)
        yield from self.sending


class Loop:
    """All connections of a rank. Raises TransportError from ``run`` when a peer is lost or silent."""

    def __init__(self, group: Group, connections: Iterable[Connection], timeout_s: float) -> None:
        self._group = group
        self._timeout_s = timeout_s
        self._epoll = select.epoll()
        self._by_fd = {connection.fd: connection for connection in connections}
        self._by_end = {(c.peer, c.channel, c.outgoing): c for c in self._by_fd.values()}
        for fd in self._by_fd:
            self._epoll.register(fd, _EVENTS)

    def connection(self, track: Track, *, outgoing: bool) -> Connection:
        return self._by_end[track.peer, track.channel, outgoing]

    def run(self, bound: Bound, memory: Memory, *, leaving: bool = False) -> None:
        """Run the program once. ``leaving``: it is the last, so that peers may hang up as soon as they are through."""
        bound.restart()
        sending, receiving = bound.sending, bound.receiving
        while True:
            moved = left = False
            for track, connection in sending:
                if track.piece is not None:
                    left = True
                    if connection.ready and self._send(track, connection, memory):
                        moved = True
            for track, connection, scratch in receiving:
                if track.piece is not None:
                    left = True
                    if connection.ready and self._receive(track, connection, memory, scratch):
                        moved = True
            if not left:
                return
            if not moved:
                self._sleep(bound, leaving)

    def _send(self, track: Track, connection: Connection, memory: Memory) -> bool:
        """One segment at most; True if any byte went."""
        piece = track.piece
        assert piece is not None
        reached = piece.reached
        end = min(piece.limit(), reached + SEGMENT)
        if end <= reached:
            return False
        try:
            sent = connection.send((memory.source if piece.fresh else memory.target)[reached:end])
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
        came = self._take(track, connection, memory.target[reached:end])
        piece.reached = reached + came
        if piece.reached == piece.hi:
            track.advance()
        return came > 0

    def _receive_and_add(
        self, track: Track, connection: Connection, memory: Memory, scratch: NDArray[np.generic]
    ) -> bool:
        piece = track.piece
        assert piece is not None
        reached, carry, itemsize = piece.reached, connection.carry, memory.dtype.itemsize
        room = min(piece.limit() - reached, SEGMENT)
        room -= room % itemsize
        if room <= carry:  # carry is less than an element, so there is no room for one
            return False
        came = self._take(track, connection, connection.view[carry:room])
        have = carry + came
        carry = have % itemsize
        if have > carry:
            memory.combine(reached, reached + have - carry, piece.fresh, scratch)
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
    def _sleep(self, bound: Bound, leaving: bool) -> None:
        events = self._epoll.poll(self._timeout_s)
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
