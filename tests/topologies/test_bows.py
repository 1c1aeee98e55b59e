import pytest

from topologies.bows import MAX_NODES, bows, ordered
from topologies.canvas import HALF_HEIGHT, curve, half_width
from topologies.catalog import from_short_form
from topologies.gallery import EXAMPLES
from topologies.layout import place


@pytest.mark.parametrize("example", EXAMPLES)
def test_no_link_runs_behind_a_node_that_it_does_not_join(example):
    fabric = from_short_form(EXAMPLES[example])
    layout = place(fabric)
    for pair, bow in bows(fabric, layout).items():
        way = curve(*(layout.centres[node] for node in ordered(pair)), bow=bow)
        points = [way.at(step / 100) for step in range(101)]
        for node, (x, y) in layout.centres.items():
            hidden = [abs(px - x) < half_width(node) and abs(py - y) < HALF_HEIGHT for px, py in points]
            assert node in pair or not any(hidden), (pair, node)


def test_links_are_straight_where_nothing_stands_in_the_way():
    fabric = from_short_form("tree:depth=3,fanout=2")
    assert set(bows(fabric, place(fabric)).values()) == {0.0}


def test_only_wrap_around_links_of_a_torus_bow():
    fabric = from_short_form("torus:x=4,y=3,hosts=1")
    bent = {ordered(pair) for pair, bow in bows(fabric, place(fabric)).items() if bow}
    assert bent == {(f"x1y{y}", f"x4y{y}") for y in (1, 2, 3)} | {(f"x{x}y1", f"x{x}y3") for x in (1, 2, 3, 4)}


def test_a_drawing_too_large_to_be_read_has_straight_links():
    fabric = from_short_form("torus:x=15,y=15,hosts=1")
    assert len(fabric.nodes) > MAX_NODES
    assert set(bows(fabric, place(fabric)).values()) == {0.0}


def test_a_bow_goes_to_the_right_of_the_way():
    middle = curve((0, 0), (10, 0), bow=3).at(0.5)
    assert middle == pytest.approx((5, 3))  # y runs down: right of a way to the right is below it
    assert curve((0, 0), (10, 0), side=2).at(0.5) == pytest.approx((5, 2))
    assert not curve((0, 0), (10, 0), side=2).is_bent
    assert curve((0, 0), (10, 0), bow=3).heading(0.5) == pytest.approx((1, 0))
