"""Messages between two ranks, whenever they like: one thread that sends and receives all of a rank's.

Connections open at the first message to a rank, and carry letters (``letters.py``) one after another. All of them are
under way at once, so that ranks may send to each other in any order. A send is done when the kernel has all of it.
"""

from __future__ import annotations

import select
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from time import monotonic

import numpy as np
import torch

from collectives.torch_backend.fate import Fate
from collectives.torch_backend.letters import Desk, Header, Receive
from collectives.torch_backend.mailboxes import Inbox, Outbox, Parcel, check, lost
from collectives.torch_backend.tensors import read, written
from collectives.torch_backend.work import GroupWork
from collectives.transport.connections import Group, listener
from collectives.transport.door import Door, Guest
from collectives.transport.errors import PeerSilentError, RendezvousError, TransportError
from collectives.transport.hello import Hello
from topologies.ports import listen_port

GRACE_S = 1.0
"""A rank that has ended may have sent a letter before, which overtook nothing: how long to wait for it."""

Command = Callable[[], None]


class Mail:
    """A rank's letters. Its door is open from the beginning; the thread starts with the first message.

    ``group`` has the slots of the mail. RendezvousError if the port is taken.
    """

    def __init__(self, group: Group, token: str, timeout_s: float, fate: Fate) -> None:
        self._group = group
        self._token = token
        self._timeout_s = timeout_s
        self._fate = fate
        self._desk = Desk()
        self._poll = select.poll()
        self._wakes, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        self._wakes.setblocking(False)
        self._door = Door([_listener(group)], self._poll)
        self._poll.register(self._wakes, select.POLLIN)
        self._inboxes: dict[int, Inbox] = {}
        self._outboxes: dict[int, Outbox] = {}
        self._lock = threading.Lock()
        self._commands: deque[Command] = deque()
        self._works: list[GroupWork] = []
        self._over = False
        self._thread: threading.Thread | None = None
        fate.on_failure(self._wake)

    # -- called from anywhere -----------------------------------------------------------
    def send(self, tensor: torch.Tensor, to: int, tag: int) -> GroupWork:
        work = GroupWork(f"send to {self._group.name(to)}", [tensor])
        payload = read(tensor).view(np.uint8).data
        parcel = Parcel(work, deque([memoryview(Header.of(tensor, tag).encoded()), payload]), monotonic())
        return self._ask(work, lambda: self._outbox(to).put(parcel))

    def receive(self, tensor: torch.Tensor, source: int | None, tag: int) -> GroupWork:
        """``source`` is None for anybody's."""
        work = GroupWork(f"receive from {'anybody' if source is None else self._group.name(source)}", [tensor])
        stack = ExitStack()
        room = stack.enter_context(written(tensor)).view(np.uint8).data
        receive = Receive(work, source, Header.of(tensor, tag), room, stack.close, monotonic())
        return self._ask(work, lambda: self._post(receive))

    def close(self) -> None:
        """End all connections; what is under way fails."""
        with self._lock:
            self._over = True
            thread = self._thread
        self._wake()
        if thread is not None:
            thread.join()
        else:
            self._end(None)

    def _ask(self, work: GroupWork, command: Command) -> GroupWork:
        with self._lock:
            if self._over:
                raise TransportError(f"{work.what}: this process group is destroyed")
            if self._fate.failing:
                work.fail(self._fate.later(work.what))
                return work
            self._works = [one for one in self._works if not one.is_completed()]
            self._works.append(work)
            self._commands.append(command)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"ringlab-mail-{self._group.me}", daemon=True)
                self._thread.start()
        self._wake()
        return work

    def _wake(self) -> None:
        with suppress(OSError):  # full: it wakes anyway; closed: there is nobody to wake
            self._waker.send(b"\0")

    # -- the thread ---------------------------------------------------------------------
    def _run(self) -> None:
        try:
            while not self._over and not self._fate.failing:
                self._turn()
        except TransportError as found:
            self._fate.fail(found)
        except Exception as found:  # noqa: BLE001 - whoever waits gets it
            self._fate.fail(TransportError(f"{self._group.me}: a message went wrong there: {found}"))
        self._end(self._fate.error() if self._fate.failing else None)

    def _end(self, error: TransportError | None) -> None:
        with self._lock:
            self._commands.clear()
            works, self._works = self._works, []
        for box in self._boxes():
            box.close()
        self._door.close()
        self._wakes.close()
        self._waker.close()
        for work in works:
            work.fail(error or TransportError(f"{work.what}: this process group is destroyed"))

    def _turn(self) -> None:
        while self._commands:
            self._commands.popleft()()
        now = monotonic()
        self._door.clear(now)
        wake_at = self._door.wait_until(now + self._timeout_s)
        for outbox in self._outboxes.values():
            if (calls_at := outbox.calls_at) is not None and calls_at <= now:
                outbox.call()
            wake_at = min(wake_at, outbox.calls_at or wake_at)
        for since, trouble in self._patience():
            if since + self._timeout_s <= now:
                raise PeerSilentError(f"{self._group.me} {trouble} for {self._timeout_s:g} s")
            wake_at = min(wake_at, since + self._timeout_s)
        wake_at = min(wake_at, self._mourn(now) or wake_at)
        for fd, _ in self._poll.poll(max(wake_at - now, 0.001) * 1000):
            self._handle(fd)

    def _patience(self) -> Iterator[tuple[float, str]]:
        """Since when somebody waits, and for what."""
        name = self._group.name
        heard = {inbox.peer: inbox.since for inbox in self._inboxes.values()}
        for outbox in self._outboxes.values():
            if (since := outbox.since) is not None:
                yield since, f"could not send to {name(outbox.peer)}"
        for receive in self._desk.waiting:
            if receive.source is None:
                yield max(receive.since, *heard.values(), 0.0), "received nothing from anybody"
            else:
                since = max(receive.since, heard.get(receive.source, 0.0))
                yield since, f"heard nothing from {name(receive.source)} at a receive from it"
        for inbox in self._inboxes.values():
            if inbox.receive is not None:
                yield inbox.since, f"heard nothing from {name(inbox.peer)} in the middle of a receive from it"

    def _handle(self, fd: int) -> None:
        if fd == self._wakes.fileno():
            with suppress(BlockingIOError):
                self._wakes.recv(1 << 16)
        elif self._door.owns(fd):
            if (heard := self._door.hear(fd)) is not None:
                self._judge(*heard)
        else:
            box = next((box for box in self._boxes() if box.sock is not None and box.sock.fileno() == fd), None)
            if box is not None:
                box.handle()

    def _judge(self, guest: Guest, hello: Hello) -> None:
        if hello.token != self._token:
            self._door.turn_away(guest, f"rank {hello.src} belongs to another job: the tokens differ")
        elif hello.dst != self._group.rank or not 0 <= hello.src < len(self._group.slots):
            self._door.turn_away(guest, f"this is {self._group.me}")
        elif hello.src in self._inboxes:
            self._door.turn_away(guest, f"rank {hello.src} is here already")
        elif self._door.welcome(guest):
            self._poll.unregister(guest.sock)
            self._inboxes[hello.src] = Inbox(self._group, hello.src, guest.sock, self._desk, self._poll)

    def _boxes(self) -> list[Inbox | Outbox]:
        return [*self._inboxes.values(), *self._outboxes.values()]

    def _outbox(self, peer: int) -> Outbox:
        if peer not in self._outboxes:
            self._outboxes[peer] = Outbox(self._group, peer, self._token, self._poll, self._timeout_s)
        return self._outboxes[peer]

    def _post(self, receive: Receive) -> None:
        letter = self._desk.early(receive)
        if letter is not None:
            check(receive, letter.header, self._group, letter.source)
            receive.room[:] = letter.payload
            receive.finish()
            receive.work.fulfil(letter.source)
            return
        self._desk.waiting.append(receive)
        for inbox in self._inboxes.values():
            inbox.resume()
        if receive.source is not None and receive.source not in self._inboxes:
            self._outbox(receive.source).open()

    def _mourn(self, now: float) -> float | None:
        """PeerLostError if somebody waits for a rank that is gone; else when to look again."""
        look_at = None
        for source in {receive.source for receive in self._desk.waiting if receive.source is not None}:
            if (inbox := self._inboxes.get(source)) is not None:
                if inbox.gone:
                    raise lost(self._group, source, inbox.gone)
            elif (outbox := self._outbox(source)).lost:
                if outbox.lost_at + GRACE_S <= now:
                    raise lost(self._group, source, outbox.lost)
                look_at = outbox.lost_at + GRACE_S
        return look_at


def _listener(group: Group) -> socket.socket:
    address, port = group.address(group.rank, 0), listen_port(group.slots[group.rank])
    try:
        return listener(address, port)
    except OSError as error:
        raise RendezvousError(
            f"{group.me} can't use {address} port {port}: {error.strerror}; "
            "is another job there, or has this host no such address?"
        ) from None
