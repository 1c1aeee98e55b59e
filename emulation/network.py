"""Builds a plan with Mininet, as a context manager that leaves nothing behind.

Mininet's classes are kept (its API and its ``mininet>`` prompt work on what is built here), and only what they do one
command at a time is replaced: a link is one ``ip`` command, a host is set up by one script inside its namespace,
all bridges are made in one ``ovs-vsctl`` transaction and all queues by one ``tc -batch``.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mininet.link import Intf, Link
from mininet.net import Mininet
from mininet.node import Host, OVSSwitch
from mininet.topo import Topo

from emulation import cleanup
from emulation.commands import run
from emulation.errors import MachineError, RunError
from emulation.lab import Lab, machine_lock
from emulation.plan import Plan
from topologies import addressing

SOCKET_DEFAULTS = (Path("/proc/sys/net/core/rmem_default"), Path("/proc/sys/net/core/wmem_default"))
SOCKET_BYTES = 64 << 20
PROBE_FRAME = "ffffffffffff02000000000088b5" + "00" * 46  # IEEE 802 local experimental ethertype: hosts ignore it

Progress = Callable[[str], None]


class FabricTopo(Topo):  # type: ignore[misc]  # Mininet has no types
    """A plan as Mininet sees it."""

    def build(self, plan: Plan) -> None:
        fabric = plan.fabric
        for host in fabric.hosts:
            address = f"{addressing.ip(fabric, host)}/{addressing.PREFIX_LENGTH}"
            self.addHost(host, ip=address, mac=addressing.mac(fabric, host), plan=plan)
        for switch in fabric.switches:
            self.addSwitch(switch, dpid=f"{addressing.dpid(fabric, switch):016x}", plan=plan)
        for veth in plan.veths:
            a, b = veth.a, veth.b
            self.addLink(
                a.port.node, b.port.node, port1=a.port.number, port2=b.port.number,
                intfName1=a.name, intfName2=b.name, mtu=plan.settings.mtu,
            )  # fmt: skip


class VethIntf(Intf):  # type: ignore[misc]
    """An interface that the plan's scripts configure."""

    def config(self, **_params: Any) -> dict[str, Any]:
        return {}


class VethLink(Link):  # type: ignore[misc]
    """A veth pair made by one command, each end in its node's namespace from the start."""

    def __init__(self, node1: Any, node2: Any, *, mtu: int, **params: Any) -> None:
        self._mtu = mtu
        super().__init__(node1, node2, cls1=VethIntf, cls2=VethIntf, **params)

    def makeIntfPair(self, name1: str, name2: str, *nodes: Any, **_: Any) -> None:  # noqa: N802 - Mininet's name
        _, _, node1, node2 = nodes
        run([
            "ip", "link", "add", "name", name1, "mtu", str(self._mtu), *_namespace(node1), "type", "veth",
            "peer", "name", name2, "mtu", str(self._mtu), *_namespace(node2),
        ])  # fmt: skip

    def delete(self) -> None:
        """Hosts take their ends along when their namespace goes; the rest goes in one batch."""
        self.intf1 = self.intf2 = None


def _namespace(node: Any) -> list[str]:
    return ["netns", str(node.pid)] if node.inNamespace else []


class LabHost(Host):  # type: ignore[misc]
    """A host whose addresses, neighbours and queues are set by one script."""

    def config(self, *, plan: Plan, ip: str, mac: str, **_params: Any) -> dict[str, Any]:
        intf = self.defaultIntf()
        intf.ip, intf.prefixLen = ip.split("/")
        intf.mac = mac
        run(["mnexec", "-a", str(self.pid), "sh", "-e"], stdin=plan.host_script(self.name))
        return {}


class LabSwitch(OVSSwitch):  # type: ignore[misc]
    """A bridge with the plan's name; all bridges start in one transaction."""

    def __init__(self, name: str, *, plan: Plan, **params: Any) -> None:
        self.plan = plan
        self.openflow: str | None = None
        super().__init__(name, **params)

    def start(self, controllers: Sequence[Any]) -> None:
        """Nothing yet: ``batchStartup`` starts all."""

    def dpctl(self, *args: str) -> Any:
        return self.cmd("ovs-ofctl", "-O", "OpenFlow13", args[0], self.plan.bridge(self.name), *args[1:])

    @classmethod
    def batchStartup(cls, switches: Sequence[LabSwitch], run: Any = None) -> Sequence[LabSwitch]:  # noqa: ARG003, N802
        plan = switches[0].plan
        _bring_up_ports(plan)
        args = [arg for switch in switches for arg in plan.bridge_transaction(switch.name, switch.openflow)]
        with machine_lock("socket-defaults"), _large_packet_sockets():
            _ovs_vsctl(["--timeout=50", *args])
            _send_one_frame(plan)
        _check_ports(plan)
        _run("tc", ["-batch", "-"], plan.switch_tc())
        return switches

    @classmethod
    def batchShutdown(cls, switches: Sequence[LabSwitch], run: Any = None) -> Sequence[LabSwitch]:  # noqa: ARG003, N802
        for switch in switches:
            switch.terminate()
        return switches


def _run(program: str, args: list[str], stdin: str) -> str:
    return run([program, *args], stdin=stdin)


