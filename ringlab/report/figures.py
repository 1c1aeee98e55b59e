"""A report's figures: busbw and latency by size beside prediction, steps in time, and what happened when.

Style, colours and markers are those of ``ringlab.experiments.plot``; a figure is a matplotlib Figure, for any format.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ringlab.experiments import plot
from ringlab.experiments.ab import plot as ab_plot
from ringlab.experiments.ab.outcome import Outcome
from ringlab.experiments.figures import size_text
from ringlab.experiments.plot import COLOURS, MARKERS
from ringlab.experiments.result import Arm, Moment, Result
from ringlab.experiments.statistics import spread
from ringlab.report import steps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FAULT_COLOUR = "#B00020"
FAULT_WORDS = ("down", "up again", "restored", "lost", "killed", "paused", "slow", "failed")
LABEL_CHARACTERS = 46
MOST_MOMENTS = 40
"""Lines that a timeline has room for."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """One figure: the name of its file, what it shows in words, and how to draw it."""

    name: str
    alt: str
    draw: Callable[[], Figure]


def of(result: Result) -> tuple[Drawn, ...]:
    """The figures that this result has data for."""
    found = []
    if result.sizes():
        found.append(Drawn("busbw", _busbw_alt(result), lambda: plot.figure(result)))
        found.append(Drawn("latency", _latency_alt(result), lambda: latency(result)))
    if spans := steps.steps(result):
        found.append(Drawn("steps", _steps_alt(spans), lambda: steps.figure(result, spans)))
    if result.timeline:
        found.append(Drawn("timeline", f"{len(result.timeline)} moments of the run in time", lambda: timeline(result)))
    return tuple(found)


def of_ab(outcome: Outcome) -> tuple[Drawn, ...]:
    """The intervals of an A/B, or of its A/A where that is all there is; nothing where no block was whole."""
    found = outcome.found or outcome.aa
    if found is None or not found.looks:
        return ()
    return (Drawn("ab", f"{outcome.name}: ratios", partial(ab_plot.figure, outcome.name, found)),)


def latency(result: Result) -> Figure:
    """Time by size on logarithmic axes: each arm's median with its quartiles, and dotted what was predicted."""
    fig = plot.empty((6.8, 4.2))
    axes = fig.add_subplot()
    for place, arm in enumerate(result.arms):
        if arm.results:
            _latency(axes, arm, COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)])
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    sizes = result.sizes()
    shown = sizes[:: -(-len(sizes) // plot.MOST_SIZES)]
    axes.set_xticks(shown, labels=[size_text(size) for size in shown])
    axes.minorticks_off()
    axes.set_xlabel("message size")
    axes.set_ylabel(f"time, us, as {'simulated' if result.is_simulated else 'measured'}")
    axes.grid(color="#DDDDDD", linewidth=0.6)
    axes.set_title(f"{result.name}: time of one operation; dotted: predicted", loc="left", fontsize=10)
    fig.legend(loc="outside lower center", ncols=3, frameon=False)
    return fig


def timeline(result: Result) -> Figure:
    """A line a moment, in the order of time; faults stand out by their mark and their colour."""
    moments = result.timeline[:MOST_MOMENTS]
    fig = plot.empty((6.8, 0.9 + 0.2 * len(moments)))
    axes = fig.add_subplot()
    for place, moment in enumerate(moments):
        fault = is_fault(moment)
        axes.plot(
            [moment.t_s], [place],
            marker="X" if fault else "o", color=FAULT_COLOUR if fault else COLOURS[0], markersize=7 if fault else 4,
        )  # fmt: skip
        axes.annotate(_label(moment), (moment.t_s, place), xytext=(7, 0), textcoords="offset points", va="center",
                      fontsize=7, color=FAULT_COLOUR if fault else "black")  # fmt: skip
    last = max(moment.t_s for moment in moments)
    axes.set_xlim(0, last * 1.9 or 1.0)  # the last labels need room too
    axes.set_ylim(len(moments) - 0.5, -0.5)
    axes.set_yticks([])
    axes.set_xlabel("seconds since the run began")
    more = f" (the first {MOST_MOMENTS} of {len(result.timeline)})" if len(result.timeline) > MOST_MOMENTS else ""
    axes.set_title(f"{result.name}: what happened when{more}", loc="left", fontsize=10)
    return fig


def is_fault(moment: Moment) -> bool:
    """Did something break, or come back?"""
    words = moment.event.partition(": ")[2] or moment.event
    return any(word in words for word in FAULT_WORDS)


def _latency(axes: Axes, arm: Arm, colour: str, marker: str) -> None:
    sizes = [found.size_bytes for found in arm.results]
    times = [found.time_us for found in arm.results]
    quartiles = [spread(found.samples_us) for found in arm.results]
    reach = [
        [time - spread_.low for time, spread_ in zip(times, quartiles, strict=True)],
        [spread_.high - time for time, spread_ in zip(times, quartiles, strict=True)],
    ]
    axes.errorbar(sizes, times, yerr=reach, color=colour, marker=marker, markersize=5, capsize=2, linewidth=1.6,
                  label=arm.name)  # fmt: skip
    predicted = [(found.size_bytes, found.predicted_us) for found in arm.results if found.predicted_us]
    if predicted:
        axes.plot(*zip(*predicted, strict=True), ":", color=colour, linewidth=1.4)


def _label(moment: Moment) -> str:
    words = moment.event
    short = words if len(words) <= LABEL_CHARACTERS else words[: LABEL_CHARACTERS - 1] + "…"
    return f"{moment.t_s:.2f}  {short}"


def _busbw_alt(result: Result) -> str:
    return f"busbw by size as a share of line rate. {_best(result.arms, result.sizes()[-1])}"


def _latency_alt(result: Result) -> str:
    return f"time of one operation by size. {_best(result.arms, result.sizes()[-1])}"


def _steps_alt(found: Sequence[steps.Steps]) -> str:
    ends = ", ".join(f"{one.arm} {one.spans[-1][1] * 1e3:.4g} ms" for one in found)
    return f"when each of {len(found[0].spans)} steps is under way, simulated; the last ends at: {ends}"


def _best(arms: Sequence[Arm], size: int) -> str:
    found = [(one.line_share, arm.name) for arm in arms for one in arm.results if one.size_bytes == size]
    share, name = max(found)
    return f"At {size_text(size)} {name} is best, with {share:.1%} of line rate."
