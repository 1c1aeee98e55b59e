"""Sockets of a rank: made, tuned and ended in one place each."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from topologies.ports import slots

SEGMENT = 256 * 1024
"""Bytes received, added and forwarded at a time: small enough to add while in cache, large enough for few calls."""

_RESET = struct.pack("ii", 1, 0)
_LONGEST_S = 32767.0
"""The kernel's longest time between keep-alive probes (MAX_TCP_KEEPIDLE)."""


@dataclass(frozen=True, slots=True)
class Group:
    """The ranks of a job: ``addresses[rank]``, one for each of its host's NICs, and ``slots[rank]``.

    A slot is the rank's number among the ranks of its host.
    """

    rank: int
    addresses: tuple[tuple[str, ...], ...]
    slots: tuple[int, ...]

    @classmethod
    def of(cls, rank: int, peers: Sequence[str], chosen: Sequence[int] | None = None) -> Self:
        """From texts: ``10.0.0.1``, or ``10.0.0.1+10.16.0.1`` for a host with two NICs. ValueError if one is none.

        ``chosen`` are the slots, where ranks of other groups have slots on these hosts too.
        """
        addresses = tuple(tuple(peer.split("+")) for peer in peers)
        for number, nics in enumerate(addresses):
            for address in nics:
                try:
                    socket.inet_pton(socket.AF_INET, address)
                except OSError:
                    raise ValueError(f"rank {number}'s address {address!r} is no IPv4 address like 10.0.0.1") from None
        return cls(rank, addresses, slots(peers) if chosen is None else tuple(chosen))

    def address(self, rank: int, channel: int) -> str:
        """The rank's address on ``channel``: channels take the NICs in turn."""
        nics = self.addresses[rank]
        return nics[channel % len(nics)]

    def name(self, rank: int) -> str:
        """For messages: ``rank 3 (10.0.0.4)``."""
        return f"rank {rank} ({self.addresses[rank][0]})"

    @property
    def me(self) -> str:
        return self.name(self.rank)


class Connection:
    """An open, non-blocking connection in one direction: to ``peer`` if ``outgoing``, else from it.

    ``ready`` is False once the socket said that it would block; ``ended`` is True once the peer hung up.
    ``scratch`` (incoming only) takes what arrives to be added; ``carry`` of its bytes wait for the rest of an element.
    """

    __slots__ = (
        "carry", "channel", "ended", "fd", "outgoing", "peer", "ready", "recv_into", "scratch", "send", "sock", "view"
    )  # fmt: skip

    def __init__(self, sock: socket.socket, peer: int, channel: int, *, outgoing: bool) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.peer = peer
        self.channel = channel
        self.outgoing = outgoing
        self.ready = True
        self.ended = False
        self.carry = 0
        self.send = sock.send
        self.recv_into = sock.recv_into
        self.scratch: NDArray[np.uint8] = np.empty(0 if outgoing else SEGMENT, dtype=np.uint8)
        self.view = self.scratch.data

    def nbytes_waiting(self) -> int:
        """Bytes that have come and are not used yet."""
        (waiting,) = struct.unpack("i", fcntl.ioctl(self.fd, termios.FIONREAD, bytes(4)))
        return self.carry + int(waiting)

    def reset(self) -> None:
        """End it by a reset, which leaves no TIME_WAIT: the next run may use the same two ports at once."""
        reset(self.sock)


def listener(address: str, port: int) -> socket.socket:
    """A non-blocking listening socket. OSError if the port is taken or the address is not this host's."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        sock.listen(socket.SOMAXCONN)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def caller(address: str, port: int) -> socket.socket:
    """A non-blocking socket that will connect from this address and port. OSError as ``listener``."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Several connections leave by the same port, to different peers.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tune(sock)
        sock.bind((address, port))
    except OSError:
        sock.close()
        raise
    return sock


def tune(sock: socket.socket) -> None:
    """Non-blocking, and small messages leave at once. Buffer sizes stay with the kernel, which adapts them."""
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def guard(sock: socket.socket, timeout_s: float) -> None:
    """Let the kernel end it when the peer's host is silent for as long: bytes not taken, or no answer to a probe.

    A peer that has not read what fills all buffers is silent too: it would keep the sender waiting anyway. A stranger
    can't talk into it: the kernel takes only segments of the connection's own addresses, ports and sequence numbers.
    """
    longest_s = min(timeout_s, _LONGEST_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, max(1, round(longest_s * 1000)))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # Half of the time idle, then two probes: the kernel counts whole seconds, so a time-out below 3 s comes late here.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, max(1, int(longest_s / 2)))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, int(longest_s / 4)))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 2)


def reset(sock: socket.socket) -> None:
    """Close at once, unsent bytes dropped. A closed socket stays closed."""
    if sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        sock.close()
