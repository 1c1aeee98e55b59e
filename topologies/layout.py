"""Where nodes stand in a drawing: a star, a circle, a grid, groups on a circle, or tiers; whichever the fabric is.

A grid and groups are told by the names that their generators give switches (``x2y1``, ``g1s2``), all else by cables.
"""

from __future__ import annotations

from topologies.canvas import Layout, fitted
from topologies.circles import groups_on_a_circle, is_circle, is_groups, is_star, one_circle, star
from topologies.fabric import Fabric
from topologies.grids import grid, is_grid
from topologies.tiers import tiers

SHAPES = ((is_star, star), (is_circle, one_circle), (is_grid, grid), (is_groups, groups_on_a_circle))
"""Does a fabric have the shape, and the centres of its nodes if it does; tiers if it has none."""


def place(fabric: Fabric) -> Layout:
    """The layout of the first shape that the fabric has."""
    return fitted(next((centres for fits, centres in SHAPES if fits(fabric)), tiers)(fabric))
