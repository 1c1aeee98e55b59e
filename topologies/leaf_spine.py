"""Leaf-spine: every leaf is cabled to every spine, every host to one leaf.

Hosts are numbered leaf by leaf (h1, h2 on leaf1; h3, h4 on leaf2; ...). A leaf's ports are its hosts first, then
spine1, spine2, ...; a spine's ports are leaf1, leaf2, ....
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from topologies.counts import check_at_least, check_links
from topologies.fabric import Cable, Fabric


def leaf_spine(
    leaves: Annotated[int, "leaf switches"],
    spines: Annotated[int, "spine switches"],
    hosts: Annotated[int, "hosts on each leaf"],
    *,
    host_rate_bps: Annotated[int, "rate of a host's link"] = 100_000_000_000,
    fabric_rate_bps: Annotated[int, "rate of a leaf-spine link"] = 100_000_000_000,
    host_latency_s: Annotated[float, "one-way latency of a host's link"] = 1e-6,
    fabric_latency_s: Annotated[float, "one-way latency of a leaf-spine link"] = 1e-6,
    links: Annotated[int, "parallel links from each leaf to each spine"] = 1,
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
        [f"h{number + 1}" for number in range(leaves * hosts)],
        [f"leaf{number + 1}" for number in range(leaves)] + [f"spine{number + 1}" for number in range(spines)],
        cables(),
    )
