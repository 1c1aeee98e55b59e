"""How far a drawn link leaves the straight line, so as not to run behind a node that it does not join."""

from __future__ import annotations

from collections.abc import Mapping
from math import dist

from topologies.canvas import HALF_HEIGHT, Curve, Layout, Point, curve, half_width
from topologies.fabric import Fabric

BOWS = (0.0, *(sign * size for size in (28.0, 40.0, 55.0, 75.0, 100.0, 140.0) for sign in (1, -1)))
"""Pixels off the straight line in a link's middle, in the order in which they are tried; above 0: to the right."""

MOST_BENT = 0.25
"""A bow is no more than this share of the way between the ends."""

CLEARANCE = 6.0
"""Between a link and a box."""

MAX_NODES = 400
"""In a larger drawing, which nobody reads link by link, all links are straight."""

CELL = 128.0
"""Boxes are looked up by squares of this size; none is wider."""

Cells = Mapping[tuple[int, int], list[tuple[str, Point]]]


def bows(fabric: Fabric, layout: Layout) -> dict[frozenset[str], float]:
    """Of every two nodes that a link joins, to the right of the way as ``ordered``."""
    pairs = dict.fromkeys(frozenset((link.a.node, link.b.node)) for link in fabric.links)
    if len(fabric.nodes) > MAX_NODES:
        return dict.fromkeys(pairs, 0.0)
    cells: dict[tuple[int, int], list[tuple[str, Point]]] = {}
    for node, centre in layout.centres.items():
        cells.setdefault(_cell(centre), []).append((node, centre))
    return {pair: _bow(pair, layout, cells) for pair in pairs}


def ordered(pair: frozenset[str]) -> tuple[str, str]:
    """The two nodes of a pair, always in the same order."""
    first, second = sorted(pair)
    return first, second


def _bow(pair: frozenset[str], layout: Layout, cells: Cells) -> float:
    """The first that is clear of boxes, else the one that runs behind them least."""
    start, end = (layout.centres[node] for node in ordered(pair))
    hidden: dict[float, int] = {}
    for bow in (bow for bow in BOWS if abs(bow) <= MOST_BENT * dist(start, end)):
        hidden[bow] = _hidden(curve(start, end, bow=bow), pair, cells)
        if not hidden[bow]:
            return bow
    return min(hidden, key=lambda bow: hidden[bow])


def _hidden(way: Curve, ends: frozenset[str], cells: Cells) -> int:
    """How many of the points along the way are behind boxes."""
    (x1, y1), (x2, y2) = way.start, way.end
    steps = 4 + int((abs(x2 - x1) + abs(y2 - y1)) / 10)
    return sum(_hits(way.at(step / steps), ends, cells) for step in range(steps + 1))


def _hits(point: Point, ends: frozenset[str], cells: Cells) -> bool:
    column, line = _cell(point)
    near = (
        box
        for x in (column - 1, column, column + 1)
        for y in (line - 1, line, line + 1)
        for box in cells.get((x, y), ())
    )
    return any(
        abs(point[0] - x) < half_width(node) + CLEARANCE
        and abs(point[1] - y) < HALF_HEIGHT + CLEARANCE
        and node not in ends
        for node, (x, y) in near
    )


def _cell(point: Point) -> tuple[int, int]:
    return int(point[0] // CELL), int(point[1] // CELL)
