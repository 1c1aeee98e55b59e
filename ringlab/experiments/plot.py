"""The one figure of a run: busbw by size as a share of line rate, as SVG and PNG.

One line a group of arms, a band for its spread, the line rate as the level 100 %, and the GPU baseline as the share of
its own line rate on the same axis. The right axis reads the same in Gb/s as they were measured. A run that is not valid
says so in the figure itself, for a figure travels without its text. Colours are Okabe and Ito's (safe for the
colour-blind), and every line has a marker of its own as well.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ringlab.experiments.figures import rate_text, size_text
from ringlab.experiments.result import BaselineBeside, Certificate, Result, SizeResult
from ringlab.experiments.statistics import group_median, spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito, "Color Universal Design" (2008), without the yellow that white paper swallows.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
MARKERS = ("o", "s", "^", "D", "v", "P")
LEGEND_CHARACTERS = 92
"""What one line of the legend holds, with some 8 for each line's sample."""

MOST_SIZES = 9
"""Labels that fit below the figure."""

BASELINE_COLOUR = "#555555"
VERDICT_COLOURS = {"doubtful": "#B35900", "invalid": "#B00020"}

_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same figure on every machine
    "font.size": 9,
    "axes.spines.top": False,
    "axes.linewidth": 0.8,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "pdf.fonttype": 42,
    "svg.hashsalt": "ringlab",  # equal results give equal files
}


@dataclass(frozen=True, slots=True)
class Curve:
    """One group's shares of line rate by size, with the low and high end of its spread."""

    label: str
    sizes: tuple[int, ...]
    shares: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]


def curves(result: Result) -> tuple[Curve, ...]:
    """A curve a group: the median over its arms; its spread is from worst to best arm, or one arm's quartiles."""
    return tuple(_curve(result, group) for group in result.groups())


def svg(result: Result) -> str:
    return svg_of(lambda: figure(result), f"{result.name}: busbw by size")


def png(result: Result) -> bytes:
    return png_of(lambda: figure(result), dpi=200)


def svg_of(draw: Callable[[], Figure], title: str) -> str:
    """The figure that ``draw`` makes, in our style; the same text for the same figure."""
    return _file(draw, format="svg", metadata={"Date": None, "Title": title}).decode()


def png_of(draw: Callable[[], Figure], dpi: int) -> bytes:
    return _file(draw, format="png", dpi=dpi)


def file_of(draw: Callable[[], Figure], kind: str, title: str) -> bytes:
    """``kind`` is svg, png or pdf; PDF with fonts that can be edited (type 42), as journals ask for."""
    if kind == "svg":
        return svg_of(draw, title).encode()
    if kind == "png":
        return png_of(draw, dpi=300)
    return _file(draw, format="pdf", metadata={"CreationDate": None, "Title": title})


def _file(draw: Callable[[], Figure], **options: Any) -> bytes:
    buffer = io.BytesIO()
    with style():
        draw().savefig(buffer, facecolor="white", **options)
    return buffer.getvalue()


def style() -> AbstractContextManager[None]:
    """How all our figures look."""
    import matplotlib as mpl  # noqa: PLC0415 - slow to import

    return mpl.rc_context(_STYLE)


def empty(size: tuple[float, float], h_pad: float | None = None) -> Figure:
    """An empty figure of that width and height, inches; no window system and no global state (pyplot) are touched.

    ``h_pad``: room above and below the axes, inches; None is matplotlib's own.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - slow to import
    from matplotlib.figure import Figure  # noqa: PLC0415 - likewise
    from matplotlib.layout_engine import ConstrainedLayoutEngine  # noqa: PLC0415 - likewise

    fig = Figure(figsize=size, layout=ConstrainedLayoutEngine(h_pad=h_pad))
    FigureCanvasAgg(fig)
    return fig


def figure(result: Result) -> Figure:
    fig = empty((6.8, 4.2), h_pad=0.09)
    axes = fig.add_subplot()
    for place, curve in enumerate(curves(result)):
        _draw_curve(axes, curve, COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)])
    if result.baseline:
        _draw_baseline(axes, result.baseline)
    _draw_axes(axes, result)
    _draw_verdict(fig, axes, result.certificate)
    labels = axes.get_legend_handles_labels()[1]
    columns = len(labels) if sum(map(len, labels)) + 8 * len(labels) <= LEGEND_CHARACTERS else 2
    fig.legend(loc="outside lower center", ncols=columns, frameon=False)
    return fig


def _curve(result: Result, group: str) -> Curve:
    arms = [arm for arm in result.arms if arm.group == group]
    by_size: dict[int, list[SizeResult]] = {}
    for found in (found for arm in arms for found in arm.results):
        by_size.setdefault(found.size_bytes, []).append(found)
    sizes = tuple(sorted(by_size))
    figures = [_shares(by_size[size]) for size in sizes]
    shares, lows, highs = zip(*figures, strict=True) if figures else ((), (), ())
    label = f"{group} ({len(arms)} arms, worst to best)" if len(arms) > 1 else group
    return Curve(label, sizes, shares, lows, highs)


def _shares(members: list[SizeResult]) -> tuple[float, float, float]:
    """The group's share at one size, and its spread; share x time is the same for every sample of a size."""
    work = members[0].line_share * members[0].time_us
    middle = group_median([found.samples_us for found in members])
    if len(members) > 1:
        times = [found.time_us for found in members]
        return work / middle, work / max(times), work / min(times)
    quartiles = spread(members[0].samples_us)
    return work / middle, work / quartiles.high, work / quartiles.low


