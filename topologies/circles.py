"""Round drawings: a star around its switch, a ring as a circle, groups of switches on a circle (dragonfly)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import cos, pi, sin

import networkx as nx

from topologies.canvas import Point
from topologies.fabric import Fabric

PITCH = 76.0
"""Between boxes on a circle: one of four letters fits at any angle."""

BULGE = 110.0
"""How much nearer the centre a group's middle switches stand: links between the outer ones pass outside of them."""

_IN_GROUP = re.compile(r"g(\d+)s\d+")


def is_star(fabric: Fabric) -> bool:
    """One switch, and enough hosts to stand around it."""
    return len(fabric.switches) == 1 and len(fabric.hosts) > 2


def star(fabric: Fabric) -> dict[str, Point]:
    """The hosts around the switch, the first at the top."""
    count, radius = len(fabric.hosts), max(120.0, _radius(len(fabric.hosts)))
    spots = (_on_circle(radius, 2 * pi * index / count) for index in range(count))
    return dict(zip(fabric.hosts, spots, strict=True)) | {fabric.switches[0]: (0.0, 0.0)}


def is_circle(fabric: Fabric) -> bool:
    """The switches and the cables between them are one cycle, and every host hangs on one switch."""
    switches = nx.Graph(fabric.graph.subgraph(fabric.switches))
    return (
        len(fabric.switches) >= 3
        and all(degree == 2 for _, degree in switches.degree())
        and nx.is_connected(switches)
        and all(len(fabric.ports(host)) == 1 for host in fabric.hosts)
    )


def one_circle(fabric: Fabric) -> dict[str, Point]:
    """The switches on a circle in the order of the cables, clockwise from the top, and their hosts around them."""
    order = list(nx.dfs_preorder_nodes(nx.Graph(fabric.graph.subgraph(fabric.switches)), fabric.switches[0]))
    hosts_of = _hosts_of(fabric)
    inner = max(1.35 * _radius(len(order)), 1.1 * PITCH)
    outer = max(inner + 1.3 * PITCH, _radius(max(map(len, hosts_of.values())) * len(order)))
    centres, step = {}, 2 * pi / len(order)
    for index, switch in enumerate(order):
        centres[switch] = _on_circle(inner, step * index)
        hosts = hosts_of[switch]
        for host, offset in zip(hosts, _spread(len(hosts)), strict=True):
            centres[host] = _on_circle(outer, step * (index + offset))
    return centres


def is_groups(fabric: Fabric) -> bool:
    """The switches are called ``g1s1``, ``g1s2``, ... and every host hangs on one."""
    return all(map(_IN_GROUP.fullmatch, fabric.switches)) and all(len(fabric.ports(host)) == 1 for host in fabric.hosts)


def groups_on_a_circle(fabric: Fabric) -> dict[str, Point]:
    """Groups side by side on a circle with their hosts outside; a group's switches stand on an arc to the centre."""
    groups: dict[str, list[str]] = {}
    for switch in fabric.switches:
        groups.setdefault(switch[: switch.index("s")], []).append(switch)
    hosts_of = _hosts_of(fabric)
    size, fan = max(map(len, groups.values())), max(1, *map(len, hosts_of.values()))
    shares = len(groups) * (size + 0.6)  # of the circle, one a switch, and a gap between groups
    outer = max(_radius(round(shares * fan)), 1.3 * _radius(round(shares)) + BULGE)
    inner = outer - 1.3 * PITCH
    centres, share = {}, 2 * pi / shares
    for number, switches in enumerate(groups.values()):
        for place, switch in enumerate(switches):
            off_middle = place - (len(switches) - 1) / 2
            angle = (number * (size + 0.6) + off_middle) * share
            depth = BULGE * (1 - (2 * off_middle / size) ** 2)
            centres[switch] = _on_circle(inner - depth, angle)
            for host, offset in zip(hosts_of[switch], _spread(len(hosts_of[switch])), strict=True):
                centres[host] = _on_circle(outer, angle + offset * share)
    return centres


def _hosts_of(fabric: Fabric) -> dict[str, list[str]]:
    hosts: dict[str, list[str]] = {switch: [] for switch in fabric.switches}
    for host in fabric.hosts:
        hosts[fabric.attachment(host).node].append(host)
    return hosts


def _radius(count: int) -> float:
    """Of a circle with room for ``count`` boxes."""
    return count * PITCH / (2 * pi)


def _spread(count: int) -> Iterable[float]:
    """Places of ``count`` hosts within their switch's share of the circle, from -0.5 to 0.5 around its middle."""
    return ((2 * index + 1 - count) / (2 * count) for index in range(count))


def _on_circle(radius: float, angle: float) -> Point:
    """``angle`` runs clockwise from the top."""
    return radius * sin(angle), -radius * cos(angle)
