"""``ringlab replay FILE --fabric FABRIC``: another tool's traffic on a fabric, in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ringlab.commands.topo.fabric_options import LEAF_SPINE
from ringlab.errors import UsageError
from ringlab.examples_first import Command
from ringlab.json_output import STDOUT, json_option, write_json
from ringlab.talk import say
from ringlab.text_files import write_text

if TYPE_CHECKING:
    from collectives.interchange.trace import Trace
    from simulation.trace import Replayed, Work
    from topologies.fabric import Fabric, Port
    from topologies.htsim_traffic import Matrix

ROUTING = "ecmp"
LISTED = 64
"""Ranks that are listed unless ``--ranks`` says otherwise; of more, those that are through last."""


@click.command(
    cls=Command,
    examples=[
        f"ringlab schedule ring -n 8 --goal ring.goal && ringlab replay ring.goal --fabric {LEAF_SPINE}",
        f"ringlab replay traces/gpt.0.et --fabric {LEAF_SPINE} --routing pinned --algorithm all_reduce=pairwise",
        f"ringlab replay ring.goal --fabric {LEAF_SPINE} --cm ring.cm",
        "ringlab replay perm.cm --fabric fat_tree.topo --routing ecmp:seed=1 --json - | jq .completion_s",
    ],
)
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--fabric", "wanted", metavar="FABRIC", required=True, help="A short form, or a file.")
@click.option("--routing", default=ROUTING, show_default=True, help="The policy, as in ringlab explain.")
@click.option(
    "--placement", type=click.Choice(["contiguous", "interleaved"]), help="Of ranks on hosts.  [default: contiguous]"
)
@click.option("--algorithm", "chosen", metavar="OPERATION=NAME", multiple=True, help="Of a Chakra trace's collectives.")
@click.option("--groups", metavar="FILE", type=click.Path(path_type=Path), help="ASTRA-sim's process groups, as JSON.")
@click.option("--turnaround", default="0", show_default=True, help="Of a host between messages: 5.5us, say.")
@click.option("--cm", metavar="FILE|-", help="Write the traffic as htsim's connection matrix too.")
@click.option("--links", type=click.IntRange(0), default=8, show_default=True, help="Busiest links to list.")
@click.option(
    "--ranks", type=click.IntRange(0), help=f"Ranks to list, the last first.  [default: all of up to {LISTED}]"
)
@json_option
def command(
    *,
    path: Path,
    wanted: str,
    routing: str,
    placement: str | None,
    chosen: Sequence[str],
    groups: Path | None,
    turnaround: str,
    cm: str | None,
    links: int,
    ranks: int | None,
    json_target: str | None,
) -> None:
    """Replay what FILE says each rank sends, on FABRIC: when each rank is through, and which links are busiest.

    FILE is GOAL text (LogGOPSim), a connection matrix (htsim's .cm), or one rank's file of a Chakra trace
    (PREFIX.0.et, or .json; the others are found beside it). Flows share links fairly; no packet is simulated.
    """
    from ringlab.commands import replay_files  # noqa: PLC0415 - only where it is used
    from ringlab.experiments import fabrics  # noqa: PLC0415 - networkx only where it is used

    if cm == json_target == STDOUT:
        raise UsageError("--cm, --json: only one can go to standard output; name a file for the other")
    fabric = fabrics.read(wanted)
    traffic = replay_files.read(path, groups)
    for note in traffic.notes:
        say(note)
    work = _work(traffic, fabric, placement, _algorithms(chosen))
    if cm:
        _write_matrix(work, fabric, cm)
    replayed = _replayed(work, fabric, routing, turnaround)
    data = _data(path, fabric, routing, work, replayed)
    if json_target:
        write_json(json_target, data)
    if STDOUT not in (json_target, cm):
        click.echo(_described(data, links, ranks), nl=False)


def _algorithms(chosen: Sequence[str]) -> dict[str, str]:
    """Names by operation. UsageError for an operation that there is not; a name is checked where it is used."""
    from collectives.algorithms import OPERATIONS  # noqa: PLC0415 - numpy only where it is used
    from topologies.spelling import did_you_mean  # noqa: PLC0415 - likewise

    found = {}
    for one in chosen:
        operation, equals, name = one.partition("=")
        if not equals or not name:
            raise UsageError(f"--algorithm {one}: write OPERATION=NAME, as in all_reduce=halving-doubling")
        if operation not in OPERATIONS:
            raise UsageError(f"--algorithm {one}: no operation {operation!r}; {did_you_mean(operation, OPERATIONS)}")
        found[operation] = name
    return found


def _work(traffic: Trace | Matrix, fabric: Fabric, placement: str | None, chosen: dict[str, str]) -> Work:
    from collectives.interchange.trace import Trace, TraceError  # noqa: PLC0415 - numpy only where it is used
    from ringlab.experiments.placement import KINDS  # noqa: PLC0415 - likewise
    from simulation import trace as traces  # noqa: PLC0415 - likewise

    if not isinstance(traffic, Trace):
        if placement or chosen:
            given = "--placement" if placement else "--algorithm"
            raise UsageError(f"{given}: a connection matrix numbers hosts and knows no collectives; leave it out")
        return traces.of_matrix(traffic, fabric)
    hosts = KINDS[placement or "contiguous"](fabric, len(traffic.ranks))
    try:
        return traces.of_trace(traffic, hosts, chosen, lambda src, dst, channel: _channel(fabric, src, dst, channel))
    except TraceError as error:
        raise UsageError(str(error)) from None


def _write_matrix(work: Work, fabric: Fabric, target: str) -> None:
    from collectives.interchange.trace import TraceError  # noqa: PLC0415 - likewise
    from simulation.trace_matrix import to_matrix  # noqa: PLC0415 - likewise
    from topologies import htsim_traffic  # noqa: PLC0415 - likewise

    try:
        text = htsim_traffic.dumps(to_matrix(work, fabric))
    except TraceError as error:
        raise UsageError(f"--cm: {error}") from None
    if target == STDOUT:
        click.echo(text, nl=False)
    else:
        write_text(target, text)


def _channel(fabric: Fabric, src: str, dst: str, channel: int) -> int:
    """Hosts with several NICs meet at a switch that both are plugged into, where there is one: NVSwitch, or rail."""
    from topologies.ports import MAX_CHANNELS  # noqa: PLC0415 - likewise

    count = len(fabric.ports(src))
    if count == 1 or count != len(fabric.ports(dst)):
        return channel
    shared = (nic for nic in range(count) if fabric.attachment(src, nic).node == fabric.attachment(dst, nic).node)
    nic = next(shared, None)
    return channel if nic is None else (channel * count + nic) % MAX_CHANNELS


def _replayed(work: Work, fabric: Fabric, routing: str, turnaround: str) -> Replayed:
    from controller.routing import RoutingError, policy  # noqa: PLC0415 - likewise
    from simulation.conditions import Conditions  # noqa: PLC0415 - likewise
    from simulation.links import Links  # noqa: PLC0415 - likewise
    from simulation.trace import simulate  # noqa: PLC0415 - likewise
    from topologies.rates import parse_latency  # noqa: PLC0415 - likewise

    try:
        conditions = Conditions(turnaround_s=parse_latency(turnaround), spray=1.0)
    except ValueError as error:
        raise UsageError(f"--turnaround: {error}") from None
    try:
        paths = policy(routing).route(fabric, work.demands())
    except RoutingError as error:
        raise UsageError(f"--routing {routing}: {error}") from None
    return simulate(work, paths, Links.of(fabric), conditions)


def _data(path: Path, fabric: Fabric, routing: str, work: Work, replayed: Replayed) -> dict[str, Any]:
    """Times in seconds; a link's ``busy`` is the share of the whole time that its bytes take at its rate."""
    completion_s = replayed.completion_s

    def busy(port: Port, nbytes: int) -> float:
        return 8 * nbytes / fabric.rate_bps(port) / completion_s if completion_s else 0.0

    links = [
        {"link": fabric.direction(port), "bytes": nbytes, "busy": busy(port, nbytes)}
        for port, nbytes in replayed.link_bytes.items()
        if nbytes
    ]
    return {
        "file": str(path),
        "fabric": fabric.name,
        "routing": routing,
        "ranks": work.num_ranks,
        "messages": int((work.connection >= 0).sum()),
        "connections": len(work.keys),
        "bytes": int(work.nbytes.sum()),
        "completion_s": completion_s,
        "rank_s": replayed.rank_s.tolist(),
        "links": sorted(links, key=lambda link: (-link["busy"], link["link"])),
    }


def _described(data: dict[str, Any], links: int, ranks: int | None) -> str:
    from ringlab.tables import table  # noqa: PLC0415 - only where it is used

    lines = [
        f"{data['file']} on {data['fabric']}, {data['routing']}: through after {_us(data['completion_s'])} us",
        f"{data['ranks']} ranks, {data['connections']} connections, {data['messages']} messages, {data['bytes']} bytes",
    ]
    times = list(enumerate(data["rank_s"]))
    if ranks is not None or len(times) > LISTED:
        times = sorted(times, key=lambda one: (-one[1], one[0]))[: LISTED if ranks is None else ranks]
    through = [[rank, _us(time_s)] for rank, time_s in times]
    busiest = [[link["link"], link["bytes"], f"{link['busy']:.1%}"] for link in data["links"][:links]]
    text = "\n".join(lines) + "\n"
    text += "\n" + table(["rank", "through us"], through) if through else ""
    text += "\n" + table(["link", "bytes", "busy"], busiest) if busiest else ""
    return text


def _us(time_s: float) -> str:
    return f"{time_s * 1e6:.3f}"
