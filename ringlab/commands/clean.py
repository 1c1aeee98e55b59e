"""``ringlab clean``: removes what dead runs left behind, exactly that."""

from __future__ import annotations

import click

from ringlab.examples_first import Command
from ringlab.json_output import STDOUT, json_option, write_json


@click.command(cls=Command, examples=["ringlab clean", "ringlab clean --json -"])
@json_option
def command(json_target: str | None) -> None:
    """Remove what a killed run left behind: its bridges, links and processes. Living runs and foreign things stay."""
    from emulation.cleanup import clean  # noqa: PLC0415 - only where it is used

    found = clean()
    if json_target:
        write_json(
            json_target, {"removed": list(found.removed), "alive": list(found.alive), "settings": list(found.settings)}
        )
    if json_target != STDOUT:
        click.echo(" ".join([f"dead labs removed: {len(found.removed)}", *found.removed]))
        if found.settings:
            click.echo(f"settings of the machine put back: {' '.join(found.settings)}")
        if found.alive:
            click.echo(f"left alone, for they live: {' '.join(found.alive)}")
