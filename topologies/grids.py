"""Grids: a switch ``x2y3`` stands in column 2 and row 3, its hosts below to its right; layers of z recede to the right.

Wrap-around links are left to ``bows``: they are drawn around the switches between their ends.
"""

from __future__ import annotations

import re
from collections import Counter
from math import cos, pi, sin

from topologies.canvas import Point
from topologies.fabric import Fabric

FAN = (25 * pi / 180, 65 * pi / 180)
"""Angles that a switch's hosts stand between, from the right downwards: clear of the links along x and y."""

SIDE_BY_SIDE = 62.0
"""Along the fan, from host to host."""

ROOM = 84.0
"""Right of and below the hosts, for wrap-around links."""

_NAME = re.compile(r"x(\d+)y(\d+)(?:z(\d+))?")


def is_grid(fabric: Fabric) -> bool:
    """The switches are called ``x1y1``, ``x2y1``, ... and every host hangs on one."""
    return all(map(_NAME.fullmatch, fabric.switches)) and all(len(fabric.ports(host)) == 1 for host in fabric.hosts)


def grid(fabric: Fabric) -> dict[str, Point]:
    """The centre of every node."""
    hosts = Counter(fabric.attachment(host).node for host in fabric.hosts)
    radius = max(80.0, SIDE_BY_SIDE * (max(hosts.values()) - 1) / (FAN[1] - FAN[0]))
    spots = {switch: _spot(switch) for switch in fabric.switches}
    layers = max(z for _, _, z in spots.values()) - 1
    right, up = radius + 40, radius + 20  # from layer to layer
    column, line = layers * right + radius + ROOM, layers * up + radius + ROOM
    centres = {
        switch: ((x - 1) * column + (z - 1) * right, (y - 1) * line - (z - 1) * up)
        for switch, (x, y, z) in spots.items()
    }
    seen: Counter[str] = Counter()
    for host in fabric.hosts:
        switch = fabric.attachment(host).node
        centres[host] = _fanned(centres[switch], radius, seen[switch], hosts[switch])
        seen[switch] += 1
    return centres


def _spot(switch: str) -> tuple[int, int, int]:
    found = _NAME.fullmatch(switch)
    assert found
    x, y, z = found.groups(default="1")
    return int(x), int(y), int(z)


def _fanned(switch: Point, radius: float, place: int, count: int) -> Point:
    """The spot of one of ``count`` hosts around its switch."""
    first, last = FAN
    angle = first + (last - first) * (place / (count - 1) if count > 1 else 0.5)
    return switch[0] + radius * cos(angle), switch[1] + radius * sin(angle)
