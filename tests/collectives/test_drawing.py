"""A schedule's drawing has an arrow for each transfer, and says in words what each is."""

import re
import xml.etree.ElementTree as ET

import pytest

from collectives import algorithms
from collectives.drawing import draw
from collectives.schedule import Op, ScheduleError

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", ["ring", "halving-doubling", "recursive-doubling", "double-binary-tree", "rooted"])
@pytest.mark.parametrize("ranks", [2, 5, 8])
def test_every_transfer_is_an_arrow_between_its_ranks(name, ranks):
    schedule = algorithms.build(name, ranks)
    root = ET.fromstring(draw(schedule, name))
    arrows = [g for g in root.iter(f"{SVG}g") if g.find(f"{SVG}title") is not None]
    assert len(arrows) == len(schedule)
    told = sorted(
        re.match(r"step (\d+): rank (\d+) to rank (\d+)", g.find(f"{SVG}title").text).groups() for g in arrows
    )
    assert told == sorted((str(one.step), str(one.src), str(one.dst)) for one in schedule.transfers())
    added = sum(g.get("class") == "reduce" for g in arrows)
    assert added == sum(one.op is Op.REDUCE for one in schedule.transfers())


def test_a_name_is_text_and_no_markup():
    assert "a &lt;b&gt;" in draw(algorithms.build("ring", 2), "a <b>")


def test_what_no_eye_can_follow_is_refused():
    with pytest.raises(ScheduleError, match="too many to be drawn; at most 32"):
        draw(algorithms.build("ring", 64), "ring")
