"""``ringlab up --machines``: the options, and one machine's part of a fabric."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from ringlab.errors import UsageError

if TYPE_CHECKING:
    from emulation.parts import Division
    from emulation.plan import Plan, Settings
    from topologies.fabric import Fabric

_OPTIONS = (
    click.option(
        "--machines", metavar="NAME=ADDRESS,...", help="Divide the fabric; the first machine runs the controller."
    ),
    click.option("--part", metavar="NAME", help="Which machine this is. Default: whose address it has."),
    click.option(
        "--on", "wishes", metavar="NODE=MACHINE", multiple=True, help="Put nodes (a pattern: 'spine*=m1') there."
    ),
    click.option("--lab", default="", metavar="TEXT", help="Tells labs of one fabric on the same machines apart."),
)


def options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a divided fabric, the same on every machine but for --part."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def divided(fabric: Fabric, settings: Settings, machines: str, wishes: Sequence[str], lab: str) -> Division:
    """The division that every machine of the same command line works out. PlanError where there is none."""
    from emulation import parts  # noqa: PLC0415 - slow to import

    agreed = f"{lab} scale {settings.scale:g} MTU {settings.mtu} delays {settings.delays}"
    return parts.divide(fabric, parts.machines(machines), [parts.wish(text) for text in wishes], agreed)


def require_no_parts(**given: Any) -> None:
    """UsageError for an option that is nothing without --machines."""
    name = next((name for name, value in given.items() if value), None)
    if name:
        raise UsageError(f"--{name} needs --machines: which are they, as in --machines m1=192.0.2.1,m2=192.0.2.2?")


def require_scale(scale: float | None) -> float:
    """UsageError without --scale: each machine would choose its own."""
    if scale is None:
        raise UsageError("--machines needs --scale, the same on every machine (each would choose its own otherwise)")
    return scale


def part_plan(fabric: Fabric, settings: Settings, division: Division, name: str) -> Plan:
    """The plan of one machine."""
    from emulation.lab import new_tag  # noqa: PLC0415 - likewise
    from emulation.plan import Plan  # noqa: PLC0415 - likewise

    return Plan(fabric, new_tag(), settings, part=division.part(name))


def this_machine(division: Division, part: str | None) -> str:
    """The machine that this is. MachineError where its addresses don't tell."""
    from emulation import vxlan  # noqa: PLC0415 - likewise

    return part or vxlan.here(division.machines).name


def printed(fabric: Fabric, settings: Settings, division: Division, part: str | None) -> Iterator[str]:
    """The division and each machine's plan (or one's), for --dry-run."""
    from emulation import scripts  # noqa: PLC0415 - likewise

    yield from (f"# {line}" for line in division.summary(settings.scale))
    for machine in division.machines:
        if part in (None, machine.name):
            yield f"\n# -- {machine.name} " + "-" * (60 - len(machine.name))
            yield from scripts.commands(part_plan(fabric, settings, division, machine.name))


def stay(plan: Plan, division: Division, framework: str, openflow_port: int, say: Callable[[str], None]) -> None:
    """Build this machine's part, and stay in it at Mininet's prompt."""
    from mininet.cli import CLI  # noqa: PLC0415 - likewise

    from ringlab.experiments.parts_up import part_up  # noqa: PLC0415 - likewise

    assert plan.part is not None
    for line in division.summary(plan.settings.scale):
        say(line)
    with part_up(plan, division, say, openflow_port, framework) as network:
        say(f"{plan.part.machine.name} has its part of {plan.fabric.name} at scale {plan.settings.scale:g}: "
            f"{' '.join(plan.hosts)}; its names begin with {plan.tag}")  # fmt: skip
        CLI(network.mininet)
        say("removing")
