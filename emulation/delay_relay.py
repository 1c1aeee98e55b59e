"""Holds frames for the delay of their link where the kernel has no netem: a process of its own.

Theory of operation. A relayed end of a link has a TAP interface beside it, its *wire*. Every frame that would leave
by the end is sent out by the wire instead (``clsact`` and ``mirred``); the wire carries the shaping, so a frame comes
out of it when a link of that rate has taken it. This process reads it there, whole, 64 KiB segmentation-offload
frames and unfinished checksums included (both sides speak the same virtio header), holds it, and puts it on the
end's cable past all queues. Wires are not persistent: they go when this process goes, however it ends.

Protocol: lines of JSON on standard input. The first is a list of ends; the answer is ``ready``. Later ones change
lines (``{"wire": ..., "delay_s": ..., "jitter_s": ..., "loss": ...}``) or what the machine takes by itself
(``{"own_s": ...}``); each is answered by ``ok``. End of input ends the process.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import random
import resource
import select
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Any

from emulation.commands import run
from emulation.delay import Held, Impairment, Line

FRAME_BYTES = 70_000  # 64 KiB, its Ethernet header, the virtio header
SEND_BUFFER = 64 << 20
SEED = 1  # loss and jitter are the same in every run

# <linux/if_tun.h>, <linux/if_packet.h>, <asm/socket.h>, <linux/prctl.h>
TUNSETIFF, TUNSETOFFLOAD = 0x400454CA, 0x400454D0
TAP = 0x0002 | 0x1000 | 0x4000  # IFF_TAP, IFF_NO_PI, IFF_VNET_HDR
OFFLOADS = 0x1 | 0x2 | 0x4  # checksums, TSO4, TSO6
PACKET_VNET_HDR, PACKET_QDISC_BYPASS = 15, 20
SOL_PACKET, SO_SNDBUFFORCE = 263, 32
PR_SET_TIMERSLACK = 29

_libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Serve the ends that standard input names until it ends."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each end takes two files
    poll = select.epoll()  # before all others: select takes its file only if its number is small
    lines: dict[int, tuple[Line, socket.socket]] = {}
    names: dict[str, Line] = {}
    orders = open(0, "rb", buffering=0)  # noqa: SIM115 - open to the end; unbuffered, so that epoll sees every line
    ends = json.loads(orders.readline())
    for pid in sorted({end["pid"] for end in ends}):
        with _namespace_of(pid):
            for file, end in _open_ends([end for end in ends if end["pid"] == pid]):
                line = Line(_impairment(end))
                lines[file] = line, _cable(end["interface"])
                names[end["wire"]] = line
    _libc.prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)
    print("ready", flush=True)
    with suppress(EOFError):
        _relay(lines, names, orders, poll)


def _relay(
    lines: dict[int, tuple[Line, socket.socket]], names: dict[str, Line], orders: FileIO, poll: select.epoll
) -> None:
    held: Held[socket.socket, bytes] = Held()
    draw = random.Random(SEED).random  # noqa: S311 - no secret
    for file in (*lines, orders.fileno()):
        poll.register(file, select.EPOLLIN)
    while True:
        select.select([poll], (), (), held.wait_s(time.monotonic()))  # epoll's own timeout counts whole milliseconds
        ready = [file for file, _ in poll.poll(0)]
        now_s = time.monotonic()
        for file in ready:
            if file == orders.fileno():
                _obey(orders.readline(), names)
                continue
            line, cable = lines[file]
            frame = os.read(file, FRAME_BYTES)
            due_s = line.due_s(now_s, draw)
            if due_s is not None:
                held.hold(due_s, cable, frame)
        for cable, frame in held.due(time.monotonic()):
            with suppress(OSError):  # the link is down: so is the frame's way
                cable.send(frame)


def _obey(text: bytes, names: dict[str, Line]) -> None:
    if not text:
        raise EOFError
    order = json.loads(text)
    if "own_s" in order:
        for line in names.values():
            line.own_s = order["own_s"]
    else:
        names[order["wire"]].impairment = _impairment(order)
    print("ok", flush=True)


def _impairment(order: dict[str, Any]) -> Impairment:
    return Impairment(order["delay_s"], order["jitter_s"], order["loss"])


@contextmanager
def _namespace_of(pid: int) -> Iterator[None]:
    """Put this thread into the network namespace of ``pid`` for a while; 0: leave it where it is."""
    if not pid:
        yield
        return
    with Path("/proc/self/ns/net").open("rb") as home, Path(f"/proc/{pid}/ns/net").open("rb") as there:
        _setns(there.fileno())
        try:
            yield
        finally:
            _setns(home.fileno())


def _setns(file: int) -> None:
    if _libc.setns(file, 0):
        raise OSError(ctypes.get_errno(), "setns")


def _open_ends(ends: Sequence[dict[str, Any]]) -> list[tuple[int, dict[str, Any]]]:
    """Each end's wire made, shaped and put in its way; all ends of one namespace at once."""
    files = [(_wire(end["wire"]), end) for end in ends]
    links, queues = [], []
    for end in ends:
        wire, interface = end["wire"], end["interface"]
        with suppress(FileNotFoundError):  # a kernel without IPv6
            Path(f"/proc/sys/net/ipv6/conf/{wire}/disable_ipv6").write_text("1")
        links.append(f"link set {wire} mtu {end['mtu']} up")
        queues += end["shaping"]
        queues.append(f"qdisc add dev {interface} clsact")
        queues.append(
            f"filter add dev {interface} egress protocol all u32 match u32 0 0 action mirred egress redirect dev {wire}"
        )
    run(["ip", "-batch", "-"], stdin="\n".join(links))
    run(["tc", "-batch", "-"], stdin="\n".join(queues))
    return files


def _wire(name: str) -> int:
    file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH22x", name.encode(), TAP))
    fcntl.ioctl(file, TUNSETOFFLOAD, OFFLOADS)
    return file


def _cable(interface: str) -> socket.socket:
    """A socket that puts frames on the interface's cable, past its queues and filters."""
    cable = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    cable.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
    cable.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    cable.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER)
    cable.bind((interface, 0))
    return cable


if __name__ == "__main__":
    main()
