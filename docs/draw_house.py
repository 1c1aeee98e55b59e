"""Draws the layers of the house from the contracts that hold it together (``setup.cfg``): docs/figures/house.svg.

A row a layer, the top one first; packages of a row do not know each other, and imports point down only.
"""

from __future__ import annotations

import configparser
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FIGURE = ROOT / "docs" / "figures" / "house.svg"
PURPOSES = {
    "ringlab": "the application: commands, experiments, reports, live view, exercises",
    "emulation": "real packets: Mininet, Open vSwitch",
    "simulation": "flows that share links, in numbers",
    "controller": "switches that know nothing of allreduce",
    "collectives": "allreduce that knows nothing of switches",
    "topologies": "the shared vocabulary: fabric, demand, path, names, addresses",
}
WIDTH, HEIGHT, GAP, MARGIN = 720, 64, 16, 20
STYLE = """\
.house { --ink: #1b1f24; --page: #ffffff; --room: #cfe3f5; }
@media (prefers-color-scheme: dark) { .house { --ink: #e8eaed; --page: #15181c; --room: #1f4668; } }
.house { background: var(--page); font: 13px system-ui, sans-serif; }
.house text { fill: var(--ink); text-anchor: middle; }
.house rect { fill: var(--room); stroke: var(--ink); } .house .name { font-size: 15px; font-weight: 600; }
.house .arrow { stroke: var(--ink); fill: var(--ink); }
"""


def layers() -> list[list[str]]:
    """The contract's layers, from the top; packages of one layer side by side."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    written = config["importlinter:contract:layers"]["layers"].split("\n")
    return [[name.strip() for name in line.split("|")] for line in written if line.strip()]


def draw(rows: list[list[str]]) -> str:
    height = MARGIN * 2 + len(rows) * (HEIGHT + GAP * 2) - GAP * 2
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="house" role="img" {size}>',
        "<title>The layers of ringlab: imports point down only</title>",
        f"<style>\n{STYLE}</style>",
    ]
    for place, names in enumerate(rows):
        y = MARGIN + place * (HEIGHT + GAP * 2)
        width = (WIDTH - 2 * MARGIN - GAP * (len(names) - 1)) / len(names)
        for column, name in enumerate(names):
            parts += _room(name, MARGIN + column * (width + GAP), y, width)
        if place:
            parts.append(_arrow(y - GAP * 2))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _room(name: str, x: float, y: float, width: float) -> list[str]:
    middle = x + width / 2
    return [
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{HEIGHT}" rx="4"/>',
        f'<text class="name" x="{middle:.0f}" y="{y + 26:.0f}">{escape(name)}/</text>',
        f'<text x="{middle:.0f}" y="{y + 47:.0f}">{escape(PURPOSES[name])}</text>',
    ]


def _arrow(y: float) -> str:
    x, end = WIDTH / 2, y + 2 * GAP - 3
    head = f"{x},{end:.0f} {x - 5},{end - 8:.0f} {x + 5},{end - 8:.0f}"
    return (
        f'<g class="arrow"><line x1="{x}" y1="{y + 5:.0f}" x2="{x}" y2="{end - 5:.0f}" stroke-width="1.5"/>'
        f'<polygon stroke="none" points="{head}"/></g>'
    )


if __name__ == "__main__":
    FIGURE.write_text(draw(layers()), encoding="utf-8")
