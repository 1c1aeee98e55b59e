"""Fabric to the exact list of namespaces, veths, bridges and queues: a pure function, printed by ``--dry-run``.

Theory of operation. Each host is a network namespace, each switch an Open vSwitch bridge, each link a veth pair.
Every direction of a link is shaped where its packets leave, by one HTB class of the link's rate over a byte-limited
FIFO. Names on the machine start with the lab's *tag* (5 characters, new for each lab), so two labs never collide and
cleaning up touches nothing else.

Time dilation. Rates are divided by ``scale`` and delays multiplied by it, so that bandwidth x delay in bytes stays
what the fabric file states (Gupta et al., "To Infinity and Beyond: Time-Warped Network Emulation", NSDI 2006).

What each setting cures was measured on a pinned ring of eight ranks over a 4x2x2 leaf-spine on two cores:
an explicit burst and quantum (a 15 KB burst cannot reach the rate between two timer ticks), a byte-limited queue
of at least two 64 KiB segmentation-offload frames (a smaller one drops such a frame for ever), no slow start after
idle (a ring pauses between steps), jumbo frames (header share 0.7 % instead of 4.4 %).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from emulation.errors import PlanError
from topologies import addressing
from topologies.fabric import Fabric, Link, Port

TAG_LENGTH = 5
MAX_INTERFACE_NAME = 15  # IFNAMSIZ - 1
ETHERNET_HEADER = 14
OFFLOAD_FRAME = 65536 + ETHERNET_HEADER  # the largest frame that segmentation offload hands over
TIMER_TICK_S = 0.002  # a burst lasts two ticks of a 1000 Hz timer: HTB refills once a tick at worst
QUEUE = 1 << 20
"""Bytes in front of a busy port, as in a data-centre switch (64 MB shared by 64 ports). Time dilation keeps bytes."""

SOCKET_BUFFER = QUEUE
"""The most a flow has on its way: alone it can't overrun a queue, as in the lossless fabrics of AI clusters."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How the emulation is to run; every field is recorded in the result."""

    scale: float = 1.0
    mtu: int = 9000
    congestion: str = "reno"
    datapath: str = "netdev"  # or "system": the kernel module
    queue_bytes: int | None = None  # None: QUEUE
    netem: bool = False  # the kernel can delay packets
    offload: bool = True  # the datapath carries 64 KiB frames and unfinished checksums


@dataclass(frozen=True, slots=True)
class Shape:
    """One direction of a link: HTB's numbers, and the delay where the kernel can emulate it."""

    rate_bps: int
    burst_bytes: int
    quantum_bytes: int
    queue_bytes: int
    delay_s: float


@dataclass(frozen=True, slots=True)
class Interface:
    """One end of a link as the machine sees it."""

    name: str
    port: Port
    shape: Shape


@dataclass(frozen=True, slots=True)
class Veth:
    """A link: two interfaces and the link they stand for."""

    link: Link
    a: Interface
    b: Interface


