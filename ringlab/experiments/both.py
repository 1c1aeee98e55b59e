"""One spec on both backends: what packets did beside what flows say, by arm and size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ringlab.experiments import simulated
from ringlab.experiments.arms import OURS
from ringlab.experiments.figures import size_text, time_text
from ringlab.experiments.result import Result
from ringlab.experiments.spec import Spec

AGREES = 0.10
"""How far the two may be apart where the emulated run is valid and its message large."""


@dataclass(frozen=True, slots=True)
class Row:
    """One arm at one size; ``ratio`` is simulated over emulated time."""

    size_bytes: int
    arm: str
    emulated_us: float
    simulated_us: float

    @property
    def ratio(self) -> float:
        return self.simulated_us / self.emulated_us


def simulated_beside(spec: Spec, emulated: Result) -> Result:
    """``spec`` simulated under the conditions of the emulated run: its rates, what a step took there, its algorithm.

    Arms of other libraries are left out.
    """
    ours = tuple(arm for arm in spec.arms if arm.library == OURS)
    same = replace(spec, algorithm=emulated.algorithm, arms=ours, compare=())
    step_s = float(emulated.fingerprint["alpha_us"]) / 1e6
    return simulated.run(same, simulated.Beside(emulated.scale, step_s))


def rows(emulated: Result, other: Result) -> Iterator[Row]:
    """By size, then by arm, of what both have."""
    found = {(arm.name, one.size_bytes): one.time_us for arm in other.arms for one in arm.results}
    for size in emulated.sizes():
        for arm in emulated.arms:
            for one in arm.results:
                if one.size_bytes == size and (arm.name, size) in found:
                    yield Row(size, arm.name, one.time_us, found[arm.name, size])


def show(emulated: Result, other: Result, out: Console) -> None:
    """The two side by side; whether they agree is said for the largest size alone."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for head in ("size", "arm", "emulated", "simulated", "simulated / emulated"):
        table.add_column(head, justify="left" if head == "arm" else "right")
    found = list(rows(emulated, other))
    for row in found:
        table.add_row(
            size_text(row.size_bytes), row.arm, time_text(row.emulated_us), time_text(row.simulated_us),
            f"{row.ratio:.3f}",
        )  # fmt: skip
    out.print(Text("\nBoth backends, at the emulated run's rates and its measured time of an empty step:"))
    out.print(table)
    largest = [row for row in found if row.size_bytes == max(emulated.sizes())]
    if largest:
        worst = max(largest, key=lambda row: abs(row.ratio - 1))
        agree = "agree" if abs(worst.ratio - 1) <= AGREES else "DISAGREE"
        out.print(
            f"At {size_text(worst.size_bytes)} they {agree} (within {AGREES:.0%}): furthest apart {worst.arm}, "
            f"{worst.ratio - 1:+.1%}; the emulated run is {emulated.certificate.verdict}."
        )
