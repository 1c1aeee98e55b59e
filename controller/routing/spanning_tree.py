"""spanning-tree: all flows along one tree of the fabric, as a network of bridges without tuning would send them.

The tree is what IEEE 802.1D would agree on if bridge priorities followed the fabric's order: the root is the first
switch of the tier farthest from the hosts (a spine, a core; on a ring the first switch); every other switch keeps
one port, towards the neighbour with the fewest hops to the root, the first such switch, the lowest port there.
It is also what the resident rules follow before any job. Dead links are left out; where they leave the fabric in
pieces, each has a root and a tree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from controller.routing.next_hops import Trunks, distances, ends, host_to_host, no_way, trunks
from controller.routing.situation import CLEAR, Situation
from topologies.fabric import Fabric, Port
from topologies.traffic import Demand, FlowKey, Path


def route(fabric: Fabric, demands: Sequence[Demand], situation: Situation = CLEAR) -> dict[FlowKey, Path]:
    parents = tree(fabric, situation.dead)
    return {demand.key: _path(fabric, parents, demand.key, situation.dead) for demand in demands}


def tree(fabric: Fabric, dead: frozenset[str] = frozenset()) -> Mapping[str, Port]:
    """The port towards the root, for every switch but the root (a root for each piece that live trunks join)."""
    order = {switch: place for place, switch in enumerate(fabric.switches)}
    neighbours = trunks(fabric, dead)
    parents: dict[str, Port] = {}
    for root in _roots(fabric, neighbours):
        hops = distances(neighbours, [root])

        def rank(port: Port, hops: Mapping[str, int] = hops) -> tuple[int, int, int]:
            peer = fabric.peer(port)
            return hops[peer.node], order[peer.node], peer.number

        for switch in hops.keys() - {root}:
            parents[switch] = min((port for port, _ in neighbours[switch]), key=rank)
    return parents


def _roots(fabric: Fabric, neighbours: Trunks) -> Iterator[str]:
    """Of each piece of the fabric, the first switch among those farthest from the hosts."""
    from_hosts = distances(neighbours, fabric.leaves)
    seen: set[str] = set()
    for switch in fabric.switches:
        if switch not in seen:
            piece = distances(neighbours, [switch])
            seen.update(piece)
            yield max((other for other in fabric.switches if other in piece), key=lambda one: from_hosts.get(one, -1))


def climb(fabric: Fabric, parents: Mapping[str, Port], switch: str) -> Iterator[Port]:
    """The ports towards the root, from ``switch`` on."""
    while switch in parents:
        yield parents[switch]
        switch = fabric.peer(parents[switch]).node


def _path(fabric: Fabric, parents: Mapping[str, Port], key: FlowKey, dead: frozenset[str]) -> Path:
    source, target = ends(fabric, key, dead)
    up, down = list(climb(fabric, parents, source)), list(climb(fabric, parents, target))
    if _top(fabric, source, up) != _top(fabric, target, down):
        raise no_way(source, target, dead)
    while up and down and up[-1] == down[-1]:
        up.pop()
        down.pop()
    return host_to_host(fabric, key, (*up, *(fabric.peer(port) for port in reversed(down))))


def _top(fabric: Fabric, switch: str, climbed: Sequence[Port]) -> str:
    return fabric.peer(climbed[-1]).node if climbed else switch
