"""``ringlab trace FABRIC SRC DST``: the way of a packet through the switches' tables and groups."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ringlab import completions
from ringlab.commands.topo.fabric_options import LEAF_SPINE
from ringlab.errors import CheckError, UsageError
from ringlab.examples_first import Command
from ringlab.json_output import STDOUT, json_option, write_json

if TYPE_CHECKING:
    from controller.walks import Step, Walk
    from topologies.fabric import Fabric
    from topologies.traffic import Demand, FlowKey

JOB, EPOCH = 1, 1


@click.command(
    cls=Command,
    examples=[
        f"ringlab trace {LEAF_SPINE} h1 h3",
        f"ringlab trace {LEAF_SPINE} h1 h3 --dead leaf1-spine1",
        f"ringlab trace {LEAF_SPINE} h1 h3 --spec examples/leaf-spine.yaml --both",
        f"ringlab trace {LEAF_SPINE} h1 h3 --policy ecmp:seed=2 --json - | jq .delivered",
    ],
)
@click.argument("wanted", metavar="FABRIC", shell_complete=completions.fabrics)
@click.argument("src")
@click.argument("dst")
@click.option("--channel", type=click.IntRange(0, 63), help="The channel whose connection it is.  [default: the first]")
@click.option("--dead", metavar="LINK", multiple=True, help="A link without carrier, as leaf1-spine1; several times.")
@click.option("--policy", default="pinned", show_default=True, shell_complete=completions.policies)
@click.option("--spec", type=click.Path(path_type=Path), help="Beside the other flows of this spec's job.")
@click.option("--both", is_flag=True, help="Also the way of the acknowledgements.")
@json_option
def command(
    *, wanted: str, src: str, dst: str, channel: int | None, dead: tuple[str, ...], policy: str, spec: Path | None,
    both: bool, json_target: str | None,
) -> None:  # fmt: skip
    """Follow a packet from host SRC to host DST: at each switch the rule and the bucket that it meets.

    The rules are those that the controller would install for the job before any link died; with --dead it is seen
    what the switches make of them by themselves. Exit code 1 if the packet does not arrive.
    """
    from ringlab.experiments import fabrics  # noqa: PLC0415 - networkx only where it is used

    fabric = fabrics.read(wanted)
    _check_links(fabric, dead)
    key, demands = _flow(fabric, src, dst, channel, spec)
    found = _traced(fabric, demands, policy, [key, *([key.reversed()] if both else [])], frozenset(dead))
    if json_target:
        write_json(json_target, _data(fabric, found))
    if json_target != STDOUT:
        click.echo("\n".join(_described(fabric, key, way) for key, way in found), nl=False)
    lost = [f"{key}: {way.end}" for key, way in found if way.delivered_to != key.dst]
    if lost:
        raise CheckError("\n".join(lost))


def _check_links(fabric: Fabric, dead: Sequence[str]) -> None:
    from topologies.spelling import did_you_mean  # noqa: PLC0415 - likewise

    names = [link.name for link in fabric.links]
    for name in dead:
        if name not in names:
            raise UsageError(f"--dead {name}: no such link; {did_you_mean(name, names)}")


def _flow(
    fabric: Fabric, src: str, dst: str, channel: int | None, path: Path | None
) -> tuple[FlowKey, Sequence[Demand]]:
    """The flow, and all demands of its job."""
    from ringlab.experiments import traffic  # noqa: PLC0415 - numpy only where it is used
    from topologies.ports import connect_port, listen_port  # noqa: PLC0415 - likewise
    from topologies.traffic import Demand, FlowKey  # noqa: PLC0415 - likewise

    if path is None:
        key = FlowKey(src, dst, connect_port(0, channel or 0), listen_port(0))
        return key, [Demand(key, (0,), (1,))]
    spec, demands = traffic.of_spec(path)
    if spec.fabric != fabric:
        raise UsageError(f"--spec {path}: its fabric is {spec.fabric.name}, unlike {fabric.name}; name the same one")
    return traffic.flow_between(demands, src, dst, channel), demands


def _traced(
    fabric: Fabric, demands: Sequence[Demand], policy: str, keys: Sequence[FlowKey], dead: frozenset[str]
) -> list[tuple[FlowKey, Walk]]:
    from controller.job_request import JobRequest  # noqa: PLC0415 - likewise
    from controller.planning import plan  # noqa: PLC0415 - likewise
    from controller.routing import RoutingError  # noqa: PLC0415 - likewise
    from controller.rules import resident_rules  # noqa: PLC0415 - likewise
    from controller.tables import flow_packet, tables  # noqa: PLC0415 - likewise
    from controller.walks import walk  # noqa: PLC0415 - likewise

    try:
        planned = plan(fabric, JobRequest("trace", policy, tuple(demands)), JOB, EPOCH)
    except RoutingError as error:
        raise UsageError(str(error)) from None
    standing = tables(fabric, [*resident_rules(fabric), *planned.entries])
    return [
        (key, walk(fabric, standing, flow_packet(fabric, key), fabric.nic(key.src, key.channel), dead)) for key in keys
    ]


def _described(fabric: Fabric, key: FlowKey, way: Walk) -> str:
    from ringlab.tables import table  # noqa: PLC0415 - likewise

    rows = [
        [step.arrival.node, step.arrival.number, step.tag or "-", _met(step), _bucket(step), _out(fabric, step)]
        for step in way.steps
    ]
    return f"{key}\n" + table(["switch", "in", "tag", "rule", "bucket", "out"], rows) + f"{way.end}\n"


def _met(step: Step) -> str:
    if step.rule is None:
        return "none"
    return f"priority {step.rule.priority}: {', '.join(map(str, step.rule.actions)) or 'drop'}"


def _bucket(step: Step) -> str:
    if step.group is None or step.bucket is None:
        return "-"
    bucket = step.group.buckets[step.bucket]
    dead = [earlier.watch_port for earlier in step.group.buckets[: step.bucket]]
    why = f"port {dead[0]} is dead" if dead else f"port {bucket.watch_port} lives"
    return f"{step.bucket + 1} of {len(step.group.buckets)}, {why}: {', '.join(map(str, bucket.actions))}"


def _out(fabric: Fabric, step: Step) -> str:
    return f"{step.out.number} {fabric.direction(step.out)}" if step.out else "-"


def _data(fabric: Fabric, found: Sequence[tuple[FlowKey, Walk]]) -> dict[str, Any]:
    return {
        "fabric": fabric.name,
        "delivered": all(way.delivered_to == key.dst for key, way in found),
        "packets": [
            {
                "flow": str(key),
                "delivered_to": way.delivered_to,
                "end": way.end,
                "steps": [_step_data(fabric, step) for step in way.steps],
            }
            for key, way in found
        ],
    }


def _step_data(fabric: Fabric, step: Step) -> dict[str, Any]:
    return {
        "switch": step.arrival.node,
        "in_port": step.arrival.number,
        "tag": step.tag,
        "rule": str(step.rule) if step.rule else None,
        "group": step.group.number if step.group else None,
        "bucket": step.bucket,
        "out_port": step.out.number if step.out else None,
        "link": fabric.link(step.out).name if step.out else None,
    }
