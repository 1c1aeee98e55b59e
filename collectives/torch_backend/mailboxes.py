"""One connection's letters: an outbox to each rank that this one writes to, an inbox from each that writes here.

Non-blocking, one thread's. What cannot be helped is raised as a TransportError.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from collectives.torch_backend.letters import HEADER_SIZE, Desk, Early, Header, Receive
from collectives.torch_backend.work import GroupWork
from collectives.transport.connections import SEGMENT, Group, caller, guard, reset
from collectives.transport.door import read
from collectives.transport.errors import MismatchError, PeerLostError, RendezvousError
from collectives.transport.hello import REPLY, Hello, HelloError, decode_reply, encode_hello
from topologies.ports import connect_port, listen_port

RETRY_S = 0.02
"""Who hangs up before the welcome (its door was crowded) is called again after this long."""


@dataclass(slots=True, eq=False)
class Parcel:
    """A letter to send: ``left`` is what has not gone yet."""

    work: GroupWork
    left: deque[memoryview]
    since: float


class Outbox:
    """Letters to ``peer``. ``lost`` says why there can be no more, from ``lost_at`` on."""

    def __init__(self, group: Group, peer: int, token: str, poll: select.poll, timeout_s: float) -> None:
        self.peer = peer
        self.sock: socket.socket | None = None
        self.lost = ""
        self.lost_at = 0.0
        self._group = group
        self._token = token
        self._poll = poll
        self._timeout_s = timeout_s
        self._parcels: deque[Parcel] = deque()
        self._reply = bytearray()
        self._step: Callable[[], None] = self._greet
        self._moved_at = self._retry_at = 0.0

    @property
    def since(self) -> float | None:
        """When the letter that is next began to wait; None if there is none."""
        return max(self._parcels[0].since, self._moved_at) if self._parcels else None

    @property
    def calls_at(self) -> float | None:
        """When it is to call its peer again; None if there is no need."""
        return self._retry_at if self._retry_at and self.sock is None else None

    def put(self, parcel: Parcel) -> None:
        self._parcels.append(parcel)
        self.open()
        if self._step == self._push:
            self._push()

    def open(self) -> None:
        """For letters; or else to notice when the peer ends."""
        if self.lost:
            self._lose(self.lost)
        elif self.sock is None and not self._retry_at:
            self.call()

    def call(self) -> None:
        """RendezvousError if this rank can't: its own port is taken."""
        group = self._group
        port = connect_port(group.slots[group.rank], 0)
        try:
            self.sock = caller(group.address(group.rank, 0), port)
        except OSError as error:
            raise RendezvousError(f"{group.me} can't send from its port {port}: {error.strerror}") from None
        self.sock.connect_ex((group.address(self.peer, 0), listen_port(group.slots[self.peer])))
        self._step, self._reply, self._retry_at = self._greet, bytearray(), 0.0
        self._poll.register(self.sock, select.POLLOUT)

    def handle(self) -> None:
        self._step()

    def close(self) -> None:
        if self.sock is not None:
            self._poll.unregister(self.sock)
            reset(self.sock)
            self.sock = None

    def _call_again(self) -> None:
        self.close()
        self._retry_at = monotonic() + RETRY_S

    def _greet(self) -> None:
        assert self.sock is not None
        code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code == errno.ECONNREFUSED:  # all doors are open before the first letter
            self._lose("it has ended")
            return
        if code:
            self._call_again()
            return
        try:
            self.sock.send(encode_hello(Hello(self._token, self._group.rank, self.peer, 0, {})))
        except OSError:
            self._call_again()
            return
        self._step = self._hear
        self._poll.register(self.sock, select.POLLIN)

    def _hear(self) -> None:
        assert self.sock is not None
        try:
            if not read(self.sock, self._reply, REPLY):
                return
        except (OSError, HelloError):
            self._call_again()
            return
        if reason := decode_reply(bytes(self._reply)):
            raise RendezvousError(f"{self._group.me} was refused by {self._group.name(self.peer)}: {reason}")
        guard(self.sock, self._timeout_s)
        self._step = self._push
        self._push()

    def _push(self) -> None:
        """All that the kernel takes. The peer says nothing on this connection: what can be read is its end."""
        assert self.sock is not None
        while not self._peer_left() and self._parcels:
            parcel = self._parcels[0]
            try:
                sent = self.sock.send(parcel.left[0])
            except BlockingIOError:
                break
            except OSError as error:
                self._lose(os.strerror(error.errno or 0).lower())
                break
            self._moved_at = monotonic()
            self._advance(parcel, sent)
        if self.sock is not None:
            self._poll.register(self.sock, select.POLLRDHUP | (select.POLLOUT if self._parcels else 0))

    def _advance(self, parcel: Parcel, sent: int) -> None:
        parcel.left[0] = parcel.left[0][sent:]
        while parcel.left and not parcel.left[0]:
            parcel.left.popleft()
        if not parcel.left:
            self._parcels.popleft()
            parcel.work.fulfil()

    def _peer_left(self) -> bool:
        assert self.sock is not None
        try:
            self.sock.recv(1)
        except BlockingIOError:
            return False
        except OSError as error:
            self._lose(os.strerror(error.errno or 0).lower())
        else:
            self._lose("it ended the connection")
        return True

    def _lose(self, why: str) -> None:
        """Not bad as long as there is nothing to send."""
        self.lost, self.lost_at = why, self.lost_at or monotonic()
        self.close()
        if self._parcels:
            me, peer = self._group.me, self._group.name(self.peer)
            raise PeerLostError(f"{me} lost {peer} at a send to it: {why}; see what that rank says")


