"""Mesh and torus: switches in a grid of two or three dimensions, each cabled to its neighbours, with hosts on each.

In a torus the last switch of every row is also cabled to the first; a row of two has its one cable, as in a mesh.
Switch ``x2y1`` (``x2y1z3`` in three dimensions) is the second along x and the first along y. Switches are numbered
along the shortest dimension first and along the longest last, and hosts switch by switch, so that the first half of
the hosts is one half of the longest dimension: where the grid is thinnest.

A switch's ports are its hosts first, then along x, along y and along z: the neighbour before it, then the one after
(for the first of a row in a torus: the one after, then the last).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod
from typing import Annotated

from topologies.counts import check_at_least, check_links, numbered
from topologies.fabric import Cable, Fabric
from topologies.link_parameters import LATENCY_S, RATE_BPS, FabricLatency, FabricRate, HostLatency, HostRate, Links

X = Annotated[int, "switches along x"]
Y = Annotated[int, "switches along y"]
Z = Annotated[int, "switches along z; 1: two dimensions"]
Hosts = Annotated[int, "hosts on each switch"]
Spot = tuple[int, ...]


def mesh(
    x: X,
    y: Y,
    hosts: Hosts,
    *,
    z: Z = 1,
    host_rate_bps: HostRate = RATE_BPS,
    fabric_rate_bps: FabricRate = RATE_BPS,
    host_latency_s: HostLatency = LATENCY_S,
    fabric_latency_s: FabricLatency = LATENCY_S,
    links: Links = 1,
) -> Fabric:
    """A grid whose rows end. FabricError for a count below 1."""
    host, fabric = (host_rate_bps, host_latency_s), (fabric_rate_bps, fabric_latency_s)
    return _grid("mesh", (x, y, z), hosts, links, host, fabric)


def torus(
    x: X,
    y: Y,
    hosts: Hosts,
    *,
    z: Z = 1,
    host_rate_bps: HostRate = RATE_BPS,
    fabric_rate_bps: FabricRate = RATE_BPS,
    host_latency_s: HostLatency = LATENCY_S,
    fabric_latency_s: FabricLatency = LATENCY_S,
    links: Links = 1,
) -> Fabric:
    """A grid whose rows are rings. FabricError for a count below 1."""
    host, fabric = (host_rate_bps, host_latency_s), (fabric_rate_bps, fabric_latency_s)
    return _grid("torus", (x, y, z), hosts, links, host, fabric)


def _grid(kind: str, sizes: Spot, hosts: int, links: int, host: tuple[int, float], fabric: tuple[int, float]) -> Fabric:
    """``host`` and ``fabric``: rate in b/s and latency in s of a host's link, and of one between switches."""
    check_at_least(1, x=sizes[0], y=sizes[1], hosts=hosts, z=sizes[2], links=links)
    check_links(prod(sizes) * (hosts + len(sizes) * links))
    spots = list(_spots(sizes))
    names = {spot: "".join(f"{axis}{at + 1}" for axis, at in _axes(spot, sizes)) for spot in spots}

    def cables() -> Iterator[Cable]:
        for number, spot in enumerate(spots):
            for index in range(number * hosts, (number + 1) * hosts):
                yield Cable(f"h{index + 1}", names[spot], *host)
        for axis, size in enumerate(sizes):
            for spot in spots:
                if spot[axis] + 1 < size or (kind == "torus" and size > 2):
                    after = (*spot[:axis], (spot[axis] + 1) % size, *spot[axis + 1 :])
                    for _ in range(links):
                        yield Cable(names[spot], names[after], *fabric)

    shape = "x".join(str(size) for _, size in _axes(sizes, sizes))
    return Fabric.cabled(f"{kind}-{shape}-{hosts}", numbered("h", len(spots) * hosts), names.values(), cables())


def _axes(values: Spot, sizes: Spot) -> Iterator[tuple[str, int]]:
    """The values of x and y by name, and of z where the grid is more than one deep."""
    return zip("xyz" if sizes[2] > 1 else "xy", values, strict=False)


def _spots(sizes: Spot) -> Iterator[Spot]:
    """Every place in the grid, the longest dimension slowest."""
    slowest_first = sorted(range(len(sizes)), key=lambda axis: (-sizes[axis], -axis))
    for place in product(*(range(sizes[axis]) for axis in slowest_first)):
        at = dict(zip(slowest_first, place, strict=True))
        yield tuple(at[axis] for axis in range(len(sizes)))
