"""What a fabric can carry, and its size: line rate, oversubscription, bisection, diameter, counts.

A switch's *uplink rate* is the rate of its links to other switches, all together, in one direction; its *host rate*
is that of its links to hosts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import networkx as nx

from topologies.fabric import Fabric


@dataclass(frozen=True, slots=True)
class Measures:
    """Counts, and the four measures of this module."""

    hosts: int
    switches: int
    links: int
    line_rate_bps: float
    oversubscription: float
    bisection_bps: int
    diameter: int


def measures(fabric: Fabric) -> Measures:
    return Measures(
        hosts=len(fabric.hosts),
        switches=len(fabric.switches),
        links=len(fabric.links),
        line_rate_bps=line_rate_bps(fabric),
        oversubscription=oversubscription(fabric),
        bisection_bps=bisection_bps(fabric),
        diameter=diameter(fabric),
    )


def line_rate_bps(fabric: Fabric) -> float:
    """What every host could inject at once if all its traffic left its switch.

    The least over the hosts of min(NIC rate, uplink rate of its switch / NICs plugged in there), summed over the
    host's NICs. In a fabric of one switch no traffic leaves: the NICs alone count.
    """
    uplinks, nics = _uplink_rates(fabric), _nics(fabric)

    def share_bps(host: str) -> float:
        total = 0.0
        for port in fabric.ports(host):
            switch = fabric.peer(port).node
            fair = uplinks[switch] / nics[switch] if uplinks[switch] else fabric.rate_bps(port)
            total += min(fabric.rate_bps(port), fair)
        return total

    return min(map(share_bps, fabric.hosts))


def oversubscription(fabric: Fabric) -> float:
    """Host rate / uplink rate of the switch where it is greatest; 1 or less: every host can send out at full rate.

    0 for a fabric of one switch, whose traffic never leaves it.
    """
    uplinks, hosts = _uplink_rates(fabric), Counter[str]()
    for host in fabric.hosts:
        for port in fabric.ports(host):
            hosts[fabric.peer(port).node] += fabric.rate_bps(port)
    return max((rate_bps / uplinks[switch] for switch, rate_bps in hosts.items() if uplinks[switch]), default=0.0)


def bisection_bps(fabric: Fabric) -> int:
    """What the first half of the hosts can send to the second half at once, NICs included (a maximum flow).

    For leaf-spine and ring this is the bisection: hosts are numbered switch by switch, and no even split of them
    cuts less. Of another fabric it is an upper bound. 0 for a single host.
    """
    half = len(fabric.hosts) // 2
    if not half:
        return 0
    graph: nx.DiGraph[str] = nx.DiGraph()
    for port in fabric.directed_links():
        ends = (port.node, fabric.peer(port).node)
        before = graph.edges[ends]["capacity"] if graph.has_edge(*ends) else 0
        graph.add_edge(*ends, capacity=before + fabric.rate_bps(port))
    for host in fabric.hosts[:half]:
        graph.add_edge("<", host)  # no capacity: without limit
    for host in fabric.hosts[half:]:
        graph.add_edge(host, ">")
    return int(nx.maximum_flow_value(graph, "<", ">"))


def diameter(fabric: Fabric) -> int:
    """Links on the shortest path between the two hosts furthest apart; hosts forward nothing. 0 for a single host."""
    switches = nx.Graph(fabric.graph.subgraph(fabric.switches))
    plugged = [frozenset(fabric.peer(port).node for port in fabric.ports(host)) for host in fabric.hosts]
    places = set(plugged)
    between: float = 2
    for place in places:
        far = nx.multi_source_dijkstra_path_length(switches, place, weight=None)
        between = max(between, *(2 + min(far[switch] for switch in other) for other in places))
    return int(between) if len(plugged) > 1 else 0


def _uplink_rates(fabric: Fabric) -> Counter[str]:
    """b/s from each switch to other switches."""
    rates: Counter[str] = Counter()
    for port in fabric.directed_links():
        if fabric.is_switch(port.node) and fabric.is_switch(fabric.peer(port).node):
            rates[port.node] += fabric.rate_bps(port)
    return rates


def _nics(fabric: Fabric) -> Counter[str]:
    """Host links on each switch."""
    return Counter(fabric.peer(port).node for host in fabric.hosts for port in fabric.ports(host))
