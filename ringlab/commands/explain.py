"""``ringlab explain SPEC|FABRIC``: why each path was chosen, and what no policy can beat.

``ringlab explain nccl SYSTEM``: NCCL's own latencies and bandwidths, with their terms, and what NCCL runs by size.
"""

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

if TYPE_CHECKING:
    from controller.explanation import Explanation, Way
    from topologies.fabric import Fabric
    from topologies.traffic import Demand, FlowKey, Paths

SHOWN_FLOWS = 3
"""Of a link, before "and N more"."""

POLICIES = ("ecmp", "pinned")
"""Compared where neither a spec nor the command line names any."""


@click.command(
    "nccl",
    cls=Command,
    examples=[
        "ringlab explain nccl dgx-h100-4",
        "ringlab explain nccl a100-2x4-slingshot-allreduce-nccl2.18-polaris --collective all_gather",
        "ringlab explain nccl hkbu-10g-8 --nccl 2.6 --json - | jq '.cells[] | [.algorithm, .protocol, .latency_us]'",
    ],
)
@click.argument("system")
@click.option("--collective", metavar="NAME", help="all_reduce, all_gather, reduce_scatter, broadcast, reduce."
              "  [default: the sweep's, or all_reduce]")  # fmt: skip
@click.option("--nodes", type=click.IntRange(1, 1 << 20), help="[default: the sweep's, or 2]")
@click.option("--nccl", "version", metavar="VERSION", help="As in 2.18.  [default: the sweep's, or the newest known]")
@json_option
def nccl_command(
    *, system: str, collective: str | None, nodes: int | None, version: str | None, json_target: str | None
) -> None:
    """Explain what NCCL expects of a collective on SYSTEM: latency and bandwidth of each algorithm and protocol.

    The table is what NCCL prints of itself (NCCL_DEBUG=INFO, NCCL_DEBUG_SUBSYS=TUNING), with the terms that made it,
    and the sizes from which on NCCL runs another pair. SYSTEM is a system with its nodes (see: ringlab topo systems),
    or a published sweep (see: ringlab baseline list).
    """
    from collectives.baseline.nccl import NcclError  # noqa: PLC0415 - only where it is used
    from collectives.baseline.predict_machine import machine  # noqa: PLC0415 - likewise
    from ringlab.experiments import nccl_explain  # noqa: PLC0415 - likewise

    try:
        asked = machine(system, collective, nodes, version)
        if asked.question.mpi:
            raise UsageError(f"{system}: NCCL did not run there, but MPI in host memory; see: ringlab predict {system}")
        if json_target:
            write_json(json_target, nccl_explain.data(asked))
        if json_target != STDOUT:
            click.echo(nccl_explain.described(asked), nl=False)
    except NcclError as error:
        raise UsageError(str(error)) from None


