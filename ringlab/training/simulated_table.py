"""A simulated training in the terminal: a row a combination, memory, and what the words mean."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ringlab.experiments.figures import share_text
from ringlab.training.simulated_run import Outcome, parts_of

SHORT = {"gradients": "grads", "parameters": "params"}
"""Of parts, so that all columns fit."""


def show(outcome: Outcome, out: Console) -> None:
    out.print(render(outcome))


def render(outcome: Outcome) -> RenderableType:
    return Group(_head(outcome), Text(), _table(outcome), Text(), *map(Text, _words(outcome)))


def _head(outcome: Outcome) -> Text:
    spec, cut = outcome.spec, outcome.spec.parallel
    degrees = ", ".join(f"{name} {getattr(cut, name)}" for name in ("data", "tensor", "pipeline", "expert", "zero"))
    return Text.assemble(
        (spec.name, "bold"),
        f"  {spec.model.name}, {spec.model.parameters / 1e9:.4g} B parameters, on {cut.devices} x {spec.device.name} "
        f"({len(spec.placements[0].hosts)} hosts of {spec.fabric.name}); simulated\n"
        f"{degrees}; {spec.batch:,} samples of {spec.model.sequence:,} tokens a step, "
        f"{cut.micro_batches(spec.batch)} micro-batches of {cut.micro_batch}",
    )


def _table(outcome: Outcome) -> Table:
    """All times in one unit: seconds, or milliseconds where all steps are shorter than one."""
    unit, scale, digits = ("s", 1.0, 3) if max(row.step.step_s for row in outcome.rows) >= 1 else ("ms", 1e3, 2)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", show_edge=False)
    for head in ("placement", "routing"):
        table.add_column(head, no_wrap=True, vertical="bottom")
    parts = parts_of(outcome)
    heads = [("bucket", "MiB"), ("step", unit), *((SHORT.get(name, name), unit) for name, _ in parts)]
    for head, under in (*heads, ("MFU", ""), ("tokens", "/s")):
        table.add_column(Text.assemble(head, (f"\n{under}", "not bold dim")), justify="right", no_wrap=True)
    for row in outcome.rows:
        found = row.step
        table.add_row(
            row.placement,
            row.arm,
            f"{row.bucket_mb:g}",
            f"{found.step_s * scale:.{digits}f}",
            *(f"{seconds(found) * scale:.{digits}f}" for _, seconds in parts),
            share_text(found.mfu),
            f"{found.tokens_per_s:,.0f}",
        )
    return table


def _words(outcome: Outcome) -> Iterator[str]:
    yield (
        "Parts add up to the step: computation, the pipeline's idle time, and what is exposed of each kind of "
        "communication. MFU: the model's FLOPs over the devices' peak."
    )
    memory, has = outcome.rows[0].step.memory, outcome.spec.device.memory_bytes
    held = ", ".join(
        f"{name} {getattr(memory, name) / 1e9:.3g}" for name in ("parameters", "gradients", "optimizer", "activations")
    )
    yield f"memory of the fullest device: {memory.total / 1e9:.1f} of {has / 1e9:.0f} GB ({held})"
    best = min(outcome.rows, key=lambda row: row.step.step_s)
    worst = max(outcome.rows, key=lambda row: row.step.step_s)
    if worst.step.step_s > best.step.step_s * 1.0005:
        yield (
            f"fastest: {best.placement}, {best.arm}, {best.bucket_mb:g} MiB; "
            f"slowest: {worst.placement}, {worst.arm}, {worst.bucket_mb:g} MiB, "
            f"{worst.step.step_s / best.step.step_s:.2f}x as long"
        )
