"""Parts: a fabric divided over several machines, each with its own hosts and switches, joined by VXLAN.

Theory of operation. Every machine is given the same description and works out the same division, so no machine has to
tell another anything. A link whose ends are on two machines is *cut*: on each machine a VXLAN device takes the place
of the veth's end (RFC 7348: Ethernet frames in UDP), and is a switch's port, or a host's NIC, like any other: shaped
by the machine that sends, counted by the switch that it is plugged into. Its network identifier (VNI) is a pure
function of the *lab*, which is a digest of all that the machines must agree on, and of the link's number: machines
that were started differently exchange nothing, instead of something wrong.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from emulation.errors import PlanError
from emulation.partition import partition
from topologies.fabric import Fabric, Link, Port
from topologies.formats import dumps

VXLAN_PORT = 4789  # IANA's
VXLAN_OVERHEAD = 50  # IPv4 header 20, UDP 8, VXLAN 8, the carried frame's Ethernet header 14
VNIS = 2**24 - 1  # 24 bits, without 0
LAB_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine's name, and the IPv4 address at which the other machines reach it."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Vxlan:
    """A cut link as the machine that has the end ``port`` sees it."""

    link: Link
    port: Port
    vni: int
    local: str
    remote: str

    def creation(self) -> str:
        """The end of an ``ip link add NAME mtu N ...`` command.

        One far end, so nothing is to be learned. No UDP checksum, as RFC 7348 has it: TCP inside carries its own.
        """
        return (
            f"type vxlan id {self.vni} local {self.local} remote {self.remote} dstport {VXLAN_PORT} "
            "nolearning noudpcsum"
        )


@dataclass(frozen=True, slots=True)
class Part:
    """What one machine has of a divided fabric."""

    lab: str
    machine: Machine
    hosts: tuple[str, ...]
    switches: tuple[str, ...]
    tunnels: tuple[Vxlan, ...]


@dataclass(frozen=True, slots=True)
class Division:
    """A fabric's nodes handed out to machines; ``lab`` is equal on machines that agree on everything."""

    fabric: Fabric
    machines: tuple[Machine, ...]
    at: Mapping[str, Machine]
    lab: str

    def cut(self) -> Iterator[tuple[int, Link]]:
        """The links whose ends are on two machines, with their numbers in the fabric."""
        for number, link in enumerate(self.fabric.links):
            if self.at[link.a.node] != self.at[link.b.node]:
                yield number, link

    def part(self, name: str) -> Part:
        """The part of the machine ``name``. PlanError if there is no such machine."""
        machine = _named(self.machines, name)
        return Part(
            self.lab,
            machine,
            tuple(host for host in self.fabric.hosts if self.at[host] == machine),
            tuple(switch for switch in self.fabric.switches if self.at[switch] == machine),
            tuple(self._tunnels(machine)),
        )

    def _tunnels(self, machine: Machine) -> Iterator[Vxlan]:
        for number, link in self.cut():
            for port in (link.a, link.b):
                if self.at[port.node] == machine:
                    far = self.at[link.other(port).node]
                    yield Vxlan(link, port, vni(self.lab, number), machine.address, far.address)

    def load_bps(self, machine: Machine) -> int:
        """What the machine's switches may have to forward, at nominal rates: the sum over their ports."""
        switches = (switch for switch in self.fabric.switches if self.at[switch] == machine)
        return sum(self.fabric.rate_bps(port) for switch in switches for port in self.fabric.ports(switch))

    def summary(self, scale: float) -> list[str]:
        """For people: who has what, and what the network between the machines must carry."""
        total = sum(map(self.load_bps, self.machines))
        lines = []
        for machine in self.machines:
            part = self.part(machine.name)
            rate = sum(tunnel.link.rate_bps for tunnel in part.tunnels) / scale
            lines.append(
                f"{machine.name} ({machine.address}): {len(part.hosts)} hosts, {len(part.switches)} switches "
                f"({self.load_bps(machine) / total:.0%} of the switching), {len(part.tunnels)} VXLAN links "
                f"of {rate / 1e6:.4g} Mb/s in all each way"
            )
        cut = sum(1 for _ in self.cut())
        lines.append(f"{cut} of {len(self.fabric.links)} links are cut; lab {self.lab} on every machine")
        return lines


