"""Edge sites: a leaf-spine core, and sites of a few hosts, each behind one thin and slow uplink.

The uplinks end in a switch of their own, ``border``, that is cabled to every spine as a leaf is (a border leaf).
Hosts are numbered leaf by leaf, then site by site. The border's ports are the spines, then site1, site2, ...; a
site's are its hosts, then its uplink; leaves and spines are numbered as in a leaf-spine, a spine's last port leads
to the border.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from topologies.counts import check_at_least, check_links, numbered
from topologies.fabric import Cable, Fabric
from topologies.leaf_spine import leaf_spine
from topologies.link_parameters import LATENCY_S, RATE_BPS, FabricLatency, FabricRate, HostLatency, HostRate, Links

UPLINK_RATE_BPS = 1_000_000_000
UPLINK_LATENCY_S = 0.01
"""Some 2000 km of fibre, at 5 us a km."""


def edge_sites(
    leaves: Annotated[int, "leaf switches of the core"],
    spines: Annotated[int, "spine switches of the core"],
    hosts: Annotated[int, "hosts on each leaf"],
    sites: Annotated[int, "sites"],
    site_hosts: Annotated[int, "hosts at each site"],
    *,
    host_rate_bps: HostRate = RATE_BPS,
    fabric_rate_bps: FabricRate = RATE_BPS,
    uplink_rate_bps: Annotated[int, "rate of a site's uplink"] = UPLINK_RATE_BPS,
    host_latency_s: HostLatency = LATENCY_S,
    fabric_latency_s: FabricLatency = LATENCY_S,
    uplink_latency_s: Annotated[float, "one-way latency of a site's uplink"] = UPLINK_LATENCY_S,
    links: Links = 1,
) -> Fabric:
    """A core and its sites. FabricError for a count below 1."""
    check_at_least(1, leaves=leaves, spines=spines, hosts=hosts, sites=sites, site_hosts=site_hosts, links=links)
    check_links(leaves * (hosts + spines * links) + spines * links + sites * (site_hosts + 1))
    core = leaf_spine(
        leaves,
        spines,
        hosts,
        host_rate_bps=host_rate_bps,
        fabric_rate_bps=fabric_rate_bps,
        host_latency_s=host_latency_s,
        fabric_latency_s=fabric_latency_s,
        links=links,
    )
    inside = len(core.hosts)

    def cables() -> Iterator[Cable]:
        for link in core.links:
            yield Cable(link.a.node, link.b.node, link.rate_bps, link.latency_s)
        for spine in range(spines):
            for _ in range(links):
                yield Cable("border", f"spine{spine + 1}", fabric_rate_bps, fabric_latency_s)
        for site in range(sites):
            for host in range(inside + site * site_hosts, inside + (site + 1) * site_hosts):
                yield Cable(f"h{host + 1}", f"site{site + 1}", host_rate_bps, host_latency_s)
            yield Cable(f"site{site + 1}", "border", uplink_rate_bps, uplink_latency_s)

    return Fabric.cabled(
        f"edge-sites-{leaves}x{spines}x{hosts}-{sites}x{site_hosts}",
        numbered("h", inside + sites * site_hosts),
        [*core.switches, "border", *numbered("site", sites)],
        cables(),
    )
