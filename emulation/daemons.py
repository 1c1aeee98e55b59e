"""Switch daemons of a large lab's own: several ovs-vswitchd, each in a namespace, each with its share of the switches.

Why. The system's ovs-vswitchd works in proportion to the square of its ports when a lab comes or goes: every port
added or taken looks at all others. 768 ports take 0.8 s to add, 2560 take 15 to 38 s, and about as long to remove. So
a lab of more than MOST_PORTS userspace ports gets daemons of its own with at most PORTS_EACH: the work is linear, it
runs on all cores, and removing the lab is ending them. A namespace each, because a userspace datapath brings a device
named ``ovs-netdev`` along; the namespaces take all ports with them. Daemons reach a controller on the machine's
loopback through ``controller_relay``.

What that costs: memory (25 MB a daemon), and figures. Large labs show control and reach, not speed, on few cores.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from emulation import controller_relay
from emulation.commands import MORTAL, run
from emulation.errors import MachineError, RunError
from emulation.lab import Lab
from emulation.machine_settings import changed, large_packet_sockets, quick_closing
from emulation.plan import Plan, tc_lines
from emulation.port_numbers import LIST_PORTS, check_ports
from emulation.scripts import device_group

SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
START_S = 20.0


@dataclass(frozen=True, slots=True)
class Daemon:
    """One ovs-vswitchd with its database: the switches it has, a process in its namespace, its folder of sockets."""

    switches: tuple[str, ...]
    holder: int
    folder: Path

    @property
    def database(self) -> str:
        return database_in(self.folder)

    def run(self, args: Sequence[str], stdin: str | None = None) -> str:
        """A program inside the daemon's namespace."""
        return run(["mnexec", "-a", str(self.holder), *args], stdin=stdin, mortal=True)


def database_in(folder: Path) -> str:
    """Where a daemon's sockets are in ``folder``: which database ``ovs-vsctl`` is to ask."""
    return f"--db=unix:{folder}/db.sock"


@contextmanager
def started(
    plan: Plan, lab: Lab, pids: Mapping[str, int], openflow: str | None, progress: Callable[[str], None]
) -> Iterator[tuple[Daemon, ...]]:
    """The lab's own daemons with all bridges of ``plan``, up and shaped; none is left on leaving.

    ``pids[switch]`` is a process in the namespace that the switch's ports are in.
    """
    daemons = tuple(
        Daemon(switches, pids[switches[0]], lab.folder / str(number)) for number, switches in enumerate(plan.shares)
    )
    with ExitStack() as stack:
        processes = [process for daemon in daemons for process in _start(daemon, stack)]
        relay = [_relay(daemons, openflow, stack)] if openflow else []
        for process in (*processes, *relay):
            lab.add_process(process.pid)
        stack.callback(_end, processes, daemons, device_group(plan.tag))
        with changed(large_packet_sockets()):
            up = 0
            for daemon, _ in zip(
                daemons, _for_all(daemons, lambda one: _add_bridges(plan, one, openflow)), strict=True
            ):
                up += len(daemon.switches)
                progress(f"{up} of {len(plan.switches)} switches are up")
        yield daemons


def _for_all(daemons: Sequence[Daemon], work: Callable[[Daemon], object]) -> Iterator[None]:
    """``work`` for each daemon, as many at once as there are cores; yields as each, in order, is done."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for done in [pool.submit(work, daemon) for daemon in daemons]:
            done.result()
            yield


def _start(daemon: Daemon, stack: ExitStack) -> Iterator[subprocess.Popen[bytes]]:
    """The database's server and the switch's daemon; both die with this process."""
    if not SCHEMA.exists():
        raise MachineError(f"{SCHEMA} is missing: it comes with openvswitch-switch; see 'ringlab doctor'")
    folder = daemon.folder
    folder.mkdir(parents=True)
    run(["ovsdb-tool", "create", str(folder / "conf.db"), str(SCHEMA)])
    quiet = ["-vconsole:off", "-vsyslog:off"]
    server = [f"{folder}/conf.db", f"--remote=punix:{folder}/db.sock", f"--unixctl={folder}/ovsdb.ctl"]
    yield _popen(daemon, ["ovsdb-server", *server, *quiet], stack)
    _await((folder / "db.sock").exists, f"ovsdb-server in {folder}")
    setting = "other_config:userspace-tso-enable=true"
    run(["ovs-vsctl", daemon.database, "--no-wait", "init", "--", "set", "Open_vSwitch", ".", setting])
    log = f"--log-file={folder}/ovs-vswitchd.log"
    switch = [f"unix:{folder}/db.sock", f"--unixctl={folder}/ovs-vswitchd.ctl", log]
    yield _popen(daemon, ["ovs-vswitchd", *switch, *quiet], stack)


def _popen(daemon: Daemon, argv: Sequence[str], stack: ExitStack) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [*MORTAL, "mnexec", "-a", str(daemon.holder), *argv],
        env={**os.environ, "OVS_RUNDIR": str(daemon.folder)},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process


def _relay(daemons: Sequence[Daemon], openflow: str, stack: ExitStack) -> subprocess.Popen[bytes]:
    """The process that carries the daemons' connections to the controller at ``openflow``."""
    _, host, port = openflow.split(":")
    process = subprocess.Popen(
        [*MORTAL, sys.executable, "-I", "-S", str(Path(controller_relay.__file__)), host, port,
         *(str(daemon.holder) for daemon in daemons)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    stack.callback(process.wait)
    stack.callback(process.kill)
    assert process.stdout is not None
    stack.callback(process.stdout.close)
    if process.stdout.readline() != b"ready\n":
        raise RunError("the relay between switches and controller did not start")
    return process


def _add_bridges(plan: Plan, daemon: Daemon, openflow: str | None) -> None:
    daemon.run(["sh", "-e"], stdin="\n".join((
        "test ! -e /proc/sys/net/ipv6 || echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6",
        "test ! -e /proc/sys/net/ipv6 || echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6",
        "ip link set lo up",
        f"ip link set group {device_group(plan.tag)} up",
    )))  # fmt: skip
    target = f"tcp:127.0.0.1:{openflow.rpartition(':')[2]}" if openflow else None
    args = [arg for switch in daemon.switches for arg in plan.bridge_transaction(switch, target)]
    run(["ovs-vsctl", daemon.database, "--timeout=50", *args], mortal=True)
    ends = [plan.interfaces[port] for switch in daemon.switches for port in plan.fabric.ports(switch)]
    check_ports(ends, run(["ovs-vsctl", daemon.database, *LIST_PORTS]))
    daemon.run(
        ["tc", "-batch", "-"], stdin="\n".join(line for end in ends for line in tc_lines(end, plan.settings.mtu))
    )


def _end(processes: Sequence[subprocess.Popen[bytes]], daemons: Sequence[Daemon], group: int) -> None:
    """The daemons at once, then their ports, a namespace's in one request."""
    with changed(quick_closing()):
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()
    for _ in _for_all(daemons, lambda daemon: daemon.run(["sh", "-c", f"ip link delete group {group} || true"])):
        pass


def _await(ready: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + START_S
    while not ready():
        if time.monotonic() > deadline:
            raise RunError(f"{what} did not start within {START_S:g} s")
        time.sleep(0.005)
