"""A Result in the terminal: what ran, one row an arm and size, the verdict with its reasons, who is better by how much.

In a narrow terminal columns leave, the least needed first (``_COLUMNS``); colours only repeat what the text says.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from rich import box
from rich.console import Console, Group, OverflowMethod, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ringlab.experiments.figures import UNKNOWN, bandwidth_text, rate_text, share_text, size_text, time_text
from ringlab.experiments.libraries import told
from ringlab.experiments.result import Arm, BaselineBeside, BaselinePoint, Certificate, Comparison, Result, SizeResult
from ringlab.experiments.statistics import group_median

PIPED_WIDTH = 110
"""Characters a line where the output is no terminal and COLUMNS is not set: all columns fit."""

BAR_CELLS = 10
_EIGHTHS = " ▏▎▍▌▋▊▉"
_VERDICT_STYLES = {"valid": "bold green", "doubtful": "bold yellow", "invalid": "bold red"}
_GPU_ROW = "GPU baseline"


@dataclass(frozen=True, slots=True)
class Row:
    """What one line of a table shows, here or in a report: of an arm, the median of a group, or the baseline."""

    label: str
    time_us: float | None = None
    algbw_GBps: float | None = None  # noqa: N815 - GBps and Gbps are not the same
    busbw_GBps: float | None = None  # noqa: N815 - likewise
    nominal_busbw_GBps: float | None = None  # noqa: N815 - likewise
    line_share: float | None = None
    predicted_us: float | None = None
    wrong: int | None = None
    style: str = ""
    mark: str = ""


@dataclass(frozen=True, slots=True)
class _Column:
    """A column and how a row fills it; the higher ``leaves``, the sooner it leaves for lack of room, 0 never."""

    head: str
    unit: str
    leaves: int
    cell: Callable[[Row], Text]


def console() -> Console:
    """Standard output, as wide as the terminal; wide enough for a table where it is piped."""
    piped = Console(highlight=False)
    if piped.is_terminal or os.environ.get("COLUMNS"):
        return piped
    return Console(highlight=False, width=PIPED_WIDTH)


def show(result: Result, out: Console) -> None:
    """Print ``result`` as wide as ``out`` is."""
    out.print(render(result, out))


def render(result: Result, out: Console) -> RenderableType:
    """``result`` for ``out``: its width, and whether it can show block characters."""
    parts: list[RenderableType] = [
        _head(result),
        Text(),
        _fitting_table(result, out),
        Text(),
        *_footnotes(result),
        Text(),
        *_timeline(result),
    ]
    return Group(*parts, _verdict(result.certificate), Text(), *_sentences(result.comparisons))


def _columns(result: Result) -> Sequence[_Column]:
    """Of a simulated run nothing was measured, no element was wrong: it stands beside the closed form."""
    if not result.is_simulated:
        return _COLUMNS
    beside = replace(_PREDICTED, head="closed form")
    kept = [column for column in _COLUMNS if column.head not in {"measured", "#wrong"}]
    return [beside if column is _PREDICTED else column for column in kept]


def _fitting_table(result: Result, out: Console) -> Table:
    """The table with as many columns as fit."""
    overflow: OverflowMethod = "crop" if out.options.ascii_only else "ellipsis"
    unbounded = out.options.update(max_width=1000)  # else a measurement never passes the width
    for most in range(_BAR if not out.options.ascii_only else _BAR - 1, -1, -1):
        table = _table(result, [column for column in _columns(result) if column.leaves <= most], overflow)
        if Measurement.get(out, unbounded, table).maximum <= out.width:
            break
    return table


def _head(result: Result) -> Text:
    channels = f" on {result.channels} channels" if result.channels > 1 else ""
    ours = f"{result.algorithm} " if any(arm.is_ours for arm in result.arms) else ""
    text = Text.assemble(
        (result.name, "bold"),
        f"  {ours}{result.collective}{channels if ours else ''}, {result.ranks} ranks\n",
        (f"line rate {rate_text(result.line_rate_bps)}", ""),
    )
    if result.scale != 1:
        nominal = rate_text(result.nominal_line_rate_bps)
        text.append(f", standing for {nominal} (time dilation: {result.scale:g}x slower)")
    for sentence in told(result.arms):
        text.append(f"\n{sentence}")
    return text


def _table(result: Result, columns: Sequence[_Column], overflow: OverflowMethod) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", show_edge=False)
    table.add_column("size", justify="right", no_wrap=True, overflow=overflow)
    table.add_column("arm")  # the only one to shrink where even the needed columns do not fit
    for column in columns:
        head = Text.assemble(column.head, (f"\n{column.unit}", "not bold dim")) if column.unit else Text(column.head)
        table.add_column(
            head, justify="left" if not column.head else "right", no_wrap=True, overflow=overflow, vertical="bottom"
        )
    for size in result.sizes():
        for place, row in enumerate(rows_at(result, size)):
            first = size_text(size) if place == 0 else ""
            label = Text(row.label, no_wrap=True, overflow=overflow)
            table.add_row(first, label, *(column.cell(row) for column in columns), style=row.style)
        table.add_section()
    return table


def rows_at(result: Result, size_bytes: int) -> Iterator[Row]:
    """The arms of each group, its median where it has several arms, then the baseline."""
    ran = [(arm, found) for arm in result.arms for found in arm.results if found.size_bytes == size_bytes]
    best = max((found.busbw_GBps for _, found in ran), default=0.0)
    for group in result.groups():
        members = [(arm, found) for arm, found in ran if arm.group == group]
        yield from (_arm_row(arm, found, best) for arm, found in members)
        if len(members) > 1:
            yield _group_row(group, [found for _, found in members])
    if result.baseline:
        yield from (_baseline_row(point) for point in result.baseline.points if point.size_bytes == size_bytes)


def _arm_row(arm: Arm, found: SizeResult, best: float) -> Row:
    return Row(
        label=arm.name,
        time_us=found.time_us,
        algbw_GBps=found.algbw_GBps,
        busbw_GBps=found.busbw_GBps,
        nominal_busbw_GBps=found.nominal.busbw_GBps,
        line_share=found.line_share,
        predicted_us=found.predicted_us,
        wrong=found.wrong,
        style="bold" if found.busbw_GBps == best else "",
    )


def _group_row(group: str, members: Sequence[SizeResult]) -> Row:
    """The group's median time, and the figures that follow from it."""
    time_us, one = group_median([found.samples_us for found in members]), members[0]
    faster = one.time_us / time_us
    return Row(
        label=f"{group} median",
        time_us=time_us,
        algbw_GBps=one.algbw_GBps * faster,
        busbw_GBps=one.busbw_GBps * faster,
        nominal_busbw_GBps=one.nominal.busbw_GBps * faster,
        line_share=one.line_share * faster,
        style="italic",
    )


