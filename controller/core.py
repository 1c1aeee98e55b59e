"""Core: the controller's only mutable state. Events in, actions out; no clock, no socket.

Theory of operation. For each switch there is the table that it has been told to have. An update (a job planned or
withdrawn) is a queue of stages, see ``rules.py``; a stage is sent when every switch of the fabric is connected and has
answered all before it. The last stage asks every switch, so *ready* means: all of them have answered this epoch.

A switch that connects gets its whole table again, each rule in place of an equal one, and then rules with a foreign
stamp are deleted: nothing right is ever taken away. A switch that is missing holds the update up, so it can't be
left behind. A rule that a switch refuses stops the update where it is: the packets keep to the paths that stand.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from controller.actions import Action, Alarm, Install, Log
from controller.events import (
    BarrierReply,
    Event,
    HandlerFailed,
    HandshakeFailed,
    JobPlanned,
    JobWithdrawn,
    SwitchDown,
    SwitchError,
    SwitchEvent,
    SwitchUp,
    Tick,
)
from controller.planning import Plan
from controller.rules import Change, Command, Rule, Stage, resident_rules, update_stages
from controller.tables import Table, prove_resident, tables
from topologies.addressing import dpid
from topologies.fabric import Fabric

STAMP_BITS = 24
"""A stamp is the connection's number, cut to what a cookie has left beside epoch and flow."""

MAX_ERRORS = 100
"""Error lines kept: the last so many."""

DRAIN_S = 0.25
"""How long packets may be on their way: queues of 200 kB at 100 Mb/s hold them for 16 ms a hop."""

MAX_XID = 0xFFFFFFFF

SwitchState = Literal["missing", "installing", "ready"]


@dataclass(slots=True)
class _Session:
    """A switch's connection: the barrier not yet answered, and what was sent before it with what stood there."""

    connection: int
    barrier_xid: int | None = None
    in_flight: dict[int, tuple[Change, Rule | None]] = field(default_factory=dict)


