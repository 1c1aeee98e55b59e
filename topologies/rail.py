"""Rail-optimised: NIC r of every host of a group is plugged into the group's switch for rail r; spines join the rails.

A job whose ranks talk to their peers of the same local rank stays on one rail, one switch away. One group and no
spines make a rail-only fabric: its rails are joined by the hosts alone, which forward nothing.

Hosts are numbered group by group, and ``g1r2`` is the switch of group 1 for rail 2. NIC r of a host is its port r. A
rail switch's ports are its hosts first, then spine1, spine2, ...; a spine's ports are g1r1, g1r2, ..., g2r1, ....
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Annotated

from topologies.counts import ParameterError, check_at_least, check_links, numbered
from topologies.fabric import Cable, Fabric
from topologies.link_parameters import LATENCY_S, RATE_BPS, FabricLatency, FabricRate, HostLatency, HostRate, Links


def rail(
    groups: Annotated[int, "groups of hosts"],
    hosts: Annotated[int, "hosts in each group"],
    rails: Annotated[int, "rails: NICs of each host, and switches of each group"],
    spines: Annotated[int, "spine switches that join all groups and rails; 0: one group, rails alone"],
    *,
    host_rate_bps: HostRate = RATE_BPS,
    fabric_rate_bps: FabricRate = RATE_BPS,
    host_latency_s: HostLatency = LATENCY_S,
    fabric_latency_s: FabricLatency = LATENCY_S,
    links: Links = 1,
) -> Fabric:
    """Hosts with a NIC a rail. FabricError for a count below 1, and for several groups without a spine."""
    check_at_least(1, groups=groups, hosts=hosts, rails=rails, links=links)
    check_at_least(0, spines=spines)
    if groups > 1 and not spines:
        raise ParameterError("spines", f"0 leave {groups} groups apart; give at least 1, or one group")
    check_links(groups * rails * (hosts + spines * links))
    switches = [f"g{group + 1}r{rail + 1}" for group, rail in product(range(groups), range(rails))]

    def cables() -> Iterator[Cable]:
        for host in range(groups * hosts):
            for switch in switches[host // hosts * rails :][:rails]:
                yield Cable(f"h{host + 1}", switch, host_rate_bps, host_latency_s)
        for switch, spine in product(switches, range(spines)):
            for _ in range(links):
                yield Cable(switch, f"spine{spine + 1}", fabric_rate_bps, fabric_latency_s)

    name = f"rail-{groups}x{hosts}x{rails}x{spines}"
    return Fabric.cabled(name, numbered("h", groups * hosts), switches + numbered("spine", spines), cables())