class ExplainCommand(Command):
    """As ``Command``; with ``nccl`` as the first word it is the command above. A file of that name: ``./nccl``."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if args[:1] == ["nccl"]:
            return nccl_command.make_context(f"{info_name} nccl", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command(
    cls=ExplainCommand,
    examples=[
        "ringlab explain examples/leaf-spine.yaml",
        "ringlab explain examples/leaf-spine.yaml --policy pinned --flow h1:h3",
        f"ringlab explain {LEAF_SPINE} --policy ecmp:seed=3 --ranks 8",
        "ringlab explain examples/ring.yaml --json - | jq '.policies[] | [.policy, .gap]'",
        "ringlab explain nccl dgx-h100-4",
    ],
)
@click.argument("wanted", metavar="SPEC|FABRIC")
@click.option("--policy", "policies", multiple=True, help="Give it several times.  [default: the spec's arms]")
@click.option("--flow", metavar="SRC:DST", help="The ways of this flow, what each would cost, and why it goes its way.")
@click.option("--links", type=click.IntRange(0), default=4, show_default=True, help="Most loaded links to list.")
@click.option("--ranks", type=click.IntRange(2, 1024), help="With FABRIC.  [default: one a host]")
@click.option("--algorithm", help="With FABRIC: as in ringlab schedule.  [default: ring]")
@click.option(
    "--placement", type=click.Choice(["contiguous", "interleaved"]), help="With FABRIC.  [default: interleaved]"
)
@click.option("--channels", type=click.IntRange(1, 64), help="With FABRIC.  [default: 1]")
@click.option("--size", help="With FABRIC: bytes of a rank's buffer.  [default: 16M]")
@json_option
def command(
    *, wanted: str, policies: tuple[str, ...], flow: str | None, links: int, json_target: str | None, **job: Any
) -> None:
    """Tell how good each policy's paths are for a job: its objective, what no paths can beat, and where it is tight.

    The job is that of a SPEC (a file with arms; its largest size), or a collective on a FABRIC (short form or file).

    With nccl and a real system it explains what NCCL chooses there: see ringlab explain nccl --help.
    """
    from ringlab.experiments.traffic import flow_between  # noqa: PLC0415 - numpy only where it is used

    fabric, demands, texts = _job(wanted, job)
    key = flow_between(demands, *_hosts(flow)) if flow else None
    found = [_explained(fabric, demands, text, key, links) for text in policies or _with_paths(texts)]
    if json_target:
        write_json(json_target, {"fabric": fabric.name, "flows": len(demands), "policies": [data for data, _ in found]})
    if json_target != STDOUT:
        click.echo(f"{fabric.name}: {len(demands)} flows\n")
        click.echo("\n".join(text for _, text in found), nl=False)


def _job(wanted: str, job: dict[str, Any]) -> tuple[Fabric, list[Demand], Sequence[str]]:
    """The fabric, the demands, and the policies that are explained where none are named."""
    from ringlab.experiments import fabrics, traffic  # noqa: PLC0415 - likewise

    if _is_spec(wanted):
        given = [name for name, value in job.items() if value is not None]
        if given:
            raise UsageError(f"--{given[0]}: {wanted} is a spec and says so itself; give a FABRIC, or change the spec")
        spec, demands = traffic.of_spec(Path(wanted))
        return spec.fabric, demands, list(dict.fromkeys(arm.policy for arm in spec.arms))
    fabric = fabrics.read(wanted)
    algorithm, channels = job["algorithm"] or "ring", job["channels"] or 1
    kind, nbytes = job["placement"] or "interleaved", _nbytes(job["size"] or "16M")
    _, demands = traffic.of_ranks(fabric, job["ranks"], algorithm, channels, kind, nbytes)
    return fabric, demands, POLICIES


def _with_paths(texts: Sequence[str]) -> list[str]:
    """Without spraying, which has none, and is only simulated."""
    from ringlab.experiments.simulated_job import SPRAY  # noqa: PLC0415 - likewise

    found = [text for text in texts if text != SPRAY]
    if not found:
        raise UsageError(f"the spec's one policy, {SPRAY}, has no paths to explain; name another, as --policy pinned")
    if len(found) < len(texts):
        say(f"{SPRAY} is left out: it has no paths to explain")
    return found


def _is_spec(wanted: str) -> bool:
    """A file with arms; what else is wrong with it, its reader says better."""
    import yaml  # noqa: PLC0415 - likewise

    path = Path(wanted)
    try:
        data = yaml.safe_load(path.read_text()) if path.is_file() else None
    except (yaml.YAMLError, ValueError, OSError):
        return False
    return isinstance(data, dict) and bool({"arms", "collective"} & data.keys())


def _nbytes(size: str) -> int:
    from collectives.metrics import parse_size  # noqa: PLC0415 - likewise

    try:
        return parse_size(size)
    except ValueError as error:
        raise UsageError(f"--size: {error}") from None


def _hosts(flow: str) -> tuple[str, str]:
    src, colon, dst = flow.partition(":")
    if not (src and colon and dst):
        raise UsageError(f"--flow {flow}: write two hosts, as in h1:h3")
    return src, dst


def _explained(
    fabric: Fabric, demands: list[Demand], text: str, key: FlowKey | None, links: int
) -> tuple[dict[str, Any], str]:
    """One policy: as data, and for people."""
    from controller import explanation, own_policies, routing  # noqa: PLC0415 - likewise

    try:
        paths = own_policies.found(text).route(fabric, demands)
        found = explanation.explain(fabric, demands, paths)
        ways = explanation.ways(fabric, demands, paths, key) if key else []
    except routing.RoutingError as error:
        raise UsageError(f"{text}: {error}") from None
    data = _data(fabric, text, found, paths, links)
    lines = _described(fabric, text, found, links)
    if key:
        reason = explanation.why(ways)
        data["flow"] = {"flow": str(key), "why": reason, "ways": [_way_data(fabric, way) for way in ways]}
        lines += _ways_described(fabric, key, ways, reason)
    return data, "\n".join(lines) + "\n"


def _data(fabric: Fabric, text: str, found: Explanation, paths: Paths, links: int) -> dict[str, Any]:
    return {
        "policy": text,
        "objective_s": found.objective_s,
        "lower_bound_s": found.lower_bound_s,
        "gap": found.gap,
        "phases": [
            {
                "steps": list(phase.steps),
                "objective_s": phase.objective_s,
                "lower_bound_s": phase.bound.seconds,
                "bound": {"kind": phase.bound.kind, "node": phase.bound.node},
                "fullest_links": [fabric.direction(port) for port in phase.fullest],
            }
            for phase in found.phases
        ],
        "links": [
            {"link": fabric.direction(load.port), "load_s": load.load_s, "flows": list(map(str, load.flows))}
            for load in found.links[:links]
        ],
        "paths": {str(key): list(path.nodes(fabric)) for key, path in paths.items()},
    }


def _described(fabric: Fabric, text: str, found: Explanation, links: int) -> list[str]:
    from ringlab.tables import table  # noqa: PLC0415 - likewise

    verdict = f"{found.gap:.1%} above" if found.gap else "met: no policy can do better"
    lines = [f"{text}", f"  objective    {_ms(found.objective_s)}, the most loaded links' time over all steps"]
    lines.append(f"  lower bound  {_ms(found.lower_bound_s)}; {verdict}")
    lines += [f"  tight        {line}" for line in _tight(found)]
    if links:
        rows = [
            [fabric.direction(load.port), _ms(load.load_s), _some_flows(load.flows)] for load in found.links[:links]
        ]
        lines += ["  " + line for line in table(["most loaded", "time", "flows"], rows).splitlines()]
    return lines


def _tight(found: Explanation) -> list[str]:
    """Each bound that is tight in some steps, once."""
    steps: dict[str, int] = {}
    for phase in found.phases:
        steps[str(phase.bound)] = steps.get(str(phase.bound), 0) + len(phase.steps)
    if len(steps) == 1:
        return list(steps)
    return [f"{bound} ({number} steps)" for bound, number in steps.items()]


def _some_flows(flows: Sequence[FlowKey]) -> str:
    more = len(flows) - SHOWN_FLOWS
    return ", ".join(map(str, flows[:SHOWN_FLOWS])) + (f" and {more} more" if more > 0 else "")


def _ways_described(fabric: Fabric, key: FlowKey, ways: Sequence[Way], reason: str) -> list[str]:
    from ringlab.tables import table  # noqa: PLC0415 - likewise

    rows = [
        [
            "*" if way.chosen else "",
            " ".join(way.path.nodes(fabric)),
            f"{fabric.direction(way.worst)} {_ms(way.load_s)}",
            _ms(way.objective_s),
        ]
        for way in ways
    ]
    text = table(["", "way", "its most loaded link", "whole job"], rows)
    return [f"  flow {key}: {reason}", *("  " + line for line in text.splitlines())]


def _way_data(fabric: Fabric, way: Way) -> dict[str, Any]:
    return {
        "chosen": way.chosen,
        "nodes": list(way.path.nodes(fabric)),
        "most_loaded_link": fabric.direction(way.worst),
        "load_s": way.load_s,
        "objective_s": way.objective_s,
    }


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.4g} ms"
