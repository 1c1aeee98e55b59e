"""Where nodes stand in a drawing: tiers by their distance from the hosts, or a circle where the switches are one.

Coordinates are in pixels of the drawing, x to the right and y down, node centres.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import cos, pi, sin

import networkx as nx

from topologies.fabric import Fabric

PITCH = 84.0
"""Between the centres of two hosts that stand side by side: room for a box and a name of eight letters."""

TIER_HEIGHT = 150.0
MARGIN = 64.0

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Layout:
    """The centre of every node, and the size of the drawing."""

    centres: dict[str, Point]
    width: float
    height: float


def place(fabric: Fabric) -> Layout:
    """A circle for a ring of switches, else tiers."""
    return _circle(fabric) if is_circle(fabric) else _tiers(fabric)


def is_circle(fabric: Fabric) -> bool:
    """The switches and the cables between them are one cycle, and every host hangs on one switch."""
    switches = nx.Graph(fabric.graph.subgraph(fabric.switches))
    return (
        len(fabric.switches) >= 3
        and all(degree == 2 for _, degree in switches.degree())
        and nx.is_connected(switches)
        and all(len(fabric.ports(host)) == 1 for host in fabric.hosts)
    )


def tiers(fabric: Fabric) -> list[list[str]]:
    """Nodes by their distance from the nearest host, hosts first; each tier in the order of the fabric."""
    distance = nx.multi_source_dijkstra_path_length(nx.Graph(fabric.graph), set(fabric.hosts), weight=None)
    rows: list[list[str]] = [[] for _ in range(int(max(distance.values())) + 1)]
    for node in fabric.nodes:
        rows[int(distance[node])].append(node)
    return rows


def _tiers(fabric: Fabric) -> Layout:
    rows = tiers(fabric)
    width = max(map(len, rows)) * PITCH + 2 * MARGIN
    height = (len(rows) - 1) * TIER_HEIGHT + 2 * MARGIN
    centres = {}
    for tier, row in enumerate(rows):
        pitch = (width - 2 * MARGIN) / len(row)
        for place_in_row, node in enumerate(row):
            centres[node] = (MARGIN + pitch * (place_in_row + 0.5), height - MARGIN - tier * TIER_HEIGHT)
    return Layout(centres, width, height)


def _circle(fabric: Fabric) -> Layout:
    order = list(nx.dfs_preorder_nodes(nx.Graph(fabric.graph.subgraph(fabric.switches)), fabric.switches[0]))
    hosts_of: dict[str, list[str]] = {switch: [] for switch in order}
    for host in fabric.hosts:
        hosts_of[fabric.attachment(host).node].append(host)
    inner = max(1.35 * _radius(len(order)), PITCH)
    outer = max(inner + 1.2 * PITCH, _radius(len(fabric.hosts)))
    centre = outer + MARGIN
    centres, step = {}, 2 * pi / len(order)
    for index, switch in enumerate(order):
        centres[switch] = _on_circle(centre, inner, step * index)
        hosts = hosts_of[switch]
        for host, offset in zip(hosts, _spread(len(hosts)), strict=True):
            centres[host] = _on_circle(centre, outer, step * (index + offset))
    return Layout(centres, 2 * centre, 2 * centre)


def _radius(count: int) -> float:
    return count * PITCH * 1.1 / (2 * pi)


def _spread(count: int) -> Iterable[float]:
    """Places of ``count`` hosts within their switch's share of the circle, from -0.5 to 0.5 around its middle."""
    return ((2 * index + 1 - count) / (2 * count) for index in range(count))


def _on_circle(centre: float, radius: float, angle: float) -> Point:
    """``angle`` runs clockwise from the top."""
    return (centre + radius * sin(angle), centre - radius * cos(angle))
