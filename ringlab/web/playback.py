"""A run without packets as a film: time in, events out. Pure: the clock is an argument.

Theory of operation. The *program* is a list of turns at one size each. Every turn is one operation (``operation.py``),
played slower than it is by ``scale``, so that a person can follow. What is done by hand (cut a link, restore it,
another policy) becomes a dated *act*, and the operation under way is simulated anew with it: what came before the act
stays as it was, as the simulation does not know the future. A recorded run is played at its own speed:
there each turn knows how long it was measured to take, and is stretched to that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from collectives import metrics
from ringlab.experiments.arms import Arm
from ringlab.experiments.simulated_faults import FAILOVER_S
from ringlab.experiments.spec import Spec
from ringlab.web.events import (
    Event,
    FabricUp,
    Flow,
    FlowsMoved,
    LinkState,
    Loads,
    OperationBegan,
    PhaseChanged,
    PolicyChanged,
    Ranks,
    Row,
    RowDone,
    Said,
    TurnBegan,
)
from ringlab.web.flows import named
from ringlab.web.operation import Operation, Scene, World
from topologies import measures


@dataclass(frozen=True, slots=True)
class Turn:
    """One arm at one size; ``measured_us`` as it was measured, for the nominal fabric, where it was."""

    arm: Arm
    block: int
    size_bytes: int
    measured_us: float | None = None
    wrong: int | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """At ``at_s`` of the film."""

    at_s: float
    kind: Literal["cut", "restore", "known", "policy"]
    what: str = ""


class Film:
    """Ask for ``events`` with a time that never goes back; ``cut`` and ``switch`` act at such a time."""

    def __init__(self, spec: Spec, program: Sequence[Turn], length_s: float, ending: PhaseChanged) -> None:
        self._spec, self._program, self._ending = spec, list(program), ending
        self._scene = Scene(spec)
        self._acts: list[Act] = []
        whole = [self._scene.operation(turn.size_bytes, [(0.0, World(turn.arm.policy))]) for turn in self._program]
        lasting_s = [_lasting_s(turn, one) for turn, one in zip(self._program, whole, strict=True)]
        self.scale = max(1.0, length_s / sum(lasting_s))
        self._paces = [
            self.scale * lasts_s / one.completion_s for lasts_s, one in zip(lasting_s, whole, strict=True)
        ]  # seconds of the film for each of the simulated operation
        self._next, self._begins_s = 0, 0.0
        self._now: Operation | None = None
        self._world = World("")

    @property
    def is_over(self) -> bool:
        return self._now is None and self._next >= len(self._program)

    def events(self, now_s: float) -> Iterator[Event]:
        """What has happened by now, and how things are."""
        if self.is_over:
            return
        if self._now is None and self._next == 0:
            yield FabricUp(self.scale)
        while True:
            if self._now is None:
                if self._next >= len(self._program):
                    yield self._ending
                    return
                yield from self._begin()
            assert self._now is not None
            if self._ends_s > now_s:
                break
            yield RowDone(self._row())
            self._begins_s, self._now = self._ends_s, None
            self._next += 1
        yield from self._moment(now_s)

    def cut(self, link: str, now_s: float) -> Iterator[Event]:
        """The link carries nothing; a little later its flows go another way, if there is one. Not after the end."""
        self._do(Act(now_s, "cut", link), Act(now_s + FAILOVER_S, "known"))
        yield LinkState(link, "down")
        world = self._world_at(now_s + FAILOVER_S)
        if not self._scene.has_way(world):
            yield Said(f"no way round {link} for every flow: what is caught there waits until it is restored")

    def restore(self, link: str, now_s: float) -> Iterator[Event]:
        self._do(Act(now_s, "restore", link), Act(now_s + FAILOVER_S, "known"))
        yield LinkState(link, "up")

    def switch(self, policy: str, now_s: float) -> Iterator[Event]:
        """For the rest of this arm's turn, at all sizes; ValueError (RoutingError) where it finds no way."""
        self._scene.routed(World(policy))
        self._do(Act(now_s, "policy", policy))
        yield PolicyChanged(policy)

    # -- turns ------------------------------------------------------------------------------
    @property
    def _turn(self) -> Turn:
        return self._program[self._next]

    @property
    def _pace(self) -> float:
        return self._paces[self._next]

    @property
    def _ends_s(self) -> float:
        assert self._now is not None
        return self._begins_s + self._now.completion_s * self._pace

    def _begin(self) -> Iterator[Event]:
        """An arm's turn begins with its own policy, and with what is cut."""
        turn, before = self._turn, self._program[self._next - 1] if self._next else None
        is_new = before is None or (before.arm, before.block) != (turn.arm, turn.block)
        if is_new:
            self._acts = [act for act in self._acts if act.kind != "policy"]
        self._world = self._world_at(self._begins_s)
        self._now = self._operation()
        if is_new:
            steps = self._scene.schedule.num_steps
            yield TurnBegan(turn.arm.name, turn.arm.policy, turn.block, steps, self._flows())
        yield OperationBegan(turn.size_bytes)

    def _operation(self) -> Operation:
        begins = self._begins_s
        later = sorted({act.at_s for act in self._acts if act.at_s > begins})
        worlds = [(0.0, self._world_at(begins)), *(((at - begins) / self._pace, self._world_at(at)) for at in later)]
        return self._scene.operation(self._turn.size_bytes, worlds)

    def _do(self, *acts: Act) -> None:
        """On the operation under way; only where there is one."""
        assert self._now is not None
        self._acts = sorted([*self._acts, *acts], key=lambda act: act.at_s)
        self._now = self._operation()

    def _world_at(self, at_s: float) -> World:
        world = World(self._turn.arm.policy)
        for act in self._acts:
            if act.at_s <= at_s:
                world = _changed(world, act)
        return world

    def _moment(self, now_s: float) -> Iterator[Event]:
        """How things are at ``now_s`` of the operation under way."""
        assert self._now is not None
        at_s = (now_s - self._begins_s) / self._pace
        world = self._world_at(now_s)
        if (world.policy, world.known) != (self._world.policy, self._world.known):
            self._world = world
            yield FlowsMoved(self._flows())
        loads = self._now.loads(at_s)
        yield Loads({port: bps / self._pace for port, bps in loads.items()})
        yield Ranks(tuple((self._next + 1, step) for step in self._now.steps(at_s)))

    def _flows(self) -> tuple[Flow, ...]:
        routed = self._scene.routed(self._world)
        hops = {key: tuple(port for port, _ in way) for key, way in routed.there.items()}
        return named(self._scene.keys, hops, self._spec.placement)

    def _row(self) -> Row:
        assert self._now is not None
        turn, spec = self._turn, self._spec
        time_us = turn.measured_us or self._now.completion_s * 1e6
        busbw = turn.size_bytes / time_us / 1e3 * metrics.busbw_factor(spec.collective, len(spec.placement))
        share = busbw * 8e9 / measures.ring_line_rate_bps(spec.fabric)
        return Row(turn.arm.name, turn.block, turn.size_bytes, time_us, busbw, share, turn.wrong)


def _lasting_s(turn: Turn, operation: Operation) -> float:
    """On the nominal fabric."""
    return turn.measured_us / 1e6 if turn.measured_us else operation.completion_s


def _changed(world: World, act: Act) -> World:
    match act.kind:
        case "cut":
            return replace(world, cut=world.cut | {act.what})
        case "restore":
            return replace(world, cut=world.cut - {act.what})
        case "known":
            return replace(world, known=world.cut)
        case "policy":
            return replace(world, policy=act.what)
