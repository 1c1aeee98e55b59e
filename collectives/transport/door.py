"""A rank's door during a rendezvous: its listening sockets, and guests who have not said yet who they are.

Anybody may knock: browsers, port scanners, ranks of other jobs, somebody who never says a word. So guests are bounded
in number, time and bytes, and a few are let in at a time, that the rank has its turn whatever comes. A rank of the job
that lost its place to the crowd finds itself hung up on, and calls again.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from time import monotonic

from collectives.transport.connections import reset, tune
from collectives.transport.hello import (
    HELLO,
    REPLY,
    Hello,
    HelloError,
    decode_hello,
    decode_reply,
    encode_reply,
    missing,
)

GUESTS = 128
"""At most so many at once: beyond, the one who has been silent for longest leaves."""

AT_A_TIME = 32
"""Let in before others have their turn."""

HELLO_S = 5.0
"""A hello follows its connection at once; seconds are for lost packets."""

_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


@dataclass(slots=True, eq=False)
class Guest:
    """Somebody who connected here and has not said who it is."""

    sock: socket.socket
    address: str
    until: float
    inbox: bytearray = field(default_factory=bytearray)


class Door:
    """``refused`` says who was turned away last, and why."""

    def __init__(self, listeners: Iterable[socket.socket], poll: select.poll) -> None:
        self.refused = ""
        self._poll = poll
        self._listeners = {sock.fileno(): sock for sock in listeners}
        self._guests: dict[int, Guest] = {}
        for fd in self._listeners:
            poll.register(fd, select.POLLIN)

    def close(self) -> None:
        for sock in self._listeners.values():
            sock.close()
        for guest in self._guests.values():
            reset(guest.sock)

    def owns(self, fd: int) -> bool:
        return fd in self._listeners or fd in self._guests

    def hear(self, fd: int) -> tuple[Guest, Hello] | None:
        """There is something to do at ``fd``. A guest and its hello, once all of it is there."""
        if fd in self._listeners:
            self._let_in(self._listeners[fd])
            return None
        guest = self._guests[fd]
        try:
            return (guest, decode_hello(bytes(guest.inbox))) if read(guest.sock, guest.inbox, HELLO) else None
        except (OSError, HelloError) as error:
            self.turn_away(guest, str(error))
            return None

    def wait_until(self, latest: float) -> float:
        """When to look again at the latest: the guest who came first has had its time."""
        return min(latest, next((guest.until for guest in self._guests.values()), latest))

    def clear(self, now: float) -> None:
        """Guests whose time is up leave."""
        while (first := next(iter(self._guests.values()), None)) and first.until <= now:
            self._drop(first, f"it did not say who it is within {HELLO_S:g} s")

    def welcome(self, guest: Guest) -> bool:
        """The socket is the caller's from now on. False if the guest is gone meanwhile."""
        try:
            guest.sock.send(encode_reply(""))
        except OSError as error:
            self.turn_away(guest, str(error))
            return False
        del self._guests[guest.sock.fileno()]
        return True

    def turn_away(self, guest: Guest, reason: str) -> None:
        """Say why, and close so that the words still arrive."""
        self._forget(guest, reason)
        refuse(guest.sock, reason)

    def _drop(self, guest: Guest, reason: str) -> None:
        """Without a word: if it is a rank of this job, it is to call again."""
        self._forget(guest, reason)
        reset(guest.sock)

    def _forget(self, guest: Guest, reason: str) -> None:
        self.refused = f"{guest.address}: {reason}"
        self._poll.unregister(guest.sock)
        del self._guests[guest.sock.fileno()]

    def _let_in(self, listening: socket.socket) -> None:
        for _ in range(AT_A_TIME):
            try:
                sock, (host, port) = listening.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _NO_ROOM:
                    self._make_room(0)
                continue  # else it gave up between its call and our answer
            tune(sock)
            self._make_room(GUESTS - 1)
            self._guests[sock.fileno()] = Guest(sock, f"{host}:{port}", monotonic() + HELLO_S)
            self._poll.register(sock, select.POLLIN)

    def _make_room(self, most: int) -> None:
        while len(self._guests) > most:
            self._drop(next(iter(self._guests.values())), "too many came at once")


def refuse(sock: socket.socket, reason: str) -> None:
    with contextlib.suppress(OSError):  # it may be gone: nobody to tell
        sock.send(encode_reply(reason))
        sock.shutdown(socket.SHUT_WR)
        sock.recv(1 << 16)  # what is not read when it closes would turn the end into a reset
    sock.close()


def last_words(sock: socket.socket) -> str:
    """Why the peer at the listening end left: it says so to ranks that it had welcomed. Empty if it did not."""
    inbox = bytearray()
    try:
        return decode_reply(bytes(inbox)) if read(sock, inbox, REPLY) else ""
    except (OSError, HelloError):  # it did not find the time
        return ""


def read(sock: socket.socket, inbox: bytearray, magic: bytes) -> bool:
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
