"""A training's result in the terminal: a row a combination, the losses, what each choice did, what happened when."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ringlab.experiments.figures import UNKNOWN, rate_text, share_text
from ringlab.training.result import Ratio, TrainResult
from ringlab.training.rows import Row, rows

HEADS = ("step", "quartiles", "compute", "exposed", "", "on way", "alone")
UNITS = ("ms", "ms", "ms", "ms", "of step", "ms", "ms")


def show(result: TrainResult, out: Console) -> None:
    out.print(render(result))


def render(result: TrainResult) -> RenderableType:
    parts: list[RenderableType] = [_head(result), Text(), _table(result), Text(), *map(Text, _meaning(result))]
    if result.effects:
        parts += [Text(), _effects(result)]
    return Group(*parts, Text(), *map(Text, _findings(result)))


def _head(result: TrainResult) -> Text:
    layers = "-".join(map(str, result.layers)) if len(result.layers) <= 6 else _shortened(result.layers)
    text = Text.assemble(
        (result.name, "bold"),
        f"  DDP on {result.ranks} hosts, {result.parameters:,} parameters ({layers}), {result.batch} samples a rank\n",
        f"line rate {rate_text(result.line_rate_bps)}",
    )
    if result.scale != 1:
        nominal = rate_text(result.nominal_line_rate_bps)
        text.append(
            f", standing for {nominal} (time dilation: {result.scale:g}x slower), "
            f"and ranks for processors {result.scale:g}x as fast as here"
        )
    return text


def _shortened(layers: tuple[int, ...]) -> str:
    """``32-256x8-8``: runs of equal widths counted."""
    parts: list[list[int]] = [[layers[0], 1]]
    for before, width in pairwise(layers):
        if width == before:
            parts[-1][1] += 1
        else:
            parts.append([width, 1])
    return "-".join(f"{width}x{count}" if count > 1 else str(width) for width, count in parts)


def _table(result: TrainResult) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", show_edge=False)
    for head in ("placement", "routing", "backend"):
        table.add_column(head, no_wrap=True, vertical="bottom")
    for head, unit in (("bucket", "MiB"), ("", "count"), *zip(HEADS, UNITS, strict=True)):
        table.add_column(Text.assemble(head, (f"\n{unit}", "not bold dim")), justify="right", no_wrap=True)
    found = rows(result)
    for before, row in zip((None, *found), found, strict=False):
        if before and (before.placement, before.arm, before.backend) != (row.placement, row.arm, row.backend):
            table.add_section()
        table.add_row(row.placement, row.arm, row.backend, *_cells(row))
    return table


def _cells(row: Row) -> Iterator[str]:
    yield f"{row.bucket_mb:g}"
    yield str(row.buckets)
    yield _ms(row.step_s)
    yield f"{_ms(row.spread.low)} - {_ms(row.spread.high)}"
    yield _ms(row.computation_s)
    yield _ms(row.exposed_s)
    yield share_text(row.exposed_share)
    yield _ms(row.communication_s)
    yield _ms(row.alone_s)


def _ms(seconds: float | None) -> str:
    """Three digits or more."""
    return UNKNOWN if seconds is None else f"{seconds * 1e3:.1f}" if seconds < 0.09995 else f"{seconds * 1e3:.0f}"


def _effects(result: TrainResult) -> Table:
    """Ratios; an interval that holds 1 shows no difference, and its row is dim."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", show_edge=False)
    for head in ("effect of", "of", "over"):
        table.add_column(head, no_wrap=True)
    for head in ("step", "exposed"):
        table.add_column(head, justify="right", no_wrap=True)
    for effect in result.effects:
        shown = effect.step.shown or effect.exposed.shown
        cells = effect.what, effect.one, effect.other, _ratio(effect.step), _ratio(effect.exposed)
        table.add_row(*cells, style="" if shown else "dim")
    return table


def _ratio(ratio: Ratio) -> str:
    if ratio.low is None or ratio.high is None:
        return f"{ratio.ratio:.2f}x"
    return f"{ratio.ratio:.2f}x [{ratio.low:.2f}, {ratio.high:.2f}]"


def _meaning(result: TrainResult) -> Iterator[str]:
    yield (
        f"Medians over the steps of all turns but the first {result.warmup} of each; 'exposed': backward is computed "
        "and gradients are still on their way."
    )
    yield "'on way': some bucket is on its way; 'alone': the same step sending nothing, on the same busy processors."


def _findings(result: TrainResult) -> Iterator[str]:
    notes = {ratio.note for effect in result.effects for ratio in (effect.step, effect.exposed) if ratio.note}
    if result.effects:
        yield "An interval that holds 1 shows no difference" + "".join(f"; {note}" for note in sorted(notes)) + "."
    yield from loss_lines(result)
    yield from (f"{check.verdict}: {check.detail}" for check in result.checks if check.verdict != "valid")
    if result.spec.get("faults"):
        yield ""
        yield from (f"{moment.t_s:8.2f} s  {moment.event}" for moment in result.timeline)


def loss_lines(result: TrainResult) -> Iterator[str]:
    """How far it fell, and how far the curves are apart."""
    longest = max((one.steps for one in result.trainings), key=len, default=())
    if longest:
        yield f"loss: from {longest[0].loss:.4f} to {longest[-1].loss:.4f} in {len(longest)} steps"
    for check in result.losses:
        allowed = f"allowed {check.allowed:g}" if check.allowed else "must be none: two ranks add in one order"
        yield (
            f"loss, buckets of {check.bucket_mb:g} MiB: the largest difference of {check.trainings} trainings from "
            f"{check.reference}'s, over ranks and steps, is {check.largest:.2g} of the loss ({allowed})"
            + ("" if check.ok else ": TOO MUCH")
        )
