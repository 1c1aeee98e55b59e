"""``ringlab up``: builds a fabric with its controller, and stays in it at Mininet's prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ringlab import completions
from ringlab.commands import up_parts
from ringlab.examples_first import Command
from ringlab.talk import say

if TYPE_CHECKING:
    from emulation.plan import Plan


@click.command(
    cls=Command,
    examples=[
        "ringlab up leaf-spine:leaves=4,spines=2,hosts=2 --scale 500",
        "ringlab up fabric.yaml --dry-run",
        "echo 'h1 ping -c1 h8' | ringlab up ring:switches=4,hosts=2,rate=100M",
        "ringlab up fabric.yaml --scale 500 --mtu 1450 --machines m1=192.0.2.1,m2=192.0.2.2  # the same line on both",
    ],
)
@click.argument("fabric", shell_complete=completions.fabrics)
@click.option("--scale", type=float, default=None, help="Time dilation; default: what this machine carries.")
@click.option("--mtu", type=click.IntRange(576, 9000), default=9000, show_default=True)
@click.option("--congestion", default="reno", show_default=True, help="TCP congestion control inside the hosts.")
@click.option("--framework", type=click.Choice(["auto", "ryu", "os_ken"]), default="auto", show_default=True)
@click.option("--openflow-port", type=click.IntRange(0, 65535), default=0, help="Default: any free port.")
@click.option("--dry-run", is_flag=True, help="Print the plan: every namespace, link, bridge and queue.")
@up_parts.options
def command(
    fabric: str, scale: float | None, mtu: int, congestion: str, framework: str, openflow_port: int, dry_run: bool,
    machines: str | None, part: str | None, wishes: tuple[str, ...], lab: str,
) -> None:  # fmt: skip
    """Build FABRIC (a short form or a file) and open the mininet> prompt in it; it is removed on leaving."""
    from emulation import doctor  # noqa: PLC0415 - only where it is used
    from emulation.lab import new_tag  # noqa: PLC0415 - likewise
    from emulation.plan import Plan  # noqa: PLC0415 - likewise
    from emulation.scripts import commands  # noqa: PLC0415 - likewise
    from ringlab.experiments import calibrate, fabrics  # noqa: PLC0415 - likewise
    from ringlab.experiments.scale import chosen  # noqa: PLC0415 - likewise
    from ringlab.experiments.session import UNKNOWN_SCALE  # noqa: PLC0415 - likewise

    wanted = fabrics.read(fabric)
    if machines:
        settings = doctor.settings(up_parts.require_scale(scale), mtu, congestion)
        division = up_parts.divided(wanted, settings, machines, wishes, lab)
        if dry_run:
            click.echo("\n".join(up_parts.printed(wanted, settings, division, part)))
            return
        plan = up_parts.part_plan(wanted, settings, division, up_parts.this_machine(division, part))
        up_parts.stay(plan, division, framework, openflow_port, say)
        return
    up_parts.require_no_parts(part=part, on=wishes, lab=lab)
    if scale is None and dry_run and not calibrate.kept():
        click.echo(UNKNOWN_SCALE)
        scale = 1.0
    factor = scale if scale is not None else chosen(wanted, [], say).factor
    plan = Plan(wanted, new_tag(), doctor.settings(factor, mtu, congestion))
    if dry_run:
        click.echo("\n".join(commands(plan)))
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
