"""``ringlab topo convert FABRIC -o FILE``: from one format to another, and word of what the other can't hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ringlab.commands.topo.fabric_options import LEAF_SPINE, fabric_argument, read_fabrics, reading_options
from ringlab.errors import UsageError
from ringlab.examples_first import Command
from ringlab.json_output import STDOUT
from ringlab.talk import say
from ringlab.text_files import write_text

if TYPE_CHECKING:
    from topologies.fabric import Fabric

TARGETS = ("yaml", "json", "graphml", "containerlab", "htsim", "ns3", "simai", "mininet", "dot", "mermaid", "svg")
"""As in ``topologies.exchange``, which is imported late; a test holds the two together."""

MAX_SCALE = 1e9
"""1000 Tb/s, the fastest link there is, at 1 Mb/s."""


@click.command(
    cls=Command,
    name="convert",
    examples=[
        "ringlab topo convert fabric.yaml -o fabric.graphml",
        "ringlab topo convert lab.clab.yml --rate 25G -o fabric.yaml",
        "ringlab topo convert zoo.graphml --hosts-per-switch 2 -o fabric.yaml",
        f"ringlab topo convert {LEAF_SPINE} -o fabric.clab.yml",
        f"ringlab topo convert {LEAF_SPINE} -o fabric.topo",
        f"ringlab topo convert {LEAF_SPINE} -o fabric.py && mn --custom fabric.py --topo fabric --arp",
    ],
)
@fabric_argument
@click.option("-o", "--output", metavar="FILE|-", default=STDOUT, show_default=True, help="Where it goes.")
@click.option("--to", "target", type=click.Choice(TARGETS), help="The format.  [default: by FILE's ending]")
@click.option("--scale", type=float, help="Time dilation of a Mininet script.  [default: what fits 1000 Mb/s]")
@reading_options
def command(*, wanted: str, output: str, target: str | None, scale: float | None, **reading: Any) -> None:
    """Write FABRIC in another format. What that format can't hold is said on standard error.

    yaml, json and graphml hold a fabric exactly; containerlab all but some names; htsim, ns3 and simai no names, and
    htsim leaf-spines and fat-trees alone; the others are not read back.
    """
    from topologies.exchange import FORMATS, by_ending  # noqa: PLC0415 - networkx only where it is used

    target = target or by_ending(output)
    if target is None:
        what = "standard output has no ending" if output == STDOUT else f"{output}: an ending of no format"
        raise UsageError(f"{what}; name the format: --to {'|'.join(TARGETS)}")
    (fabric,) = read_fabrics([wanted], **reading)
    text = _scaled(fabric, target, scale) if scale is not None else FORMATS[target].dumps(fabric)
    for line in FORMATS[target].lost(fabric):
        say(line)
    if output == STDOUT:
        click.echo(text, nl=False)
    else:
        write_text(output, text)
        click.echo(f"written: {output} ({target})", err=True)


def _scaled(fabric: Fabric, target: str, scale: float) -> str:
    from topologies import mininet_script  # noqa: PLC0415 - likewise

    if target != "mininet":
        raise UsageError("--scale is for a Mininet script; other formats state the fabric as it is")
    if not 1 <= scale <= MAX_SCALE:
        raise UsageError(f"--scale: {scale:g} is no time dilation; give from 1 to {MAX_SCALE:g}")
    return mininet_script.dumps(fabric, scale)