class Inbox:
    """Letters from ``peer``. ``gone`` says why there will be no more; ``since`` is the last time that anything came."""

    def __init__(self, group: Group, peer: int, sock: socket.socket, desk: Desk, poll: select.poll) -> None:
        self.peer = peer
        self.sock: socket.socket | None = sock
        self.gone = ""
        self.since = monotonic()
        self.receive: Receive | None = None
        self._group = group
        self._desk = desk
        self._poll = poll
        self._text = bytearray(HEADER_SIZE)
        self._header: Header | None = None
        self._early: bytearray | None = None
        self._room = memoryview(self._text)
        self._filled = 0
        poll.register(sock, select.POLLIN)

    def handle(self) -> None:
        """Take what has come, as far as somebody wants it."""
        while self.sock is not None and self._fill():
            if self._header is None:
                self._header = Header.decoded(self._text)
                self._room, self._filled = memoryview(b""), 0
                self._poll.unregister(self.sock)
                if not self._find_room():
                    return
            else:
                self._deliver(self._header)

    def resume(self) -> None:
        """Somebody new waits: perhaps for the letter whose header is here."""
        if self._header is not None and self.receive is None and self._early is None and self._find_room():
            self.handle()

    def close(self) -> None:
        if self.sock is not None:
            reset(self.sock)
            self.sock = None

    def _find_room(self) -> bool:
        """False if nobody wants the letter yet: it stays in the sockets' buffers."""
        header = self._header
        assert header is not None
        assert self.sock is not None
        self.receive = self._desk.claim(self.peer, header.tag)
        if self.receive is not None:
            check(self.receive, header, self._group, self.peer)
            self._room = self.receive.room
        elif self._desk.is_awaited(self.peer):
            self._early = bytearray(header.nbytes)
            self._room = memoryview(self._early)
        else:
            return False
        self._poll.register(self.sock, select.POLLIN)
        return True

    def _deliver(self, header: Header) -> None:
        if self.receive is not None:
            self.receive.finish()
            self.receive.work.fulfil(self.peer)
        else:
            assert self._early is not None
            self._desk.keep(Early(self.peer, header, self._early))
        self._header = self.receive = self._early = None
        self._room, self._filled = memoryview(self._text), 0

    def _fill(self) -> bool:
        """True if what is under way is complete."""
        assert self.sock is not None
        while self._filled < len(self._room):
            try:
                came = self.sock.recv_into(self._room[self._filled : self._filled + SEGMENT])
            except BlockingIOError:
                return False
            except OSError as error:
                self._end(os.strerror(error.errno or 0).lower())
                return False
            if not came:
                self._end("it ended the connection")
                return False
            self._filled += came
            self.since = monotonic()
        return True

    def _end(self, why: str) -> None:
        assert self.sock is not None
        self._poll.unregister(self.sock)
        self.close()
        self.gone = why
        if self.receive is not None:
            raise lost(self._group, self.peer, why)


def check(receive: Receive, header: Header, group: Group, source: int) -> None:
    """MismatchError if the letter is not what the receive is for."""
    if (receive.wanted.elements, receive.wanted.dtype) != (header.elements, header.dtype):
        raise MismatchError(f"{group.me} waits for {receive.wanted}, but {group.name(source)} sends {header}")


def lost(group: Group, peer: int, why: str) -> PeerLostError:
    return PeerLostError(f"{group.me} lost {group.name(peer)} at a receive from it: {why}; see what that rank says")
