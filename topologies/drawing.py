"""One SVG of a fabric, for page, report, docs and notebook; ``layout`` says where nodes stand.

A link is two lines, one a direction, each on the right-hand side of the way it goes, with an arrow in its middle.
Given the directions' share of load, a line's colour and width both tell it (never colour alone; the colours are
cividis, which reads the same to colour-blind eyes), and hovering shows the figures. The drawing follows the
reader's light or dark scheme by itself.

A *live* drawing is one that a program goes on to change: every link is a group that names it (``data-link``), wide
enough to be hit, with a group for each direction (``data-port``) and a text for its figure; nodes have ``data-node``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from math import dist

from topologies.bows import bows, ordered
from topologies.canvas import HALF_HEIGHT, Curve, Layout, curve, half_width
from topologies.fabric import Fabric, Link, Port
from topologies.layout import place
from topologies.rates import format_latency, format_rate

HEAD, FOOT = 48.0, 56.0
"""Room for the title above and the legend below."""

GAP = 3.5
"""Half the distance between a link's two directions."""

SHORT = 130.0
"""A link between centres that are no further apart has no room for a text near its beginning."""

SHARES = ((0.0, "idle"), (0.25, "to 25%"), (0.5, "to 50%"), (0.75, "to 75%"), (1.0, "to 100%"))
"""Steps of the legend: the greatest share of a step, and its name."""

XMLNS = 'xmlns="http://www.w3.org/2000/svg"'

STYLE = """\
.fabric { --ink: #1b1f24; --page: #ffffff; --line: #8a929c; --host: #f3e6c4; --switch: #cfe3f5;
  --load0: #b9bfc6; --load1: #7f95b8; --load2: #4f6690; --load3: #a08b2c; --load4: #c47a00; }
@media (prefers-color-scheme: dark) { .fabric { --ink: #e8eaed; --page: #15181c; --line: #8a929c; --host: #57481d;
  --switch: #1f4668; --load0: #4a5058; --load1: #5d7cae; --load2: #8ea9d8; --load3: #cdbb57; --load4: #ffce3a; } }
.fabric { background: var(--page); font: 13px system-ui, sans-serif; }
.fabric text { fill: var(--ink); } .fabric .title { font-size: 16px; font-weight: 600; }
.fabric .host { fill: var(--host); stroke: var(--ink); } .fabric .switch { fill: var(--switch); stroke: var(--ink); }
.fabric .name { text-anchor: middle; dominant-baseline: central; }
.fabric .plain { stroke: var(--line); fill: var(--line); }
""" + "".join(f".fabric .load{step} {{ stroke: var(--load{step}); fill: var(--load{step}); }}\n" for step in range(5))


def draw(
    fabric: Fabric, shares: Mapping[Port, float] | None = None, title: str | None = None, *, live: bool = False
) -> str:
    """The fabric as one SVG element.

    ``shares``: of each directed link's rate, how much is in use (0 to 1; more is drawn as 1, a direction that is
    not named as 0); None draws the fabric alone. ``title``: its name, unless given.
    """
    shares = {} if live and shares is None else shares
    layout = place(fabric)
    heading = title or fabric.name
    width, height = max(layout.width, 460.0), layout.height + HEAD + FOOT
    size = f'width="{width:.0f}" height="{height:.0f}"'
    body = [
        f'<svg {XMLNS} class="fabric" role="img" {size} viewBox="0 0 {width:.0f} {height:.0f}">',
        f"<title>{escape(heading)}</title>",
        f"<style>\n{STYLE}</style>",
        f'<text class="title" x="20" y="30">{escape(heading)}</text>',
        f'<g transform="translate({(width - layout.width) / 2:.1f} {HEAD:.0f})">',
        *_links(fabric, layout, shares, live=live),
        *_nodes(fabric, layout, live=live),
        "</g>",
        *_legend(fabric, shares is not None, height - FOOT + 22),
        "</svg>",
    ]
    return "\n".join(body) + "\n"


def _links(fabric: Fabric, layout: Layout, shares: Mapping[Port, float] | None, *, live: bool) -> Iterator[str]:
    copies: dict[frozenset[str], list[Link]] = {}
    for link in fabric.links:
        copies.setdefault(frozenset((link.a.node, link.b.node)), []).append(link)
    for pair, bow in bows(fabric, layout).items():
        start, parallel = ordered(pair)[0], copies[pair]
        for index, link in enumerate(parallel):
            lane = (2 * index + 1 - len(parallel)) * 2 * GAP  # parallel links lie side by side
            ways = {}
            for port in (link.a, link.b):
                sign = 1 if port.node == start else -1  # right of one direction is left of the other
                ends = layout.centres[port.node], layout.centres[link.other(port).node]
                ways[port] = curve(*ends, side=GAP + sign * lane, bow=sign * bow)
            directions = [_direction(fabric, port, way, shares, live=live) for port, way in ways.items()]
            yield from _live(fabric, link, ways, directions) if live else directions


