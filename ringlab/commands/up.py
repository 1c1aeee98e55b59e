"""``ringlab up``: builds a fabric with its controller, and stays in it at Mininet's prompt."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ringlab.examples_first import Command

if TYPE_CHECKING:
    from emulation.plan import Plan


@click.command(
    cls=Command,
    examples=[
        "ringlab up leaf-spine:leaves=4,spines=2,hosts=2 --scale 500",
        "ringlab up fabric.yaml --dry-run",
        "echo 'h1 ping -c1 h8' | ringlab up ring:switches=4,hosts=2,rate=100M",
    ],
)
@click.argument("fabric")
@click.option("--scale", type=float, default=None, help="Time dilation; default: what this machine carries.")
@click.option("--mtu", type=click.IntRange(576, 9000), default=9000, show_default=True)
@click.option("--congestion", default="reno", show_default=True, help="TCP congestion control inside the hosts.")
@click.option("--framework", type=click.Choice(["auto", "ryu", "os_ken"]), default="auto", show_default=True)
@click.option("--openflow-port", type=click.IntRange(0, 65535), default=0, help="Default: any free port.")
@click.option("--dry-run", is_flag=True, help="Print the plan: every namespace, link, bridge and queue.")
def command(
    fabric: str, scale: float | None, mtu: int, congestion: str, framework: str, openflow_port: int, dry_run: bool
) -> None:
    """Build FABRIC (a short form or a file) and open the mininet> prompt in it; it is removed on leaving."""
    from emulation import doctor  # noqa: PLC0415 - only where it is used
    from emulation.lab import new_tag  # noqa: PLC0415 - likewise
    from emulation.plan import Plan  # noqa: PLC0415 - likewise
    from ringlab.experiments import fabrics  # noqa: PLC0415 - likewise
    from ringlab.experiments.scale import chosen  # noqa: PLC0415 - likewise

    wanted = fabrics.read(fabric)
    factor = scale if scale is not None else chosen(wanted, [], say).factor
    plan = Plan(wanted, new_tag(), doctor.settings(factor, mtu, congestion))
    if dry_run:
        click.echo("\n".join(plan.commands()))
        return
    _stay(plan, framework, openflow_port)


def _stay(plan: Plan, framework: str, openflow_port: int) -> None:
    from mininet.cli import CLI  # noqa: PLC0415 - likewise

    from ringlab.experiments.bench import fabric_up  # noqa: PLC0415 - likewise

    with fabric_up(plan, say, openflow_port, framework) as (network, control):
        say(f"{plan.fabric.name} is up at scale {plan.settings.scale:g}: lab {plan.tag}, {control.framework}, "
            f"REST at {control.client.address}")  # fmt: skip
        CLI(network.mininet)
        say("removing")


def say(text: str) -> None:
    """Talk goes to standard error."""
    print(f"ringlab: {text}", file=sys.stderr)
