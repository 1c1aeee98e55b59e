"""What this machine can do for an emulation, and the fix for what it can't."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from emulation.commands import run
from emulation.errors import EmulationError, MachineError
from emulation.lab import is_alive, records
from emulation.plan import Settings

PROGRAMS = {
    "ovs-vsctl": "openvswitch-switch",
    "ovs-ofctl": "openvswitch-switch",
    "mnexec": "mininet",
    "ip": "iproute2",
    "tc": "iproute2",
    "ss": "iproute2",
    "setpriv": "util-linux",
    "ifconfig": "net-tools",
    "ethtool": "ethtool",
    "ping": "iputils-ping",
    "iperf3": "iperf3",
}
OF_EXAMPLES = {"jq": "jq", "curl": "curl"}
OF_CAPTURES = {"tcpdump": "tcpdump"}
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
"""Root has these in its PATH, a user of Debian has not."""

SMALL_BUFFER = 1 << 20
_SENDING_SOCKET = re.compile(r"\[0\]:\*.*\"ovs-vswitchd\".*,tb(\d+),")


class State(StrEnum):
    """How a finding bears on a run."""

    OK = "ok"
    NOTE = "note"  # works, with a limit that results will state; or can't be told without root
    MISSING = "missing"  # no run without it


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at, what was found, and what to do about it (empty where nothing is to be done)."""

    name: str
    state: State
    found: str
    fix: str = ""


Check = Callable[[], Iterator[Finding]]


def examine() -> list[Finding]:
    """Every finding; a run needs all but the NOTEs to be OK."""
    return [finding for check in CHECKS for finding in _made(check)]


def _made(check: Check) -> list[Finding]:
    return [_unknown(ROOTS_ALONE[check])] if os.geteuid() and check in ROOTS_ALONE else list(check())


def _unknown(name: str) -> Finding:
    return Finding(name, State.NOTE, "unknown: needs root to look")


def _root() -> Iterator[Finding]:
    if os.geteuid():
        yield Finding("root", State.MISSING, f"running as user {os.geteuid()}", f"sudo {_program()} ...")
    else:
        yield Finding("root", State.OK, "yes")


def _program() -> str:
    """What runs, by its whole path: sudo looks for programs in folders of its own."""
    path = Path(sys.argv[0]).absolute()
    module = path.name == "__main__.py"
    return f"{shlex.quote(sys.executable)} -m {path.parent.name}" if module else shlex.quote(str(path))


def _machine() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    state, fix = (State.OK, "") if cores > 1 else (State.NOTE, "use two cores or more: one is the switches' alone")
    yield Finding("machine", state, f"{cores} cores, {memory:.0f} GiB, Linux {platform.release()}", fix)


def _programs() -> Iterator[Finding]:
    missing = _not_found(PROGRAMS)
    if missing:
        yield Finding("programs", State.MISSING, f"not found: {' '.join(missing)}", _install(missing))
    else:
        yield Finding("programs", State.OK, " ".join(PROGRAMS))
    for of, programs, taker in (
        ("examples", OF_EXAMPLES, "some examples take"), ("captures", OF_CAPTURES, "'ringlab capture' takes"),
    ):  # fmt: skip
        if missing := _not_found(programs):
            found = f"not found: {' '.join(missing)}, which {taker}"
            yield Finding(f"programs of {of}", State.NOTE, found, _install(missing))


def _not_found(programs: Mapping[str, str]) -> dict[str, str]:
    path = f"{os.environ.get('PATH', os.defpath)}:{SBIN}"
    return {program: package for program, package in programs.items() if not shutil.which(program, path=path)}


def _install(missing: Mapping[str, str]) -> str:
    return f"apt-get install {' '.join(sorted(set(missing.values())))}"


def _openvswitch() -> Iterator[Finding]:
    try:
        run(["ovs-vsctl", "--timeout=3", "show"])
        version = run(["ovs-appctl", "--timeout=3", "version"]).splitlines()[0]
    except EmulationError as error:
        yield Finding("Open vSwitch", State.MISSING, str(error), "start it: make setup")
        return
    yield Finding("Open vSwitch", State.OK, version)


def _datapath() -> Iterator[Finding]:
    if datapath() == "system":
        yield Finding("datapath", State.OK, "kernel module")
    elif os.geteuid():
        yield _unknown("datapath")
    elif userspace_offload():
        yield Finding(
            "datapath", State.OK, "userspace, with segmentation offload (the kernel has no openvswitch module)"
        )
    else:
        yield Finding(
            "datapath", State.NOTE, "userspace, without segmentation offload: about a tenth of the speed",
            "make setup (sets other_config:userspace-tso-enable=true and restarts Open vSwitch)",
        )  # fmt: skip


