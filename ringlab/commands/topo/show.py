"""``ringlab topo show FABRIC``: its measures and its links."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from ringlab.commands.topo.fabric_options import LEAF_SPINE, counts, fabric_argument, read_fabrics, reading_options
from ringlab.commands.topo.measure_words import MEANINGS, figure, label
from ringlab.examples_first import Command
from ringlab.json_output import STDOUT, json_option, write_json

if TYPE_CHECKING:
    from topologies.fabric import Fabric

COUNTED = ("hosts", "switches", "links")  # they stand in the first line
LABEL_WIDTH = 18


@click.command(
    cls=Command,
    name="show",
    examples=[
        f"ringlab topo show {LEAF_SPINE}",
        "ringlab topo show ring:switches=8,hosts=1,host_rate=400G,latency=2us",
        f"ringlab topo show {LEAF_SPINE} --yaml > fabric.yaml",
        "ringlab topo show lab.clab.yml --rate 25G",
        "ringlab topo show fabric.yaml --json -",
    ],
)
@fabric_argument
@click.option("--yaml", "as_yaml", is_flag=True, help="Print the fabric as a file that can be edited and read back.")
@reading_options
@json_option
def command(*, wanted: str, as_yaml: bool, json_target: str | None, **reading: Any) -> None:
    """Print FABRIC's measures and its links."""
    from topologies import formats  # noqa: PLC0415 - networkx only where it is used
    from topologies.measures import measures  # noqa: PLC0415 - likewise

    (fabric,) = read_fabrics([wanted], **reading)
    if json_target:
        write_json(json_target, {"fabric": formats.to_data(fabric), "measures": asdict(measures(fabric))})
    if json_target != STDOUT:
        click.echo(formats.dumps(fabric) if as_yaml else _described(fabric), nl=False)


def _described(fabric: Fabric) -> str:
    from ringlab.tables import table  # noqa: PLC0415 - likewise
    from topologies.measures import measures  # noqa: PLC0415 - likewise
    from topologies.rates import format_latency, format_rate  # noqa: PLC0415 - likewise

    found = measures(fabric)
    measured = [
        f"{label(field):<{LABEL_WIDTH}}{figure(field, found)}  {meaning}"
        for field, meaning in MEANINGS.items()
        if field not in COUNTED
    ]
    rows: list[list[Any]] = [
        [link.name, str(link.a), str(link.b), format_rate(link.rate_bps), format_latency(link.latency_s)]
        for link in fabric.links
    ]
    links = table(["link", "a", "b", "rate", "latency"], rows)
    return "\n".join([f"{fabric.name}: {counts(fabric)}", *measured, "", links])
