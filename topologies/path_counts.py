"""How far hosts are apart, and over how many paths: diameter, path diversity, equal-cost paths.

Only switches forward, so a path runs from the switch of one NIC to the switch of another, over links between switches.
Flows of a channel use the same NIC at every host (``Fabric.nic``): the two path counts are those of one flow, from the
switches that a channel's NICs are plugged into to one another, and the least over channels. Parallel links count apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

from topologies.fabric import Fabric, FabricError

MAX_SOURCES = 128
"""Switches that ``equal_cost_paths`` counts from; in a larger fabric as many, evenly spread, stand for all."""

Neighbours = Mapping[str, Mapping[str, int]]
"""For every switch, the switches next to it and the number of links to each."""


def diameter(fabric: Fabric) -> int:
    """Links on the shortest path between the two hosts furthest apart, by the nearest of their NICs.

    0 for a single host. FabricError where two hosts can't reach each other but through a third.
    """
    if len(fabric.hosts) < 2:
        return 0
    places = list({frozenset(fabric.peer(port).node for port in fabric.ports(host)): host for host in fabric.hosts})
    everywhere = (1 << len(places)) - 1
    reach = dict.fromkeys(fabric.switches, 0)  # the places within so many links of a switch, a bit for each
    for index, place in enumerate(places):
        for switch in place:
            reach[switch] |= 1 << index
    neighbours, links = _neighbours(fabric), 2
    while any(_union(reach[switch] for switch in place) != everywhere for place in places):
        wider = {switch: _union(reach[near] for near in nears) | reach[switch] for switch, nears in neighbours.items()}
        if wider == reach:
            raise FabricError(f"fabric {fabric.name!r}: some hosts reach each other only through other hosts")
        reach, links = wider, links + 1
    return links


def path_diversity(fabric: Fabric) -> int:
    """Paths without a link in common between the switches of two NICs of a channel, where they are fewest.

    So many links between switches must fail before some flow has no path. 1 where every flow stays on its switch.
    """
    neighbours = _neighbours(fabric)
    terminals = [group for group in _terminals(fabric) if len(group) > 1]
    return min((_least_cut(neighbours, group) for group in terminals), default=1)


def equal_cost_paths(fabric: Fabric) -> int:
    """Shortest paths between the two switches of a channel that are furthest apart: what ECMP chooses from.

    The least over all pairs as far apart; 0 where some can't reach each other; 1 where every flow stays on its switch.
    """
    neighbours = _neighbours(fabric)
    furthest, fewest = 0, 1
    for group in _terminals(fabric):
        for source in group[:: -(-len(group) // MAX_SOURCES)]:
            distances, counts = _shortest_paths(neighbours, source)
            if any(switch not in distances for switch in group):
                return 0
            far = max(distances[switch] for switch in group)
            few = min(counts[switch] for switch in group if distances[switch] == far)
            furthest, fewest = max((furthest, fewest), (far, few), key=lambda found: (found[0], -found[1]))
    return fewest


def _terminals(fabric: Fabric) -> Iterator[list[str]]:
    """For every channel, the switches that its NICs are plugged into, in the order of the hosts."""
    for channel in range(max(len(fabric.ports(host)) for host in fabric.hosts)):
        yield list(dict.fromkeys(fabric.attachment(host, channel).node for host in fabric.hosts))


def _neighbours(fabric: Fabric) -> Neighbours:
    neighbours: dict[str, Counter[str]] = {switch: Counter() for switch in fabric.switches}
    for port in fabric.directed_links():
        peer = fabric.peer(port).node
        if fabric.is_switch(port.node) and fabric.is_switch(peer):
            neighbours[port.node][peer] += 1
    return neighbours


def _union(sets: Iterable[int]) -> int:
    found = 0
    for bits in sets:
        found |= bits
    return found


def _shortest_paths(neighbours: Neighbours, source: str) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Distance in links to every switch that can be reached, and the number of shortest paths to it."""
    distances, counts = {source: 0}, Counter({source: 1})
    front = [source]
    while front:
        reached = []
        for switch in front:
            for near, links in neighbours[switch].items():
                if near not in distances:
                    distances[near] = distances[switch] + 1
                    reached.append(near)
                if distances[near] > distances[switch]:
                    counts[near] += counts[switch] * links
        front = reached
    return distances, counts


def _least_cut(neighbours: Neighbours, terminals: list[str]) -> int:
    """The fewest links whose loss parts two of ``terminals``.

    The least cut has the first terminal on one side, and some first terminal, in order, on the other. So it is enough
    to cut each terminal from all before it together, which lie nearer than any one of them.
    """
    joined = {terminals[0]}
    least = min(sum(neighbours[terminal].values()) for terminal in terminals)  # cuts off one of them
    for terminal in terminals[1:]:
        least = _disjoint_paths(neighbours, terminal, joined, least)
        joined.add(terminal)
    return least


def _disjoint_paths(neighbours: Neighbours, source: str, targets: set[str], most: int) -> int:
    """Link-disjoint paths from ``source`` to any of ``targets``, counted up to ``most`` (Ford and Fulkerson)."""
    used: Counter[tuple[str, str]] = Counter()
    for found in range(most):
        path = _free_path(neighbours, used, source, targets)
        if not path:
            return found
        for hop in pairwise(path):
            used[hop] += 1
            used[hop[::-1]] -= 1
    return most


def _free_path(
    neighbours: Neighbours, used: Mapping[tuple[str, str], int], source: str, targets: set[str]
) -> list[str]:
    """The nodes of a shortest path over links that are not used up in its direction; [] if there is none."""
    came_from = {source: source}
    queue = [source]
    for switch in queue:
        for near, links in neighbours[switch].items():
            if near not in came_from and used.get((switch, near), 0) < links:
                came_from[near] = switch
                if near in targets:
                    return _back(came_from, near)
                queue.append(near)
    return []


def _back(came_from: Mapping[str, str], end: str) -> list[str]:
    """From the start to ``end``."""
    path = [end]
    while came_from[path[-1]] != path[-1]:
        path.append(came_from[path[-1]])
    return path[::-1]
