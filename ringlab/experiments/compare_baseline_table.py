"""A comparison with baselines in the terminal: shares by size, small messages, where lines cross, and its limits."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from collectives.baseline import Reading
from ringlab.experiments.compare_baseline import SideBySide
from ringlab.experiments.compare_baseline_curve import Curve
from ringlab.experiments.figures import UNKNOWN, bandwidth_text, rate_text, share_text, size_text, time_text
from ringlab.experiments.table import BAR_CELLS

_VERDICT_STYLES = {"valid": "bold green", "doubtful": "bold yellow", "invalid": "bold red"}


def render(found: SideBySide) -> RenderableType:
    parts: list[RenderableType] = [_head(found), Text(), _shares(found), *_footnotes(found), Text()]
    parts += [_lines(found), Text(), _small(found), *_smallest(found), Text()]
    parts += [Text("Crossovers", "bold"), *_sentences(list(_crossovers(found))), Text()]
    parts += [Text("What can be compared", "bold"), *_sentences(found.can), Text()]
    return Group(*parts, Text("What can't", "bold"), *_sentences(found.cannot))


def _head(found: SideBySide) -> Text:
    run = found.run
    how = "simulated" if run.simulated else "emulated"
    text = Text.assemble((run.name, "bold"), f"  {how}, {run.collective}, {run.ranks} ranks, nominal line rate ")
    text.append(rate_text(run.line_rate_GBps * 8e9))
    if run.scale != 1:
        text.append(f" (ran {run.scale:g}x slower)")
    verdict = run.certificate.verdict
    return text.append("\nVerdict: ").append(verdict, _VERDICT_STYLES[verdict])


def _shares(found: SideBySide) -> Table:
    """Every line at every size of the run."""
    predicted = any(curve.kind == "prediction" for curve in found.curves)
    heads = ("size", "", "time\nnominal", "busbw\nGB/s", "busbw\nof line")
    table = _table(*heads, *(["four times\nin five"] if predicted else []))
    table.add_column("", no_wrap=True)
    for size in found.sizes:
        for place, curve in enumerate(found.curves):
            reading = curve.sweep.at(size)
            table.add_row(
                size_text(size) if place == 0 else "",
                curve.name,
                time_text(reading.time_us),
                bandwidth_text(reading.busbw_GBps),
                ("~" if reading.interpolated else "") + share_text(reading.line_share),
                *([_interval_text(curve, size)] if predicted else []),
                _bar(reading),
                style="cyan" if curve.run is None else "",
            )
        table.add_section()
    return table


def _interval_text(curve: Curve, size: int) -> str:
    interval = curve.share_interval(size)
    return f"{interval[0] * 100:.3g}..{interval[1] * 100:.3g} %" if interval else ""


def _footnotes(found: SideBySide) -> Iterator[Text]:
    readings = [(curve, curve.sweep.at(size)) for curve in found.curves for size in found.sizes]
    if any(reading.interpolated for _, reading in readings):
        yield Text("~ interpolated between two measured sizes.", "dim")
    for why in dict.fromkeys(reading.why for _, reading in readings if reading.why):
        yield Text(f"No figure where {why}.", "dim")


def _lines(found: SideBySide) -> Table:
    """A row a line: its line rate, its best, from where on half of it."""
    table = _table("", "line rate\nGB/s", "best\nbusbw", "of\nline", "at", "half of it\nfrom")
    for curve in found.curves:
        best = curve.sweep.best()
        last = best.size_bytes == curve.sweep.points[-1].size_bytes
        table.add_row(
            curve.name,
            bandwidth_text(curve.sweep.nominal_line_rate_GBps),
            bandwidth_text(best.busbw_GBps),
            share_text(best.line_share),
            size_text(best.size_bytes) + (" *" if last else ""),
            _half_text(curve),
        )
    table.caption = "* its largest size: it may still rise."
    table.caption_justify = "left"
    return table


def _half_text(curve: Curve) -> str:
    half = curve.half_of_best()
    if len(curve.sweep.points) == 1:
        return UNKNOWN
    return f"<= {size_text(half.size_bytes)}" if half.at_most else f"~{size_text(half.size_bytes)}"


def _small(found: SideBySide) -> Table:
    """Latency: an emulated run's as measured and nominal; others have one time."""
    measured = any(curve.measured_us for curve in found.curves)
    table = _table("small\nmessages", "", *(["as\nmeasured"] if measured else []), "nominal")
    for size in found.small_sizes():
        for place, curve in enumerate(found.curves):
            first = size_text(size) if place == 0 else ""
            ours = time_text(curve.measured_us[size]) if size in curve.measured_us else ""
            nominal = time_text(curve.sweep.at(size).time_us)
            cells = (first, curve.name, *([ours] if measured else []), nominal)
            table.add_row(*cells, style="cyan" if curve.run is None else "")
        table.add_section()
    return table


def _smallest(found: SideBySide) -> Iterator[Text]:
    """Of those that were not measured at the run's small sizes, their own smallest."""
    for curve in found.curves:
        first = curve.sweep.points[0]
        if all(curve.sweep.at(size).time_us is None for size in found.small_sizes()):
            yield Text(f"{curve.name} begins at {size_text(first.size_bytes)}: {time_text(first.time_us)}.", "dim")


def _crossovers(found: SideBySide) -> Iterator[str]:
    """One sentence for all that are ahead of the same line at the same sizes."""
    ahead: dict[tuple[str, str], list[str]] = {}
    for crossing in found.crossings:
        if crossing.where:
            ahead.setdefault((crossing.other, crossing.where), []).append(crossing.one)
        else:
            yield crossing.text
    for (other, where), names in ahead.items():
        who = f"{', '.join(names[:-1])} and {names[-1]} are" if len(names) > 1 else f"{names[0]} is"
        yield f"no crossing: {who} ahead of {other} {where}"


def _bar(reading: Reading) -> str:
    if reading.line_share is None:
        return ""
    return "█" * round(min(1.0, reading.line_share) * BAR_CELLS) + ("▶" if reading.line_share > 1.005 else "")


def _sentences(sentences: list[str] | tuple[str, ...]) -> Iterator[RenderableType]:
    for sentence in sentences or ["nothing"]:
        yield Padding(f"- {sentence}", (0, 0, 0, 2), expand=False)


def _table(*heads: str) -> Table:
    """Figures to the right; the names, under an empty head, are what gives way in a narrow terminal."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False, header_style="bold")
    for head in heads:
        if head:
            table.add_column(Text(head), justify="right", no_wrap=True, vertical="bottom")
        else:
            table.add_column("", overflow="fold")
    return table
