"""What a fabric can carry, and its size: line rate, oversubscription, bisection, diameter, paths, counts.

A switch's *uplink rate* is the rate of its links to other switches, all together, in one direction; its *host rate*
is that of its links to hosts. Hosts forward nothing: where switches are joined by hosts alone (planes, rails), they are
apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import networkx as nx

from topologies.fabric import Fabric
from topologies.path_counts import diameter, equal_cost_paths, path_diversity


@dataclass(frozen=True, slots=True)
class Measures:
    """Counts (``switch_ports``: in use), and the measures of this module and of ``path_counts``."""

    hosts: int
    switches: int
    links: int
    switch_ports: int
    line_rate_bps: float
    oversubscription: float
    bisection_bps: int
    diameter: int
    path_diversity: int
    equal_cost_paths: int


def measures(fabric: Fabric) -> Measures:
    """All of them. FabricError where two hosts can't reach each other but through a third."""
    return Measures(
        hosts=len(fabric.hosts),
        switches=len(fabric.switches),
        links=len(fabric.links),
        switch_ports=sum(len(fabric.ports(switch)) for switch in fabric.switches),
        line_rate_bps=line_rate_bps(fabric),
        oversubscription=oversubscription(fabric),
        bisection_bps=bisection_bps(fabric),
        diameter=diameter(fabric),
        path_diversity=path_diversity(fabric),
        equal_cost_paths=equal_cost_paths(fabric),
    )


def line_rate_bps(fabric: Fabric) -> float:
    """What every host could inject at once if all its traffic left its switch.

    The least over the hosts of min(NIC rate, uplink rate of its switch / NICs plugged in there), summed over the
    host's NICs. From a switch without uplinks (a star's, a rail's) no traffic leaves: its NICs alone count.
    """
    uplinks = _uplink_rates(fabric)
    fair = {switch: uplinks[switch] / nics for switch, nics in _nics(fabric).items() if uplinks[switch]}
    return _slowest_host_bps(fabric, fair)


def ring_line_rate_bps(fabric: Fabric) -> float:
    """The busbw, in bits a second, that a ring of all hosts could reach at most: it leaves each switch once.

    The least over the hosts of min(NIC rate, all uplinks of its switch), summed over the host's NICs. It is what
    published GPU figures are a share of: all NICs of a node together. A placement that leaves a switch more often, or
    a policy that leaves uplinks unused, reaches less; ``line_rate_bps`` is what is left where all hosts leave at once.
    """
    return _slowest_host_bps(fabric, _uplink_rates(fabric))


def _slowest_host_bps(fabric: Fabric, out_bps: Mapping[str, float]) -> float:
    """The least of all hosts: what its NICs carry, each at most ``out_bps`` of its switch where that is named."""

    def most_bps(host: str) -> float:
        nics = [(fabric.rate_bps(port), fabric.peer(port).node) for port in fabric.ports(host)]
        return sum(min(rate, out_bps.get(switch, rate)) for rate, switch in nics)

    return min(map(most_bps, fabric.hosts))


def oversubscription(fabric: Fabric) -> float:
    """Host rate / uplink rate of the switch where it is greatest; 1 or less: every host can send out at full rate.

    It looks one switch far: what tiers further up can carry shows in the bisection. 0 where no switch has uplinks
    (star, rails alone): no traffic leaves them.
    """
    uplinks, hosts = _uplink_rates(fabric), Counter[str]()
    for host in fabric.hosts:
        for port in fabric.ports(host):
            hosts[fabric.peer(port).node] += fabric.rate_bps(port)
    return max((rate_bps / uplinks[switch] for switch, rate_bps in hosts.items() if uplinks[switch]), default=0.0)


def bisection_bps(fabric: Fabric) -> int:
    """What the first half of the hosts can send to the second half at once, NICs included (a maximum flow).

    The generators number their hosts such that this is the bisection: no even split of the hosts carries less (the
    tests try all splits of small ones). Of a dragonfly with more global links than local ones, of edge sites, and of a
    fabric from elsewhere, it is an upper bound. 0 for a single host.
    """
    half = len(fabric.hosts) // 2
    if not half:
        return 0
    rates: Counter[tuple[str, str]] = Counter()
    for port in fabric.directed_links():
        if fabric.is_switch(port.node) and fabric.is_switch(fabric.peer(port).node):
            rates[port.node, fabric.peer(port).node] += fabric.rate_bps(port)
    for index, host in enumerate(fabric.hosts):  # a host never relays: each NIC is a source, or a sink, of its own
        for port in fabric.ports(host):
            switch = fabric.peer(port).node
            rates[("<", switch) if index < half else (switch, ">")] += fabric.rate_bps(port)
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_edges_from((*ends, {"capacity": rate_bps}) for ends, rate_bps in rates.items())
    return int(nx.maximum_flow_value(graph, "<", ">"))


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
