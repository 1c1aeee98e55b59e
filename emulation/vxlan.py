"""VXLAN between machines: can this machine do its part, asked before anything is made; does it carry, at the end."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulation.commands import run
from emulation.daemons import database_in
from emulation.errors import MachineError, RunError
from emulation.parts import VXLAN_OVERHEAD, Division, Machine, Part, largest_mtu
from emulation.plan import run_folder
from topologies import addressing

if TYPE_CHECKING:
    from emulation.network import Network
    from emulation.plan import Plan

ICMP_HEADERS = 28  # IPv4 20, ICMP 8
CONNECTED = "is_connected=true"


def here(machines: Sequence[Machine]) -> Machine:
    """The one of ``machines`` whose address this machine has. MachineError where none or several are."""
    own = _addresses()
    found = [machine for machine in machines if machine.address in own]
    if len(found) == 1:
        return found[0]
    if found:
        raise MachineError(f"this machine has the addresses of {' and '.join(m.name for m in found)}: say --part")
    listed = ", ".join(f"{machine.name}={machine.address}" for machine in machines)
    raise MachineError(f"this machine has none of the addresses {listed}: it has {', '.join(sorted(own)) or 'none'}")


def require_underlay(plan: Plan) -> None:
    """MachineError, with the fix, where the network between the machines can't carry the fabric's frames."""
    part = plan.part
    if part is None:
        return
    if part.machine.address not in _addresses():
        raise MachineError(
            f"machine {part.machine.name} is to have the address {part.machine.address}, and this machine has not: "
            "run this part on that machine, or mend --machines"
        )
    for remote in sorted({tunnel.remote for tunnel in part.tunnels}):
        device = _device_to(remote, part.machine.address)
        underlay = int(Path(f"/sys/class/net/{device}/mtu").read_text())
        if plan.settings.mtu > largest_mtu(underlay):
            raise MachineError(
                f"{device}, the way to {remote}, has an MTU of {underlay} and VXLAN adds {VXLAN_OVERHEAD} bytes: "
                f"use --mtu {largest_mtu(underlay)} on every machine, or 'ip link set {device} mtu "
                f"{plan.settings.mtu + VXLAN_OVERHEAD}' on all (and on what is between them)"
            )
    _require_free(part)


def unreached(network: Network, division: Division) -> Iterator[str]:
    """One frame of full size from a host here to a host of each other machine and back; a line for each that fails.

    Every switch must have its rules by now.
    """
    plan = network.plan
    if not plan.hosts:
        return
    for machine in division.machines:
        far = division.part(machine.name).hosts
        if plan.part and machine != plan.part.machine and far:
            yield from _tried(network, plan.hosts[0], far[0], machine)


def _tried(network: Network, src: str, dst: str, machine: Machine) -> Iterator[str]:
    plan = network.plan
    size = str(plan.settings.mtu - ICMP_HEADERS)
    argv = ["ping", "-q", "-c", "3", "-i", "0.2", "-W", "2", "-M", "do", "-s", size, addressing.ip(plan.fabric, dst)]
    try:
        network.run(src, argv)
    except RunError:
        yield (
            f"no frame of {plan.settings.mtu} bytes gets from {src} to {dst} on {machine.name} and back: let UDP port "
            f"4789 pass between the machines, with an MTU of {plan.settings.mtu + VXLAN_OVERHEAD} all the way"
        )


def _addresses() -> set[str]:
    """The IPv4 addresses of this machine."""
    interfaces = json.loads(run(["ip", "-json", "-4", "address", "show"]))
    return {address["local"] for interface in interfaces for address in interface.get("addr_info", ())}


def _device_to(remote: str, local: str) -> str:
    try:
        routes = json.loads(run(["ip", "-json", "route", "get", remote, "from", local]))
    except RunError as error:
        raise MachineError(f"there is no way from {local} to {remote}: {error}") from None
    return str(routes[0]["dev"])


def _require_free(part: Part) -> None:
    """MachineError where another lab has one of our network identifiers on this machine."""
    shown = json.loads(run(["ip", "-json", "-details", "link", "show", "type", "vxlan"]) or "[]")
    taken: dict[int, Any] = {link["linkinfo"]["info_data"]["id"]: link["ifname"] for link in shown if link}
    for tunnel in part.tunnels:
        if tunnel.vni in taken:
            raise MachineError(
                f"VXLAN network {tunnel.vni} is in use here, by {taken[tunnel.vni]}: if another lab is up, give this "
                "one another name by --lab on every machine; if it is dead, 'ringlab clean'"
            )


def wait_for_controller(plan: Plan, timeout_s: float) -> None:
    """Return when every switch of the plan has its controller. RunError after ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    for database, switches in _databases(plan):
        asked = [word for switch in switches for word in ("--", "get", "Bridge", plan.bridge(switch), "controller")]
        found = run(["ovs-vsctl", *database, "--timeout=20", *asked]).splitlines()
        wanted = [word for each in found for word in ("--", "wait-until", "Controller", each.strip("[]"), CONNECTED)]
        left_s = max(1.0, deadline - time.monotonic())
        try:
            run(["ovs-vsctl", *database, f"--timeout={left_s:.0f}", *wanted], timeout_s=left_s + 5)
        except RunError:
            raise RunError(
                f"no controller for {timeout_s:g} s: start this lab on the first machine, and let its OpenFlow port "
                "pass"
            ) from None


def _databases(plan: Plan) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """Each Open vSwitch that carries the lab, as an option of ``ovs-vsctl`` (none: the system's), with its switches."""
    if not plan.shares:
        yield (), plan.switches
    for number, switches in enumerate(plan.shares):
        yield [database_in(Path(run_folder(plan.tag), str(number)))], switches
