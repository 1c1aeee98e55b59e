"""The faults of a spec on the simulator's clock: from when on which links carry what.

The scenario is the emulator's own (``emulation.faults.Scenario``), asked by a clock that is computed instead of read.
A link that is down carries nothing from its moment on; ``FAILOVER_S`` later flows are on the ways that the policy finds
without it. What has no meaning for flows (a paused host, a lost share of frames) is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controller.routing import Situation
from emulation.faults import (
    Action,
    AtStep,
    Degrade,
    Down,
    Fault,
    KillController,
    KillSwitch,
    Restore,
    Scenario,
    conditions,
)
from ringlab.errors import UsageError
from simulation.links import Links
from topologies.fabric import Fabric

FAILOVER_S = 8.3e-3
"""From a lost carrier to rules that go round it: the median of ``benchmarks/failover.py``."""

SIMULATED = (Down, Degrade, KillSwitch, KillController, Restore)


@dataclass(frozen=True, eq=False)
class Epoch:
    """From ``at_s`` on: what links carry (b/s), and what routing knows of."""

    at_s: float
    capacity: NDArray[np.float64]
    situation: Situation


_Change = tuple[float, NDArray[np.float64], frozenset[str]]
"""From when on links carry what, and which of them nothing."""


def check(faults: Sequence[Fault]) -> None:
    """UsageError for a fault that flows can't have."""
    for fault in faults:
        action = fault.action
        if not isinstance(action, SIMULATED):
            raise UsageError(
                f"fault '{fault}' can't be simulated: only links and switches can break there; leave it out"
            )
        if isinstance(action, Degrade) and (action.loss or action.delay_s or action.jitter_s):
            raise UsageError(f"fault '{fault}' can't be simulated: only its rate can; leave loss, delay and jitter out")


def epochs(
    faults: Sequence[Fault], begun_s: Mapping[tuple[int, int], float], fabric: Fabric, links: Links
) -> list[Epoch]:
    """All that is known to come. ``begun_s``: when (operation, step) began that faults wait for, from work's start."""
    scenario = Scenario(faults)
    found: list[_Change] = []
    scenario.work_begins(0.0)
    for (operation, step), at_s in sorted(begun_s.items(), key=lambda item: item[1]):
        found += _advance(scenario, at_s, fabric, links)
        scenario.step_begins(operation, step, at_s)
    found += _advance(scenario, float("inf"), fabric, links)
    return _followed(links.rate_bps, found)


def awaited(faults: Sequence[Fault]) -> set[tuple[int, int]]:
    """The (operation, step) pairs that faults wait for."""
    return {(f.trigger.operation, f.trigger.step) for f in faults if isinstance(f.trigger, AtStep)}


def never_came(faults: Sequence[Fault], begun_s: Mapping[tuple[int, int], float], end_s: float) -> tuple[Fault, ...]:
    """Those whose moment has not come by ``end_s``, when work ends; ``begun_s`` as in ``epochs``."""
    scenario = Scenario(faults)
    scenario.work_begins(0.0)
    for (operation, step), at_s in begun_s.items():
        scenario.step_begins(operation, step, at_s)
    scenario.due(end_s)
    return scenario.never_came


def _followed(whole: NDArray[np.float64], changes: Sequence[_Change]) -> list[Epoch]:
    """What links carry follows ``changes`` at once; what routing knows of, ``FAILOVER_S`` later."""
    moments: list[tuple[float, NDArray[np.float64] | None, Situation | None]] = []
    for at_s, capacity, dead in changes:
        moments += [(at_s, capacity, None), (at_s + FAILOVER_S, None, Situation(dead))]
    found = [Epoch(0.0, whole, Situation())]
    for at_s, carried, known in sorted(moments, key=lambda moment: moment[0]):
        last = found[-1]
        found.append(Epoch(at_s, last.capacity if carried is None else carried, known or last.situation))
    return found


def _advance(scenario: Scenario, until_s: float, fabric: Fabric, links: Links) -> Iterator[_Change]:
    while (at_s := scenario.next_at()) is not None and at_s <= until_s:
        if not scenario.due(at_s):
            continue
        actions = [fault.action for fault, _ in scenario.on]
        yield (at_s, *_state(actions, fabric, links))


def _state(actions: Sequence[Action], fabric: Fabric, links: Links) -> tuple[NDArray[np.float64], frozenset[str]]:
    capacity, dead = links.rate_bps.copy(), set()
    for port, one in conditions(links.ports, actions).items():
        here, there = links.number[port], links.number[fabric.peer(port)]
        if not one.up:
            capacity[[here, there]] = 0.0
            dead.add(fabric.link(port).name)
        elif one.rate_bps is not None:
            capacity[here] = min(capacity[here], one.rate_bps)
    return capacity, frozenset(dead)
