"""Sweeps by size, side by side: busbw in GB/s, and as a share of each system's own line rate.

One line a sweep, each with a colour, a marker and (past the sixth) a dash of its own. The left axis is logarithmic,
for systems differ by a thousand times; a sweep whose line rate is unknown has no line in the right panel, and its label
says so. A single size is a lone marker.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from collectives.baseline import Baseline
from ringlab.experiments.figures import size_text
from ringlab.experiments.plot import COLOURS, MARKERS, empty, file_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DASHES = ("-", "--", ":")
MOST_TICKS = 6
"""Sizes that fit under a panel of half the figure."""
MARKERS_APART = 1.3
"""Sizes of neighbouring markers, at least so many times; a sweep of hundreds of sizes would be a band of them."""
DENSE = 100
"""A line of more sizes than this is drawn thin."""


@dataclass(frozen=True, slots=True)
class Line:
    """One curve of a panel: sizes in bytes, and what is drawn over them."""

    label: str
    sizes: tuple[int, ...]
    values: tuple[float, ...]


def file(baselines: Sequence[Baseline], kind: str) -> bytes:
    """The figure as ``svg``, ``png`` or ``pdf``."""
    return file_of(lambda: figure(baselines), kind, "busbw by size")


def figure(baselines: Sequence[Baseline]) -> Figure:
    fig, (left, right) = panels(2, len(baselines))
    for place, baseline in enumerate(baselines):
        readings = baseline.readings()
        sizes = tuple(reading.size_bytes for reading in readings)
        label = baseline.name if baseline.nominal_line_rate_GBps else f"{baseline.name} (line rate unknown)"
        draw_line(left, Line(label, sizes, tuple(reading.busbw_GBps or 0.0 for reading in readings)), place)
        if baseline.nominal_line_rate_GBps:
            shares = tuple(reading.line_share or 0.0 for reading in readings)
            draw_line(right, Line(label, sizes, shares), place)
    every = [point.size_bytes for baseline in baselines for point in baseline.points]
    left.set_yscale("log")
    left.set_ylabel("busbw, GB/s")
    left.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    draw_sizes(left, every)
    draw_share_axis(right)
    draw_sizes(right, every)
    legend(fig, left, columns=2 if len(baselines) > 3 else 1)
    return fig


def panels(columns: int, lines: int) -> tuple[Figure, Sequence[Axes]]:
    """A figure with that many panels beside each other, and room for the legend of ``lines`` below."""
    fig = empty((4.6 * columns if columns > 1 else 6.8, 3.8 + 0.17 * lines))
    axes = [fig.add_subplot(1, columns, place + 1) for place in range(columns)]
    return fig, axes


def draw_line(axes: Axes, line: Line, place: int, **more: Any) -> None:
    """``place`` picks colour, marker and dash, so that a sweep looks alike in every panel."""
    again = place // len(COLOURS)  # from the seventh on, colours meet other markers and dashes
    shape: dict[str, Any] = {
        "color": COLOURS[place % len(COLOURS)],
        "marker": MARKERS[(place + again) % len(MARKERS)],
        "linestyle": DASHES[again % len(DASHES)],
        "linewidth": 1.6 if len(line.sizes) <= DENSE else 0.8,
        "markersize": 5,
        "markeredgecolor": "white",
        "markeredgewidth": 0.5,
        "markevery": _marked(line.sizes),
    }
    axes.plot(line.sizes, line.values, label=line.label, **(shape | more))


def _marked(sizes: Sequence[int]) -> list[int]:
    """The places of markers on a line."""
    marked: list[int] = []
    for place, size in enumerate(sizes):
        if not marked or size >= sizes[marked[-1]] * MARKERS_APART:
            marked.append(place)
    return marked


def draw_share_axis(axes: Axes) -> None:
    """Shares from 0, with the line rate as a level."""
    axes.set_ylim(0, max(1.12, axes.get_ylim()[1]))
    axes.yaxis.set_major_formatter(lambda share, _place: f"{share * 100:.0f} %")
    axes.set_ylabel("busbw, share of line rate")
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    axes.axhline(1.0, color="black", linewidth=1.0, linestyle=(0, (6, 3)), zorder=1)


def draw_sizes(axes: Axes, sizes: Sequence[int], most: int = MOST_TICKS) -> None:
    """A logarithmic axis with a few whole powers of two."""
    low, high = min(sizes), max(sizes)
    axes.set_xscale("log", base=2)
    axes.set_xlim(low / 1.35, high * 1.35)
    powers = range(math.ceil(math.log2(low)), math.floor(math.log2(high)) + 1)
    shown = [2**power for power in powers[:: -(-len(powers) // most) or 1]] or [low]
    axes.set_xticks(shown, labels=[size_text(size) for size in shown])
    axes.minorticks_off()
    axes.set_xlabel("message size")
    axes.set_axisbelow(True)


def legend(fig: Figure, axes: Axes, columns: int = 1) -> None:
    """Below the panels; names of sweeps are long, so one a line."""
    handles, labels = axes.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower left", ncols=columns, frameon=False)
