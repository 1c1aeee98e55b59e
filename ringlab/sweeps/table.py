"""A sweep in the terminal: a row an arm and combination, then what failed and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from ringlab import tables
from ringlab.experiments.figures import bandwidth_text, share_text, size_text, time_text
from ringlab.experiments.table import console
from ringlab.sweeps.rows import Row, changes_text, rows, value_text
from ringlab.sweeps.scenario import DRAW, Scenario
from ringlab.sweeps.sweep_file import Sweep

if TYPE_CHECKING:
    from ringlab.sweeps.session import Found

__all__ = ["console", "listing", "render", "show"]

MAX_ROWS = 100
MAX_FAILURES = 10


def show(sweep: Sweep, found: Sequence[Found], out: Console) -> None:
    for part in render(sweep, found):
        out.print(part)


def render(sweep: Sweep, found: Sequence[Found]) -> Iterator[RenderableType]:
    good = [one for one in found if one.ok]
    bad = [one for one in found if not one.ok]
    failed = f", {len(bad)} failed" if bad else ""
    yield Text.assemble((sweep.name, "bold"), f"  {len(found)} {sweep.backend} scenarios{failed}")
    yield Text()
    lines = rows([(one.scenario.changes, one.record["result"]) for one in good])
    if lines:
        yield _table([field for field in sweep.fields if field != DRAW], lines[:MAX_ROWS])
        if len(lines) > MAX_ROWS:
            yield Text(f"... and {len(lines) - MAX_ROWS} more rows: --json gives all", "dim")
    for one in bad[:MAX_FAILURES]:
        yield Text.assemble(("failed: ", "bold red"), f"{changes_text(one.scenario.changes)}: {one.record['error']}")
    if len(bad) > MAX_FAILURES:
        yield Text(f"... and {len(bad) - MAX_FAILURES} more failed", "dim")


def _table(fields: Sequence[str], lines: Sequence[Row]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", show_edge=False)
    for field in fields:
        table.add_column(field, justify="right" if _numeric(field, lines) else "left", overflow="fold")
    table.add_column("arm")
    table.add_column("size", justify="right", no_wrap=True)
    drawn = any(len(line.samples) > 1 for line in lines)
    for head in (
        *(["draws"] if drawn else []),
        "time",
        *(["slowest"] if drawn else []),
        "busbw\nGB/s",
        "busbw\nof line",
    ):
        table.add_column(head, justify="right", no_wrap=True, vertical="bottom")
    before: list[str] = []
    for line in lines:
        cells = [value_text(line.changes[field]) if field in line.changes else "" for field in fields]
        middle = line.median
        table.add_row(
            *(cells if cells != before else [""] * len(cells)),
            line.arm,
            size_text(line.size_bytes),
            *([str(len(line.samples))] if drawn else []),
            time_text(middle.time_us),
            *([time_text(line.slowest.time_us)] if drawn else []),
            bandwidth_text(middle.busbw_GBps),
            share_text(middle.line_share),
        )
        before = cells
    return table


def _numeric(field: str, lines: Sequence[Row]) -> bool:
    return all(isinstance(line.changes.get(field), (int, float)) for line in lines)


def listing(sweep: Sweep, scenarios: Sequence[Scenario]) -> str:
    """A line a scenario: its id, its seed and what it changes."""
    heads = ["id", "seed", *sweep.fields]
    lines = [
        [scenario.id, scenario.data["seed"], *(value_text(scenario.changes.get(field, "")) for field in sweep.fields)]
        for scenario in scenarios
    ]
    return tables.table(heads, lines)