def _sending_socket() -> Iterator[Finding]:
    """The userspace datapath sends all ports' frames through one socket, opened once with the buffer of that moment."""
    try:
        text = run(["ss", "--packet", "--memory", "--processes", "--no-header", "--oneline"])
    except EmulationError:
        return
    nbytes = sending_buffer(text)
    if nbytes is not None and nbytes < SMALL_BUFFER:
        yield Finding(
            "sending buffer", State.NOTE, f"ovs-vswitchd sends through {nbytes >> 10} KiB: a busy fabric loses frames",
            "restart Open vSwitch while no lab is up; the next one opens a large buffer",
        )  # fmt: skip


def sending_buffer(text: str) -> int | None:
    """Bytes of ovs-vswitchd's unbound packet socket, from ``ss``; None while it has none."""
    found = _SENDING_SOCKET.search(text)
    return int(found[1]) if found else None


def _htb() -> Iterator[Finding]:
    htb = kernel_has("htb default 1")
    yield Finding("HTB", State.OK if htb else State.MISSING, "yes" if htb else "no", "" if htb else "modprobe sch_htb")


def _netem() -> Iterator[Finding]:
    if netem():
        yield Finding("netem", State.OK, "yes")
    else:
        yield Finding(
            "netem", State.NOTE, "no: delays are emulated only where a spec says 'delays: relay' (costs speed)",
            "modprobe sch_netem, or a kernel with CONFIG_NET_SCH_NETEM",
        )  # fmt: skip


def _frameworks() -> Iterator[Finding]:
    found = [f"{name} {version}" for name in ("ryu", "os-ken") if (version := version_of(name))]
    state = State.OK if found else State.MISSING
    yield Finding("OpenFlow framework", state, ", ".join(found) or "none", "" if found else "make setup")


def _leftovers() -> Iterator[Finding]:
    dead = [path.stem for path in records() if not is_alive(path)]
    if dead:
        yield Finding("leftovers", State.NOTE, f"dead labs: {' '.join(dead)}", "ringlab clean")
    else:
        yield Finding("leftovers", State.OK, "none")


CHECKS: tuple[Check, ...] = (
    _root, _machine, _programs, _openvswitch, _datapath, _sending_socket, _htb, _netem, _frameworks, _leftovers,
)  # fmt: skip

ROOTS_ALONE: Mapping[Check, str] = {
    _openvswitch: "Open vSwitch", _htb: "HTB", _netem: "netem", _leftovers: "leftovers",
}  # fmt: skip
"""Checks that only root can make, and what they find."""


def datapath() -> str:
    """``system`` where the kernel has Open vSwitch's module, else ``netdev`` (userspace)."""
    return "system" if Path("/sys/module/openvswitch").exists() else "netdev"


def userspace_offload() -> bool:
    """Does the userspace datapath carry 64 KiB frames?"""
    try:
        setting = "other_config:userspace-tso-enable"
        value = run(["ovs-vsctl", "--timeout=3", "--if-exists", "get", "Open_vSwitch", ".", setting])
    except EmulationError:
        return False
    return value.strip().strip('"') == "true"


def settings(scale: float, mtu: int, congestion: str, queue_bytes: int | None = None, delays: str = "auto") -> Settings:
    """The settings of an emulation on this machine; ``delays`` is "auto" (by the kernel, if it can), "relay" or "none".

    Raises MachineError where namespaces may not use ``congestion``.
    """
    allowed = congestion_controls()
    if congestion not in allowed:
        raise MachineError(
            f"congestion control {congestion!r} is not allowed in namespaces here (allowed: {', '.join(allowed)}): "
            f"sysctl -w net.ipv4.tcp_allowed_congestion_control='{' '.join(allowed)} {congestion}'"
        )
    kind = datapath()
    offload = kind == "system" or userspace_offload()
    return Settings(scale, mtu, congestion, kind, queue_bytes, _delays(delays), offload)


def _delays(wanted: str) -> str:
    if wanted == "auto":
        return "netem" if netem() else "none"
    return wanted


@cache
def kernel_has(qdisc: str) -> bool:
    """Can the kernel make this queueing discipline? Tried in a namespace that goes at once."""
    script = f"ip link add d0 type veth peer name d1 && tc qdisc add dev d0 root handle 1: {qdisc}"
    try:
        run(["unshare", "--net", "sh", "-c", script])
    except EmulationError:
        return False
    return True


def netem() -> bool:
    return kernel_has("netem delay 1ms")


def congestion_controls() -> list[str]:
    """What a namespace may use (``net.ipv4.tcp_allowed_congestion_control``)."""
    return Path("/proc/sys/net/ipv4/tcp_allowed_congestion_control").read_text().split()


def version_of(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def fingerprint() -> dict[str, str | int]:
    """What a figure depends on: machine, kernel, versions."""
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return {
        "cpu": model[1] if model else platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "datapath": datapath() + (" with segmentation offload" if userspace_offload() else ""),
        "openvswitch": _first_version(["ovs-vsctl", "--version"]),
        "python": platform.python_version(),
        **{name: version_of(name) for name in ("numpy", "mininet", "ryu", "os-ken", "ringlab")},
    }


def _first_version(argv: list[str]) -> str:
    try:
        found = re.search(r"\d+\.\d+\S*", run(argv))
    except EmulationError:
        return ""
    return found[0] if found else ""