def _baseline_row(point: BaselinePoint) -> Row:
    return Row(
        label=_GPU_ROW,
        nominal_busbw_GBps=point.busbw_GBps,
        line_share=point.line_share,
        style="cyan",
        mark="~" if point.interpolated else "",
    )


def _share_cell(row: Row) -> Text:
    return Text(row.mark + share_text(row.line_share), _share_style(row))


def _share_style(row: Row) -> str:
    if row.line_share is None or row.style == "cyan":
        return ""
    return "green" if row.line_share >= 0.9 else "yellow" if row.line_share >= 0.5 else "red"


def _bar_cell(row: Row) -> Text:
    """The share as a bar, a full one at line rate; an arrow where it passes it."""
    if row.line_share is None:
        return Text()
    eighths = round(min(1.0, row.line_share) * BAR_CELLS * 8)
    bar = ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).strip()
    return Text((bar + "▶" if row.line_share > 1.005 else bar).ljust(BAR_CELLS + 1), _share_style(row))


def _ratio_cell(row: Row) -> Text:
    """Measured time over predicted time."""
    if row.time_us is None or not row.predicted_us:
        return Text("")
    return Text(f"{row.time_us / row.predicted_us:.2f}x")


def _wrong_cell(row: Row) -> Text:
    return Text("" if row.wrong is None else str(row.wrong), "bold red" if row.wrong else "")


def _blank(text: str) -> Text:
    """Nothing where a row has no such figure by its nature."""
    return Text("" if text == UNKNOWN else text)


_BAR = 5

_PREDICTED = _Column("predicted", "", 1, lambda row: _blank(time_text(row.predicted_us)))

