"""Ring: switches in a circle, each cabled to the next, with hosts on each.

Hosts are numbered switch by switch. A switch's ports are its hosts first, then the ring: s1's are s2, then the last
switch; every other's are the switch before it, then the one after.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from topologies.counts import check_at_least, check_links, numbered
from topologies.fabric import Cable, Fabric
from topologies.link_parameters import LATENCY_S, RATE_BPS, FabricLatency, FabricRate, HostLatency, HostRate, Links


def ring(
    switches: Annotated[int, "switches in the circle"],
    hosts: Annotated[int, "hosts on each switch"],
    *,
    host_rate_bps: HostRate = RATE_BPS,
    fabric_rate_bps: FabricRate = RATE_BPS,
    host_latency_s: HostLatency = LATENCY_S,
    fabric_latency_s: FabricLatency = LATENCY_S,
    links: Links = 1,
) -> Fabric:
    """Switches in a circle. FabricError below 3 switches, or for another count below 1."""
    check_at_least(3, switches=switches)
    check_at_least(1, hosts=hosts, links=links)
    check_links(switches * (hosts + links))

    def cables() -> Iterator[Cable]:
        for switch in range(switches):
            for host in range(switch * hosts, (switch + 1) * hosts):
                yield Cable(f"h{host + 1}", f"s{switch + 1}", host_rate_bps, host_latency_s)
        for switch in range(switches):
            for _ in range(links):
                yield Cable(f"s{switch + 1}", f"s{(switch + 1) % switches + 1}", fabric_rate_bps, fabric_latency_s)

    return Fabric.cabled(f"ring-{switches}x{hosts}", numbered("h", switches * hosts), numbered("s", switches), cables())
