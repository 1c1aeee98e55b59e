"""The histogram: how often a phase takes how long, a line a case, its mean dashed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ringlab.collisions.outcome import Outcome
from ringlab.experiments.plot import COLOURS, empty, png_of, svg_of
from simulation.fair_share import Numbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_BINS = 60


def svg(outcomes: Sequence[Outcome], title: str) -> str:
    return svg_of(lambda: figure(outcomes, title), title)


def png(outcomes: Sequence[Outcome], title: str) -> bytes:
    return png_of(lambda: figure(outcomes, title), dpi=160)


def figure(outcomes: Sequence[Outcome], title: str) -> Figure:
    fig = empty((6.8, 3.9))
    axes = fig.add_subplot()
    edges = bins(outcomes)
    for place, found in enumerate(outcomes):
        colour = COLOURS[place % len(COLOURS)]
        counts, _ = np.histogram(found.draws.slowdown, edges)
        busbw = f"{found.label}: mean {found.slowdown.mean:.2f}x, busbw {100 * found.busbw.mean:.0f} % of line rate"
        axes.stairs(100 * counts / counts.sum(), edges, color=colour, fill=True, alpha=0.25)
        axes.stairs(100 * counts / counts.sum(), edges, color=colour, linewidth=1.5, label=busbw)
        axes.axvline(found.slowdown.mean, color=colour, linestyle="--", linewidth=1.0)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(bottom=0)
    axes.set_xlabel("completion, times that without collisions (dashed: means)")
    axes.set_ylabel("% of draws")
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    fig.legend(loc="outside lower center", ncols=2 if len(outcomes) > 1 else 1, frameon=False)
    fig.suptitle(title, x=0.01, ha="left", fontsize=10)
    return fig


def bins(outcomes: Sequence[Outcome]) -> Numbers:
    """Edges of equal bins that hold all figures; where these lie on a coarse grid, its points are the bins' centres."""
    values = np.unique(np.concatenate([found.draws.slowdown for found in outcomes]).round(9))
    apart = np.diff(values).min(initial=1.0) if len(values) > 1 else 1.0
    width = max(apart, (values[-1] - values[0]) / MOST_BINS)
    number = int(np.ceil((values[-1] - values[0]) / width - 1e-6)) + 1
    return np.asarray(values[0] + width * (np.arange(number + 1) - 0.5), dtype=np.float64)
