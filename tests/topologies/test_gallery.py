"""The committed figures and tables are what the code draws and computes; ``make figures`` writes them."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from topologies.catalog import GENERATORS
from topologies.gallery import EXAMPLES, figure, table, with_tables

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "explanation" / "fabrics.md"


def test_every_generator_has_an_example():
    assert {form.partition(":")[0] for form in EXAMPLES.values()} == set(GENERATORS)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_committed_figure_is_what_is_drawn(example):
    committed = (DOCS / "figures" / "fabrics" / f"{example}.svg").read_text(encoding="utf-8")
    assert committed == figure(example), "run: make figures"
    assert ET.fromstring(committed).tag == "{http://www.w3.org/2000/svg}svg"


def test_no_other_figure_is_left_there():
    assert {path.stem for path in (DOCS / "figures" / "fabrics").iterdir()} == set(EXAMPLES)


def test_the_page_has_the_tables_of_today():
    text = PAGE.read_text(encoding="utf-8")
    assert text == with_tables(text), "run: make figures"


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_page_shows_every_example(example):
    text = PAGE.read_text(encoding="utf-8")
    assert f"](../figures/fabrics/{example}.svg)" in text
    assert f"\nringlab topo draw {EXAMPLES[example]}\n" in text
    assert f"<!-- measures: {example} -->\n{table(example)}\n<!-- end -->" in text


def test_a_table_is_put_where_its_mark_is():
    before = "a\n<!-- measures: star -->\nold\n<!-- end -->\nb\n"
    assert with_tables(before) == f"a\n<!-- measures: star -->\n{table('star')}\n<!-- end -->\nb\n"
    assert "| 8 | 1 | 8 | 8 | 100G | 0 | 400G | 2 | 1 | 1 |" in with_tables(before)
