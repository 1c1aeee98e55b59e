"""``ringlab collisions FABRIC``: what a hash does to traffic over thousands of seeds, and on which links."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ringlab import completions
from ringlab.errors import UsageError
from ringlab.examples_first import Command
from ringlab.json_output import STDOUT, json_option, write_json
from ringlab.text_files import check_plot, write_bytes

if TYPE_CHECKING:
    from ringlab.collisions.outcome import Outcome
    from topologies.fabric import Fabric

PATTERNS = ("permutation", "shuffled-ring", "ring", "all-to-all")


@click.command(
    cls=Command,
    examples=[
        "ringlab collisions leaf-spine:leaves=8,spines=8,hosts=8",
        "ringlab collisions leaf-spine:leaves=16,spines=16,hosts=16 --pattern shuffled-ring --qps 1 --qps 4 --qps 16",
        "ringlab collisions fabric.yaml --pattern ring --placement interleaved --policy ecmp --policy spray",
        "ringlab collisions fat-tree:k=16 --seeds 1000 --plot collisions.svg --json collisions.json",
    ],
)
@click.argument("fabric", shell_complete=completions.fabrics)
@click.option("--pattern", type=click.Choice(PATTERNS), default=PATTERNS[0], show_default=True)
@click.option("--seeds", type=click.IntRange(1, 10_000_000), default=5000, show_default=True, help="Draws.")
@click.option("--first-seed", type=click.IntRange(0, 2**62), default=0, show_default=True)
@click.option("--qps", type=click.IntRange(1, 64), multiple=True, default=[1], show_default=True,
              help="Queue pairs that each flow is split over. Give it several times.")  # fmt: skip
@click.option("--policy", "policies", type=click.Choice(["ecmp", "spray"]), multiple=True, default=["ecmp"],
              show_default=True, help="Give it several times.")  # fmt: skip
@click.option("--ranks", type=click.IntRange(2, 1_000_000), help="[default: one a host]")
@click.option("--placement", type=click.Choice(["contiguous", "interleaved"]), default="contiguous", show_default=True)
@click.option(
    "--channels", type=click.IntRange(1, 64), help="A NIC each, in turn.  [default: as many as a host's NICs]"
)
@click.option("--dead", multiple=True, metavar="LINK", help="A link that carries nothing. Give it several times.")
@click.option("--links", type=click.IntRange(0), default=4, show_default=True, help="Worst links to list.")
@click.option("--processes", type=click.IntRange(1, 256), help="[default: one, or one a core where it takes long]")
@click.option("--plot", type=click.Path(path_type=Path), metavar="FILE", help="A histogram: .svg or .png.")
@json_option
def command(
    *, fabric: str, pattern: str, policies: tuple[str, ...], qps: tuple[int, ...], dead: tuple[str, ...],
    plot: Path | None, json_target: str | None, **options: Any,
) -> None:  # fmt: skip
    """Draw the ways of a pattern's flows on FABRIC (a short form or a file) with thousands of seeds.

    All flows have one size and start together. Tells how full the fullest link is, how long the phase takes against one
    without collisions, busbw as a share of line rate, and which links were the worst, with the flows on them.
    """
    from controller.routing.errors import RoutingError  # noqa: PLC0415 - numpy only where it is used
    from ringlab.experiments import fabrics  # noqa: PLC0415 - likewise

    if plot:
        check_plot(plot)
    network = fabrics.read(fabric)
    _check_links(network, dead)
    channels = options["channels"] or max(len(network.ports(host)) for host in network.hosts)
    options |= {"pattern": pattern, "channels": channels, "dead": frozenset(dead)}
    try:
        outcomes = _outcomes(network, policies, qps, options)
    except (ValueError, RoutingError) as error:
        raise UsageError(f"{network.name}: {error}") from None
    ranks = options["ranks"] or len(network.hosts)
    job = {"pattern": pattern, "ranks": ranks, "placement": options["placement"], "channels": channels}
    title = f"{network.name}: {pattern} of {ranks} ranks, {options['placement']}"
    if plot:
        _draw(plot, outcomes, title)
    if json_target:
        data = {"fabric": network.name, **job, "dead": sorted(dead), "cases": [found.as_data() for found in outcomes]}
        write_json(json_target, data)
    if json_target != STDOUT:
        from ringlab.collisions.table import render  # noqa: PLC0415 - likewise

        click.echo(f"{title}, channels: {channels}\n\n{render(outcomes)}", nl=False)


def _check_links(fabric: Fabric, dead: tuple[str, ...]) -> None:
    from topologies.spelling import did_you_mean  # noqa: PLC0415 - likewise

    names = [link.name for link in fabric.links]
    of_hosts = {fabric.link(port).name for host in fabric.hosts for port in fabric.ports(host)}
    for name in dead:
        if name not in names:
            raise UsageError(f"--dead {name}: no such link in {fabric.name}; {did_you_mean(name, names)}")
        if name in of_hosts:
            raise UsageError(f"--dead {name}: is a host's link, and no way leads around it; name one between switches")


def _outcomes(
    fabric: Fabric, policies: tuple[str, ...], qps: tuple[int, ...], options: dict[str, Any]
) -> list[Outcome]:
    import numpy as np  # noqa: PLC0415 - likewise

    from ringlab.collisions import draws, outcome  # noqa: PLC0415 - likewise
    from ringlab.experiments import placement  # noqa: PLC0415 - likewise
    from simulation.collisions import Case  # noqa: PLC0415 - likewise
    from simulation.next_hops import NextHops  # noqa: PLC0415 - likewise

    names = placement.KINDS[options["placement"]](fabric, options["ranks"] or len(fabric.hosts))
    numbers = {host: number for number, host in enumerate(fabric.hosts)}
    hosts = np.array([numbers[name] for name in names])
    cases = [
        Case(options["pattern"], hosts, queues, options["channels"], policy == "spray")
        for policy in dict.fromkeys(policies)
        for queues in (dict.fromkeys(qps) if policy == "ecmp" else (1,))  # what is sprayed need not be split
    ]
    first = options["first_seed"]
    seeds = [range(first, first + (options["seeds"] if case.drawn else 1)) for case in cases]
    tables = NextHops.of(fabric, options["dead"])
    with draws.bar(sum(map(len, seeds))) as done:
        drawn = [
            draws.draw(tables, case, some, options["processes"], done) for case, some in zip(cases, seeds, strict=True)
        ]
    return [outcome.outcome(tables, case, some, options["links"]) for case, some in zip(cases, drawn, strict=True)]


def _draw(target: Path, outcomes: list[Outcome], title: str) -> None:
    from ringlab.collisions import plot  # noqa: PLC0415 - matplotlib only where it is used

    svg = target.name.endswith(".svg")
    write_bytes(target, plot.svg(outcomes, title).encode() if svg else plot.png(outcomes, title))
