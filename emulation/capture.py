"""Captures a living lab's link with tcpdump, and reads a capture's packets with scapy.

Only headers are kept (``SNAP_BYTES``): on two cores, writing whole super-frames to disk would slow the run it watches.
"""

from __future__ import annotations

import os
import re
import selectors
import signal
import struct
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulation.errors import MachineError, RunError
from emulation.flows import Segment
from emulation.lab import Record, is_alive, records
from topologies.spelling import did_you_mean

SNAP_BYTES = 192
BUFFER_KIB = 16384
END_S = 5.0

_COUNTS = re.compile(r"(\d+) packets? (captured|dropped by kernel)")
_PROTOCOLS = {6: "tcp", 17: "udp"}
_ETHERNET = 1
_IPV4, _VLAN = 0x0800, 0x8100
_SYN = 0x02


@dataclass(frozen=True, slots=True)
class Tap:
    """Where a link can be seen: an interface of the machine, and the direction (``in``, ``out`` or ``inout``) there."""

    tag: str
    link: str
    interface: str
    direction: str


@dataclass(frozen=True, slots=True)
class Captured:
    """How a capture ended: packets in the file, packets that the kernel could not keep, and why it ended."""

    packets: int
    dropped: int
    why: str


def find_tap(link: str, tag: str | None = None) -> Tap:
    """The tap of ``link`` (``leaf1-spine1``, or ``leaf1->spine1`` for one direction) in the living lab ``tag``.

    RunError where no lab lives, several do and none is named, or the lab has no such link.
    """
    living = [path for path in records() if is_alive(path)]
    if tag is not None and tag not in [path.stem for path in living]:
        raise RunError(f"no living lab {tag!r}; {_labs([path.stem for path in living])}")
    chosen = [path for path in living if tag in (None, path.stem)]
    if not chosen:
        raise RunError("no lab is up: start a run or 'ringlab up FABRIC' in another terminal first")
    if len(chosen) > 1:
        raise RunError(f"several labs are up: say which by --tag; {_labs([path.stem for path in living])}")
    return tap_of(Record.read(chosen[0]), link)


def tap_of(record: Record, link: str) -> Tap:
    """RunError where the lab has no such link. A link may be named from either end."""
    taps = dict(_taps(record))
    if not taps:
        raise RunError(
            f"lab {record.tag} is large, and its switches have namespaces of their own: nothing to capture here"
        )
    if link not in taps:
        hint = did_you_mean(link, taps)
        hint = hint if hint.startswith("did") else f"its links are {', '.join(list(record.links)[:4])}, ..."
        raise RunError(f"lab {record.tag} has no link {link!r}; {hint}")
    return Tap(record.tag, link, *taps[link])


def _taps(record: Record) -> Iterator[tuple[str, tuple[str, str]]]:
    """Every name of every link and of its directions, with the interface and the direction there."""
    for name, (interface, node, peer) in record.links.items():
        copy = name[name.index("#") :] if "#" in name else ""
        yield from ((both, (interface, "inout")) for both in (f"{peer}-{node}{copy}", f"{node}-{peer}{copy}"))
        yield f"{node}->{peer}{copy}", (interface, "out")
        yield f"{peer}->{node}{copy}", (interface, "in")


