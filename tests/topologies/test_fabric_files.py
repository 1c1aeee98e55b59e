"""docs/reference/fabric-files.md: its examples are read, and its words are those of the code."""

import re
from pathlib import Path

import pytest

from topologies.exchange import FORMATS, loads
from topologies.graphml import HOST_WORDS, LATENCY_NAMES, RATE_NAMES

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "fabric-files.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```(?:yaml|xml)\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("text", EXAMPLES)
def test_each_example_is_read(text):
    assert len(loads(text, "example").fabric.hosts) in (2, 8)


def test_there_is_an_example_of_each_format():
    assert len(EXAMPLES) == 4


def test_every_format_every_ending_and_every_attribute_is_on_the_page():
    words = {word.lower() for word in re.findall(r"`([^`]+)`", re.sub("```.*?```", "", PAGE, flags=re.DOTALL))}
    endings = {ending for known in FORMATS.values() for ending in known.endings}
    shown = {part for word in words for part in word.split()}
    assert {*FORMATS, *endings, *RATE_NAMES, *LATENCY_NAMES} <= shown
    assert HOST_WORDS - shown == {"h", "endhost"}  # too odd to recommend
