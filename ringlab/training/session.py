"""A training as its user sees it: progress while it lasts, the table at its end, its files in ``runs/``."""

from __future__ import annotations

from pathlib import Path

import click

from emulation.scripts import commands
from ringlab.experiments import progress, store
from ringlab.experiments.runner import plan_of
from ringlab.experiments.session import known_scale
from ringlab.experiments.table import console
from ringlab.json_output import STDOUT
from ringlab.text_files import write_text
from ringlab.training import plot, runner, table
from ringlab.training.result import TrainResult, dumps
from ringlab.training.spec import TrainSpec

PNG = "training.png"
SVG = "training.svg"


def dry_run(spec: TrainSpec) -> list[str]:
    """The plan, line by line, and the turns."""
    head, factor = known_scale(spec.scale, lambda: runner.scale_of(spec, lambda _: None))
    lines = [head, *commands(plan_of(spec.fabric, spec.transport, factor))]
    return [*lines, *(f"# turn: {turn.name}" for turn in runner.turns(spec))]


def run_and_keep(spec: TrainSpec, text: str, root: Path, framework: str, json_target: str | None) -> TrainResult:
    """Run, keep in ``root``, print the table (or, with ``-``, the JSON object alone) on standard output."""
    with progress.talk(total=len(runner.turns(spec)) * spec.repeats) as talk:
        result = runner.run(spec, talk.say, talk.step, framework)
    folder = _save(root, result, text)
    if json_target == STDOUT:
        click.echo(dumps(result), nl=False)
        return result
    if json_target:
        write_text(json_target, dumps(result))
    table.show(result, console())
    click.echo(f"plots: {folder / PNG} {folder / SVG}")
    click.echo(f"result: {folder / store.RESULT}" + (f" and {json_target}" if json_target else ""))
    return result


def _save(root: Path, result: TrainResult, text: str) -> Path:
    return store.save_files(
        root / result.id,
        {
            store.RESULT: dumps(result).encode(),
            SVG: plot.svg(result).encode(),
            PNG: plot.png(result),
            store.SPEC: text.encode(),
        },
    )