_COLUMNS = (
    _Column("time", "", 0, lambda row: _blank(time_text(row.time_us))),
    _Column("algbw", "GB/s", 4, lambda row: _blank(bandwidth_text(row.algbw_GBps))),
    _Column("busbw", "GB/s", 0, lambda row: _blank(bandwidth_text(row.busbw_GBps))),
    _Column("nominal", "GB/s", 3, lambda row: Text(bandwidth_text(row.nominal_busbw_GBps))),
    _Column("busbw", "of line", 0, _share_cell),
    _Column("", "", _BAR, _bar_cell),
    _PREDICTED,
    _Column("measured", "/ pred.", 2, _ratio_cell),
    _Column("#wrong", "", 0, _wrong_cell),
)


def _footnotes(result: Result) -> Iterator[Text]:
    if result.baseline:
        yield from _baseline_notes(result.baseline)
    differences = [abs(link.difference) for link in result.links if link.difference is not None]
    if differences:
        worst = share_text(max(differences))
        who = "the simulator's" if result.is_simulated else "switch counters"
        yield Text(f"Bytes per link: {who} within {worst} of the schedule's, {len(differences)} compared.", "dim")


def _baseline_notes(baseline: BaselineBeside) -> Iterator[Text]:
    line = baseline.nominal_line_rate_GBps
    of = f"its line rate is {line:g} GB/s" if line else "its line rate is not known, so no share"
    yield Text(f"{_GPU_ROW}: {baseline.name}, at equal size; {of}.", "dim")
    if any(point.interpolated for point in baseline.points):
        yield Text("~ interpolated between two measured sizes.", "dim")
    if missing := [point for point in baseline.points if point.busbw_GBps is None]:
        sizes = ", ".join(size_text(point.size_bytes) for point in missing)
        yield Text(f"No figure at {sizes}: {missing[0].why}.", "dim")
    if baseline.caveat:
        yield Text(f"Note: {baseline.caveat}.", "dim")


def _timeline(result: Result) -> Iterator[RenderableType]:
    """Only where something broke: of other runs it says nothing that a reader seeks."""
    if result.failure or result.spec.get("faults"):
        yield from _slowest(result)
        yield Text("Timeline (seconds of the run):", "bold")
        for moment in result.timeline:
            yield Text(f"  {moment.t_s:8.2f}  {moment.event}")
        yield Text()


def _slowest(result: Result) -> Iterator[RenderableType]:
    """What a fault cost shows in the slowest operation, and a median hides it."""
    for size in result.sizes():
        found = [
            f"{arm.name} {time_text(max(max(block) for block in row.samples_us))}"
            for arm in result.arms
            for row in arm.results
            if row.size_bytes == size
        ]
        yield Text(f"Slowest operation at {size_text(size)}: {', '.join(found)}")
    yield Text()


def _verdict(certificate: Certificate) -> RenderableType:
    style = _VERDICT_STYLES[certificate.verdict]
    line = Text.assemble(("Verdict: ", "bold"), (certificate.verdict, style))
    return Group(line, *(Padding(f"- {reason}", (0, 0, 0, 2), expand=False) for reason in certificate.reasons))


def _sentences(comparisons: Sequence[Comparison]) -> Iterator[RenderableType]:
    """Each pair's sentence at its largest size, its ratios at the smaller ones below; the best group's pairs first."""
    pairs: dict[frozenset[str], list[Comparison]] = {}
    for comparison in comparisons:
        pairs.setdefault(frozenset((comparison.better, comparison.than)), []).append(comparison)
    largest = [max(found, key=lambda comparison: comparison.size_bytes) for found in pairs.values()]
    wins = Counter(comparison.better for comparison in largest)
    for last in sorted(largest, key=lambda comparison: (-wins[comparison.better], comparison.ratio)):
        yield Text(last.text, "bold" if last.shown else "")
        smaller = [found for found in pairs[frozenset((last.better, last.than))] if found is not last]
        if smaller:
            ratios = ", ".join(_short(comparison, last) for comparison in reversed(smaller))
            yield Padding(Text(ratios, "dim"), (0, 0, 0, 2), expand=False)


def _short(comparison: Comparison, largest: Comparison) -> str:
    """One of the smaller sizes; the winner is named only where it is not the winner at the largest size."""
    size = size_text(comparison.size_bytes)
    if comparison.low is not None and not comparison.shown:
        return f"no difference shown at {size}"
    winner = "" if comparison.better == largest.better else f"{comparison.better} "
    return f"{winner}{comparison.ratio:.2f}x at {size}"
