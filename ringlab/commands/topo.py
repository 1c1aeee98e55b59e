"""``ringlab topo show | draw | check FABRIC``: look at a fabric without building it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from ringlab.errors import CheckError
from ringlab.examples_first import Command, Group
from ringlab.json_output import STDOUT, json_option, write_json
from ringlab.text_files import write_text

if TYPE_CHECKING:
    from topologies.fabric import Fabric

LEAF_SPINE = "leaf-spine:leaves=4,spines=2,hosts=2"

fabric_argument = click.argument("wanted", metavar="FABRIC")


@click.group(cls=Group, examples=[f"ringlab topo show {LEAF_SPINE}", "ringlab topo check fabric.yaml"])
def command() -> None:
    """Show, draw or check a FABRIC: a short form such as leaf-spine:leaves=4,spines=2,hosts=2, or a file."""


@command.command(
    cls=Command,
    examples=[
        f"ringlab topo show {LEAF_SPINE}",
        "ringlab topo show ring:switches=8,hosts=1,host_rate=400G,latency=2us",
        f"ringlab topo show {LEAF_SPINE} --yaml > fabric.yaml",
        "ringlab topo show fabric.yaml --json -",
    ],
)
@fabric_argument
@click.option("--yaml", "as_yaml", is_flag=True, help="Print the fabric as a file that can be edited and read back.")
@json_option
def show(wanted: str, as_yaml: bool, json_target: str | None) -> None:
    """Print FABRIC's measures and its links."""
    from ringlab.experiments import fabrics  # noqa: PLC0415 - networkx only where it is used
    from topologies import formats  # noqa: PLC0415 - likewise
    from topologies.measures import measures  # noqa: PLC0415 - likewise

    fabric = fabrics.read(wanted)
    if json_target:
        write_json(json_target, {"fabric": formats.to_data(fabric), "measures": asdict(measures(fabric))})
    if json_target != STDOUT:
        click.echo(formats.dumps(fabric) if as_yaml else _described(fabric), nl=False)


@command.command(
    cls=Command,
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
def draw(wanted: str, output: str, language: str) -> None:
    """Draw FABRIC as SVG: a leaf-spine in tiers, a ring as a circle."""
    from ringlab.experiments import fabrics  # noqa: PLC0415 - likewise
    from topologies import diagrams, drawing  # noqa: PLC0415 - likewise

    languages: dict[str, Callable[[Fabric], str]] = {
        "svg": drawing.draw,
        "dot": diagrams.to_dot,
        "mermaid": diagrams.to_mermaid,
    }
    text = languages[language](fabrics.read(wanted))
    if output == STDOUT:
        click.echo(text, nl=False)
    else:
        write_text(output, text)
        click.echo(f"drawn: {output}", err=True)


@command.command(
    cls=Command, examples=["ringlab topo check fabric.yaml", "ringlab topo check fabric.yaml --json - | jq .errors"]
)
@fabric_argument
@json_option
def check(wanted: str, json_target: str | None) -> None:
    """Check FABRIC; every error is one line, FILE:LINE: field: what; what to do. Exit code 1 if there are any."""
    from ringlab.experiments import fabrics  # noqa: PLC0415 - likewise

    errors: list[str] = []
    try:
        fabric = fabrics.read(wanted)
    except fabrics.InvalidFabricError as error:
        errors = str(error).splitlines()
    if json_target:
        write_json(json_target, {"ok": not errors, "errors": errors})
    if errors:
        raise CheckError("\n".join(errors))
    if json_target != STDOUT:
        click.echo(f"{fabric.name}: ok, {_counts(fabric)}")


def _counts(fabric: Fabric) -> str:
    return f"{len(fabric.hosts)} hosts, {len(fabric.switches)} switches, {len(fabric.links)} links"


def _described(fabric: Fabric) -> str:
    from ringlab.tables import table  # noqa: PLC0415 - likewise
    from topologies.measures import measures  # noqa: PLC0415 - likewise
    from topologies.rates import format_latency, format_rate  # noqa: PLC0415 - likewise

    found = measures(fabric)
    rows: list[list[Any]] = [
        [link.name, str(link.a), str(link.b), format_rate(link.rate_bps), format_latency(link.latency_s)]
        for link in fabric.links
    ]
    lines = [
        f"{fabric.name}: {_counts(fabric)}",
        f"line rate         {format_rate(round(found.line_rate_bps))}b/s  each host, when all of it leaves its switch",
        f"oversubscription  {found.oversubscription:g}:1  host links to uplinks of the worst switch",
        f"bisection         {format_rate(found.bisection_bps)}b/s  from the first half of the hosts to the second",
        f"diameter          {found.diameter} links between the two hosts furthest apart",
        "",
        table(["link", "a", "b", "rate", "latency"], rows),
    ]
    return "\n".join(lines)
