"""Leaf-spine: every leaf is cabled to every spine, every host to one leaf.

Hosts are numbered leaf by leaf (h1, h2 on leaf1; h3, h4 on leaf2; ...). A leaf's ports are its hosts first, then
spine1, spine2, ...; a spine's ports are leaf1, leaf2, ....
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from topologies.counts import check_at_least, check_links, numbered
from topologies.fabric import Cable, Fabric
from topologies.link_parameters import LATENCY_S, RATE_BPS, FabricLatency, FabricRate, HostLatency, HostRate, Links


def leaf_spine(
    leaves: Annotated[int, "leaf switches"],
    spines: Annotated[int, "spine switches"],
    hosts: Annotated[int, "hosts on each leaf"],
    *,
    host_rate_bps: HostRate = RATE_BPS,
    fabric_rate_bps: FabricRate = RATE_BPS,
    host_latency_s: HostLatency = LATENCY_S,
    fabric_latency_s: FabricLatency = LATENCY_S,
    links: Links = 1,
) -> Fabric:
    """Two tiers of switches, every leaf cabled to every spine. FabricError for a count below 1."""
    check_at_least(1, leaves=leaves, spines=spines, hosts=hosts, links=links)
    check_links(leaves * (hosts + spines * links))

    def cables() -> Iterator[Cable]:
        for leaf in range(leaves):
            for host in range(leaf * hosts, (leaf + 1) * hosts):
                yield Cable(f"h{host + 1}", f"leaf{leaf + 1}", host_rate_bps, host_latency_s)
            for spine in range(spines):
                for _ in range(links):
                    yield Cable(f"leaf{leaf + 1}", f"spine{spine + 1}", fabric_rate_bps, fabric_latency_s)

    return Fabric.cabled(
        f"leaf-spine-{leaves}x{spines}x{hosts}",
        numbered("h", leaves * hosts),
        numbered("leaf", leaves) + numbered("spine", spines),
        cables(),
    )
