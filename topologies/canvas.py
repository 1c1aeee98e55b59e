"""What drawings are made of: boxes of nodes, the layout that says where they stand, curves between them.

Coordinates are in pixels, x to the right and y down; a node stands where its centre is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import hypot

MARGIN = 44.0
"""From the outermost centres to the drawing's edge, above and below."""

SIDE_MARGIN = 34.0
"""From the outermost boxes to the drawing's edge, left and right: room for a link that bows."""

HALF_HEIGHT = 15.0
"""Of every box."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Layout:
    """The centre of every node, and the size of the drawing."""

    centres: dict[str, Point]
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Curve:
    """From ``start`` to ``end``, drawn towards ``control`` (a quadratic Bezier curve); straight if it lies between."""

    start: Point
    control: Point
    end: Point

    @property
    def is_bent(self) -> bool:
        middle = tuple((a + b) / 2 for a, b in zip(self.start, self.end, strict=True))
        return any(abs(a - b) > 0.1 for a, b in zip(self.control, middle, strict=True))

    def at(self, share: float) -> Point:
        """The point where ``share`` (0 to 1) of the way is done."""
        x, y = (
            (1 - share) ** 2 * a + 2 * share * (1 - share) * b + share**2 * c
            for a, b, c in zip(self.start, self.control, self.end, strict=True)
        )
        return x, y

    def heading(self, share: float) -> Point:
        """The direction at that point, of length 1."""
        dx, dy = (
            (1 - share) * (b - a) + share * (c - b) for a, b, c in zip(self.start, self.control, self.end, strict=True)
        )
        length = hypot(dx, dy) or 1.0
        return dx / length, dy / length


def curve(start: Point, end: Point, side: float = 0.0, bow: float = 0.0) -> Curve:
    """Between two centres, ``side`` pixels to the right of the way, and in its middle ``bow`` pixels more."""
    (x1, y1), (x2, y2) = start, end
    length = hypot(x2 - x1, y2 - y1) or 1.0
    right_x, right_y = -(y2 - y1) / length, (x2 - x1) / length
    out = side + 2 * bow
    return Curve(
        (x1 + right_x * side, y1 + right_y * side),
        ((x1 + x2) / 2 + right_x * out, (y1 + y2) / 2 + right_y * out),
        (x2 + right_x * side, y2 + right_y * side),
    )


def half_width(node: str) -> float:
    """Of the box that holds the node's name."""
    return max(24.0, 4.2 * len(node) + 6)


def fitted(centres: Mapping[str, Point]) -> Layout:
    """The same picture with its corner at (0, 0) and a margin all around."""
    left = min(x - half_width(node) for node, (x, _) in centres.items()) - SIDE_MARGIN
    right = max(x + half_width(node) for node, (x, _) in centres.items()) + SIDE_MARGIN
    top = min(y for _, y in centres.values()) - MARGIN
    bottom = max(y for _, y in centres.values()) + MARGIN
    return Layout({node: (x - left, y - top) for node, (x, y) in centres.items()}, right - left, bottom - top)
