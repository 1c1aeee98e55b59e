"""Tiers: nodes in rows by their distance from the hosts, which are the lowest row.

Where the switches fall into two parts that only hosts join (two planes, two rails), one part stands above the hosts and
the other below. Sites, told by their name, stand at the far end, above the core that they hang on.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import networkx as nx

from topologies.canvas import Point, half_width
from topologies.fabric import Fabric

GAP = 18.0
"""Between boxes side by side."""

GROUP_GAP = 26.0
"""More of it, between hosts of different switches."""

LEAST_HEIGHT, MOST_HEIGHT = 150.0, 190.0
"""Between tiers; wide drawings are higher, so that links are not too flat."""


def tiers(fabric: Fabric) -> dict[str, Point]:
    """The centre of every node."""
    found = rows(fabric)
    natural = {tier: _side_by_side(fabric, row) for tier, row in found.items()}
    span = max(places[-1] - places[0] for places in natural.values())
    height = min(MOST_HEIGHT, max(LEAST_HEIGHT, span / 4.5))
    centres: dict[str, Point] = {}
    for tier in sorted(found, key=abs):
        nearer = [centres[node][0] for node in found.get(tier - 1 if tier > 0 else tier + 1, []) if tier]
        same = nearer if len(nearer) == len(found[tier]) else []
        places = _above(fabric, found[tier], centres) or same or _stretched(natural[tier], span)
        centres |= {node: (x, -tier * height) for node, x in zip(found[tier], places, strict=True)}
    return centres


def rows(fabric: Fabric) -> dict[int, list[str]]:
    """Nodes by tier, each row in the order of the fabric: 0 the hosts, 1 their switches, ..., -1 those below."""
    graph = nx.Graph(fabric.graph)
    at_sites = {host for host in fabric.hosts if fabric.attachment(host).node.startswith("site")}
    lowest = set(fabric.hosts) - at_sites or set(fabric.hosts)
    distance = nx.multi_source_dijkstra_path_length(graph, lowest, weight=None)
    parts = list(nx.connected_components(graph.subgraph(fabric.switches)))
    below = max(parts, key=lambda part: min(map(fabric.switches.index, part))) if len(parts) == 2 else set()
    found: dict[int, list[str]] = {}
    for node in fabric.nodes:
        found.setdefault(int(distance[node]) * (-1 if node in below else 1), []).append(node)
    return found


def _side_by_side(fabric: Fabric, row: Sequence[str]) -> list[float]:
    """Where the boxes of a row stand with as little room as may be."""
    places = [0.0]
    for left, right in pairwise(row):
        between = half_width(left) + GAP + half_width(right)
        if not fabric.is_switch(left) and fabric.attachment(left).node != fabric.attachment(right).node:
            between += GROUP_GAP
        places.append(places[-1] + between)
    return places


def _stretched(places: Sequence[float], span: float) -> list[float]:
    """The same places spread over ``span``, around 0; each of few keeps the middle of its share."""
    if len(places) == 1:
        return [0.0]
    least = min(right - left for left, right in pairwise(places))
    used = places[-1] - places[0] + least
    return [(place + least / 2 - used / 2) * max(1.0, span / used) for place in places]


def _above(fabric: Fabric, row: Sequence[str], centres: dict[str, Point]) -> list[float]:
    """Each node over the middle of those in ``centres`` that it is cabled to; [] where boxes would overlap."""
    places = []
    for node in row:
        under = [
            centres[peer][0] for peer in (fabric.peer(port).node for port in fabric.ports(node)) if peer in centres
        ]
        if not under:
            return []
        places.append((min(under) + max(under)) / 2)
    free = all(
        x2 - x1 >= half_width(left) + GAP + half_width(right)
        for (left, x1), (right, x2) in pairwise(zip(row, places, strict=True))
    )
    return places if free else []
