import re
from dataclasses import replace
from itertools import combinations
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies.catalog import from_short_form
from topologies.drawing import draw
from topologies.fabric import Port
from topologies.gallery import EXAMPLES
from topologies.leaf_spine import leaf_spine
from topologies.ring import ring

SVG = "{http://www.w3.org/2000/svg}"
FABRIC = leaf_spine(2, 2, 2, links=2)


def texts(svg):
    return [element.text for element in ET.fromstring(svg).iter(f"{SVG}text")]


def tips(svg):
    """Every drawn direction's tooltip, and its group."""
    return {
        group.find(f"{SVG}title").text: group
        for group in ET.fromstring(svg).iter(f"{SVG}g")
        if group.find(f"{SVG}title") is not None
    }


DRAWN = [FABRIC, ring(5, 2), *map(from_short_form, EXAMPLES.values())]


@pytest.mark.parametrize("fabric", DRAWN, ids=lambda fabric: fabric.name)
def test_every_node_and_both_directions_of_every_link_are_there(fabric):
    svg = draw(fabric)
    assert set(fabric.nodes) < set(texts(svg))
    drawn = {tip.split("  ")[0] for tip in tips(svg)}
    assert drawn == {fabric.direction(port) for port in fabric.directed_links()}
    assert fabric.name in texts(svg)
    assert any("host links 100G 1us" in text for text in texts(svg))


@pytest.mark.parametrize("fabric", DRAWN, ids=lambda fabric: fabric.name)
def test_no_two_directions_lie_on_each_other(fabric):
    svg = ET.fromstring(draw(fabric))
    lines = [tuple(line.attrib[key] for key in ("x1", "y1", "x2", "y2")) for line in svg.iter(f"{SVG}line")]
    ends = {frozenset([line[:2], line[2:]]) for line in lines}
    bows = [path.attrib["d"] for path in svg.iter(f"{SVG}path")]
    assert len(ends) == len(lines)
    assert len(set(bows)) == len(bows)
    assert len(lines) + len(bows) == 2 * len(fabric.links)


def test_parallel_links_that_bow_lie_side_by_side():
    svg = ET.fromstring(draw(from_short_form("torus:x=4,y=3,hosts=1,links=2")))
    ways = [[float(number) for number in re.findall(r"-?[0-9.]+", path.get("d"))] for path in svg.iter(f"{SVG}path")]
    assert len(ways) == 2 * 2 * (3 + 4)
    middles = sorted((way[2], way[3]) for way in ways)
    assert min(abs(x1 - x2) + abs(y1 - y2) for (x1, y1), (x2, y2) in combinations(middles, 2)) > 6


def test_load_is_told_by_colour_and_by_width():
    leaf1, leaf2 = FABRIC.attachment("h1").node, FABRIC.attachment("h3").node
    busy, half = FABRIC.ports(leaf1)[-1], FABRIC.ports(leaf2)[-1]
    svg = draw(FABRIC, {busy: 1.0, half: 0.5})
    groups = tips(svg)

    def found(port):
        (tip,) = [tip for tip in groups if tip.startswith(f"{FABRIC.direction(port)}  ")]
        return tip, groups[tip].get("class"), float(groups[tip].find(f"{SVG}line").get("stroke-width"))

    assert found(busy)[0].endswith("100.0% used")
    assert [found(port)[1:] for port in (busy, half, FABRIC.peer(busy))] == [
        ("load4", 5.5), ("load2", 3.5), ("load0", 1.5),
    ]  # fmt: skip
    assert "to 100%" in texts(svg)


def test_more_than_all_is_drawn_as_all():
    svg = draw(FABRIC, {FABRIC.ports("h1")[0]: 1.7})
    assert 'stroke-width="5.5"' in svg
    assert "170.0% used" in svg


def test_a_title_is_text_and_not_markup():
    title = '<script>alert("1") & more'
    assert title in texts(draw(FABRIC, title=title))
    assert title in texts(draw(replace(FABRIC, name=title)))


def test_it_reads_in_the_dark():
    assert "prefers-color-scheme: dark" in draw(FABRIC)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.sampled_from(list(FABRIC.directed_links())), st.floats(0, 2)))
def test_any_load_is_drawn(shares):
    assert len(tips(draw(FABRIC, shares))) == 2 * len(FABRIC.links)


def test_ranges_are_told_where_links_differ():
    mixed = replace(FABRIC, links=(replace(FABRIC.links[0], rate_bps=10**9), *FABRIC.links[1:]))
    assert any("host links 1G-100G 1us" in text for text in texts(draw(mixed)))
    assert Port("h1", 1) in set(mixed.directed_links())


def test_a_live_drawing_says_which_link_direction_and_node_each_part_is():
    fabric = leaf_spine(2, 1, 1)
    root = ET.fromstring(draw(fabric, live=True))
    parts = list(root.iter())
    assert {part.get("data-link") for part in parts} - {None} == {link.name for link in fabric.links}
    assert {part.get("data-port") for part in parts} - {None} == set(map(str, fabric.directed_links()))
    assert {part.get("data-figure") for part in parts} - {None} == set(map(str, fabric.directed_links()))
    assert {part.get("data-node") for part in parts} - {None} == set(fabric.nodes)
    cable = next(part for part in parts if part.get("data-link") == "leaf1-spine1")
    assert {part.get("data-port") for part in cable.iter()} - {None} == {"leaf1:2", "spine1:1"}
    assert "data-" not in draw(fabric), "a picture has no need of it"
