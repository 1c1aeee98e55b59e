"""How the ranks of a job find each other: no server, every address and port is known beforehand.

For each of its flows a rank opens the connection (from a source port that tells the channel), says hello and waits for
the welcome; at the same time it listens for the flows that end here. Nobody waits for anybody in particular, so the
ranks may start in any order. Whoever does not belong is refused and told why (``door.py``). A rank of this job that
runs something else ends the rendezvous on every rank: each tells those who call it, or whom it has welcomed already,
what the first two found, before it leaves.

Later meetings, for the connections of another operation, go the same way, beside the connections that are there. Ranks
come to them one after another: who calls too early is asked to call again.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from time import monotonic
from types import TracebackType
from typing import Self

from collectives.transport.connections import Connection, Group, caller, listener, reset
from collectives.transport.door import Door, Guest, last_words, read, refuse
from collectives.transport.errors import PeerLostError, RendezvousError, TransportError
from collectives.transport.hello import (
    NOT_YET,
    REPLY,
    Hello,
    HelloError,
    decode_reply,
    difference,
    encode_hello,
)
from topologies.ports import connect_port, listen_port

RETRY_S = 0.02
"""A peer that does not listen yet is called again after this long."""

TELL_S = 0.5
"""How long a rank that found another job stays to tell its callers: they are on their way, if they run at all."""

Key = tuple[int, int]
"""Peer and channel."""


@dataclass(slots=True, eq=False)
class _Call:
    """A connection that this rank opens. ``sock`` is None between two tries."""

    peer: int
    channel: int
    sock: socket.socket | None = None
    retry_at: float = 0.0
    said_hello: bool = False
    inbox: bytearray = field(default_factory=bytearray)
    trouble: str = "not called yet"


class Rendezvous:
    """Opens connections of one rank: ``with Rendezvous(...) as rendezvous: connections = rendezvous.meet()``.

    ``present`` are those it has from earlier meetings: if one ends, so does this meeting.
    """

    def __init__(
        self,
        group: Group,
        outgoing: Collection[Key],
        incoming: Collection[Key],
        *,
        token: str,
        settings: Mapping[str, str],
        timeout_s: float,
        present: Collection[Connection] = (),
    ) -> None:
        self._group = group
        self._token = token
        self._settings = settings
        self._timeout_s = timeout_s
        self._deadline = monotonic() + timeout_s
        self._calls = [_Call(peer, channel) for peer, channel in sorted(outgoing)]
        self._expected = set(incoming)
        self._ready: list[Connection] = []
        self._present = present
        self._verdict = ""
        self._left = ""
        self._poll = select.poll()
        self._by_fd: dict[int, _Call | Connection] = {}
        for connection in present:
            self._by_fd[connection.fd] = connection
            self._poll.register(connection.fd, select.POLLRDHUP)
        port = listen_port(group.slots[group.rank])
        self._door = Door([self._bound(listener, nic, port) for nic in group.addresses[group.rank]], self._poll)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._door.close()
        for pending in self._by_fd.values():
            if isinstance(pending, _Call) and pending.sock is not None:
                reset(pending.sock)
        for connection in self._ready if error is not None else ():
            connection.reset()

    def meet(self) -> list[Connection]:
        """The open connections, when all are. TransportError if that fails, or at the deadline."""
        try:
            while self._calls or self._expected or self._left:
                self._turn(monotonic())
        except TransportError:
            if self._verdict:
                self._tell_others()
            raise
        return self._ready

    def _turn(self, now: float) -> None:
        if now >= self._deadline:
            raise self._timed_out()
        self._door.clear(now)
        wake_at = self._door.wait_until(self._deadline)
        for call in self._calls:
            if call.sock is None and call.retry_at <= now:
                self._dial(call)
            if call.sock is None:
                wake_at = min(wake_at, call.retry_at)
        for fd, _ in self._poll.poll(max(wake_at - now, 0.001) * 1000):
            self._handle(fd)

    def _handle(self, fd: int) -> None:
        if self._door.owns(fd):
            if heard := self._door.hear(fd):
                self._judge(*heard)
            return
        found = self._by_fd.get(fd)
        if isinstance(found, _Call):
            self._go_on(found)
        elif isinstance(found, Connection):
            self._hung_up(found)

    def _hung_up(self, connection: Connection) -> None:
        """A peer left. It says why where only this rank is to talk; if not there, another may be about to tell."""
        me, peer = self._group.me, self._group.name(connection.peer)
        if self._present:
            raise PeerLostError(f"{me} lost {peer} before step 0: it ended the connection; see what that rank says")
        said = f"{me}: {peer} left before all ranks had met"
        if connection.outgoing and (verdict := last_words(connection.sock)):
            self._verdict = verdict
            raise RendezvousError(f"{said}: {verdict}")
        self._forget(connection.sock)
        self._left = self._left or said
        self._deadline = min(self._deadline, monotonic() + TELL_S)

    def _tell_others(self) -> None:
        """Who is welcome already, and who calls meanwhile, hears why this rank leaves."""
        for connection in self._ready:
            if not connection.outgoing:
                refuse(connection.sock, self._verdict)
        for fd in self._by_fd:
            self._poll.unregister(fd)
        until = min(self._deadline, monotonic() + TELL_S)
        while self._expected and (left := until - monotonic()) > 0:
            for fd, _ in self._poll.poll(left * 1000):
                if self._door.owns(fd) and (heard := self._door.hear(fd)):
                    self._door.turn_away(heard[0], self._verdict)
                    self._expected.discard((heard[1].src, heard[1].channel))

    # -- connections opened here --------------------------------------------------------
    def _dial(self, call: _Call) -> None:
        group = self._group
        mine, theirs = group.address(group.rank, call.channel), group.address(call.peer, call.channel)
        sock = self._bound(caller, mine, connect_port(group.slots[group.rank], call.channel))
        code = sock.connect_ex((theirs, listen_port(group.slots[call.peer])))
        if code not in (0, errno.EINPROGRESS):
            sock.close()
            self._call_later(call, os.strerror(code))
            return
        call.sock, call.said_hello, call.inbox = sock, False, bytearray()
        call.trouble = "no answer"
        self._by_fd[sock.fileno()] = call
        self._poll.register(sock, select.POLLOUT)

    def _call_later(self, call: _Call, trouble: str) -> None:
        if call.sock is not None:
            self._forget(call.sock)
            reset(call.sock)
        call.sock, call.trouble = None, trouble
        call.retry_at = monotonic() + RETRY_S

    def _go_on(self, call: _Call) -> None:
        assert call.sock is not None
        code = call.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._call_later(call, os.strerror(code))
        elif call.said_hello:
            self._hear_reply(call, call.sock)
        else:
            self._say_hello(call, call.sock)

    def _say_hello(self, call: _Call, sock: socket.socket) -> None:
        hello = Hello(self._token, self._group.rank, call.peer, call.channel, self._settings)
        message = encode_hello(hello)
        try:
            sock.send(message)  # a first send of so few bytes always fits
        except OSError as error:  # it hung up meanwhile
            self._call_later(call, os.strerror(error.errno or 0))
            return
        call.said_hello = True
        self._poll.modify(sock, select.POLLIN)

    def _hear_reply(self, call: _Call, sock: socket.socket) -> None:
        try:
            complete = read(sock, call.inbox, REPLY)
        except (OSError, HelloError) as error:
            self._call_later(call, f"hung up ({error})")
            return
        if not complete:
            return
        reason = decode_reply(bytes(call.inbox))
        if reason == NOT_YET:
            self._call_later(call, "it has not come to this meeting yet")
            return
        if reason:
            self._verdict = reason
            raise RendezvousError(f"{self._group.me} was refused by {self._group.name(call.peer)}: {reason}")
        self._calls.remove(call)
        self._keep(Connection(sock, call.peer, call.channel, outgoing=True))

    # -- connections opened by others ---------------------------------------------------
    def _judge(self, guest: Guest, hello: Hello) -> None:
        key = hello.src, hello.channel
        if reason := self._stranger(hello):
            self._door.turn_away(guest, reason)
        elif differs := difference(self._settings, hello.settings):
            self._expected.discard(key)
            raise self._another_job(guest, hello.src, differs)
        elif key not in self._expected:
            here = any((one.peer, one.channel) == key and not one.outgoing for one in (*self._ready, *self._present))
            reason = f"rank {hello.src} channel {hello.channel} is here already" if here else NOT_YET
            self._door.turn_away(guest, reason)
        elif self._door.welcome(guest):
            self._expected.discard(key)
            self._keep(Connection(guest.sock, *key, outgoing=False))

    def _another_job(self, guest: Guest, peer: int, differs: tuple[str, str, str]) -> RendezvousError:
        name, mine, theirs = differs
        me = self._group.rank
        self._verdict = f"{name} is {mine} on rank {me} and {theirs} on rank {peer}"
        self._door.turn_away(guest, self._verdict)
        return RendezvousError(
            f"{self._group.me} and {self._group.name(peer)} do not run the same job: "
            f"{name} is {mine} here and {theirs} there"
        )

    def _stranger(self, hello: Hello) -> str:
        """Why this hello is none of ours; empty if it is."""
        if hello.token != self._token:
            return f"rank {hello.src} belongs to another job: the tokens differ"
        if hello.dst != self._group.rank:
            return f"rank {hello.dst} is not here: this is {self._group.me}"
        if not 0 <= hello.src < len(self._group.addresses):
            return f"there is no rank {hello.src} among {len(self._group.addresses)}"
        return ""

    # -- both ---------------------------------------------------------------------------
    def _forget(self, sock: socket.socket) -> None:
        self._poll.unregister(sock)
        del self._by_fd[sock.fileno()]

    def _keep(self, connection: Connection) -> None:
        """From now on only its end matters here: payload may come already."""
        self._by_fd[connection.fd] = connection
        self._poll.modify(connection.fd, select.POLLRDHUP)
        self._ready.append(connection)

    def _bound(self, make: Callable[[str, int], socket.socket], address: str, port: int) -> socket.socket:
        """A socket at one of this rank's addresses; RendezvousError says whose fault it is if there is none."""
        try:
            return make(address, port)
        except OSError as error:
            hint = {
                errno.EADDRINUSE: "another program has it: end that one, or wait for it",
                errno.EADDRNOTAVAIL: "this host has no such address: check --rank and --peers",
            }.get(error.errno or 0, str(error))
            raise RendezvousError(f"{self._group.me} can't use {address} port {port}: {hint}") from None

    def _timed_out(self) -> RendezvousError:
        if self._left:
            return RendezvousError(self._left)
        absent = {call.peer: call.trouble for call in reversed(self._calls)}
        absent |= {peer: "did not call" for peer, _ in self._expected if peer not in absent}
        ranks = ", ".join(f"{self._group.name(peer)}: {trouble}" for peer, trouble in sorted(absent.items()))
        hint = f"; refused {self._door.refused}" if self._door.refused else ""
        return RendezvousError(f"{self._group.me} waited {self._timeout_s:g} s for {ranks}{hint}")
