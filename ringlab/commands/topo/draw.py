"""``ringlab topo draw FABRIC``: as SVG, or in the language of another drawing program."""

from __future__ import annotations

from typing import Any

import click

from ringlab.commands.topo.fabric_options import LEAF_SPINE, fabric_argument, read_fabrics, reading_options
from ringlab.examples_first import Command
from ringlab.json_output import STDOUT
from ringlab.text_files import write_text


@click.command(
    cls=Command,
    name="draw",
    examples=[
        f"ringlab topo draw {LEAF_SPINE} -o fabric.svg",
        "ringlab topo draw fabric.yaml --format dot | dot -Tpdf -o fabric.pdf",
        "ringlab topo draw ring:switches=8,hosts=1 --format mermaid",
    ],
)
@fabric_argument
@click.option("-o", "--output", metavar="FILE|-", default=STDOUT, show_default=True, help="Where the drawing goes.")
@click.option(
    "--format", "language", type=click.Choice(["svg", "dot", "mermaid"]), default="svg", show_default=True,
    help="The drawing's language.",
)  # fmt: skip
@reading_options
def command(*, wanted: str, output: str, language: str, **reading: Any) -> None:
    """Draw FABRIC: as SVG, or in the language of another drawing program."""
    from topologies.exchange import FORMATS  # noqa: PLC0415 - networkx only where it is used

    (fabric,) = read_fabrics([wanted], **reading)
    text = FORMATS[language].dumps(fabric)
    if output == STDOUT:
        click.echo(text, nl=False)
    else:
        write_text(output, text)
        click.echo(f"drawn: {output}", err=True)
