"""Dual-plane: two leaf-spine fabrics side by side that share no switch; every host has a NIC in each.

NIC p of a host is its port p, and is plugged into plane p; the hosts of a leaf of one plane are those of the same
leaf of the other. Hosts are numbered leaf by leaf. ``p1leaf2`` is the second leaf of plane 1; the ports of a plane's
switches are those of a leaf-spine.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Annotated

from topologies.counts import check_at_least, check_links, numbered
from topologies.fabric import Cable, Fabric
from topologies.link_parameters import LATENCY_S, RATE_BPS, FabricLatency, FabricRate, HostLatency, HostRate, Links


def dual_plane(
    leaves: Annotated[int, "leaf switches of each plane"],
    spines: Annotated[int, "spine switches of each plane"],
    hosts: Annotated[int, "hosts on each leaf"],
    *,
    planes: Annotated[int, "planes, and NICs of each host"] = 2,
    host_rate_bps: HostRate = RATE_BPS,
    fabric_rate_bps: FabricRate = RATE_BPS,
    host_latency_s: HostLatency = LATENCY_S,
    fabric_latency_s: FabricLatency = LATENCY_S,
    links: Links = 1,
) -> Fabric:
    """Planes that only hosts join. FabricError below 2 planes, or for another count below 1."""
    check_at_least(1, leaves=leaves, spines=spines, hosts=hosts, links=links)
    check_at_least(2, planes=planes)
    check_links(planes * leaves * (hosts + spines * links))

    def cables() -> Iterator[Cable]:
        for host, plane in product(range(leaves * hosts), numbered("p", planes)):
            yield Cable(f"h{host + 1}", f"{plane}leaf{host // hosts + 1}", host_rate_bps, host_latency_s)
        for plane, leaf, spine in product(numbered("p", planes), range(leaves), range(spines)):
            for _ in range(links):
                yield Cable(f"{plane}leaf{leaf + 1}", f"{plane}spine{spine + 1}", fabric_rate_bps, fabric_latency_s)

    switches = [
        name
        for plane in numbered("p", planes)
        for name in numbered(f"{plane}leaf", leaves) + numbered(f"{plane}spine", spines)
    ]
    name = f"dual-plane-{leaves}x{spines}x{hosts}" + (f"-p{planes}" if planes > 2 else "")
    return Fabric.cabled(name, numbered("h", leaves * hosts), switches, cables())
