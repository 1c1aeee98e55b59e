"""Star: one switch with every host on it. Port n of the switch is host n."""

from __future__ import annotations

from typing import Annotated

from topologies.counts import check_at_least, check_links, numbered
from topologies.fabric import Cable, Fabric
from topologies.link_parameters import LATENCY_S, RATE_BPS, HostLatency, HostRate


def star(
    hosts: Annotated[int, "hosts on the switch"],
    *,
    host_rate_bps: HostRate = RATE_BPS,
    host_latency_s: HostLatency = LATENCY_S,
) -> Fabric:
    """Hosts on one switch. FabricError for less than 1 host."""
    check_at_least(1, hosts=hosts)
    check_links(hosts)
    names = numbered("h", hosts)
    return Fabric.cabled(
        f"star-{hosts}", names, ["s1"], (Cable(host, "s1", host_rate_bps, host_latency_s) for host in names)
    )
