"""Mininet's classes, with what they do one command at a time left to ``network``, which does it for all at once.

What is built keeps Mininet's face: ``net.hosts``, ``h1.cmd(...)``, ``h1.popen(...)`` and the ``mininet>`` prompt. A
node's shell starts when somebody first gives it a command; until then a node is its namespace and no more.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from mininet.link import Intf, Link
from mininet.net import Mininet
from mininet.node import Host, OVSSwitch
from mininet.topo import Topo

from emulation.plan import Plan
from topologies import addressing


class FabricTopo(Topo):  # type: ignore[misc]  # Mininet has no types
    """A plan as Mininet sees it."""

    def build(self, plan: Plan, pids: Mapping[str, int]) -> None:
        for host in plan.hosts:
            self.addHost(host, plan=plan, holder=pids[host])
        for switch in plan.switches:
            self.addSwitch(switch, dpid=f"{addressing.dpid(plan.fabric, switch):016x}", plan=plan)
        for veth in plan.veths:
            a, b = veth.a, veth.b
            self.addLink(
                a.port.node, b.port.node, port1=a.port.number, port2=b.port.number, intfName1=a.name, intfName2=b.name,
            )  # fmt: skip


class PlannedIntf(Intf):  # type: ignore[misc]
    """An interface that the plan's scripts configure."""

    def config(self, **_params: Any) -> dict[str, Any]:
        return {}


class PlannedLink(Link):  # type: ignore[misc]
    """A link that was made with all others."""

    def __init__(self, node1: Any, node2: Any, **params: Any) -> None:
        super().__init__(node1, node2, cls1=PlannedIntf, cls2=PlannedIntf, **params)

    def makeIntfPair(self, *_names_and_nodes: Any, **_: Any) -> None:  # noqa: N802 - Mininet's name
        """It is there already."""

    def delete(self) -> None:
        """It goes with all others."""
        self.intf1 = self.intf2 = None


class _LateShell:
    """A node whose shell starts when it is first given a command. ``holder``: a process in its namespaces."""

    holder: int
    shell: Any
    pid: int | None

    def startShell(self, mnopts: str | None = None) -> None:  # noqa: ARG002, N802 - Mininet's names
        """Mininet's constructor asks for a shell: not yet."""
        self.pid = self.holder

    def cmd(self, *args: Any, **options: Any) -> Any:
        self._wake()
        return super().cmd(*args, **options)  # type: ignore[misc]

    def sendCmd(self, *args: Any, **options: Any) -> None:  # noqa: N802 - Mininet's name
        self._wake()
        super().sendCmd(*args, **options)  # type: ignore[misc]

    def _wake(self) -> None:
        if self.shell is None:
            # Mininet's option n would give the shell a new namespace; it shall enter the one that is there.
            self.inNamespace = False
            super().startShell(f"-cda{self.holder}")  # type: ignore[misc]
            self.inNamespace = self.holder != os.getpid()
            self.pid = self.holder


class LabHost(_LateShell, Host):  # type: ignore[misc]
    """A host in a namespace that is there already."""

    def __init__(self, name: str, *, plan: Plan, holder: int, **params: Any) -> None:
        self.plan, self.holder = plan, holder
        super().__init__(name, **params)

    def config(self, **_params: Any) -> dict[str, Any]:
        """What its script has set up, for Mininet to know."""
        fabric = self.plan.fabric
        for rail, port in enumerate(fabric.ports(self.name)):
            intf = self.intfs.get(port.number)
            if intf is not None:  # else the link's other end is on another machine
                intf.ip, intf.prefixLen = addressing.ip(fabric, self.name, rail), str(addressing.PREFIX_LENGTH)
                intf.mac = addressing.mac(fabric, self.name, rail)
        return {}


class LabSwitch(_LateShell, OVSSwitch):  # type: ignore[misc]
    """A bridge that was made with all others."""

    def __init__(self, name: str, *, plan: Plan, **params: Any) -> None:
        self.plan, self.holder = plan, os.getpid()
        # Else Mininet would start a shell to bring the machine's loopback up.
        super().__init__(name, **{**params, "inNamespace": True})
        self.inNamespace = False
        self.controlIntf = PlannedIntf("lo", self, port=0)

    @classmethod
    def setup(cls) -> None:
        """``require_machine`` has asked; Mininet would ask again, and end the program where the answer is late."""
        cls.OVSVersion = "3.0"  # what Mininet compares with 1.10

    def start(self, controllers: Sequence[Any]) -> None:
        """It is up."""

    def stop(self, deleteIntfs: bool = True) -> None:  # noqa: ARG002, N803 - Mininet's name
        """It goes with all others."""
        self.terminate()

    def dpctl(self, *args: str) -> Any:
        return self.cmd("ovs-ofctl", "-O", "OpenFlow13", args[0], self.plan.management(self.name), *args[1:])

    @classmethod
    def batchStartup(cls, switches: Sequence[LabSwitch], run: Any = None) -> Sequence[LabSwitch]:  # noqa: ARG003, N802
        return switches

    @classmethod
    def batchShutdown(cls, switches: Sequence[LabSwitch], run: Any = None) -> Sequence[LabSwitch]:  # noqa: ARG003, N802
        for switch in switches:
            switch.terminate()
        return switches


class LabNet(Mininet):  # type: ignore[misc]
    """The fabric of ``plan`` as Mininet's own object."""

    def __init__(self, plan: Plan, pids: Mapping[str, int]) -> None:
        Mininet.inited = True  # else Mininet raises limits of the whole machine, for good; ours are set per namespace
        self.plan = plan
        topo = FabricTopo(plan, pids)
        super().__init__(topo, host=LabHost, switch=LabSwitch, link=PlannedLink, controller=None, build=False)

    def buildFromTopo(self, topo: Topo) -> None:  # noqa: N802 - Mininet's name
        """Also the ends of links that go to another machine, which Mininet has no word for."""
        super().buildFromTopo(topo)
        for tunnel in self.plan.tunnels:
            port = tunnel.end.port
            PlannedIntf(tunnel.end.name, self[port.node], port.number, moveIntfFn=lambda *_: None)
