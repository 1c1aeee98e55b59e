"""The figure of a training: loss curves, steps as bars of computation and exposed communication, and what faults did.

The bars show medians, with the quartiles of the whole step; a tick marks the step alone, sending nothing. With faults,
a third panel shows every step of every turn by when it began, and the moments at which something broke or healed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ringlab.experiments.figures import rate_text
from ringlab.experiments.plot import COLOURS, MARKERS, VERDICT_COLOURS, empty, png_of, svg_of
from ringlab.training.result import StepResult, Training, TrainResult
from ringlab.training.rows import Row, rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COMPUTATION, EXPOSED = COLOURS[0], COLOURS[1]
ROW_INCHES = 0.24
_MOMENT = re.compile(r"(link|switch|host|rank|controller)\b.* \([\d.]+ s after its work began\)")


def svg(result: TrainResult) -> str:
    return svg_of(lambda: figure(result), f"{result.name}: training")


def png(result: TrainResult) -> bytes:
    return png_of(lambda: figure(result), dpi=160)


def figure(result: TrainResult) -> Figure:
    shown = rows(result)
    heights = [2.2, max(1.6, 0.9 + ROW_INCHES * len(shown)), *([2.4] if result.spec.get("faults") else [])]
    fig = empty((7.2, sum(heights) + 0.5))
    panels = fig.subplots(len(heights), 1, height_ratios=heights)
    _draw_losses(panels[0], result)
    _draw_bars(panels[1], shown)
    if len(panels) > 2:
        _draw_moments(panels[2], result)
    layers = (
        f"{result.parameters:,} parameters, DDP on {result.ranks} hosts, line rate {rate_text(result.line_rate_bps)}"
    )
    fig.suptitle(f"{result.name}: {layers}", x=0.01, ha="left", fontsize=10)
    if result.failure:
        colour = VERDICT_COLOURS["invalid"]
        fig.text(0.99, 0.005, "FAILED, see result.json: the steps that were finished", ha="right", color=colour)
    return fig


def _draw_losses(axes: Axes, result: TrainResult) -> None:
    """The first training of each backend; they lie on each other, so the one below is the wider."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - slow to import

    backends = sorted({one.backend for one in result.trainings}, key=("gloo", "ringlab").index)
    for place, backend in enumerate(backends):
        first = next(one for one in result.trainings if one.backend == backend)
        wide: dict[str, Any] = {"linewidth": 5, "alpha": 0.35} if place == 0 and len(backends) > 1 else {}
        axes.plot(
            [step.step for step in first.steps],
            [step.loss for step in first.steps],
            color=COLOURS[2 + place],
            label=backend,
            marker=MARKERS[place],
            **{"markersize": 4, "linewidth": 1.5, **wide},
        )
    largest = max((check.largest for check in result.losses), default=None)
    title = "" if largest is None else f": all trainings agree within {largest:.1g} of the loss"
    axes.set_title(f"loss, mean over ranks{title}", loc="left", fontsize=9)
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    if backends:
        axes.legend(frameon=False)


def _draw_bars(axes: Axes, shown: Sequence[Row]) -> None:
    places = list(_places(shown))
    ms = 1e3
    computation = [row.computation_s * ms for row in shown]
    exposed = [row.exposed_s * ms for row in shown]
    low = [max(0.0, (row.computation_s + row.exposed_s - row.spread.low) * ms) for row in shown]
    high = [max(0.0, (row.spread.high - row.computation_s - row.exposed_s) * ms) for row in shown]
    axes.barh(places, computation, color=COMPUTATION, height=0.75, label="computation")
    axes.barh(
        places, exposed, left=computation, color=EXPOSED, height=0.75, label="exposed communication",
        xerr=(low, high), error_kw={"elinewidth": 1.0, "capsize": 2.0},
    )  # fmt: skip
    alone = [(row.alone_s * ms, place) for row, place in zip(shown, places, strict=True) if row.alone_s is not None]
    if alone:
        times, at = zip(*alone, strict=True)
        axes.scatter(times, at, marker="|", s=70, color="white", linewidths=2.2, zorder=4)
        axes.scatter(times, at, marker="|", s=70, color="black", linewidths=1.0, zorder=5, label="step alone")
    axes.set_yticks(
        places, labels=[f"{row.placement}, {row.arm}, {row.backend}, {row.bucket_mb:g} MiB" for row in shown]
    )
    axes.tick_params(axis="y", labelsize=7)
    axes.invert_yaxis()
    axes.set_xlabel("step, ms (medians; whiskers: quartiles of the whole step)")
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    if shown:
        axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=3)


def _places(shown: Sequence[Row]) -> Iterator[float]:
    """A gap between combinations that differ in more than the bucket size."""
    at = 0.0
    for index, row in enumerate(shown):
        before = shown[index - 1]
        if index:
            at += (
                1.0 if (before.placement, before.arm, before.backend) == (row.placement, row.arm, row.backend) else 1.5
            )
        yield at


def _draw_moments(axes: Axes, result: TrainResult) -> None:
    """Every step of every turn by when it began, and the turn's moments, in its colour."""
    turns: dict[tuple[str, str, str, int], list[Training]] = {}
    for one in result.trainings:
        turns.setdefault((one.backend, one.placement, one.arm, one.turn), []).append(one)
    looks: dict[str, int] = {}
    for (backend, placement, arm, turn), found in turns.items():
        name = f"{backend}, {placement}, {arm}"
        label = name if name not in looks else ""
        place = looks.setdefault(name, len(looks))
        began_s = found[0].steps[0].began_s
        ended_s = found[-1].steps[-1].began_s + found[-1].steps[-1].step_s
        for at_s in _moments(result, f"block {turn} of ", f": {name}: ", ended_s):
            axes.axvline(at_s - began_s, color=COLOURS[place % len(COLOURS)], linewidth=1.2, linestyle="--")
        _draw_steps(axes, [step for one in found for step in one.steps], began_s, place, label)
    axes.set_title("every step by when it began (dashed: something broke, or healed)", loc="left", fontsize=9)
    axes.set_xlabel("seconds since the turn's first step")
    axes.set_ylabel("step, ms")
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    if looks:
        axes.legend(frameon=False, loc="lower right")


def _moments(result: TrainResult, block: str, turn: str, ended_s: float) -> Iterator[float]:
    """When something broke or healed in a turn, before its last step ended (a turn's end heals everything)."""
    for moment in result.timeline:
        of_turn = moment.event.startswith(block) and turn in moment.event and _MOMENT.search(moment.event)
        if of_turn and (moment.t_s <= ended_s or result.failure):
            yield moment.t_s


def _draw_steps(axes: Axes, steps: Sequence[StepResult], began_s: float, place: int, label: str) -> None:
    axes.plot(
        [step.began_s - began_s for step in steps],
        [step.step_s * 1e3 for step in steps],
        color=COLOURS[place % len(COLOURS)],
        marker=MARKERS[place % len(MARKERS)],
        markersize=3.5,
        linewidth=1.0,
        label=label,
    )
