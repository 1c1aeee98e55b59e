"""A run beside baselines: share of line rate by size; the run's lines are whole, all others broken.

Where the run cannot be believed the figure says so itself, for a figure travels without its text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ringlab.experiments.baseline_plot import Line, draw_line, draw_share_axis, draw_sizes, legend, panels
from ringlab.experiments.compare_baseline import SideBySide
from ringlab.experiments.compare_baseline_curve import Curve
from ringlab.experiments.plot import COLOURS, VERDICT_COLOURS, file_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_TICKS = 10


def file(found: SideBySide, kind: str) -> bytes:
    """The figure as ``svg``, ``png`` or ``pdf``."""
    return file_of(lambda: figure(found), kind, f"{found.run.name}: share of line rate by size")


def figure(found: SideBySide) -> Figure:
    drawn = [curve for curve in found.curves if curve.sweep.nominal_line_rate_GBps is not None]
    fig, (axes,) = panels(1, len(drawn))
    low = found.sizes[0]
    ends = [low, found.sizes[-1]]
    for place, curve in enumerate(drawn):
        readings = [reading for reading in curve.sweep.readings() if reading.size_bytes >= low]
        sizes = tuple(reading.size_bytes for reading in readings)
        ends += sizes
        line = Line(curve.name, sizes, tuple(reading.line_share or 0.0 for reading in readings))
        draw_line(axes, line, place, **_shape(curve, place))
        _draw_interval(axes, curve, sizes, place)
    draw_share_axis(axes)
    draw_sizes(axes, ends, MOST_TICKS)
    _title(fig, found)
    legend(fig, axes, columns=2 if len(drawn) > 3 else 1)
    return fig


def _draw_interval(axes: Axes, curve: Curve, sizes: Sequence[int], place: int) -> None:
    """A prediction's band."""
    ends = [(size, interval) for size in sizes if (interval := curve.share_interval(size))]
    if ends:
        lows, highs = zip(*(interval for _, interval in ends), strict=True)
        axes.fill_between(
            [size for size, _ in ends], lows, highs, color=COLOURS[place % len(COLOURS)], alpha=0.15, lw=0
        )


def _shape(curve: Curve, place: int) -> dict[str, Any]:
    """The run's lines whole, the first ones wider and their markers larger: where lines are equal, each is seen."""
    if curve.run != 0:
        return {"linestyle": "--" if curve.kind == "baseline" else ":" if curve.kind == "prediction" else "-."}
    return {"linestyle": "-", "linewidth": max(1.6, 4.0 - place), "markersize": max(5.0, 9.0 - 1.5 * place)}


def _title(fig: Figure, found: SideBySide) -> None:
    how = "simulated" if found.run.simulated else "emulated"
    fig.suptitle(f"{found.run.name} ({how}), {found.run.collective}, each of its own line rate", x=0.02, ha="left")
    verdict = found.run.certificate.verdict
    if verdict != "valid":
        axes = fig.axes[0]
        axes.text(0.5, 0.45, verdict.upper(), {"rotation": 18, "fontsize": 46, "alpha": 0.15, "zorder": 0},
                  transform=axes.transAxes, ha="center", va="center", color=VERDICT_COLOURS[verdict])  # fmt: skip
