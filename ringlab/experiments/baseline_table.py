"""Baselines in the terminal and as data: the list of all, and one size by size."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from collectives.baseline import Baseline
from ringlab.experiments.figures import bandwidth_text, share_text, size_text, time_text


def listing(baselines: Sequence[Baseline], own: Collection[str] = ()) -> RenderableType:
    """A line a baseline under a line for each system; names stay whole, as they are what one types next.

    ``own`` are the names that the user gave: their systems' lines say so.
    """
    rows = [_listed(baseline) for baseline in baselines]
    widths = [max(map(len, column)) for column in zip(_LISTED, *rows, strict=True)]
    lines = [Text(_aligned(_LISTED, widths), "bold", no_wrap=True)]
    system = ""
    for baseline, row in zip(baselines, rows, strict=True):
        yours = "yours, " if baseline.name in own else ""
        if system != (system := f"{yours}{baseline.gpu}: {baseline.network}"):
            lines += [Text(), Text(system, "dim", no_wrap=True, overflow="ellipsis")]
        lines.append(Text(_aligned(row, widths), no_wrap=True))
    hints = ["GB/s: the best busbw; share: of what a ring could reach at most on that system's links."]
    if single := [baseline.name for baseline in baselines if len(baseline.points) == 1]:
        hints.append(f"One size only: {', '.join(single)}")
    hints.append("Every size, and the source: ringlab baseline show NAME")
    return Group(*lines, Text(), *(Text(hint, "dim") for hint in hints))


def listing_data(baseline: Baseline, own: Collection[str] = ()) -> dict[str, Any]:
    """A row of the list: the system and its best size, without the sweep; whether it is the user's own."""
    data = _system_data(baseline)
    sizes = [point.size_bytes for point in baseline.points]
    more = {"own": baseline.name in own, "sizes": len(sizes)}
    return data | more | {"min_bytes": sizes[0], "max_bytes": sizes[-1], "best": asdict(baseline.best())}


def details(baseline: Baseline) -> RenderableType:
    """The system, its line rate with the reason, and every size; in place beside where it was measured."""
    table = _table()
    in_place = any(point.in_place_us is not None for point in baseline.points)
    heads = ("size", "time", "algbw\nGB/s", "busbw\nGB/s", "busbw\nof line")
    for head in (*heads, *(("in place\ntime", "in place\nbusbw") if in_place else ())):
        table.add_column(Text(head, justify="right"), justify="right", no_wrap=True)
    for reading in baseline.readings():
        beside = (time_text(reading.in_place_us), bandwidth_text(reading.in_place_busbw_GBps))
        table.add_row(
            size_text(reading.size_bytes),
            time_text(reading.time_us),
            bandwidth_text(reading.algbw_GBps),
            bandwidth_text(reading.busbw_GBps),
            share_text(reading.line_share),
            *(beside if in_place else ()),
        )
    return Group(_facts(baseline), Text(), table)


def details_data(baseline: Baseline) -> dict[str, Any]:
    """The system and every size of the sweep."""
    return _system_data(baseline) | {"points": [asdict(reading) for reading in baseline.readings()]}


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False, header_style="bold")


_LISTED = ("name", "GPUs", "up to", "GB/s", "share")


def _listed(baseline: Baseline) -> tuple[str, ...]:
    best = baseline.best()
    return (
        baseline.name,
        f"{baseline.nodes}x{baseline.gpus_per_node}" if baseline.gpus_per_node else str(baseline.nranks),
        size_text(baseline.points[-1].size_bytes).replace(" ", ""),
        bandwidth_text(best.busbw_GBps),
        share_text(best.line_share).replace(" ", ""),
    )


def _aligned(words: Sequence[str], widths: Sequence[int]) -> str:
    """The name to the left, figures to the right."""
    name, *figures = (
        word.rjust(width) if place else word.ljust(width)
        for place, (word, width) in enumerate(zip(words, widths, strict=True))
    )
    return "  ".join((name, *figures))


def _facts(baseline: Baseline) -> Table:
    """Name and value of what is known; a grid, so that long values wrap beside their names."""
    line = baseline.nominal_line_rate_GBps
    facts = {
        "baseline": baseline.name,
        "collective": f"{baseline.collective}, {baseline.nranks} ranks",
        "system": f"{baseline.gpu}, {_shape(baseline)}",
        "network": baseline.network,
        "library": baseline.library,
        "line rate": f"{'unknown' if line is None else f'{line:.4g} GB/s'} ({baseline.line_rate_why})",
        "note": "; ".join(part for part in (baseline.note, baseline.caveat) if part),
        "source": baseline.source,
    }
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts.items():
        if value:
            grid.add_row(name, Text(value))
    return grid


def _shape(baseline: Baseline) -> str:
    if baseline.nodes is None:
        return "on how many nodes is not stated"
    if baseline.gpus_per_node is None:
        return f"{baseline.nodes} nodes, unequal"
    return f"{baseline.nodes} node{'s' if baseline.nodes != 1 else ''} x {baseline.gpus_per_node}"


def _system_data(baseline: Baseline) -> dict[str, Any]:
    """All fields but the sweep."""
    data = asdict(baseline) | {"caveat": baseline.caveat}
    del data["points"]
    return data
