"""The figure of a sweep over a number: busbw by that number, a curve an arm.

Further fields make curves of their own. A band shows the draws, from worst to best. Where no number is swept, or there
would be more curves than an eye can follow, there is no figure. Not a share of line rate: the number may change that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ringlab.experiments.figures import size_text
from ringlab.experiments.plot import COLOURS, MARKERS, empty, png_of, svg_of
from ringlab.sweeps.rows import Row, changes_text, rows
from ringlab.sweeps.scenario import DRAW, EMULATED
from ringlab.sweeps.sweep_file import Sweep
from ringlab.text_files import write_through

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ringlab.sweeps.session import Found

SVG, PNG = "sweep.svg", "sweep.png"
MAX_CURVES = 12
"""Six colours, each with a full and a dashed line."""

MAX_TICKS = 9


@dataclass(frozen=True, slots=True)
class Curve:
    """busbw in GB/s by the swept number, with the worst and best draw of each."""

    label: str
    numbers: tuple[float, ...]
    busbws: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]


def save(sweep: Sweep, found: Sequence[Found], folder: Path) -> list[Path]:
    """The figure's two files; none where there is no figure."""
    lines = rows([(one.scenario.changes, one.record["result"]) for one in found if one.ok])
    field = swept(lines)
    drawn = curves(lines, field) if field else ()
    if not field or not 0 < len(drawn) <= MAX_CURVES:
        return []

    def draw() -> Figure:
        return figure(field, drawn, title(sweep, lines))

    files = {folder / PNG: png_of(draw, dpi=200), folder / SVG: svg_of(draw, sweep.name).encode()}
    for path, content in files.items():
        path.unlink(missing_ok=True)
        write_through(path, content)
    return list(files)


def swept(lines: Sequence[Row]) -> str | None:
    """The field with the most different numbers, at least two; None where none is a number throughout."""
    fields = dict.fromkeys(field for line in lines for field in line.changes)
    counts = {field: len({line.changes[field] for line in lines}) for field in fields if _is_number(field, lines)}
    most = max(counts, key=counts.__getitem__, default=None)
    return most if most is not None and counts[most] > 1 and most != DRAW else None


def _is_number(field: str, lines: Sequence[Row]) -> bool:
    return all(type(line.changes.get(field)) in (int, float) for line in lines)


def curves(lines: Sequence[Row], field: str) -> tuple[Curve, ...]:
    """A curve an arm and combination of the other fields, each rising in ``field``."""
    members: dict[tuple[str, str], list[Row]] = {}
    for line in lines:
        others = {name: value for name, value in line.changes.items() if name != field}
        members.setdefault((changes_text(others), line.arm), []).append(line)
    return tuple(_curve(f"{arm}  {others}".strip(), field, rows_) for (others, arm), rows_ in members.items())


def _curve(label: str, field: str, members: Sequence[Row]) -> Curve:
    rising = sorted(members, key=lambda line: float(line.changes[field]))
    return Curve(
        label,
        tuple(float(line.changes[field]) for line in rising),
        tuple(line.median.busbw_GBps for line in rising),
        tuple(line.slowest.busbw_GBps for line in rising),
        tuple(line.fastest.busbw_GBps for line in rising),
    )


def title(sweep: Sweep, lines: Sequence[Row]) -> str:
    """With the size where all rows have one."""
    sizes = {line.size_bytes for line in lines}
    size = f": {size_text(sizes.pop())} a rank" if len(sizes) == 1 else ""
    packets = "" if sweep.backend == EMULATED else ", simulated: no packet was sent"
    return f"{sweep.name}{size}{packets}"


def figure(field: str, drawn: Sequence[Curve], title_text: str) -> Figure:
    fig = empty((6.8, 4.2))
    axes = fig.add_subplot()
    for place, curve in enumerate(drawn):
        look = _look(place)
        axes.fill_between(curve.numbers, curve.lows, curve.highs, color=look["color"], alpha=0.18, linewidth=0)
        axes.plot(curve.numbers, curve.busbws, label=curve.label, **look)
    numbers = sorted({number for curve in drawn for number in curve.numbers})
    if numbers[0] > 0 and numbers[-1] / numbers[0] >= 8:
        axes.set_xscale("log", base=2)
    shown = numbers[:: -(-len(numbers) // MAX_TICKS)]
    axes.set_xticks(shown, labels=[f"{number:g}" for number in shown])
    axes.minorticks_off()
    axes.set_xlabel(field)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("busbw, GB/s")
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    axes.set_title(title_text, loc="left", fontsize=10)
    fig.legend(loc="outside lower center", ncols=1 if len(drawn) < 3 else 2, frameon=False)
    return fig


def _look(place: int) -> Mapping[str, Any]:
    return {
        "color": COLOURS[place % len(COLOURS)],
        "marker": MARKERS[place % len(MARKERS)],
        "linestyle": "-" if place < len(COLOURS) else "--",
        "markersize": 5.5,
        "markeredgecolor": "white",
        "linewidth": 1.8,
    }
