"""The figure of an A/B: each ratio with its interval, by size, and the band of what makes no difference.

The verdict stands beside each interval as a word; arms differ by marker and colour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ringlab.experiments.ab.outcome import Found
from ringlab.experiments.figures import size_text
from ringlab.experiments.plot import COLOURS, MARKERS, empty, png_of, svg_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BAND_COLOUR = "#BBBBBB"
ROW_INCHES = 0.32


def svg(name: str, found: Found) -> str:
    return svg_of(lambda: figure(name, found), f"{name}: A/B")


def png(name: str, found: Found) -> bytes:
    return png_of(lambda: figure(name, found), dpi=200)


def figure(name: str, found: Found) -> Figure:
    """One row an arm and size, the largest size at the top."""
    judged = sorted(found.last.judged, key=lambda one: one.size_bytes) if found.last else []
    fig = empty((6.8, 1.7 + ROW_INCHES * max(2, len(judged))))
    axes = fig.add_subplot()
    same = found.rules.same
    axes.axvspan(1 / (1 + same), 1 + same, color=BAND_COLOUR, alpha=0.45, linewidth=0, label=f"same: +-{same:.0%}")
    axes.axvline(1.0, color="black", linewidth=1.0, linestyle=(0, (6, 3)))
    for row, one in enumerate(judged):
        _draw(axes, row, found.arms.index(one.arm) - 1, one)
    _axes(axes, name, found, judged)
    axes.set_xscale("log")
    _ticks(axes)
    if len(found.arms) > 2 or judged:
        fig.legend(loc="outside lower center", ncols=min(4, len(found.arms)), frameon=False)
    return fig


def _draw(axes: Axes, row: int, arm: int, one: Any) -> None:
    colour, marker, found = COLOURS[arm % len(COLOURS)], MARKERS[arm % len(MARKERS)], one.interval
    known = {text.get_label() for text in axes.containers}
    label = one.arm if one.arm not in known else None
    bounds = [[0.0], [0.0]]
    if found.low is not None and found.high is not None:
        bounds = [[found.ratio - min(found.low, found.ratio)], [max(found.high, found.ratio) - found.ratio]]
    axes.errorbar(
        [found.ratio], [row], xerr=bounds, color=colour, marker=marker, markersize=6, capsize=3, linewidth=1.6,
        linestyle="none", label=label,
    )  # fmt: skip
    axes.annotate(
        one.verdict, (1.01, row), xycoords=("axes fraction", "data"), fontsize=8, va="center", annotation_clip=False
    )


def _axes(axes: Axes, name: str, found: Found, judged: Any) -> None:
    several = len(found.arms) > 2
    labels = [f"{one.arm}, {size_text(one.size_bytes)}" if several else size_text(one.size_bytes) for one in judged]
    axes.set_yticks(range(len(judged)), labels=labels)
    axes.set_ylim(-0.7, max(len(judged), 2) - 0.3)
    axes.set_xlabel(f"times as fast as {found.arms[0]} (right: faster)")
    axes.set_title(f"{name}: {found.counted} blocks, all intervals together 95 %", loc="left", fontsize=10)


def _ticks(axes: Axes) -> None:
    """Plain numbers, as many as the logarithmic axis needs."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator  # noqa: PLC0415 - slow to import

    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:.4g}"))
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
