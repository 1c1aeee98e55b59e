"""A plan as text for ``ip -batch`` and ``sh``: few processes do the work for all nodes. Pure.

Devices of a lab that stay on the machine carry the lab's device *group*, a number made from its tag: the kernel brings
a whole group up, or removes it, in one request (2,000 veths in a second; one by one they take half a minute).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping

from emulation.plan import SOCKET_BUFFER, Interface, Plan, tc_lines
from topologies import addressing

LISTED_HOSTS = addressing.MAX_LISTED_HOSTS
"""Up to so many hosts know each other's MAC addresses from the start; above it the switches answer ARP."""


def device_group(tag: str) -> int:
    """The lab's device group: from 2^30 up, so that no small number of a person's choice is hit."""
    return 1 << 30 | zlib.crc32(tag.encode()) & (1 << 30) - 1


def link_lines(plan: Plan, pids: Mapping[str, int]) -> list[str]:
    """``ip -batch`` on the machine: every link, each end in its node's namespace from the start.

    ``pids[node]`` is a process in the node's namespace; nodes without one stay on the machine.
    """
    veths = (f"link add {_end(plan, veth.a, pids)} type veth peer {_end(plan, veth.b, pids)}" for veth in plan.veths)
    tunnels = (f"link add {_end(plan, tunnel.end, pids)} {tunnel.vxlan.creation()}" for tunnel in plan.tunnels)
    return [*veths, *tunnels]


def _end(plan: Plan, end: Interface, pids: Mapping[str, int]) -> str:
    pid = pids.get(end.port.node)
    words = [f"name {end.name} mtu {plan.settings.mtu}"]
    words += [f"netns {pid}"] if pid else []
    words += [f"group {device_group(plan.tag)}"] if plan.fabric.is_switch(end.port.node) else []
    return " ".join(words)


def in_namespace(pid: int, name: str, script: str) -> str:
    """``script``, run inside the namespace of ``pid``; says ``name`` when it is done, or fails and says what failed."""
    end = f"END-OF-{name}"
    return f"mnexec -a {pid} sh -e <<'{end}'\n{script}\n{end}\necho {name}\n"


def host_scripts(plan: Plan) -> Iterator[tuple[str, str]]:
    """For each host its name, and what ``sh -e`` runs inside its namespace."""
    every = addressing.nics(plan.fabric)
    listed = len(plan.fabric.hosts) <= LISTED_HOSTS
    mine: dict[str, list[addressing.Nic]] = {host: [] for host in plan.fabric.hosts}
    for nic in every:
        mine[nic.host].append(nic)
    sysctls = list(_sysctls(plan))
    for host in plan.hosts:
        batch = list(_links(plan, mine[host], every if listed else ()))
        tc = [line for nic in mine[host] for line in tc_lines(plan.interfaces[nic.port], plan.settings.mtu)]
        yield host, "\n".join((*sysctls, _batch("ip", batch), *offloads(plan, host), _batch("tc", tc)))


def _batch(program: str, lines: Iterable[str]) -> str:
    return "\n".join((f"{program} -batch - <<'END'", *lines, "END"))


def _sysctls(plan: Plan) -> Iterator[str]:
    """IPv6 goes before links come up, or its chatter would be counted."""
    yield "test ! -e /proc/sys/net/ipv6 || echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6"
    yield "test ! -e /proc/sys/net/ipv6 || echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6"
    for name, value in {
        "tcp_congestion_control": plan.settings.congestion,
        "tcp_slow_start_after_idle": 0,
        "tcp_no_metrics_save": 1,  # one run must not teach the next
        "tcp_tw_reuse": 1,  # the same 5-tuple comes back with each run
        "tcp_rmem": f"4096 {SOCKET_BUFFER // 4} {SOCKET_BUFFER}",
        "tcp_wmem": f"4096 {SOCKET_BUFFER // 4} {SOCKET_BUFFER}",
    }.items():
        yield f"echo '{value}' > /proc/sys/net/ipv4/{name}"


def _links(plan: Plan, nics: Iterable[addressing.Nic], every: Iterable[addressing.Nic]) -> Iterator[str]:
    yield "link set lo up"
    for nic in nics:
        name = plan.interface_name(nic.port)
        yield f"link set {name} address {nic.mac} mtu {plan.settings.mtu} up"
        yield f"addr add {nic.ip}/{addressing.PREFIX_LENGTH} dev {name}"
        for other in every:
            if other.rail == nic.rail and other.host != nic.host:
                yield f"neigh add {other.ip} lladdr {other.mac} dev {name} nud permanent"


def offloads(plan: Plan, node: str) -> Iterator[str]:
    """A datapath without offload would forward unfinished checksums: pings pass, TCP stands still."""
    if not plan.settings.offload:
        for port in plan.fabric.ports(node):
            yield f"ethtool -K {plan.interface_name(port)} tx off gso off tso off gro off"


def switch_lines(plan: Plan) -> Iterator[str]:
    """A script for switch ports on the machine; empty where offload works."""
    for switch in plan.switches:
        yield from offloads(plan, switch)


def commands(plan: Plan) -> list[str]:
    """The whole plan for a person to read, in the order in which it is carried out."""
    lines = [f"namespace {host}" for host in plan.hosts]
    lines += [f"ip {line}" for line in link_lines(plan, {})]
    for host, script in host_scripts(plan):
        lines += [f"{host}$ {line}" for line in script.splitlines()]
    lines += ["ovs-vsctl " + " ".join(plan.bridge_transaction(switch, None)) for switch in plan.switches]
    lines += [f"tc {line}" for line in plan.switch_tc().splitlines()]
    return lines