def _draw_curve(axes: Axes, curve: Curve, colour: str, marker: str) -> None:
    axes.fill_between(curve.sizes, curve.lows, curve.highs, color=colour, alpha=0.18, linewidth=0)
    reach = np.abs(np.array([curve.lows, curve.highs]) - np.array(curve.shares))
    axes.errorbar(
        curve.sizes, curve.shares, yerr=reach, fmt="none", ecolor=colour, elinewidth=1.0, capsize=2.0, zorder=3
    )
    axes.plot(
        curve.sizes,
        curve.shares,
        color=colour,
        marker=marker,
        markersize=5.5,
        markeredgecolor="white",
        markeredgewidth=0.6,
        linewidth=1.8,
        label=curve.label,
        zorder=4,
    )


def _draw_baseline(axes: Axes, baseline: BaselineBeside) -> None:
    points = [(point.size_bytes, point.line_share) for point in baseline.points if point.line_share is not None]
    if not points:
        return
    sizes, shares = zip(*points, strict=True)
    label = f"GPU: {baseline.name}"
    axes.plot(sizes, shares, ":", color=BASELINE_COLOUR, marker="x", markersize=5, linewidth=1.4, label=label, zorder=2)


def _draw_axes(axes: Axes, result: Result) -> None:
    _draw_sizes(axes, result.sizes())
    _draw_shares(axes, result)
    channels = f", {result.channels} channels" if result.channels > 1 else ""
    faults = ", under faults" if result.spec.get("faults") else ""
    title = f"{result.name}: {result.algorithm} {result.collective}, {result.ranks} ranks{channels}{faults}"
    axes.set_title(title, loc="left", fontsize=10)


def _draw_sizes(axes: Axes, sizes: tuple[int, ...]) -> None:
    axes.set_xlabel("message size")
    if not sizes:  # a run that failed in its first turn
        return
    axes.set_xscale("log", base=2)
    axes.set_xlim(sizes[0] / 1.35, sizes[-1] * 1.35)
    shown = sizes[:: -(-len(sizes) // MOST_SIZES)]
    axes.set_xticks(shown, labels=[size_text(size) for size in shown])
    axes.minorticks_off()


def _draw_shares(axes: Axes, result: Result) -> None:
    """Both vertical axes, and the line rate as a level."""
    axes.set_ylim(0, max(1.12, axes.get_ylim()[1]))
    axes.yaxis.set_major_formatter(lambda share, _place: f"{share * 100:.0f} %")
    axes.set_ylabel("busbw, share of line rate")
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.axhline(1.0, color="black", linewidth=1.0, linestyle=(0, (6, 3)), zorder=1)
    above: dict[str, Any] = {"xytext": (0, 3), "textcoords": "offset points", "fontsize": 8}
    axes.annotate(_line_rate(result), (0.005, 1.0), xycoords=("axes fraction", "data"), **above)
    unit, unit_bps = ("Gb/s", 1e9) if result.line_rate_bps >= 1e9 else ("Mb/s", 1e6)
    right = axes.secondary_yaxis("right", functions=_rates(result.line_rate_bps / unit_bps))
    right.set_ylabel(f"busbw, {unit} as {'simulated' if result.is_simulated else 'measured'}")


def _line_rate(result: Result) -> str:
    emulated = rate_text(result.line_rate_bps)
    if result.scale == 1:
        return f"line rate {emulated}"
    return f"line rate {emulated}, standing for {rate_text(result.nominal_line_rate_bps)} ({result.scale:g}x slower)"


def _rates(line_rate: float) -> tuple[Any, Any]:
    """Share to rate and back, in the unit of ``line_rate``."""
    return (lambda share: share * line_rate, lambda rate: rate / line_rate)


def _draw_verdict(fig: Figure, axes: Axes, certificate: Certificate) -> None:
    """Nothing where the run is valid; else the verdict with its first reason above, and once more behind the lines."""
    if certificate.verdict == "valid":
        return
    colour, word = VERDICT_COLOURS[certificate.verdict], certificate.verdict.upper()
    text = textwrap.fill(textwrap.shorten(": ".join([word, *certificate.reasons[:1]]), 220), 84)
    box = {"facecolor": "white", "edgecolor": colour, "linewidth": 1.2, "boxstyle": "round,pad=0.4"}
    fig.suptitle(text, fontsize=9, color=colour, fontweight="bold", bbox=box)
    behind = {"rotation": 18, "fontsize": 46, "alpha": 0.13, "zorder": 0}
    axes.text(0.5, 0.45, word, behind, transform=axes.transAxes, ha="center", va="center", color=colour)
