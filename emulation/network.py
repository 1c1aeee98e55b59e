"""Builds a plan with Mininet, as a context manager that leaves nothing behind.

Theory of operation. Everything that Mininet does one command at a time is done for all nodes at once: one process
makes all namespaces, one ``ip -batch`` all links, one shell a core sets the hosts up, one ``ovs-vsctl`` transaction
makes all bridges and one ``tc -batch`` all queues. Mininet's own objects are then put on top (``nodes.py``).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from emulation import cleanup, daemons, scripts
from emulation.commands import MORTAL, run, run_scripts
from emulation.delay_process import Relay, relayed
from emulation.errors import MachineError, RunError
from emulation.lab import Lab
from emulation.machine_settings import changed, large_packet_sockets
from emulation.namespaces import namespaces
from emulation.nodes import LabNet
from emulation.plan import Plan
from emulation.port_numbers import LIST_PORTS, check_ports

PROBE_FRAME = "ffffffffffff02000000000088b5" + "00" * 46  # IEEE 802 local experimental ethertype: hosts ignore it

Progress = Callable[[str], None]
"""Told what is being done, with counts where it takes its time."""

COUNTED = 128
"""Hosts are counted in steps of so many."""


class Network:
    """A built fabric: hosts to run programs in, and Mininet's own object for its prompt."""

    def __init__(self, plan: Plan, net: LabNet, lab: Lab) -> None:
        self.plan = plan
        self.mininet = net
        self.lab = lab
        self.relay: Relay | None = None  # holds frames for their links' delays

    def pid(self, host: str) -> int:
        """A process whose namespaces are the host's."""
        return int(self.mininet[host].holder)

    def popen(self, host: str, argv: Sequence[str], **options: Any) -> subprocess.Popen[str]:
        """Start a program inside a host; it dies with this process, whatever happens to it."""
        process = subprocess.Popen([*MORTAL, "mnexec", "-a", str(self.pid(host)), *argv], text=True, **options)
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
            progress(f"making {len(plan.hosts)} hosts")
            with namespaces(plan.tag, plan.hosts, plan.shares) as pids, ExitStack() as stack:
                progress(f"making {len(plan.interfaces)} ends of {len(plan.veths) + len(plan.tunnels)} links")
                _do("ip", ["-batch", "-"], "\n".join(scripts.link_lines(plan, pids)))
                progress("setting up hosts")
                _set_up_hosts(plan, pids, progress)
                progress(f"starting {len(plan.switches)} switches")
                if plan.shares:
                    stack.enter_context(daemons.started(plan, lab, pids, openflow, progress))
                else:
                    _start_switches(plan, openflow)
                net = LabNet(plan, pids)
                net.start()
                network = Network(plan, net, lab)
                with relayed(network) as network.relay:
                    yield network
        finally:
            _remove(net, lab)


def _remove(net: LabNet | None, lab: Lab) -> None:
    for node in (net.hosts + net.switches) if net else ():
        with suppress(OSError):  # a shell that has gone already
            node.terminate()
    cleanup.remove(lab.record)
    lab.forget()


def _set_up_hosts(plan: Plan, pids: dict[str, int], progress: Progress) -> None:
    made = [scripts.in_namespace(pids[host], host, script) for host, script in scripts.host_scripts(plan)]
    done = 0

    def one_more() -> None:
        nonlocal done
        done += 1
        if done % COUNTED == 0:
            progress(f"{done} of {len(made)} hosts are set up")

    run_scripts(made, one_more)


def _start_switches(plan: Plan, openflow: str | None) -> None:
    _bring_up_ports(plan)
    args = [arg for switch in plan.switches for arg in plan.bridge_transaction(switch, openflow)]
    with changed(large_packet_sockets()):
        _ovs_vsctl(["--timeout=50", *args])
        _send_one_frame(plan)
    check_ports(plan.switch_interfaces, _ovs_vsctl(LIST_PORTS))
    _do("tc", ["-batch", "-"], plan.switch_tc())


def _do(program: str, args: list[str], stdin: str) -> str:
    return run([program, *args], stdin=stdin, mortal=True)


def _ovs_vsctl(args: Sequence[str]) -> str:
    try:
        return run(["ovs-vsctl", *args], mortal=True)
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
    for end in plan.switch_interfaces:
        with suppress(FileNotFoundError):  # a kernel without IPv6
            Path(f"/proc/sys/net/ipv6/conf/{end.name}/disable_ipv6").write_text("1")
    if plan.switch_interfaces:
        run(["ip", "link", "set", "group", str(scripts.device_group(plan.tag)), "up"])
    _do("sh", ["-e"], "\n".join(scripts.switch_lines(plan)))


def _send_one_frame(plan: Plan) -> None:
    """Make ovs-vswitchd open its sending socket now, if it has none yet, while buffers are large."""
    bridge, port = plan.bridge(plan.switches[0]), plan.fabric.ports(plan.switches[0])[0].number
    run(["ovs-ofctl", "-O", "OpenFlow13", "packet-out", bridge, "none", f"output:{port}", PROBE_FRAME])
