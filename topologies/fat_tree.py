"""Fat-tree: k pods of k/2 edge and k/2 aggregation switches, and (k/2)^2 core switches, all of k ports.

After Al-Fares, Loukissas and Vahdat, "A Scalable, Commodity Data Center Network Architecture" (SIGCOMM 2008). Hosts,
edge and aggregation switches are numbered pod by pod: pod 1 has edge1 to edge(k/2). In each pod, aggregation switch j
(from 1) is cabled to the j-th k/2 of the core switches. Ports: an edge switch has its hosts, then its pod's aggregation
switches; these have their edge switches, then their cores; a core switch's port p leads to pod p.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Annotated

from topologies.counts import ParameterError, check_at_least, check_links, numbered
from topologies.fabric import Cable, Fabric
from topologies.link_parameters import LATENCY_S, RATE_BPS, FabricLatency, FabricRate, HostLatency, HostRate


def fat_tree(
    k: Annotated[int, "ports of every switch, an even number"],
    *,
    host_rate_bps: HostRate = RATE_BPS,
    fabric_rate_bps: FabricRate = RATE_BPS,
    host_latency_s: HostLatency = LATENCY_S,
    fabric_latency_s: FabricLatency = LATENCY_S,
) -> Fabric:
    """Three tiers for ``k ** 3 / 4`` hosts. FabricError where k is odd, or below 2."""
    check_at_least(2, k=k)
    if k % 2:
        raise ParameterError("k", f"{k} is odd; half of a switch's ports go up, so give {k - 1} or {k + 1}")
    check_links(3 * k**3 // 4)
    half = k // 2

    def cables() -> Iterator[Cable]:
        for pod in range(k):
            in_pod = range(pod * half, (pod + 1) * half)
            for edge, place in product(in_pod, range(half)):
                yield Cable(f"h{edge * half + place + 1}", f"edge{edge + 1}", host_rate_bps, host_latency_s)
            for edge, agg in product(in_pod, in_pod):
                yield Cable(f"edge{edge + 1}", f"agg{agg + 1}", fabric_rate_bps, fabric_latency_s)
            for agg, place in product(in_pod, range(half)):
                core = agg % half * half + place
                yield Cable(f"agg{agg + 1}", f"core{core + 1}", fabric_rate_bps, fabric_latency_s)

    return Fabric.cabled(
        f"fat-tree-{k}",
        numbered("h", k * half * half),
        numbered("edge", k * half) + numbered("agg", k * half) + numbered("core", half * half),
        cables(),
    )
