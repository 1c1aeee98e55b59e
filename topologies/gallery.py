"""One example of every fabric in the catalogue, small enough to be drawn: its figure and the table of its measures.

``docs/draw_fabrics.py`` writes them into the documentation; the tests hold the documentation to them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from topologies.catalog import from_short_form
from topologies.drawing import draw
from topologies.measures import measures
from topologies.rates import format_rate

EXAMPLES: Mapping[str, str] = {
    "leaf-spine": "leaf-spine:leaves=4,spines=2,hosts=2,links=2,fabric_rate=50G",
    "ring": "ring:switches=8,hosts=1",
    "tree": "tree:depth=3,fanout=2",
    "mesh": "mesh:x=3,y=2,z=2,hosts=1",
    "torus": "torus:x=4,y=4,hosts=1",
    "fat-tree": "fat-tree:k=4",
    "rail": "rail:groups=2,hosts=3,rails=3,spines=3",
    "rail-only": "rail:groups=1,hosts=6,rails=2,spines=0",
    "dual-plane": "dual-plane:leaves=4,spines=2,hosts=2",
    "dragonfly": "dragonfly:a=4,p=1,h=1",
    "star": "star:hosts=8",
    "edge-sites": "edge-sites:leaves=2,spines=2,hosts=4,sites=3,site_hosts=2",
}
"""Name of the figure, and short form: every generator at least once."""

COLUMNS = (
    "hosts", "switches", "links", "switch ports", "line rate", "oversubscription", "bisection", "diameter",
    "path diversity", "equal-cost paths",
)  # fmt: skip

_TABLE = re.compile(r"<!-- measures: ([a-z-]+) -->\n.*?<!-- end -->", re.DOTALL)


def figure(example: str) -> str:
    """The SVG of one of ``EXAMPLES``."""
    return draw(from_short_form(EXAMPLES[example]), title=EXAMPLES[example])


def table(example: str) -> str:
    """The measures of one of ``EXAMPLES`` in Markdown."""
    found = measures(from_short_form(EXAMPLES[example]))
    row = (
        found.hosts,
        found.switches,
        found.links,
        found.switch_ports,
        format_rate(round(found.line_rate_bps)),
        f"{found.oversubscription:g}",
        format_rate(found.bisection_bps),
        found.diameter,
        found.path_diversity,
        found.equal_cost_paths,
    )
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in (COLUMNS, ["---"] * len(COLUMNS), row))


def with_tables(markdown: str) -> str:
    """The text with the table of each example between ``<!-- measures: NAME -->`` and ``<!-- end -->``."""
    return _TABLE.sub(lambda found: f"<!-- measures: {found[1]} -->\n{table(found[1])}\n<!-- end -->", markdown)
