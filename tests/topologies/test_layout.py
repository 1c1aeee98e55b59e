from itertools import combinations
from math import hypot

import pytest

from topologies.canvas import half_width
from topologies.catalog import from_short_form
from topologies.circles import is_circle
from topologies.fabric import Cable, Fabric
from topologies.gallery import EXAMPLES
from topologies.layout import place
from topologies.leaf_spine import leaf_spine
from topologies.ring import ring
from topologies.tiers import rows

FORMS = [
    *EXAMPLES.values(),
    "leaf-spine:leaves=4,spines=2,hosts=2",
    "leaf-spine:leaves=1,spines=1,hosts=1",
    "leaf-spine:leaves=8,spines=4,hosts=8",
    "leaf-spine:leaves=3,spines=12,hosts=1",
    "ring:switches=3,hosts=1",
    "ring:switches=4,hosts=5,links=2",
    "ring:switches=30,hosts=2",
    "tree:depth=1,fanout=2",
    "tree:depth=4,fanout=3",
    "mesh:x=1,y=1,hosts=1",
    "mesh:x=5,y=1,hosts=5",
    "torus:x=3,y=3,z=4,hosts=3",
    "torus:x=2,y=2,z=2,hosts=8",
    "fat-tree:k=2",
    "fat-tree:k=8",
    "rail:groups=1,hosts=1,rails=8,spines=0",
    "rail:groups=4,hosts=8,rails=8,spines=4",
    "dual-plane:leaves=1,spines=3,hosts=1,planes=4",
    "dragonfly:a=1,p=1,h=1",
    "dragonfly:a=4,p=2,h=2",
    "dragonfly:a=2,p=6,h=1",
    "dragonfly:a=8,p=1,h=1,groups=2",
    "star:hosts=1",
    "star:hosts=40",
    "edge-sites:leaves=1,spines=1,hosts=1,sites=8,site_hosts=3",
    "edge-sites:leaves=2,spines=4,hosts=2,sites=1,site_hosts=1",
]
RAILS = Fabric.cabled("rails", ["h1", "h2"], ["s1", "s2"], [Cable(h, s, 1) for h in ("h1", "h2") for s in ("s1", "s2")])
FABRICS = [*map(from_short_form, FORMS), RAILS]


@pytest.mark.parametrize("fabric", FABRICS, ids=lambda fabric: fabric.name)
def test_no_two_boxes_overlap_and_all_are_inside(fabric):
    layout = place(fabric)
    assert set(layout.centres) == set(fabric.nodes)
    for node, (x, y) in layout.centres.items():
        assert half_width(node) + 10 < x < layout.width - half_width(node) - 10
        assert 20 < y < layout.height - 20
    for (one, (x1, y1)), (other, (x2, y2)) in combinations(layout.centres.items(), 2):
        assert abs(x1 - x2) > half_width(one) + half_width(other) or abs(y1 - y2) > 32, (one, other)


def test_tiers_are_the_distance_from_hosts():
    assert {tier: len(row) for tier, row in rows(leaf_spine(4, 2, 2)).items()} == {0: 8, 1: 4, 2: 2}
    heights = {node: y for node, (_, y) in place(leaf_spine(4, 2, 2)).centres.items()}
    assert heights["spine1"] < heights["leaf1"] < heights["h1"]


def test_one_plane_is_above_the_hosts_and_one_below():
    heights = {node: y for node, (_, y) in place(from_short_form(EXAMPLES["dual-plane"])).centres.items()}
    order = [heights[node] for node in ("p1spine1", "p1leaf1", "h1", "p2leaf1", "p2spine1")]
    assert order == sorted(order)
    heights = {node: y for node, (_, y) in place(RAILS).centres.items()}
    assert heights["s1"] < heights["h1"] == heights["h2"] < heights["s2"]


def test_sites_are_above_the_core():
    found = rows(from_short_form(EXAMPLES["edge-sites"]))
    assert [found[tier][0] for tier in range(6)] == ["h1", "leaf1", "spine1", "border", "site1", "h9"]


def test_a_switch_stands_over_its_hosts():
    centres = place(from_short_form("tree:depth=3,fanout=3")).centres
    assert centres["s1"][0] == pytest.approx(centres["s3"][0]) == pytest.approx(centres["h14"][0])
    assert centres["s5"][0] == pytest.approx(centres["h2"][0])


def test_a_grid_is_in_rows_and_columns():
    centres = place(from_short_form("torus:x=4,y=3,hosts=2")).centres
    for x in range(1, 5):
        assert len({centres[f"x{x}y{y}"][0] for y in (1, 2, 3)}) == 1
    for y in range(1, 4):
        assert len({centres[f"x{x}y{y}"][1] for x in (1, 2, 3, 4)}) == 1
    assert centres["x1y1"][0] < centres["x2y1"][0]
    assert centres["x1y1"][1] < centres["x1y2"][1]


def test_groups_are_nearer_to_themselves_than_to_others():
    centres = place(from_short_form(EXAMPLES["dragonfly"])).centres

    def apart(one, other):
        return hypot(centres[one][0] - centres[other][0], centres[one][1] - centres[other][1])

    for group in range(1, 6):
        inside = max(apart(f"g{group}s{a}", f"g{group}s{b}") for a in range(1, 5) for b in range(1, 5))
        middle = apart(f"g{group}s2", f"g{(group + 1) % 5 + 1}s2")  # the group after the next
        assert inside < middle


def test_a_star_is_around_its_switch():
    centres = place(from_short_form("star:hosts=7")).centres
    x, y = centres.pop("s1")
    assert len({round(hypot(x - hx, y - hy), 3) for hx, hy in centres.values()}) == 1


def test_a_ring_is_a_circle_and_others_are_not():
    assert [fabric.name for fabric in FABRICS if is_circle(fabric)] == [
        "ring-8x1", "ring-3x1", "ring-4x5", "ring-30x2", "dragonfly-2x6x1-3",
    ]  # fmt: skip
    assert is_circle(from_short_form("torus:x=5,y=1,hosts=1"))
    layout = place(ring(8, 1))
    middle = layout.width / 2
    centre = (layout.centres["s1"][1] + layout.centres["s5"][1]) / 2
    radii = {round(hypot(x - middle, y - centre), 6) for node, (x, y) in layout.centres.items() if node[0] == "s"}
    assert len(radii) == 1
    assert layout.centres["s1"][0] == pytest.approx(middle)
    assert layout.centres["s2"][0] > middle  # clockwise
