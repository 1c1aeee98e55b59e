"""``ringlab topo measure FABRIC ...``: fabrics side by side, a measure a row."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from ringlab import completions
from ringlab.commands.topo.fabric_options import LEAF_SPINE, read_fabrics, reading_options
from ringlab.commands.topo.measure_words import MEANINGS, figure, label
from ringlab.examples_first import Command
from ringlab.json_output import STDOUT, json_option, write_json


@click.command(
    cls=Command,
    name="measure",
    examples=[
        f"ringlab topo measure {LEAF_SPINE} ring:switches=8,hosts=1",
        "ringlab topo measure a.yaml b.graphml c.clab.yml",
        "ringlab topo measure fabric.yaml --json - | jq .[0].measures.bisection_bps",
    ],
)
@click.argument("wanted", metavar="FABRIC...", nargs=-1, required=True, shell_complete=completions.fabrics)
@reading_options
@json_option
def command(*, wanted: tuple[str, ...], json_target: str | None, **reading: Any) -> None:
    """Print the measures of each FABRIC, side by side."""
    from ringlab.tables import table  # noqa: PLC0415 - only where it is used
    from topologies.measures import measures  # noqa: PLC0415 - networkx only where it is used

    fabrics = read_fabrics(wanted, **reading)
    found = [measures(fabric) for fabric in fabrics]
    if json_target:
        named = zip(wanted, fabrics, found, strict=True)
        data = [{"fabric": one, "name": fabric.name, "measures": asdict(of_it)} for one, fabric, of_it in named]
        write_json(json_target, data)
    if json_target != STDOUT:
        names = [fabric.name for fabric in fabrics]
        heads = names if len(set(names)) == len(names) else wanted
        rows = [[label(field), *(figure(field, of_it) for of_it in found), MEANINGS[field]] for field in MEANINGS]
        click.echo(table(["", *heads, ""], rows), nl=False)
