"""``ringlab topo show | draw | check | measure | convert | systems``: fabrics, unbuilt; one file a verb."""

from __future__ import annotations

import click

from ringlab.commands.topo import check, convert, draw, measure, show, systems
from ringlab.commands.topo.fabric_options import LEAF_SPINE
from ringlab.examples_first import Group


@click.group(
    cls=Group,
    examples=[
        f"ringlab topo show {LEAF_SPINE}",
        "ringlab topo check fabric.yaml",
        "ringlab topo measure a.yaml b.graphml c.clab.yml",
        "ringlab topo convert zoo.graphml --hosts-per-switch 2 -o fabric.yaml",
        "ringlab topo show system:dgx-h100-2",
    ],
)
def command() -> None:
    """Look at a FABRIC: a short form such as leaf-spine:leaves=4,spines=2,hosts=2, or a file.

    system:dgx-h100-2 is two nodes of a real system; ringlab topo systems lists them.

    Files may be YAML or JSON (ours), GraphML, containerlab topologies, htsim's .topo, or ns-3's edge lists; see
    docs/reference/fabric-files.md and docs/how-to/interchange-simulators.md.
    """


for verb in (show, draw, check, measure, convert, systems):
    command.add_command(verb.command)
