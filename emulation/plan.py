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

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from controller.rules import EXPEDITED
from emulation.delay import Impairment
from emulation.errors import PlanError
from emulation.parts import Part, Vxlan
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


BFD_INTERVAL_MS = 50
"""A neighbour that three packets are missing from is down. Full queues of 1 MB hold them for longer: off by default."""

MOST_PORTS = 1500
"""Up to so many switch ports the system's ovs-vswitchd carries a lab; above it, daemons of the lab's own do."""

PORTS_EACH = 512
"""Ports of one daemon of the lab's own."""


def run_folder(tag: str) -> str:
    """Where a lab keeps its sockets."""
    return f"/run/ringlab/{tag}"


@dataclass(frozen=True, slots=True)
class Settings:
    """How the emulation is to run; every field is recorded in the result."""

    scale: float = 1.0
    mtu: int = 9000
    congestion: str = "reno"
    datapath: str = "netdev"  # or "system": the kernel module
    queue_bytes: int | None = None  # None: QUEUE
    delays: str = "none"  # or who emulates them: "netem" (the kernel), "relay" (a process: emulation/delay_relay.py)
    offload: bool = True  # the datapath carries 64 KiB frames and unfinished checksums
    bfd: bool = False  # switches send each other BFD packets (RFC 5880), so that silent loss counts as a dead link
    priority_queue: bool = False  # switches serve packets marked EXPEDITED first where a link is full


@dataclass(frozen=True, slots=True)
class Shape:
    """One direction of a link: HTB's numbers, and what else happens to frames where that is emulated."""

    rate_bps: int
    burst_bytes: int
    quantum_bytes: int
    queue_bytes: int
    impairment: Impairment
    netem: bool  # the kernel does it
    prioritised: bool = False  # packets marked EXPEDITED have a queue of their own, which is served first

    @property
    def delay_s(self) -> float:
        """What the kernel holds frames for."""
        return self.impairment.delay_s if self.netem else 0.0

    @property
    def leaf(self) -> str:
        """The class that packets wait in that nothing is said about."""
        return "1:2" if self.prioritised else "1:1"

    @property
    def htb(self) -> str:
        """The class that limits the rate, as ``tc`` takes it."""
        return (
            f"htb rate {self.rate_bps}bit ceil {self.rate_bps}bit "
            f"burst {self.burst_bytes}b cburst {self.burst_bytes}b quantum {self.quantum_bytes}"
        )

    def queue(self, mtu: int) -> str:
        """The discipline that frames wait in, as ``tc`` takes it."""
        if not self.netem or self.impairment == Impairment():
            return f"bfifo limit {self.queue_bytes}"
        # netem counts packets, and holds those in flight in the same limit.
        held = self.queue_bytes + self.rate_bps / 8 * self.impairment.delay_s
        return self.impairment.netem(max(16, round(held / mtu)))