def divide(
    fabric: Fabric,
    machines: Sequence[Machine],
    wishes: Sequence[tuple[str, str]] = (),
    agreed: str = "",
) -> Division:
    """Hand the fabric's nodes out to ``machines`` by the rule of ``partition``.

    ``wishes`` are pairs (pattern of node names, machine): the user's word goes before the rule, and a later wish
    before an earlier one. ``agreed`` is whatever else must be equal on all machines; it enters the lab's digest.
    Raises PlanError for machines that are no machines, wishes that fit nothing, and more machines than switches.
    """
    _check_machines(machines)
    order = {machine.name: number for number, machine in enumerate(machines)}
    fixed: dict[str, int] = {}
    for pattern, name in wishes:
        fixed |= dict.fromkeys(_matching(fabric, pattern), order[_named(machines, name).name])
    at = {node: machines[number] for node, number in partition(fabric, len(machines), fixed).items()}
    for machine in machines:
        if not any(at[switch] == machine for switch in fabric.switches):
            raise PlanError(f"{machine.name} gets no switch: leave it one, or leave the machine out")
    return Division(fabric, tuple(machines), at, _lab(fabric, at, agreed))


def vni(lab: str, link_number: int) -> int:
    """The VXLAN network identifier of a link: neighbours from a starting point that the lab's digest gives."""
    return 1 + (int(lab, 16) + link_number) % VNIS


def largest_mtu(underlay_mtu: int) -> int:
    """The largest MTU inside the fabric where machines are joined by links of ``underlay_mtu``."""
    return underlay_mtu - VXLAN_OVERHEAD


def machines(text: str) -> tuple[Machine, ...]:
    """``m1=192.0.2.1,m2=192.0.2.2``. PlanError for anything else."""
    found = []
    for item in text.split(","):
        name, equals, address = item.strip().partition("=")
        if not equals:
            raise PlanError(f"machine {item!r}: write NAME=ADDRESS, as in m1=192.0.2.1,m2=192.0.2.2")
        found.append(Machine(name, address))
    _check_machines(found)
    return tuple(found)


def wish(text: str) -> tuple[str, str]:
    """``leaf*=m1``. PlanError for anything else."""
    pattern, equals, machine = text.partition("=")
    if not (pattern and equals and machine):
        raise PlanError(f"{text!r}: write NODE=MACHINE, as in 'leaf1=m1' or 'spine*=m2'")
    return pattern, machine


def _check_machines(machines: Sequence[Machine]) -> None:
    if len(machines) < 2:
        raise PlanError("one machine needs no parts: name two or more, as in m1=192.0.2.1,m2=192.0.2.2")
    for kind, values in (("name", [m.name for m in machines]), ("address", [m.address for m in machines])):
        doubled = next((value for value in values if values.count(value) > 1), None)
        if doubled is not None:
            raise PlanError(f"two machines have the {kind} {doubled!r}: each needs its own")
    for machine in machines:
        if not machine.name.replace("-", "").replace("_", "").replace(".", "").isalnum():
            raise PlanError(f"machine name {machine.name!r}: use letters, digits, '-', '_' and '.'")
        try:
            usable = not ipaddress.IPv4Address(machine.address).is_loopback
        except ValueError:
            usable = False
        if not usable:
            raise PlanError(
                f"machine {machine.name}: {machine.address!r} is no IPv4 address that other machines can reach"
            )


def _named(machines: Sequence[Machine], name: str) -> Machine:
    for machine in machines:
        if machine.name == name:
            return machine
    raise PlanError(f"no machine {name!r}: there are {', '.join(machine.name for machine in machines)}")


def _matching(fabric: Fabric, pattern: str) -> list[str]:
    found = [node for node in fabric.nodes if fnmatchcase(node, pattern)]
    if not found:
        raise PlanError(f"{pattern!r} fits no node of fabric {fabric.name!r}: 'ringlab topo show' lists them")
    return found


def _lab(fabric: Fabric, at: Mapping[str, Machine], agreed: str) -> str:
    places = ",".join(f"{node}={machine.name}={machine.address}" for node, machine in at.items())
    return hashlib.sha256("\n".join((dumps(fabric), places, agreed)).encode()).hexdigest()[:LAB_LENGTH]
