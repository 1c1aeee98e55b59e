"""Dragonfly: groups of ``a`` switches, all cabled to each other, and every group cabled to every other group.

After Kim, Dally, Scott and Abts, "Technology-Driven, Highly-Scalable Dragonfly Topology" (ISCA 2008), with its
letters: ``p`` hosts and ``h`` global links on each of a group's ``a`` switches. With a*h + 1 groups each pair of
groups has one link. With fewer, each pair has as many as it can, the same for all pairs; ports that do not share out
evenly stay empty.

Hosts and switches are numbered group by group; ``g1s2`` is the second switch of group 1. A group's global ports,
counted over its switches, lead to the group before it, the one before that, and so on around. A switch's ports are
its hosts first, then its group's other switches in order, then its global links.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product
from typing import Annotated

from topologies.counts import check_at_least, check_at_most, check_links, numbered
from topologies.fabric import Cable, Fabric
from topologies.link_parameters import LATENCY_S, RATE_BPS, FabricLatency, FabricRate, HostLatency, HostRate


def dragonfly(
    a: Annotated[int, "switches in each group"],
    p: Annotated[int, "hosts on each switch"],
    h: Annotated[int, "global links on each switch"],
    *,
    groups: Annotated[int | None, "groups; a*h + 1 unless given"] = None,
    host_rate_bps: HostRate = RATE_BPS,
    fabric_rate_bps: FabricRate = RATE_BPS,
    host_latency_s: HostLatency = LATENCY_S,
    fabric_latency_s: FabricLatency = LATENCY_S,
) -> Fabric:
    """Groups joined pair by pair. FabricError for a count below 1, for less than 2 groups or more than a*h + 1."""
    check_at_least(1, a=a, p=p, h=h)
    number = a * h + 1 if groups is None else groups
    check_at_least(2, groups=number)
    check_at_most(a * h + 1, groups=number)
    check_links(number * a * (p + a + h))

    def name(group: int, switch: int) -> str:
        return f"g{group + 1}s{switch + 1}"

    def cables() -> Iterator[Cable]:
        for host in range(number * a * p):
            yield Cable(f"h{host + 1}", name(*divmod(host // p, a)), host_rate_bps, host_latency_s)
        for group, (one, other) in product(range(number), combinations(range(a), 2)):
            yield Cable(name(group, one), name(group, other), fabric_rate_bps, fabric_latency_s)
        for here, there, port, back in _global_links(number, a * h):
            yield Cable(name(here, port // h), name(there, back // h), fabric_rate_bps, fabric_latency_s)

    return Fabric.cabled(
        f"dragonfly-{a}x{p}x{h}-{number}",
        numbered("h", number * a * p),
        [name(group, switch) for group, switch in product(range(number), range(a))],
        cables(),
    )


def _global_links(groups: int, ports: int) -> Iterator[tuple[int, int, int, int]]:
    """Two groups with the global port of each (from 0), for every global link; ``ports``: those of one group.

    With w links a pair, ports 0 to w - 1 lead one group back, the next w two groups back, and so on; at the other end
    are the ports that lead back by what is left of the circle. So a group's first switches are joined to the groups
    before it, and its last to those after.
    """
    others = groups - 1
    ways = ports // others
    for here, port in product(range(groups), range(others * ways)):
        back, way = divmod(port, ways)
        there = (here - 1 - back) % groups
        if here < there:
            yield here, there, port, (others - 1 - back) * ways + way
