"""``ringlab topo check FABRIC``: every error of a fabric's file, a line each."""

from __future__ import annotations

from typing import Any

import click

from ringlab.commands.topo.fabric_options import counts, fabric_argument, read_fabrics, reading_options
from ringlab.errors import CheckError
from ringlab.examples_first import Command
from ringlab.json_output import STDOUT, json_option, write_json


@click.command(
    cls=Command,
    name="check",
    examples=["ringlab topo check fabric.yaml", "ringlab topo check fabric.yaml --json - | jq .errors"],
)
@fabric_argument
@reading_options
@json_option
def command(*, wanted: str, json_target: str | None, **reading: Any) -> None:
    """Check FABRIC; every error is one line, FILE:LINE: field: what; what to do. Exit code 1 if there are any."""
    from ringlab.experiments import fabrics  # noqa: PLC0415 - networkx only where it is used

    errors: list[str] = []
    try:
        (fabric,) = read_fabrics([wanted], **reading)
    except fabrics.InvalidFabricError as error:
        errors = str(error).splitlines()
    if json_target:
        write_json(json_target, {"ok": not errors, "errors": errors})
    if errors:
        raise CheckError("\n".join(errors))
    if json_target != STDOUT:
        click.echo(f"{fabric.name}: ok, {counts(fabric)}")
