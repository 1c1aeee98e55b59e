"""The figure of a simulated training: a bar a combination, cut into what the step's time goes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringlab.experiments.plot import COLOURS, empty, png_of, svg_of
from ringlab.training.simulated_run import Outcome, parts_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROW_INCHES = 0.3
BUBBLE_COLOUR = "#BBBBBB"


def svg(outcome: Outcome) -> str:
    return svg_of(lambda: figure(outcome), f"{outcome.spec.name}: a step's time")


def png(outcome: Outcome) -> bytes:
    return png_of(lambda: figure(outcome), dpi=160)


def figure(outcome: Outcome) -> Figure:
    rows = outcome.rows
    fig = empty((7.2, 1.6 + ROW_INCHES * len(rows)))
    axes = fig.add_subplot()
    left = [0.0] * len(rows)
    colours = iter(COLOURS)
    for name, seconds in parts_of(outcome):
        widths = [seconds(row.step) for row in rows]
        colour = BUBBLE_COLOUR if name == "bubble" else next(colours)
        axes.barh(range(len(rows)), widths, left=left, color=colour, height=0.75, label=name)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    for place, (row, end) in enumerate(zip(rows, left, strict=True)):
        axes.text(end, place, f" MFU {row.step.mfu:.1%}", va="center", fontsize=7)
    axes.set_yticks(range(len(rows)), labels=[f"{row.placement}, {row.arm}, {row.bucket_mb:g} MiB" for row in rows])
    axes.tick_params(axis="y", labelsize=7)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.15 * max(left))
    axes.set_xlabel("step, s (simulated; communication: what is exposed)")
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=7, fontsize=7)
    spec = outcome.spec
    title = f"{spec.name}: {spec.model.name} on {spec.parallel.devices} x {spec.device.name}, {spec.fabric.name}"
    fig.suptitle(title, x=0.01, ha="left", fontsize=10)
    return fig
