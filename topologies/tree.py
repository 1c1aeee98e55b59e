"""K-ary tree: one root switch, ``fanout`` switches below each switch, and hosts below the lowest tier.

Switches are numbered tier by tier from the root, s1, and hosts from left to right. A switch's ports are the nodes below
it in order, then the links to the switch above it. With one link a pair this is Mininet's ``--topo tree``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from topologies.counts import check_at_least, check_at_most, check_links, numbered
from topologies.fabric import Cable, Fabric
from topologies.link_parameters import LATENCY_S, RATE_BPS, FabricLatency, FabricRate, HostLatency, HostRate, Links

MAX_DEPTH = 20
"""A binary tree of 20 tiers has a million hosts."""


def tree(
    depth: Annotated[int, "tiers of switches"],
    fanout: Annotated[int, "switches, or hosts, below each switch"],
    *,
    host_rate_bps: HostRate = RATE_BPS,
    fabric_rate_bps: FabricRate = RATE_BPS,
    host_latency_s: HostLatency = LATENCY_S,
    fabric_latency_s: FabricLatency = LATENCY_S,
    links: Links = 1,
) -> Fabric:
    """A tree of ``fanout ** depth`` hosts. FabricError for a fanout below 2, or another count below 1."""
    check_at_least(1, depth=depth, links=links)
    check_at_most(MAX_DEPTH, depth=depth)
    check_at_least(2, fanout=fanout)
    hosts = fanout**depth
    switches = (hosts - 1) // (fanout - 1)
    check_links(hosts + (switches - 1) * links)
    lowest = switches - hosts // fanout  # the first switch (from 0) that has hosts

    def cables() -> Iterator[Cable]:
        for host in range(hosts):
            yield Cable(f"h{host + 1}", f"s{lowest + host // fanout + 1}", host_rate_bps, host_latency_s)
        for parent in reversed(range(lowest)):  # from below: a switch's links down come before its links up
            for child in range(parent * fanout + 1, (parent + 1) * fanout + 1):
                for _ in range(links):
                    yield Cable(f"s{child + 1}", f"s{parent + 1}", fabric_rate_bps, fabric_latency_s)

    return Fabric.cabled(f"tree-{depth}x{fanout}", numbered("h", hosts), numbered("s", switches), cables())