def bucket(rate_bps: int, mtu: int) -> tuple[int, int]:
    """HTB's burst and quantum for a rate, bytes."""
    wire_mtu = mtu + ETHERNET_HEADER
    return max(10 * wire_mtu, round(rate_bps / 8 * TIMER_TICK_S)), min(max(rate_bps // 80, wire_mtu), 60000)


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


@dataclass(frozen=True, slots=True)
class Tunnel:
    """A link that is cut: the end on this machine, which a VXLAN device stands for."""

    vxlan: Vxlan
    end: Interface


@dataclass(frozen=True)
class Plan:
    """Everything that will be made on this machine, before anything is made; of all of ``fabric``, or of a ``part``."""

    fabric: Fabric
    tag: str
    settings: Settings = field(default_factory=Settings)
    impairments: Mapping[Port, Impairment] = field(default_factory=dict)  # of directions unlike what their link says
    part: Part | None = None  # None: the whole fabric is on this machine

    def __post_init__(self) -> None:
        if len(self.tag) != TAG_LENGTH or not self.tag.isalnum():
            raise PlanError(f"tag {self.tag!r}: {TAG_LENGTH} letters and digits")
        if self.settings.scale < 1:
            raise PlanError(f"scale {self.settings.scale:g}: an emulation runs at 1 or slower")
        if self.relayed and self.shares:
            raise PlanError(
                f"delays: a fabric of {len(self.switch_interfaces)} switch ports gets switch daemons of its own, whose "
                f"links no relay reaches; say delays: none, or take a fabric of at most {MOST_PORTS} ports"
            )

    @property
    def hosts(self) -> tuple[str, ...]:
        """The fabric's hosts that are on this machine."""
        return self.part.hosts if self.part else self.fabric.hosts

    @property
    def switches(self) -> tuple[str, ...]:
        """The fabric's switches that are on this machine."""
        return self.part.switches if self.part else self.fabric.switches

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
        short = f"s{addressing.dpid(self.fabric, switch)}"
        name = switch if TAG_LENGTH + 1 + self._longest_name <= MAX_INTERFACE_NAME else short
        full = f"{self.tag}-{name}{suffix}"
        if len(full) > MAX_INTERFACE_NAME:
            raise PlanError(f"switch {switch!r}: too many switches or ports for Linux interface names ({full})")
        return full

    @cached_property
    def _longest_name(self) -> int:
        """Of a switch's name with the number of its last port."""
        return max(len(f"{name}-{len(self.fabric.ports(name))}") for name in self.fabric.switches)

    # -- switch daemons ---------------------------------------------------------------------
    @cached_property
    def shares(self) -> tuple[tuple[str, ...], ...]:
        """The switches of each daemon of the lab's own, see ``daemons``; none where the system's carries them all."""
        if self.settings.datapath != "netdev" or len(self.switch_interfaces) <= MOST_PORTS:
            return ()
        shares: list[list[str]] = [[]]
        ports = 0
        for switch in self.switches:
            ports += len(self.fabric.ports(switch))
            if ports > PORTS_EACH and shares[-1]:
                shares.append([])
                ports = len(self.fabric.ports(switch))
            shares[-1].append(switch)
        return tuple(map(tuple, shares))

    def management(self, switch: str) -> str:
        """Where ``ovs-ofctl`` finds the switch: the bridge's name, or the socket of a daemon of the lab's own."""
        for number, share in enumerate(self.shares):
            if switch in share:
                return f"unix:{run_folder(self.tag)}/{number}/{self.bridge(switch)}.mgmt"
        return self.bridge(switch)

    # -- links ------------------------------------------------------------------------------
    @cached_property
    def veths(self) -> tuple[Veth, ...]:
        """The links with both ends on this machine."""
        here = {*self.hosts, *self.switches}
        return tuple(
            Veth(link, self._end(link, link.a), self._end(link, link.b))
            for link in self.fabric.links
            if link.a.node in here and link.b.node in here
        )

    @cached_property
    def tunnels(self) -> tuple[Tunnel, ...]:
        """The links with one end on this machine."""
        tunnels = self.part.tunnels if self.part else ()
        return tuple(Tunnel(vxlan, self._end(vxlan.link, vxlan.port)) for vxlan in tunnels)

    @cached_property
    def interfaces(self) -> dict[Port, Interface]:
        """Every end on this machine, in the order of the fabric's links."""
        ends = {end.port: end for veth in self.veths for end in (veth.a, veth.b)}
        ends |= {tunnel.end.port: tunnel.end for tunnel in self.tunnels}
        return {port: ends[port] for port in self.fabric.directed_links() if port in ends}

    @cached_property
    def switch_interfaces(self) -> tuple[Interface, ...]:
        """Those that stay on the machine; the others go into their hosts' namespaces."""
        return tuple(end for end in self.interfaces.values() if self.fabric.is_switch(end.port.node))

    def rate_bps(self, port: Port) -> int:
        """The emulated rate of a directed link."""
        return round(self.fabric.rate_bps(port) / self.settings.scale)

    def _end(self, link: Link, port: Port) -> Interface:
        return Interface(self.interface_name(port), port, self._shape(link, port))

    def _shape(self, link: Link, port: Port) -> Shape:
        settings = self.settings
        rate = round(link.rate_bps / settings.scale)
        burst, quantum = bucket(rate, settings.mtu)
        queue = max(settings.queue_bytes or QUEUE, 2 * OFFLOAD_FRAME)
        prioritised = settings.priority_queue and self.fabric.is_switch(port.node)  # which is where marks are put
        return Shape(rate, burst, quantum, queue, self._impairment(link, port), settings.delays == "netem", prioritised)

    def _impairment(self, link: Link, port: Port) -> Impairment:
        """What is emulated of what the direction should do to frames."""
        wanted = self.impairments.get(port, Impairment(link.latency_s * self.settings.scale))
        emulated = self.settings.delays == "netem" or (self.settings.delays == "relay" and wanted.matters)
        return wanted if emulated else Impairment()

    @cached_property
    def relayed(self) -> tuple[Port, ...]:
        """Directions whose frames a process holds, by the port they leave from."""
        if self.settings.delays != "relay":
            return ()
        return tuple(port for port, end in self.interfaces.items() if end.shape.impairment.matters)

    def wire(self, port: Port) -> str:
        """The interface that shapes a relayed direction: ``eth1w`` inside a host, ``TAG.N`` on the machine."""
        if not self.fabric.is_switch(port.node):
            return f"{self.interface_name(port)}w"
        return f"{self.tag}.{self._wire_numbers[port]}"

    @cached_property
    def _wire_numbers(self) -> dict[Port, int]:
        return {port: number for number, port in enumerate(self.fabric.directed_links())}

    # -- the commands -----------------------------------------------------------------------
    def switch_tc(self) -> str:
        """``tc -batch`` for every switch port, on the machine."""
        return "\n".join(
            line
            for switch in self.switches
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
            args += ["--", "set", "Interface", name, f"ofport_request={port.number}", *self._bfd(port)]
        return [*args, *(self.controller_transaction(switch, openflow) if openflow else ())]

    def _bfd(self, port: Port) -> list[str]:
        """The port's BFD columns; hosts do not speak it."""
        if not self.settings.bfd or not self.fabric.is_switch(self.fabric.peer(port).node):
            return []
        return ["bfd:enable=true", f"bfd:min_rx={BFD_INTERVAL_MS}", f"bfd:min_tx={BFD_INTERVAL_MS}"]

    def controller_transaction(self, switch: str, openflow: str) -> list[str]:
        """The bridge's controller, at ``openflow``, as arguments of ``ovs-vsctl``."""
        bridge = self.bridge(switch)
        return [
            "--", f"--id=@c{bridge}", "create", "Controller", f'target="{openflow}"', "max_backoff=1000",
            "inactivity_probe=10000", "--", "set", "Bridge", bridge, f"controller=@c{bridge}",
        ]  # fmt: skip


def tc_lines(interface: Interface, mtu: int) -> list[str]:
    """The shaping of one interface, a ``tc`` command a line without the leading ``tc``."""
    name, shape = interface.name, interface.shape
    return [
        f"qdisc add dev {name} root handle 1: htb default {shape.leaf.removeprefix('1:')}",
        f"class add dev {name} parent 1: classid 1:1 {shape.htb}",
        *(_priority_lines(name, shape, mtu) if shape.prioritised else ()),
        f"qdisc add dev {name} parent {shape.leaf} handle 10: {shape.queue(mtu)}",
    ]


def _priority_lines(name: str, shape: Shape, mtu: int) -> list[str]:
    """Two classes that share the link's: marked packets borrow first, the others are sure of a hundredth."""
    sizes = f"burst {shape.burst_bytes}b cburst {shape.burst_bytes}b quantum {shape.quantum_bytes}"
    share = f"htb rate {max(shape.rate_bps // 100, 1000)}bit ceil {shape.rate_bps}bit {sizes}"
    return [
        f"class add dev {name} parent 1:1 classid 1:2 {share} prio 1",
        f"class add dev {name} parent 1:1 classid 1:3 {share} prio 0",
        f"qdisc add dev {name} parent 1:3 handle 13: {shape.queue(mtu)}",
        f"filter add dev {name} parent 1: protocol ip pref 1 u32 match ip dsfield {EXPEDITED << 2:#x} 0xfc flowid 1:3",
    ]
