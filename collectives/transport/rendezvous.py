"""How the ranks of a job find each other: no server, every address and port is known beforehand.

For each of its flows a rank opens the connection (from a source port that tells the channel), says hello and waits for
the welcome; at the same time it listens for the flows that end here. Nobody waits for anybody in particular, so the
ranks may start in any order. Whoever does not belong is refused and told why; a rank of this job that runs something
else ends the rendezvous on both sides.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from time import monotonic
from types import TracebackType
from typing import Self

from collectives.transport.connections import Connection, Group, caller, listener, reset, tune
from collectives.transport.errors import RendezvousError
from collectives.transport.hello import (
    HELLO,
    REPLY,
    Hello,
    HelloError,
    decode_hello,
    decode_reply,
    difference,
    encode_hello,
    encode_reply,
    missing,
)
from topologies.ports import connect_port, listen_port

RETRY_S = 0.02
"""A peer that does not listen yet is called again after this long."""

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


@dataclass(slots=True, eq=False)
class _Guest:
    """Somebody who connected here and has not said who it is."""

    sock: socket.socket
    address: str
    inbox: bytearray = field(default_factory=bytearray)


class Rendezvous:
    """Opens all connections of one rank: ``with Rendezvous(...) as rendezvous: connections = rendezvous.meet()``."""

    def __init__(
        self,
        group: Group,
        outgoing: Collection[Key],
        incoming: Collection[Key],
        *,
        token: str,
        settings: Mapping[str, str],
        timeout_s: float,
    ) -> None:
        self._group = group
        self._token = token
        self._settings = settings
        self._timeout_s = timeout_s
        self._deadline = monotonic() + timeout_s
        self._calls = [_Call(peer, channel) for peer, channel in sorted(outgoing)]
        self._expected = set(incoming)
        self._ready: list[Connection] = []
        self._refused = ""
        self._poll = select.poll()
        self._by_fd: dict[int, _Call | _Guest | Connection] = {}
        port = listen_port(group.slots[group.rank])
        self._listeners = {
            sock.fileno(): sock for sock in (self._bound(listener, nic, port) for nic in group.addresses[group.rank])
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for sock in self._listeners.values():
            sock.close()
        for pending in self._by_fd.values():
            if isinstance(pending, _Call | _Guest) and pending.sock is not None:
                reset(pending.sock)
            elif isinstance(pending, Connection) and error is not None:
                pending.reset()

    def meet(self) -> list[Connection]:
        """The open connections, when all are. RendezvousError if that fails, or at the deadline."""
        for sock in self._listeners.values():
            self._poll.register(sock, select.POLLIN)
        while self._calls or self._expected:
            now = monotonic()
            if now >= self._deadline:
                raise self._timed_out()
            wake_at = self._deadline
            for call in self._calls:
                if call.sock is None and call.retry_at <= now:
                    self._dial(call)
                if call.sock is None:
                    wake_at = min(wake_at, call.retry_at)
            for fd, _ in self._poll.poll(max(wake_at - now, 0.001) * 1000):
                self._handle(fd)
        return self._ready

    def _handle(self, fd: int) -> None:
        if fd in self._listeners:
            self._welcome_guests(self._listeners[fd])
            return
        found = self._by_fd.get(fd)
        if isinstance(found, _Call):
            self._go_on(found)
        elif isinstance(found, _Guest):
            self._listen_to(found)
        elif isinstance(found, Connection):
            raise RendezvousError(f"{self._group.me}: {self._group.name(found.peer)} left before all ranks had met")

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
        self._watch(sock, call, select.POLLOUT)

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
        elif not call.said_hello:
            hello = Hello(self._token, self._group.rank, call.peer, call.channel, self._settings)
            call.sock.send(encode_hello(hello))  # a first send of less than a segment always fits
            call.said_hello = True
            self._poll.modify(call.sock, select.POLLIN)
        else:
            self._hear_reply(call, call.sock)

    def _hear_reply(self, call: _Call, sock: socket.socket) -> None:
        try:
            complete = _read(sock, call.inbox, REPLY)
        except (OSError, HelloError) as error:
            self._call_later(call, f"hung up ({error})")
            return
        if not complete:
            return
        if reason := decode_reply(bytes(call.inbox)):
            raise RendezvousError(f"{self._group.me} was refused by {self._group.name(call.peer)}: {reason}")
        self._calls.remove(call)
        self._keep(Connection(sock, call.peer, call.channel, outgoing=True))

    # -- connections opened by others ---------------------------------------------------
    def _welcome_guests(self, listening: socket.socket) -> None:
        while True:
            try:
                sock, (host, port) = listening.accept()
            except BlockingIOError:
                return
            except OSError:  # it gave up between its call and our answer
                continue
            tune(sock)
            self._watch(sock, _Guest(sock, f"{host}:{port}"), select.POLLIN)

    def _listen_to(self, guest: _Guest) -> None:
        try:
            if not _read(guest.sock, guest.inbox, HELLO):
                return
            hello = decode_hello(bytes(guest.inbox))
        except (OSError, HelloError) as error:
            self._turn_away(guest, str(error))
            return
        if reason := self._stranger(hello):
            self._turn_away(guest, reason)
        elif differs := difference(self._settings, hello.settings):
            name, mine, theirs = differs
            peer = self._group.name(hello.src)
            self._turn_away(guest, f"{name} is {mine} there and {theirs} here")
            raise RendezvousError(
                f"{self._group.me} and {peer} do not run the same job: {name} is {mine} here and {theirs} there"
            )
        elif (hello.src, hello.channel) not in self._expected:
            self._turn_away(guest, f"rank {hello.src} channel {hello.channel} is not expected, or is here already")
        else:
            guest.sock.send(encode_reply(""))
            self._expected.discard((hello.src, hello.channel))
            self._keep(Connection(guest.sock, hello.src, hello.channel, outgoing=False))

    def _stranger(self, hello: Hello) -> str:
        """Why this hello is none of ours; empty if it is."""
        if hello.token != self._token:
            return "it belongs to another job: the tokens differ"
        if hello.dst != self._group.rank:
            return f"rank {hello.dst} is not here: this is {self._group.me}"
        if not 0 <= hello.src < len(self._group.addresses):
            return f"there is no rank {hello.src} among {len(self._group.addresses)}"
        return ""

    def _turn_away(self, guest: _Guest, reason: str) -> None:
        """Say why, and close so that the words still arrive."""
        self._refused = f"{guest.address}: {reason}"
        self._forget(guest.sock)
        with contextlib.suppress(OSError):  # it may be gone: nobody to tell
            guest.sock.send(encode_reply(reason))
            guest.sock.shutdown(socket.SHUT_WR)
            guest.sock.recv(1 << 16)  # what is not read when it closes would turn the end into a reset
        guest.sock.close()

    # -- both ---------------------------------------------------------------------------
    def _watch(self, sock: socket.socket, what: _Call | _Guest, events: int) -> None:
        self._by_fd[sock.fileno()] = what
        self._poll.register(sock, events)

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
        absent = {call.peer: call.trouble for call in reversed(self._calls)}
        absent |= {peer: "did not call" for peer, _ in self._expected if peer not in absent}
        ranks = ", ".join(f"{self._group.name(peer)}: {trouble}" for peer, trouble in sorted(absent.items()))
        hint = f"; refused {self._refused}" if self._refused else ""
        return RendezvousError(f"{self._group.me} waited {self._timeout_s:g} s for {ranks}{hint}")


def _read(sock: socket.socket, inbox: bytearray, magic: bytes) -> bool:
    """Take what there is of one message; True when it is complete. HelloError if it is none, or ends early."""
    while left := missing(bytes(inbox), magic):
        try:
            data = sock.recv(left)
        except BlockingIOError:
            return False
        if not data:
            raise HelloError("it hung up without a word" if not inbox else "it hung up in the middle of its hello")
        inbox += data
    return True
