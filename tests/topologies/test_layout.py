from itertools import combinations
from math import hypot

import pytest

from topologies.fabric import Cable, Fabric
from topologies.layout import is_circle, place, tiers
from topologies.leaf_spine import leaf_spine
from topologies.ring import ring

FABRICS = [
    leaf_spine(4, 2, 2),
    leaf_spine(1, 1, 1),
    leaf_spine(8, 4, 8),
    ring(3, 1),
    ring(8, 1),
    ring(4, 5, links=2),
    ring(30, 2),
    Fabric.cabled("rails", ["h1", "h2"], ["s1", "s2"], [Cable(h, s, 1) for h in ("h1", "h2") for s in ("s1", "s2")]),
]


@pytest.mark.parametrize("fabric", FABRICS, ids=lambda fabric: fabric.name)
def test_no_two_boxes_overlap_and_all_are_inside(fabric):
    layout = place(fabric)
    assert set(layout.centres) == set(fabric.nodes)
    for x, y in layout.centres.values():
        assert 30 < x < layout.width - 30
        assert 20 < y < layout.height - 20
    for (x1, y1), (x2, y2) in combinations(layout.centres.values(), 2):
        assert abs(x1 - x2) > 60 or abs(y1 - y2) > 34 or hypot(x1 - x2, y1 - y2) > 60


def test_tiers_are_the_distance_from_hosts():
    assert [len(row) for row in tiers(leaf_spine(4, 2, 2))] == [8, 4, 2]
    heights = {node: y for node, (_, y) in place(leaf_spine(4, 2, 2)).centres.items()}
    assert heights["spine1"] < heights["leaf1"] < heights["h1"]


def test_a_ring_is_a_circle_and_others_are_not():
    assert [is_circle(fabric) for fabric in FABRICS] == [False, False, False, True, True, True, True, False]
    layout = place(ring(8, 1))
    middle = layout.width / 2
    radii = {round(hypot(x - middle, y - middle), 6) for node, (x, y) in layout.centres.items() if node[0] == "s"}
    assert len(radii) == 1
    assert layout.centres["s1"][0] == pytest.approx(middle)
    assert layout.centres["s2"][0] > middle  # clockwise
