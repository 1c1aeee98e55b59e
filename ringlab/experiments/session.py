"""A run as its user sees it: progress while it lasts, the table at its end, its files in ``runs/``."""

from __future__ import annotations

from pathlib import Path

import click

from emulation.scripts import commands
from ringlab.experiments import progress, runner, store, table
from ringlab.experiments.result import Result, dumps
from ringlab.experiments.spec import Spec
from ringlab.json_output import STDOUT
from ringlab.text_files import write_text


def dry_run(spec: Spec) -> list[str]:
    """The plan, line by line; a scale of its own makes it without measuring the machine."""
    scale = runner.scale_of(spec, lambda _: None)
    return [
        f"# scale {scale.factor:g}: {scale.why}",
        *commands(runner.plan_of(spec.fabric, spec.transport, scale.factor)),
    ]


def run_and_keep(spec: Spec, text: str, root: Path, framework: str, json_target: str | None) -> Result:
    """Run, keep in ``root``, print the table (or, with ``-``, the JSON object alone) on standard output."""
    with progress.talk(total=runner.turns(spec)) as talk:
        outcome = runner.run(spec, talk.say, talk.step, framework)
    folder = store.save(root, outcome.result, outcome.nccl_tests, text)
    if json_target == STDOUT:
        click.echo(dumps(outcome.result), nl=False)
        return outcome.result
    if json_target:
        write_text(json_target, dumps(outcome.result))
    table.show(outcome.result, table.console())
    click.echo(f"plots: {folder / store.PNG} {folder / store.SVG}")
    click.echo(f"result: {folder / store.RESULT}" + (f" and {json_target}" if json_target else ""))
    return outcome.result
