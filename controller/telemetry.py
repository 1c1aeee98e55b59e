"""Telemetry: what switches count, as totals and rates by port, job and group. Pure.

A switch that starts anew counts from zero, and so does a rule that is put in anew. So totals here are sums of
differences: a counter that fell is taken to have started anew, and a total never falls. What was counted between the
last answer and a new start is not known to anybody. The first answer is taken as it is: a total is the switch's own,
and goes on when the switch's does not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from typing import Protocol

from controller.rules import job_of
from topologies.fabric import Fabric, Port


@dataclass(frozen=True, slots=True)
class PortCounters:
    """What a switch counted at a port, as OpenFlow 1.3 (7.3.5.6) names it: rx is what came from the link."""

    port: int
    rx_packets: int = 0
    rx_bytes: int = 0
    tx_packets: int = 0
    tx_bytes: int = 0
    rx_dropped: int = 0
    tx_dropped: int = 0
    rx_errors: int = 0
    tx_errors: int = 0


@dataclass(frozen=True, slots=True)
class FlowCounters:
    """What a switch counted at the ingress rule with this cookie."""

    cookie: int
    packets: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class GroupCounters:
    """Packets by bucket of a fast-failover group: the first is the path, the others are detours."""

    group: int
    packets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PortUse:
    """Of a port: totals, and rates between the last two answers in bit/s. ``utilisation``: sent, by the wire's rate."""

    total: PortCounters
    tx_bps: float = 0.0
    rx_bps: float = 0.0
    utilisation: float = 0.0


@dataclass(frozen=True, slots=True)
class JobUse:
    """Of a job: bytes and packets that its flows brought into the fabric, and the rate between the last two answers.

    Bytes are of whole frames, acknowledgements among them.
    """

    packets: int = 0
    nbytes: int = 0
    bps: float = 0.0


class CountersTold(Protocol):
    """All that a switch counts; see ``events.CountersRead``."""

    @property
    def ports(self) -> Sequence[PortCounters]: ...
    @property
    def flows(self) -> Sequence[FlowCounters]: ...
    @property
    def groups(self) -> Sequence[GroupCounters]: ...


class Telemetry:
    """``hot`` etc. can be asked for at any time; before the first answers all is empty.

    ``scale``: how many times slower the wires are than the fabric's links, as in an emulation.
    """

    def __init__(self, fabric: Fabric, scale: float = 1.0) -> None:
        self._fabric, self._scale = fabric, scale
        self._ports: dict[Port, PortUse] = {}
        self._flows: dict[tuple[str, int], FlowCounters] = {}
        self._jobs: dict[int, JobUse] = {}
        self._job_bps: dict[tuple[str, int], float] = {}
        self._groups: dict[tuple[str, int], GroupCounters] = {}
        self._detours: dict[str, int] = defaultdict(int)
        self._last: dict[object, PortCounters] = {}
        self._told_at: dict[str, float] = {}

    def take(self, switch: str, told: CountersTold, now: float) -> None:
        """Takes in what the switch told, ``now`` in seconds."""
        before = self._told_at.get(switch)
        self._told_at[switch] = now
        seconds = now - before if before is not None else None
        self._take_ports(switch, told.ports, seconds)
        self._take_flows(switch, told.flows, seconds)
        self._take_groups(switch, told.groups)

    def wire_bps(self, port: Port) -> float:
        """What the wire at the port carries each way: the link's rate, by the scale."""
        return self._fabric.rate_bps(port) / self._scale

    def told_at(self, switch: str) -> float | None:
        """When the switch last told its counters."""
        return self._told_at.get(switch)

    @property
    def ports(self) -> Mapping[Port, PortUse]:
        return self._ports

    @property
    def jobs(self) -> Mapping[int, JobUse]:
        """By the number of a job that has or had flows."""
        return self._jobs

    @property
    def detours(self) -> Mapping[str, int]:
        """By switch, packets that took a backup since their port was dead."""
        return self._detours

    def hot(self, limit: int) -> list[tuple[Port, PortUse]]:
        """The directed links between switches that are used most, the fullest first."""
        trunks = [(port, use) for port, use in self._ports.items() if self._is_trunk(port)]
        return sorted(trunks, key=lambda item: (-item[1].utilisation, item[0]))[:limit]

    def _is_trunk(self, port: Port) -> bool:
        return self._fabric.is_switch(self._fabric.peer(port).node)

    def _take_ports(self, switch: str, counters: Sequence[PortCounters], seconds: float | None) -> None:
        for one in counters:
            port = Port(switch, one.port)
            if port not in self._fabric.ports(switch):
                continue  # the switch itself, or a port that somebody added
            grown = _difference(one, self._last.get(port))
            self._last[port] = one
            before = self._ports.get(port)
            total = _sum(before.total, grown) if before else one
            if seconds is None or seconds <= 0 or before is None:
                self._ports[port] = PortUse(total)
                continue
            tx_bps, rx_bps = 8 * grown.tx_bytes / seconds, 8 * grown.rx_bytes / seconds
            self._ports[port] = PortUse(total, tx_bps, rx_bps, tx_bps / self.wire_bps(port))

    def _take_flows(self, switch: str, counters: Sequence[FlowCounters], seconds: float | None) -> None:
        grown_bytes: dict[int, int] = defaultdict(int)
        told = set()
        for one in counters:
            number = job_of(one.cookie)
            if not number:
                continue
            told.add((switch, one.cookie))
            before = self._flows.get((switch, one.cookie))
            fell = before is None or one.nbytes < before.nbytes or one.packets < before.packets
            packets = one.packets if fell or before is None else one.packets - before.packets
            nbytes = one.nbytes if fell or before is None else one.nbytes - before.nbytes
            self._flows[switch, one.cookie] = one
            use = self._jobs.get(number, JobUse())
            self._jobs[number] = replace(use, packets=use.packets + packets, nbytes=use.nbytes + nbytes)
            grown_bytes[number] += nbytes
        for gone in [key for key in self._flows if key[0] == switch and key not in told]:
            del self._flows[gone]
        self._rate_jobs(switch, grown_bytes, seconds)

    def _rate_jobs(self, switch: str, grown_bytes: Mapping[int, int], seconds: float | None) -> None:
        """A job's rate is the sum of what each switch told last."""
        for number in self._jobs:
            grown = grown_bytes.get(number, 0)
            self._job_bps[switch, number] = 8 * grown / seconds if seconds else 0.0
        for number, use in self._jobs.items():
            rate = sum(bps for (_, job), bps in self._job_bps.items() if job == number)
            self._jobs[number] = replace(use, bps=rate)

    def _take_groups(self, switch: str, counters: Sequence[GroupCounters]) -> None:
        for one in counters:
            before = self._groups.get((switch, one.group))
            self._groups[switch, one.group] = one
            detoured, until_now = sum(one.packets[1:]), sum(before.packets[1:]) if before else 0
            self._detours[switch] += detoured - until_now if detoured >= until_now else detoured


def _difference(now: PortCounters, before: PortCounters | None) -> PortCounters:
    """What was counted between two answers of one port."""
    if before is None or any(new < old for new, old in zip(_counts(now), _counts(before), strict=True)):
        return now
    return PortCounters(now.port, *(new - old for new, old in zip(_counts(now), _counts(before), strict=True)))


def _sum(one: PortCounters, other: PortCounters) -> PortCounters:
    return PortCounters(one.port, *(a + b for a, b in zip(_counts(one), _counts(other), strict=True)))


def _counts(counters: PortCounters) -> Iterator[int]:
    return iter(astuple(counters)[1:])