def record_to(
    file: Path, tap: Tap, count: int | None = None, seconds: float | None = None, snap_bytes: int = SNAP_BYTES
) -> Captured:
    """Capture until ``count`` packets, ``seconds``, Ctrl-C, or the lab's end, whichever is first.

    The file is whole in any case. MachineError where tcpdump is missing, RunError in its words where it fails.
    """
    argv = ["tcpdump", "-i", tap.interface, "-Q", tap.direction, "-s", str(snap_bytes), "-B", str(BUFFER_KIB)]
    # Immediate: what waits in a half-full block is lost when the lab takes its interface away.
    argv += ["--immediate-mode", "-n", "-U", "-Z", "root", "-w", str(file), *(["-c", str(count)] if count else [])]
    try:
        # A session of its own: Ctrl-C is for us, who end it.
        process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, start_new_session=True)
    except FileNotFoundError:
        raise MachineError("tcpdump is not installed: run 'make setup', or see 'ringlab doctor'") from None
    try:
        why = _wait(process, seconds)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            _, said = process.communicate(timeout=END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            _, said = process.communicate()
    return _ended(process.returncode, said, why, count, tap)


def _wait(process: subprocess.Popen[str], seconds: float | None) -> str:
    """Why it is over; empty where tcpdump ended by itself."""
    file = os.pidfd_open(process.pid)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(file, selectors.EVENT_READ)
            return "" if selector.select(seconds) else f"after {seconds:g} s"
    except KeyboardInterrupt:
        return "interrupted"
    finally:
        os.close(file)


def _ended(code: int, said: str, why: str, count: int | None, tap: Tap) -> Captured:
    counts = {word: int(number) for number, word in _COUNTS.findall(said)}
    if not why and not code:
        why = f"after {count} packets"
    elif not why and not Path(f"/sys/class/net/{tap.interface}").exists():
        why = f"lab {tap.tag} is gone"
    elif not why:
        lines = [line for line in said.splitlines() if line.startswith("tcpdump:")]
        raise RunError(lines[-1] if lines else f"tcpdump ended with status {code}")
    return Captured(counts.get("captured", 0), counts.get("dropped by kernel", 0), why)


def await_lab(link: str, tag: str | None, seconds: float) -> Tap:
    """``find_tap``, asked again for ``seconds`` while no lab is up."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = find_tap(link, tag)
            if Path(f"/sys/class/net/{found.interface}").exists():
                return found
        except RunError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)


# -- reading ----------------------------------------------------------------------------
def read(file: Path) -> Iterator[Segment]:
    """The TCP and UDP packets over IPv4 of a pcap or pcapng file, in its order. RunError where it is none."""
    for time_s, frame, wire_bytes in frames(file):
        found = segment(time_s, frame, wire_bytes)
        if found is not None:
            yield found


def frames(file: Path) -> Iterator[tuple[float, bytes, int]]:
    """Time, the bytes that were kept and how many there were, of every frame. RunError where it is no capture."""
    from scapy.error import Scapy_Exception  # noqa: PLC0415 - slow to import
    from scapy.utils import RawPcapReader  # noqa: PLC0415 - likewise

    try:
        with file.open("rb") as opened, RawPcapReader(opened) as reader:  # type: ignore[arg-type]  # it takes files too
            every = getattr(reader, "linktype", _ETHERNET)
            _require_ethernet(file, every)
            unit_s = 1e-9 if getattr(reader, "nano", False) else 1e-6
            for frame, about in reader:
                _require_ethernet(file, getattr(about, "linktype", every))  # in pcapng each frame has its own
                yield _time_s(about, unit_s), frame, about.wirelen
    except OSError as error:
        raise RunError(f"{file}: can't be read: {error.strerror}") from None
    except (Scapy_Exception, EOFError, struct.error) as error:
        raise RunError(f"{file}: is no capture (pcap or pcapng): {error}") from None


def _require_ethernet(file: Path, linktype: int) -> None:
    if linktype != _ETHERNET:
        raise RunError(f"{file}: link type {linktype} is not Ethernet; capture one interface, not 'any'")


def _time_s(about: Any, unit_s: float) -> float:
    if hasattr(about, "sec"):
        return float(about.sec + about.usec * unit_s)
    return float((about.tshigh << 32 | about.tslow) / about.tsresol)  # pcapng


def segment(time_s: float, frame: bytes, wire_bytes: int) -> Segment | None:
    """What a frame carries; None where that is neither TCP nor UDP over IPv4, or its headers are not all there."""
    at, kind = 12, 0
    while len(frame) >= at + 2 and (kind := int.from_bytes(frame[at : at + 2], "big")) == _VLAN:
        at += 4
    at += 2
    if kind != _IPV4 or len(frame) < at + 20:
        return None
    header, protocol = (frame[at] & 15) * 4, _PROTOCOLS.get(frame[at + 9])
    length = int.from_bytes(frame[at + 2 : at + 4], "big") or wire_bytes - at  # 0: longer than 16 bits tell
    if int.from_bytes(frame[at + 6 : at + 8], "big") & 0x1FFF:
        return None  # a later fragment has no ports
    src, dst = (".".join(map(str, frame[at + start : at + start + 4])) for start in (12, 16))
    top = at + header
    if protocol is None or len(frame) < top + (20 if protocol == "tcp" else 8):
        return None
    src_port, dst_port = struct.unpack_from("!HH", frame, top)
    if protocol == "udp":
        return Segment(time_s, protocol, src, dst, src_port, dst_port, length - header - 8, wire_bytes)
    seq, offset, flags = struct.unpack_from("!4xI4xBB", frame, top)
    nbytes = length - header - (offset >> 4) * 4
    return Segment(time_s, protocol, src, dst, src_port, dst_port, nbytes, wire_bytes, seq, bool(flags & _SYN))


def _labs(tags: list[str]) -> str:
    return f"up: {', '.join(tags)}" if tags else "none is up"
