"""A simulated training as its user sees it: the table, its files in ``runs/``, and whether the model fits at all."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ringlab.errors import CheckError
from ringlab.experiments import store
from ringlab.experiments.table import console
from ringlab.json_output import STDOUT, write_json
from ringlab.training import simulated_plot, simulated_run, simulated_spec, simulated_table
from ringlab.training.session import PNG, SVG


def run_and_keep(path: Path, root: Path, json_target: str | None) -> None:
    """Simulate, keep in ``root``, print the table (or, with ``-``, the JSON object alone) on standard output.

    CheckError, after all that, where a device's memory is too small.
    """
    spec, text = simulated_spec.read(path)
    outcome = simulated_run.run(spec)
    data = simulated_run.to_data(outcome)
    folder = store.save_files(
        root / outcome.id,
        {
            store.RESULT: (json.dumps(data, indent=2) + "\n").encode(),
            SVG: simulated_plot.svg(outcome).encode(),
            PNG: simulated_plot.png(outcome),
            store.SPEC: text.encode(),
        },
    )
    if json_target:
        write_json(json_target, data)
    if json_target != STDOUT:
        simulated_table.show(outcome, console())
        click.echo(f"plots: {folder / PNG} {folder / SVG}")
        click.echo(f"result: {folder / store.RESULT}" + (f" and {json_target}" if json_target else ""))
    if not outcome.memory_fits:
        needs, has = outcome.rows[0].step.memory.total / 1e9, spec.device.memory_bytes / 1e9
        raise CheckError(
            f"{spec.name}: does not fit: {needs:.1f} GB on the fullest device, and {spec.device.name} has {has:.0f}; "
            "raise tensor, pipeline or zero, or recompute: full"
        )