class Controller:
    def __init__(self, fabric: Fabric) -> None:
        """ProofError if the fabric's resident rules would not deliver."""
        self.fabric = fabric
        self.epoch = 0
        self.job: Plan | None = None
        self.handler_errors = 0
        self.settled_s: float | None = None
        self._resident = resident_rules(fabric)
        prove_resident(fabric, self._resident)
        self._names = {dpid(fabric, switch): switch for switch in fabric.switches}
        self._tables = tables(fabric, self._resident)
        self._stages: deque[Stage] = deque()
        self._sessions: dict[str, _Session] = {}
        self._refused: list[tuple[str, str]] = []  # switch and error line
        self._errors: deque[str] = deque(maxlen=MAX_ERRORS)
        self._last_xid = 0
        self._began: float | None = None
        self._drained_at: float | None = None

    # What can be asked.

    @property
    def ready(self) -> bool:
        """Whether every switch has answered the last barrier of this epoch."""
        return all(state == "ready" for state in self.switches().values())

    @property
    def errors(self) -> tuple[str, ...]:
        return tuple(self._errors)

    @property
    def refused(self) -> tuple[str, ...]:
        """The rules of this epoch that switches refused."""
        return tuple(line for _, line in self._refused)

    @property
    def tables(self) -> Mapping[str, Table]:
        """What every switch has been told to have."""
        return self._tables

    def switches(self) -> dict[str, SwitchState]:
        return {switch: self._state(switch) for switch in self.fabric.switches}

    def _state(self, switch: str) -> SwitchState:
        session = self._sessions.get(switch)
        if session is None:
            return "missing"
        waits = session.barrier_xid is not None or self._stages or any(one == switch for one, _ in self._refused)
        return "installing" if waits else "ready"

    # What can happen.

    def handle(self, event: Event, now: float) -> list[Action]:
        """Takes the event in; ``now`` in seconds of a clock that never goes back."""
        actions = list(self._take(event, now))
        actions += self._advance(now)
        if self.ready and self._began is not None:
            self.settled_s = now - self._began
            self._began = None
        return actions

    def _take(self, event: Event, now: float) -> Iterator[Action]:
        match event:
            case JobPlanned(plan):
                yield from self._update(plan, now)
            case JobWithdrawn():
                yield from self._update(None, now)
            case Tick():
                pass  # what it waited for is looked at after every event
            case HandlerFailed(what):
                self.handler_errors += 1
                yield self._error(f"handler failed: {what}")
            case HandshakeFailed(peer, reason):
                yield self._error(f"a switch at {peer} does not speak OpenFlow 1.3: {reason}")
            case _:
                yield from self._from_switch(event)

    def _from_switch(self, event: SwitchEvent) -> Iterator[Action]:
        switch = self._names.get(event.dpid)
        if switch is None:
            if isinstance(event, SwitchUp):
                yield self._error(f"stranger: a switch with datapath id {event.dpid} connected; ignored")
            return
        if isinstance(event, SwitchUp):
            yield from self._connected(switch, event.connection)
            return
        session = self._sessions.get(switch)
        if session is None or session.connection != event.connection:
            return  # of a connection that a newer one has replaced
        match event:
            case SwitchDown():
                del self._sessions[switch]
                yield Log(f"switch {switch} disconnected")
            case BarrierReply():
                if event.xid == session.barrier_xid:
                    session.barrier_xid = None
                    session.in_flight.clear()
            case SwitchError():
                yield self._refuse(switch, session, event)

    def _connected(self, switch: str, connection: int) -> Iterator[Action]:
        yield Log(f"switch {switch} connected")
        self._sessions[switch] = _Session(connection)
        changes = [Change(Command.ADD, rule) for rule in sorted(self._tables[switch], key=lambda rule: rule.priority)]
        self._tables[switch] = Table()
        yield self._install(switch, changes, purge=True)

    def _refuse(self, switch: str, session: _Session, error: SwitchError) -> Log:
        sent = session.in_flight.pop(error.xid, None)
        if sent is None:
            return self._error(f"switch {switch}: {error.reason}")
        change, before = sent
        if before is None:
            self._tables[switch].delete(change.rule)
        else:
            self._tables[switch].add(before)
        line = f"switch {switch} refused to {change.command.value} rule ({change.rule}): {error.reason}"
        self._refused.append((switch, line))
        return self._error(line)

    def _error(self, line: str) -> Log:
        self._errors.append(line)
        return Log(line, error=True)

    # Updates.

    def _update(self, plan: Plan | None, now: float) -> Iterator[Action]:
        """Queues the way from what the switches have been told so far to the new rules."""
        self.job = plan
        self.epoch += 1
        self.settled_s, self._began = None, now
        self._refused.clear()
        wanted = [*self._resident, *(plan.rules if plan else ())]
        stages = list(update_stages(self._standing(), wanted))
        self._stages = deque(stages or [Stage({})])  # an empty stage still asks every switch
        self._drained_at = None
        yield Log(f"epoch {self.epoch}: {f'job {plan.name!r} by {plan.policy}' if plan else 'no job'}")

    def _standing(self) -> Iterable[Rule]:
        return (rule for table in self._tables.values() for rule in table)

    def _advance(self, now: float) -> Iterator[Action]:
        """Sends the next stage if all before it has been answered, and drained where it asks for that."""
        if not self._stages or not self._all_answered():
            return
        if self._stages[0].drains:
            if self._drained_at is None:
                self._drained_at = now + DRAIN_S
                yield Alarm(DRAIN_S)
            if now < self._drained_at:
                return
        changes = self._stages.popleft().changes
        for switch in changes if self._stages else self.fabric.switches:
            yield self._install(switch, changes.get(switch, ()))

    def _all_answered(self) -> bool:
        """Whether every switch is connected, has answered, and none has refused."""
        waiting = any(session.barrier_xid is not None for session in self._sessions.values())
        return len(self._sessions) == len(self.fabric.switches) and not waiting and not self._refused

    def _install(self, switch: str, changes: Iterable[Change], purge: bool = False) -> Install:
        session = self._sessions[switch]
        numbered = tuple((self._xid(), change) for change in changes)
        for xid, change in numbered:
            session.in_flight[xid] = (change, self._tables[switch].get(change.rule))
            if change.command is Command.ADD:
                self._tables[switch].add(change.rule)
            else:
                self._tables[switch].delete(change.rule)
        session.barrier_xid = self._xid()
        return Install(session.connection, _stamp(session.connection), numbered, purge, session.barrier_xid)

    def _xid(self) -> int:
        self._last_xid = self._last_xid % MAX_XID + 1
        return self._last_xid


def _stamp(connection: int) -> int:
    """Never 0, which is the cookie of rules that others make."""
    return connection % ((1 << STAMP_BITS) - 1) + 1
