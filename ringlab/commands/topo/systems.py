"""``ringlab topo systems``: real systems that fabrics can be made of."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from ringlab.errors import UsageError
from ringlab.examples_first import Command
from ringlab.json_output import STDOUT, json_option, write_json

if TYPE_CHECKING:
    from topologies.systems import System

HEADINGS = ("system", "GPU", "GPUs", "a GPU's links", "NICs", "a NIC", "a node", "network", "wired as", "measured")


@click.command(
    cls=Command,
    name="systems",
    examples=[
        "ringlab topo systems",
        "ringlab topo systems dgx-h100",
        "ringlab topo systems --json - | jq .[].source",
        "ringlab topo show system:dgx-h100-2",
        "ringlab topo draw system:polaris-4,latency=2us -o polaris.svg",
    ],
)
@click.argument("name", required=False)
@json_option
def command(*, name: str | None, json_target: str | None) -> None:
    """List real systems, or tell all of NAME: its node, its network, its source.

    system:NAME-NODES is a fabric wherever one is asked for: each GPU a host, each node's inside a switch.
    """
    from topologies import systems  # noqa: PLC0415 - networkx only where it is used
    from topologies.fabric import FabricError  # noqa: PLC0415 - likewise

    try:
        found = [systems.system(one) for one in ([name] if name else systems.names())]
    except FabricError as error:
        raise UsageError(str(error)) from None
    if json_target:
        data = [asdict(one) | {"node_rate_bps": one.node_rate_bps, "sweeps": _sweeps(one)} for one in found]
        write_json(json_target, data[0] if name else data)
    if json_target != STDOUT:
        click.echo(_described(found[0]) if name else _listed(found), nl=False)


def _listed(found: list[System]) -> str:
    from ringlab.tables import table  # noqa: PLC0415 - only where it is used

    return table(HEADINGS, [_row(one) for one in found])


def _row(one: System) -> list[object]:
    from topologies.rates import format_rate  # noqa: PLC0415 - likewise

    inside = format_rate(one.inside_rate_bps) if one.inside_rate_bps else "-"
    nic, node = format_rate(one.nic_rate_bps), format_rate(one.node_rate_bps)
    count = len(_sweeps(one))
    measured = f"{count} sweep{'s' * (count > 1)}" if count else "-"
    return [one.name, one.gpu, one.gpus, inside, one.nics, nic, node, one.network, one.wiring, measured]


def _described(one: System) -> str:
    facts = {
        "": one.title,
        "node": f"{one.gpus} x {one.gpu}, {one.nics} NICs of {_row(one)[5]}b/s, {_row(one)[6]}b/s together, one way",
        "inside": f"{one.inside}, {_row(one)[3]}b/s a GPU, one way" if one.inside else "",
        "network": f"{one.network}, wired as {one.wiring}",
        "source": one.source,
        "note": one.note,
        "measured": "\n          ".join(_sweeps(one)),
    }
    return "".join(
        f"{label:<8}  {fact}\n" if label else f"{one.name}: {fact}\n" for label, fact in facts.items() if fact
    )


def _sweeps(one: System) -> list[str]:
    """The published sweeps that were measured on it."""
    from collectives.baseline import published  # noqa: PLC0415 - slow to read

    return [sweep for sweep in published.names() if one.measured(sweep)]
