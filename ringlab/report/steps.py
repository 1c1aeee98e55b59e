"""When each step of a collective is under way, by simulation, arm beside arm: where a policy loses its time.

Nobody measures every step of every rank in a run; what the result's spec says is simulated once more, at the rates and
with the time of a step that the run had, and is told to be so. Steps overlap where ranks run ahead of each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ringlab.experiments import kept, simulated_figures
from ringlab.experiments.figures import size_text
from ringlab.experiments.plot import COLOURS, empty
from ringlab.experiments.result import Result
from ringlab.experiments.simulated_figures import Beside

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_STEPS = 64
MOST_ARMS = 4


@dataclass(frozen=True, slots=True)
class Steps:
    """One arm's steps at the largest size: (begin, end) of each, seconds of the run's own time."""

    arm: str
    spans: tuple[tuple[float, float], ...]


def steps(result: Result) -> tuple[Steps, ...]:
    """Of the first arm of each group; none where there is nothing to simulate, or too much to be seen."""
    if result.failure or not result.sizes() or any(not arm.is_ours for arm in result.arms):
        return ()
    if result.spec.get("faults") or kept.has_own_policy(result):
        return ()  # a fault's steps are in the timeline; a policy's file that a result names is not run
    if not result.is_simulated and "alpha_us" not in result.fingerprint:
        return ()  # it ended before a step was timed
    spec = kept.spec_of(result)
    beside = None if result.is_simulated else Beside(result.scale, float(result.fingerprint["alpha_us"]) / 1e6)
    first = {arm.group: arm for arm in reversed(spec.arms)}
    wanted = [first[group] for group in result.groups() if group in first][:MOST_ARMS]
    return tuple(
        Steps(arm.name, spans)
        for arm in wanted
        if 0 < len(spans := simulated_figures.step_spans(spec, arm, max(result.sizes()), beside)) <= MOST_STEPS
    )


def figure(result: Result, found: Sequence[Steps]) -> Figure:
    """A row a step, first on top; each arm has its bar in the row, in a colour and a pattern of its own."""
    number = len(found[0].spans)
    fig = empty((6.8, 1.4 + 0.16 * number * max(1, len(found) / 2)))
    axes = fig.add_subplot()
    height = 0.8 / len(found)
    for place, one in enumerate(found):
        axes.barh(
            [step + place * height for step in range(number)],
            [(end - begin) * 1e3 for begin, end in one.spans],
            left=[begin * 1e3 for begin, _ in one.spans],
            height=height, align="edge", color=COLOURS[place], label=one.arm, hatch=("", "//", "..", "xx")[place],
            edgecolor="white", linewidth=0.4,
        )  # fmt: skip
    axes.set_ylim(number, 0)
    axes.set_yticks([step + 0.4 for step in range(number)], labels=[str(step) for step in range(number)], fontsize=6)
    axes.set_xlabel("ms since the operation began")
    axes.set_ylabel("step")
    title = f"{result.name}: steps of one operation of {size_text(max(result.sizes()))}, simulated"
    axes.set_title(title, loc="left", fontsize=10)
    fig.legend(loc="outside lower center", ncols=len(found), frameon=False)
    return fig