def _live(fabric: Fabric, link: Link, ways: Mapping[Port, Curve], directions: list[str]) -> Iterator[str]:
    """The link as one group: what the pointer hits, its directions, and a text for each, beside it."""
    way = ways[link.a]
    (x1, y1), (x, y), (x2, y2) = way.start, way.control, way.end
    yield f'<g class="cable" data-link="{escape(link.name)}">'
    yield (
        f'<path class="hit" d="M{x1:.1f} {y1:.1f}Q{x:.1f} {y:.1f} {x2:.1f} {y2:.1f}" fill="none"'
        ' stroke="transparent" stroke-width="16"/>'
    )
    yield from directions
    for port, way in ways.items():
        far = dist(way.start, way.end) > SHORT and fabric.is_switch(link.other(port).node)  # links to hosts fan out
        share = 0.3 if far else 0.5
        (x, y), (ux, uy) = way.at(share), way.heading(share)
        yield (
            f'<text class="figure" data-figure="{port}" x="{x - uy * 15:.1f}" y="{y + ux * 15:.1f}"'
            ' text-anchor="middle" dominant-baseline="central"></text>'
        )
    yield "</g>"


def _direction(
    fabric: Fabric, port: Port, way: Curve, shares: Mapping[Port, float] | None, *, live: bool = False
) -> str:
    share = None if shares is None else shares.get(port, 0.0)
    kind = "plain" if share is None else f"load{_step(share)}"
    thick = 1.5 if share is None else 1.5 + 4 * min(share, 1.0)
    (x1, y1), (x, y), (x2, y2) = way.start, way.control, way.end
    line = (
        f'<path d="M{x1:.1f} {y1:.1f}Q{x:.1f} {y:.1f} {x2:.1f} {y2:.1f}" fill="none" stroke-width="{thick:.1f}"/>'
        if way.is_bent
        else f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke-width="{thick:.1f}"/>'
    )
    named = f' data-port="{port}"' if live else ""
    return f'<g class="{kind}"{named}><title>{escape(_tip(fabric, port, share))}</title>{line}{_arrow(way, thick)}</g>'


def _tip(fabric: Fabric, port: Port, share: float | None) -> str:
    link = fabric.link(port)
    words = f"{fabric.direction(port)}  {format_rate(link.rate_bps)}b/s  {format_latency(link.latency_s)}"
    return words if share is None else f"{words}  {share:.1%} used"


def _arrow(way: Curve, thick: float) -> str:
    """A triangle a little past the middle, so that the two directions' arrows do not meet."""
    (x, y), (ux, uy), size = way.at(0.56), way.heading(0.56), 3.0 + thick
    corners = (
        (x + ux * size, y + uy * size),
        (x - uy * size * 0.6, y + ux * size * 0.6),
        (x + uy * size * 0.6, y - ux * size * 0.6),
    )
    return f'<polygon points="{" ".join(f"{px:.1f},{py:.1f}" for px, py in corners)}" stroke="none"/>'


def _step(share: float) -> int:
    return next((step for step, (most, _) in enumerate(SHARES) if share <= most), len(SHARES) - 1)


def _nodes(fabric: Fabric, layout: Layout, *, live: bool) -> Iterator[str]:
    for node in fabric.nodes:
        x, y = layout.centres[node]
        kind = "switch" if fabric.is_switch(node) else "host"
        half = half_width(node)
        corner = 3 if kind == "switch" else 15
        named = f' data-node="{node}"' if live else ""
        yield (
            f'<g{named}><rect class="{kind}" x="{x - half:.1f}" y="{y - HALF_HEIGHT:.1f}" width="{2 * half:.1f}"'
            f' height="{2 * HALF_HEIGHT:.0f}"'
            f' rx="{corner}"/><text class="name" x="{x:.1f}" y="{y:.1f}">{escape(node)}</text></g>'
        )


def _legend(fabric: Fabric, loaded: bool, y: float) -> Iterator[str]:
    yield f'<text x="20" y="{y:.0f}">{escape("; ".join(_sorts(fabric)))}</text>'
    if not loaded:
        return
    for step, (most, name) in enumerate(SHARES):
        x = 20 + 86 * step
        yield (
            f'<line class="load{step}" x1="{x}" y1="{y + 18:.0f}" x2="{x + 24}" y2="{y + 18:.0f}"'
            f' stroke-width="{1.5 + 4 * most:.1f}"/><text x="{x + 30}" y="{y + 22:.0f}">{name}</text>'
        )


def _sorts(fabric: Fabric) -> Iterator[str]:
    """``host links 100G 1us; fabric links 25G 1us``; a range where links differ."""
    switches = set(fabric.switches)
    for name, wanted in (("host links", False), ("fabric links", True)):
        links = [link for link in fabric.links if ({link.a.node, link.b.node} <= switches) == wanted]
        if links:
            rates = sorted({link.rate_bps for link in links})
            latencies = sorted({link.latency_s for link in links})
            yield f"{name} {_range(list(map(format_rate, rates)))} {_range(list(map(format_latency, latencies)))}"


def _range(values: list[str]) -> str:
    return values[0] if len(values) == 1 else f"{values[0]}-{values[-1]}"
