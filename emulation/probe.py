"""What is asked of one path before a run: does the rate hold, are frames spaced by it, how long is a round trip?"""

from __future__ import annotations

import json
import re
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

from emulation.departures import Departure
from emulation.errors import RunError
from emulation.network import Network
from emulation.plan import Plan
from topologies import addressing
from topologies.traffic import Path

SETTLE_S = 1  # slow start is not what is asked here
MEASURE_S = 1
PINGS = 60
PING_EVERY_S = 0.003
SERIES = 5
CLOSE_ENOUGH = 0.02  # of the round trip that is wanted
SETTLING_ROUNDS = 4

Statistic = Callable[[Sequence[float]], float]
"""What stands for a series of round trips."""

_TIME = re.compile(r"time=([0-9.]+) ms")
_ETH_P_ALL = 3
_OUTGOING = 4  # PACKET_OUTGOING of linux/if_packet.h
_SO_TIMESTAMPNS = 35
_SMALL = 1000  # bytes: acknowledgements are no departures of the stream


@dataclass(frozen=True, slots=True)
class Stream:
    """What one TCP stream made of its path: goodput, and the departures seen at the far end of its first link."""

    goodput_bps: float
    departures: tuple[Departure, ...]


def stream(network: Network, src: str, dst: str, path: Path) -> Stream:
    """One stream from ``src`` to ``dst`` along ``path`` for two seconds, the second of them measured.

    Departures are looked at where the stream waits: behind the first of its slowest links. A link that ends in a host,
    or in a switch daemon of the lab's own, can't be seen from here; none are reported then. RunError where nothing gets
    through.
    """
    server = network.popen(dst, ["iperf3", "--server", "--one-off", "--forceflush"], stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        while "listening" not in (line := server.stdout.readline()):
            if not line:
                raise RunError(f"the probe's server in {dst} did not start")
        address = addressing.ip(network.plan.fabric, dst)
        argv = ["iperf3", "--client", address, "--time", str(MEASURE_S), "--omit", str(SETTLE_S), "--json"]
        try:
            with _captured(_far_end(network.plan, path)) as capture:
                found = json.loads(network.run(src, argv, timeout_s=20))
        except RunError as error:
            raise RunError(f"the probe from {src} to {dst} failed: nothing gets through the fabric ({error})") from None
        return Stream(float(found["end"]["sum_received"]["bits_per_second"]), capture.settled())
    finally:
        server.kill()
        server.wait()
        if server.stdout:
            server.stdout.close()


def _far_end(plan: Plan, path: Path) -> str | None:
    """The switch port at which the first of the path's slowest links ends; None where it is not on the machine."""
    if plan.shares:  # in namespaces of the switches' daemons
        return None
    port = plan.fabric.peer(min(path.hops, key=plan.rate_bps))
    return plan.interfaces[port].name if plan.fabric.is_switch(port.node) else None


def round_trip_s(network: Network, src: str, dst: str, statistic: Statistic = median) -> float:
    """The round trip of small packets, seconds; takes a fifth of a second. RunError where none comes back."""
    address = addressing.ip(network.plan.fabric, dst)
    argv = ["ping", "-n", "-i", str(PING_EVERY_S), "-c", str(PINGS), "-W", "1", address]
    times = [float(ms) / 1e3 for ms in _TIME.findall(network.run(src, argv, timeout_s=20))]
    if not times:
        raise RunError(f"no ping from {src} to {dst} came back")
    return statistic(times)


def statistic_of(delays_s: float) -> Statistic:
    """What is held against what: emulated delays against the median, an idle path of none against its own floor.

    The median of an idle path wanders by 400 us, with where the scheduler puts the switch's threads; its floor, the
    least of a series, wandered by 50 us in 12 of 14 series.
    """
    return median if delays_s else min


def usual_round_trip_s(network: Network, src: str, dst: str, statistic: Statistic) -> float:
    """That of several series: an idle switch wakes up faster at some times than at others."""
    return statistic([round_trip_s(network, src, dst, statistic) for _ in range(SERIES)])


def round_trip_near_s(
    network: Network, src: str, dst: str, wanted_s: float, allowed_s: float, statistic: Statistic = median
) -> float:
    """The round trip, measured again while it is not what is wanted: a neighbour's moment of work is not the path's."""
    found = [round_trip_s(network, src, dst, statistic)]
    while abs(found[-1] - wanted_s) > allowed_s and len(found) < SERIES:
        found.append(round_trip_s(network, src, dst, statistic))
    return min(found, key=lambda one_s: abs(one_s - wanted_s))


def delays_s(network: Network, there: Path, back: Path) -> float:
    """What the emulated delays along both ways add up to."""
    ports = network.plan.interfaces
    return sum(ports[port].shape.impairment.delay_s for path in (there, back) for port in path.hops)


def settle(network: Network, src: str, dst: str, there: Path, back: Path) -> None:
    """Have relayed links hold frames for so much less as the machine takes by itself, as an idle path shows it."""
    wanted_s = delays_s(network, there, back)
    if network.relay is None or not wanted_s:
        return
    own_s = 0.0
    for _ in range(SETTLING_ROUNDS):
        excess_s = round_trip_s(network, src, dst) - wanted_s
        if abs(excess_s) < CLOSE_ENOUGH * wanted_s:
            return
        own_s = max(0.0, own_s + excess_s / (len(there.hops) + len(back.hops)))
        network.relay.allow_for(own_s)


@dataclass
class _Capture:
    """Frames and the kernel's times of them, as they come."""

    file: socket.socket
    seen: list[Departure] = field(default_factory=list)
    stop: bool = False

    def read(self) -> None:
        start = bytearray(64)
        while not self.stop:
            try:
                nbytes, ancillary, _, sender = self.file.recvmsg_into([start], 64, socket.MSG_TRUNC)  # the whole length
            except TimeoutError:
                continue
            for _, kind, data in ancillary:
                if kind == _SO_TIMESTAMPNS and sender[2] != _OUTGOING:
                    seconds, nanoseconds = struct.unpack("qq", data[:16])
                    self.seen.append(Departure(seconds + nanoseconds / 1e9, nbytes))

    def settled(self) -> tuple[Departure, ...]:
        """The stream's frames of the measured second."""
        large = [one for one in self.seen if one.nbytes > _SMALL]
        end_s = large[-1].at_s - 0.05 * MEASURE_S if large else 0.0
        return tuple(one for one in large if end_s - 0.9 * MEASURE_S < one.at_s < end_s)


@contextmanager
def _captured(interface: str | None) -> Iterator[_Capture]:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as file:
        if interface:  # else the socket hears nothing
            file.bind((interface, _ETH_P_ALL))
        file.settimeout(0.1)
        file.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        capture = _Capture(file)
        reader = threading.Thread(target=capture.read, daemon=True)
        reader.start()
        try:
            yield capture
        finally:
            capture.stop = True
            reader.join()
