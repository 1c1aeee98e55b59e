"""What every verb of ``topo`` takes: a FABRIC, and how to read the files of other tools."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from ringlab import completions
from ringlab.errors import UsageError

if TYPE_CHECKING:
    from topologies.fabric import Fabric

LEAF_SPINE = "leaf-spine:leaves=4,spines=2,hosts=2"
SOURCES = ("yaml", "json", "graphml", "containerlab", "htsim", "ns3", "simai")
"""As in ``topologies.exchange``, which is imported late; a test holds the two together."""

fabric_argument = click.argument("wanted", metavar="FABRIC", shell_complete=completions.fabrics)


def reading_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--from``, ``--rate`` and ``--hosts-per-switch``; the command hands them on to ``read_fabrics``."""
    for option in (
        click.option("--hosts-per-switch", type=click.IntRange(1, 1024), help="Hosts to add where a file has none."),
        click.option("--rate", metavar="RATE", help="Rate of links whose file states none.  [default: 100G]"),
        click.option("--from", "source", type=click.Choice(SOURCES), help="The file's format.  [default: its text]"),
    ):
        function = option(function)
    return function


def read_fabrics(
    wanted: Sequence[str], source: str | None, rate: str | None, hosts_per_switch: int | None
) -> list[Fabric]:
    """The fabrics. UsageError for an option that would have no effect, and as ``fabrics.read``."""
    from ringlab.experiments import fabrics  # noqa: PLC0415 - networkx only where it is used
    from topologies.drafts import Unsaid  # noqa: PLC0415 - likewise
    from topologies.rates import parse_rate  # noqa: PLC0415 - likewise

    given: dict[str, Any] = {}
    if hosts_per_switch is not None:
        given["hosts_per_switch"] = hosts_per_switch
    if rate is not None:
        try:
            given["rate_bps"] = parse_rate(rate)
        except ValueError as error:
            raise UsageError(f"--rate: {error}") from None
    if given and not (source or any(map(fabrics.is_file_name, wanted))):
        raise UsageError("--rate and --hosts-per-switch are for files; in a short form write rate=100G, hosts=2")
    return [fabrics.read(one, source, Unsaid(**given)) for one in wanted]


def counts(fabric: Fabric) -> str:
    return f"{len(fabric.hosts)} hosts, {len(fabric.switches)} switches, {len(fabric.links)} links"