def _ovs_vsctl(args: list[str]) -> str:
    try:
        return run(["ovs-vsctl", *args])
    except RunError as error:
        if "database connection failed" in str(error):
            raise MachineError("Open vSwitch is not running: 'make setup' starts it (see 'ringlab doctor')") from None
        if "Alarm clock" in str(error) or "did not answer" in str(error):
            raise MachineError(
                "ovs-vswitchd does not answer: look at its log, or restart it with 'make setup' (see 'ringlab doctor')"
            ) from None
        raise


def _bring_up_ports(plan: Plan) -> None:
    """Switch ports: IPv6 off before they come up, or its chatter would be counted."""
    names = [end.name for end in plan.switch_interfaces]
    for name in names:
        with suppress(FileNotFoundError):  # a kernel without IPv6
            Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
    _run("ip", ["-batch", "-"], "\n".join(f"link set {name} up" for name in names))
    _run("sh", ["-e"], plan.switch_offloads())


@contextmanager
def _large_packet_sockets() -> Iterator[None]:
    """While ports are added, new packet sockets get 64 MiB buffers; the machine's settings are put back at once.

    Open vSwitch's userspace datapath receives by one packet socket a port and sends by a single one for all ports.
    The kernel's usual 208 KiB hold three 64 KiB frames on the way in, and on the way out are shared by all that
    waits in all queues: a full buffer drops frames that no counter shows.
    """
    before = [path.read_text() for path in SOCKET_DEFAULTS]
    for path, value in zip(SOCKET_DEFAULTS, before, strict=True):
        path.write_text(str(max(SOCKET_BYTES, int(value))))
    try:
        yield
    finally:
        for path, value in zip(SOCKET_DEFAULTS, before, strict=True):
            path.write_text(value)


def _send_one_frame(plan: Plan) -> None:
    """Make ovs-vswitchd open its sending socket now, if it has none yet, while buffers are large."""
    bridge, port = plan.bridge(plan.fabric.switches[0]), plan.fabric.ports(plan.fabric.switches[0])[0].number
    run(["ovs-ofctl", "-O", "OpenFlow13", "packet-out", bridge, "none", f"output:{port}", PROBE_FRAME])


def _check_ports(plan: Plan) -> None:
    """Every port has the number that the rules will use."""
    wanted = {end.name: end.port for end in plan.switch_interfaces}
    table = json.loads(_ovs_vsctl(["--format=json", "--columns=name,ofport,error", "list", "Interface"]))
    found = {name: (number, error) for name, number, error in table["data"]}
    for name, port in wanted.items():
        number, error = found.get(name, (None, "not in Open vSwitch"))
        if number != port.number:
            said = error if isinstance(error, str) else f"it has number {number}"
            raise RunError(f"port {port} ({name}) could not be added: {said}")


class LabNet(Mininet):  # type: ignore[misc]
    """Mininet, but for its changes to the whole machine's settings and its one-by-one removal."""

    @classmethod
    def init(cls) -> None:
        """Mininet raises limits of the whole machine here; ours are set per namespace."""
        cls.inited = True


class Network:
    """A built fabric: hosts to run programs in, and Mininet's own object for its prompt."""

    def __init__(self, plan: Plan, net: LabNet, lab: Lab) -> None:
        self.plan = plan
        self.mininet = net
        self.lab = lab

    def pid(self, host: str) -> int:
        """The process whose namespaces are the host's."""
        return int(self.mininet[host].pid)

    def popen(self, host: str, argv: Sequence[str], **options: Any) -> subprocess.Popen[str]:
        """Start a program inside a host; it dies with this process, whatever happens to it."""
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "mnexec", "-a", str(self.pid(host)), *argv], text=True, **options
        )
        self.lab.add_process(process.pid)
        return process

    def run(self, host: str, argv: Sequence[str], timeout_s: float = 60.0) -> str:
        """Run a program inside a host to its end; RunError where it fails."""
        return run(["mnexec", "-a", str(self.pid(host)), *argv], timeout_s=timeout_s)


def require_machine() -> None:
    """MachineError where no fabric can be built: asked before anything is started."""
    if os.geteuid():
        raise MachineError("building a fabric needs root: run it with sudo")
    _ovs_vsctl(["--timeout=5", "show"])


@contextmanager
def built(plan: Plan, openflow: str | None = None, progress: Progress = lambda _: None) -> Iterator[Network]:
    """The fabric of ``plan``, with its switches looking for a controller at ``openflow`` (``tcp:127.0.0.1:6653``).

    Everything is removed on leaving, also on an error or Ctrl-C in the middle of building.

    Raises MachineError where the machine lacks something, RunError where building fails.
    """
    require_machine()
    with Lab(plan) as lab:
        net: LabNet | None = None
        try:
            progress("making hosts and links")
            net = LabNet(FabricTopo(plan), host=LabHost, switch=LabSwitch, link=VethLink, controller=None, build=False)
            net.build()
            progress("starting switches")
            for switch in net.switches:
                switch.openflow = openflow
            net.start()
            yield Network(plan, net, lab)
        finally:
            _remove(net, lab)


def _remove(net: LabNet | None, lab: Lab) -> None:
    for node in (net.hosts + net.switches) if net else ():
        with suppress(OSError):  # a shell that has gone already
            node.terminate()
    cleanup.remove(lab.record)