@dataclass(frozen=True)
class Plan:
    """Everything that will be made, before anything is made."""

    fabric: Fabric
    tag: str
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        if len(self.tag) != TAG_LENGTH or not self.tag.isalnum():
            raise PlanError(f"tag {self.tag!r}: {TAG_LENGTH} letters and digits")
        if self.settings.scale < 1:
            raise PlanError(f"scale {self.settings.scale:g}: an emulation runs at 1 or slower")

    # -- names ------------------------------------------------------------------------------
    def bridge(self, switch: str) -> str:
        """The switch's bridge: ``TAG-leaf1``, or ``TAG-sN`` where that would be too long."""
        return self._name(switch, suffix="")

    def interface_name(self, port: Port) -> str:
        """``h1-eth1`` inside a host's namespace, ``TAG-leaf1-2`` on the machine."""
        if not self.fabric.is_switch(port.node):
            return f"eth{port.number}"
        return self._name(port.node, suffix=f"-{port.number}")

    def _name(self, switch: str, suffix: str) -> str:
        longest = max(len(f"{name}-{len(self.fabric.ports(name))}") for name in self.fabric.switches)
        short = f"s{addressing.dpid(self.fabric, switch)}"
        name = switch if TAG_LENGTH + 1 + longest <= MAX_INTERFACE_NAME else short
        full = f"{self.tag}-{name}{suffix}"
        if len(full) > MAX_INTERFACE_NAME:
            raise PlanError(f"switch {switch!r}: too many switches or ports for Linux interface names ({full})")
        return full

    # -- links ------------------------------------------------------------------------------
    @cached_property
    def veths(self) -> tuple[Veth, ...]:
        return tuple(Veth(link, self._end(link, link.a), self._end(link, link.b)) for link in self.fabric.links)

    @cached_property
    def interfaces(self) -> dict[Port, Interface]:
        return {end.port: end for veth in self.veths for end in (veth.a, veth.b)}

    @cached_property
    def switch_interfaces(self) -> tuple[Interface, ...]:
        """Those that stay on the machine; the others go into their hosts' namespaces."""
        return tuple(end for end in self.interfaces.values() if self.fabric.is_switch(end.port.node))

    def rate_bps(self, port: Port) -> int:
        """The emulated rate of a directed link."""
        return round(self.fabric.rate_bps(port) / self.settings.scale)

    def _end(self, link: Link, port: Port) -> Interface:
        return Interface(self.interface_name(port), port, self._shape(link))

    def _shape(self, link: Link) -> Shape:
        settings = self.settings
        rate = round(link.rate_bps / settings.scale)
        wire_mtu = settings.mtu + ETHERNET_HEADER
        burst = max(10 * wire_mtu, round(rate / 8 * TIMER_TICK_S))
        quantum = min(max(rate // 80, wire_mtu), 60000)
        queue = max(settings.queue_bytes or QUEUE, 2 * OFFLOAD_FRAME)
        delay = link.latency_s * settings.scale if settings.netem else 0.0
        return Shape(rate, burst, quantum, queue, delay)

    # -- the commands -----------------------------------------------------------------------
    def host_script(self, host: str) -> str:
        """What is run by ``sh -e`` inside the host's namespace."""
        links = f"ip -batch - <<'END'\n{self._host_links(host)}\nEND"
        return "\n".join((*self._host_sysctls(), links, *self._offloads(host), *self._tc(host)))

    def _host_sysctls(self) -> Iterator[str]:
        yield "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6"
        yield "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6"
        for name, value in {
            "tcp_congestion_control": self.settings.congestion,
            "tcp_slow_start_after_idle": 0,
            "tcp_no_metrics_save": 1,  # one run must not teach the next
            "tcp_tw_reuse": 1,  # the same 5-tuple comes back with each run
            "tcp_rmem": f"4096 {SOCKET_BUFFER // 4} {SOCKET_BUFFER}",
            "tcp_wmem": f"4096 {SOCKET_BUFFER // 4} {SOCKET_BUFFER}",
        }.items():
            yield f"echo '{value}' > /proc/sys/net/ipv4/{name}"

    def _host_links(self, host: str) -> str:
        fabric = self.fabric
        lines = ["link set lo up"]
        every = addressing.nics(fabric)
        for nic in (nic for nic in every if nic.host == host):
            name = self.interface_name(nic.port)
            lines += [
                f"link set {name} address {nic.mac} mtu {self.settings.mtu} up",
                f"addr add {nic.ip}/{addressing.PREFIX_LENGTH} dev {name}",
            ]
            lines += [
                f"neigh add {other.ip} lladdr {other.mac} dev {name} nud permanent"
                for other in every
                if other.host != host and other.rail == nic.rail
            ]
        return "\n".join(lines)

    def _offloads(self, node: str) -> Iterator[str]:
        """A datapath without offload would forward unfinished checksums: pings pass, TCP stands still."""
        if not self.settings.offload:
            for port in self.fabric.ports(node):
                yield f"ethtool -K {self.interface_name(port)} tx off gso off tso off gro off"

    def _tc(self, node: str) -> Iterator[str]:
        for port in self.fabric.ports(node):
            for line in tc_lines(self.interfaces[port], self.settings.mtu):
                yield f"tc {line}"

    def switch_offloads(self) -> str:
        """A script for the switch ports, on the machine; empty where offload works."""
        return "\n".join(line for switch in self.fabric.switches for line in self._offloads(switch))

    def switch_tc(self) -> str:
        """``tc -batch`` for every switch port, on the machine."""
        return "\n".join(
            line
            for switch in self.fabric.switches
            for port in self.fabric.ports(switch)
            for line in tc_lines(self.interfaces[port], self.settings.mtu)
        )

    def bridge_transaction(self, switch: str, openflow: str | None) -> list[str]:
        """One bridge with all its ports, as arguments of ``ovs-vsctl``; it calls its controller at ``openflow``."""
        bridge = self.bridge(switch)
        args = ["--", "add-br", bridge, "--", "set", "Bridge", bridge]
        args += [
            f"datapath_type={self.settings.datapath}",
            "fail_mode=secure",  # never a learning switch: a Clos would melt when the controller goes
            "protocols=OpenFlow13",
            f"other_config:datapath-id={addressing.dpid(self.fabric, switch):016x}",
            "other_config:disable-in-band=true",
            "mcast_snooping_enable=false",
            f"external_ids:ringlab={self.tag}",
        ]
        for port in self.fabric.ports(switch):
            name = self.interface_name(port)
            args += ["--", "add-port", bridge, name]
            args += ["--", "set", "Interface", name, f"ofport_request={port.number}"]
        if openflow:
            args += ["--", f"--id=@c{bridge}", "create", "Controller", f'target="{openflow}"', "max_backoff=1000"]
            args += ["inactivity_probe=10000", "--", "set", "Bridge", bridge, f"controller=@c{bridge}"]
        return args

    def commands(self) -> list[str]:
        """The whole plan for a person to read, in the order in which it is carried out."""
        lines = [f"namespace {host}" for host in self.fabric.hosts]
        lines += [
            f"veth {veth.link.name}: {veth.a.port}={veth.a.name} {veth.b.port}={veth.b.name} "
            f"rate {veth.a.shape.rate_bps} b/s burst {veth.a.shape.burst_bytes} B queue {veth.a.shape.queue_bytes} B"
            for veth in self.veths
        ]
        lines += ["ovs-vsctl " + " ".join(self.bridge_transaction(switch, None)) for switch in self.fabric.switches]
        lines += [f"tc {line}" for line in self.switch_tc().splitlines()]
        for host in self.fabric.hosts:
            lines += [f"{host}$ {line}" for line in self.host_script(host).splitlines()]
        return lines


def tc_lines(interface: Interface, mtu: int) -> list[str]:
    """The shaping of one interface, a ``tc`` command a line without the leading ``tc``."""
    name, shape = interface.name, interface.shape
    lines = [
        f"qdisc add dev {name} root handle 1: htb default 1",
        (
            f"class add dev {name} parent 1: classid 1:1 htb rate {shape.rate_bps}bit ceil {shape.rate_bps}bit "
            f"burst {shape.burst_bytes}b cburst {shape.burst_bytes}b quantum {shape.quantum_bytes}"
        ),
    ]
    if shape.delay_s > 0:
        # netem counts packets, and holds those in flight in the same limit.
        held = shape.queue_bytes + shape.rate_bps / 8 * shape.delay_s
        netem = f"netem delay {shape.delay_s * 1e6:.0f}us limit {max(16, round(held / mtu))}"
        lines.append(f"qdisc add dev {name} parent 1:1 handle 10: {netem}")
    else:
        lines.append(f"qdisc add dev {name} parent 1:1 handle 10: bfifo limit {shape.queue_bytes}")
    return lines
