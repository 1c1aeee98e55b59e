"""One machine's part of a divided fabric: its hosts and switches, and the controller on the first of the machines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from controller.process import running_controller
from emulation import vxlan
from emulation.network import Network, built, require_machine
from emulation.parts import Division
from emulation.plan import Plan

OPENFLOW_PORT = 6653  # IANA's
TOGETHER_S = 600.0
"""How long a machine waits for the others: a person has to start each."""


@contextmanager
def part_up(
    plan: Plan, division: Division, say: Callable[[str], None], openflow_port: int = 0, framework: str = "auto"
) -> Iterator[Network]:
    """The part of this machine, once its switches (on the first machine: all switches) follow the controller.

    Raises MachineError where the network between the machines can't carry it, before anything is made.
    """
    require_machine()
    vxlan.require_underlay(plan)
    first = division.machines[0]
    openflow = f"{first.address}:{openflow_port or OPENFLOW_PORT}"
    if plan.part and plan.part.machine == first:
        with _leading(plan, division, say, openflow, framework) as network:
            yield network
        return
    with built(plan, f"tcp:{openflow}", say) as network:
        say(f"waiting for the controller on {first.name}, at {openflow}")
        vxlan.wait_for_controller(plan, TOGETHER_S)
        yield network


@contextmanager
def _leading(
    plan: Plan, division: Division, say: Callable[[str], None], openflow: str, framework: str
) -> Iterator[Network]:
    say(f"starting the controller at {openflow}")
    options = ("--scale", str(plan.settings.scale))
    with (
        running_controller(plan.fabric, framework=framework, openflow=openflow, options=options) as control,
        built(plan, f"tcp:{control.openflow}", say) as network,
    ):
        say(f"waiting for the switches of {', '.join(machine.name for machine in division.machines[1:])}")
        control.client.wait_ready(TOGETHER_S)
        for line in vxlan.unreached(network, division):
            say(line)
        say(f"every switch is ready: {control.framework}, REST at {control.client.address}")
        yield network
