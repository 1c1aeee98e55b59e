"""Core: the controller's only mutable state. Events in, actions out; no clock, no socket.

Theory of operation. *Wanted* are the resident rules and the entries of all jobs; *told* is what each switch has, as far
as we know: what it was found to have when it connected, and what was sent since. The difference is a queue of stages,
see ``updates.py``, and each is sent when every switch has answered all before it. That is the one mechanism: a job that
comes or goes, a link that dies or returns, a switch that comes back, a controller that starts anew: each changes what
is wanted or told, and the stages are computed again. Equal tables cost nothing.

A missing switch holds up only stages that add something on it; one that has lost all its links to others is not waited
for at all. What it should lose, it loses when it is back. An entry that a switch refuses stops the update where it is:
packets keep to the routes that stand.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Literal

from controller.actions import Action, Alarm, Install, Log, ReadState, Save
from controller.events import (
    BarrierReply,
    CountersRead,
    Event,
    HandlerFailed,
    HandshakeFailed,
    JobPlanned,
    JobsReplaced,
    JobWithdrawn,
    LinkDrained,
    PortChanged,
    SwitchDown,
    SwitchError,
    SwitchEvent,
    SwitchState,
    SwitchUp,
    Tick,
)
from controller.job_request import JobRequest
from controller.planning import Plan, busy_of, plan
from controller.proof import ProofError, prove_resident
from controller.routing import RoutingError
from controller.routing.situation import Situation
from controller.rules import RESIDENT_VERSIONS, Entry, Rule, resident_rules
from controller.saved import Saved, read, written
from controller.tables import Table
from controller.telemetry import Telemetry
from controller.updates import Change, Command, Stage, update_stages
from topologies.addressing import dpid
from topologies.fabric import Fabric, FabricError, Port

MAX_ERRORS = 100
"""Error lines kept: the last so many."""

DRAIN_S = 0.25
"""How long packets may be on their way: queues of 200 kB at 100 Mb/s hold them for 16 ms a hop."""

GRACE_S = 1.0
"""How long the first switch waits for the others after the start, so that one update serves all."""

HOLD_DOWN_S = 1.0
"""How long a link must live until routes use it again: one that flaps is not worth the changes."""

TOGETHER_S = 0.1
"""Links that return so soon after another are used again with it, at the cost of one change."""

MAX_XID = 0x7FFFFFFF
"""Greater ones are the shell's: it asks for counters with them."""

MAX_JOB = 0x7FFF

SwitchName = str
SwitchProgress = Literal["missing", "installing", "ready"]
LinkState = Literal["up", "down", "drained"]


@dataclass(slots=True)
class _Session:
    """A switch's connection: the barrier not yet answered, and what was sent before it with what stood there."""

    connection: int
    found: bool = False
    barrier_xid: int | None = None
    in_flight: dict[int, tuple[Change, Entry | None]] = field(default_factory=dict)


class Controller:
    def __init__(self, fabric: Fabric, saved: str | None = None, scale: float = 1.0) -> None:
        """``saved``: the text of an earlier controller's ``Save``. ProofError if resident rules would not deliver.

        ``scale``: how many times slower the wires are than the fabric's links; only telemetry asks for it.
        SavedError for a text that does not fit the fabric.
        """
        self.fabric = fabric
        self.handler_errors = 0
        self.flow_mods = 0
        self.settled_s: float | None = None
        self.telemetry = Telemetry(fabric, scale)
        state = read(fabric, saved) if saved is not None else Saved()
        self.epoch = state.epoch
        self.jobs: dict[str, Plan] = dict(state.jobs)
        self._placed_without = dict.fromkeys(self.jobs, state.avoided)
        self._version = state.resident_version
        self._avoided = state.avoided
        self._drained = state.drained
        self._resident = resident_rules(fabric, self._version, self._avoided)
        prove_resident(fabric, self._resident, self._avoided)
        self._names = {dpid(fabric, switch): switch for switch in fabric.switches}
        self._told: dict[SwitchName, dict[object, Entry]] = {switch: {} for switch in fabric.switches}
        self._down_ports: dict[SwitchName, frozenset[int]] = {}
        self._sessions: dict[SwitchName, _Session] = {}
        self._stages: deque[Stage] = deque()
        self._stale = True  # whether the stages are to be computed again
        self._grace_until: float | None = None
        self._alive_since: dict[str, float] = {}  # links that routes still avoid
        self._drained_at: float | None = None
        self._began: float | None = None
        self._refused: list[tuple[SwitchName, str]] = []
        self._errors: deque[str] = deque(maxlen=MAX_ERRORS)
        self._last_xid = 0

    # What can be asked.

    @property
    def ready(self) -> bool:
        """Whether every switch has answered, and all of them have what is wanted."""
        return all(state == "ready" for state in self.switches().values())

    @property
    def errors(self) -> tuple[str, ...]:
        return tuple(self._errors)

    @property
    def refused(self) -> tuple[str, ...]:
        """The entries that switches refused in the update that stands still because of that."""
        return tuple(line for _, line in self._refused)

    @property
    def tables(self) -> Mapping[SwitchName, Table]:
        """What every switch has, as far as we know."""
        return {switch: Table(entries.values()) for switch, entries in self._told.items()}

    def switches(self) -> dict[SwitchName, SwitchProgress]:
        return {switch: self._progress(switch) for switch in self.fabric.switches}

    def links(self) -> dict[str, LinkState]:
        dead = self._dead()
        return {link.name: self._link_state(link.name, dead) for link in self.fabric.links}

    def changes_by(self, link: str, drained: bool) -> bool:
        """Whether draining the link, or using it again, changes routes."""
        return self._dead() | self._drained_after(link, drained) != self._avoided

    def _drained_after(self, link: str, drained: bool) -> frozenset[str]:
        return frozenset(self._drained | {link} if drained else self._drained - {link})

    def situation(self, *but: str) -> Situation:
        """What a job is to be routed around: dead and drained links, and the load of the jobs besides ``but``."""
        others = [job for name, job in self.jobs.items() if name not in but]
        return Situation(self._avoided, busy_of(self.fabric, others))

    def job_number(self, name: str, taken: Collection[int] = ()) -> int:
        """The number of the job of that name; a new job gets one that was not in use for long."""
        if name in self.jobs:
            return self.jobs[name].number
        used = {job.number for job in self.jobs.values()}.union(taken)
        return next(number for number in self._numbers_from_epoch() if number not in used)

    def _numbers_from_epoch(self) -> Iterator[int]:
        return (1 + (self.epoch + offset) % MAX_JOB for offset in count())

    def _progress(self, switch: SwitchName) -> SwitchProgress:
        session = self._sessions.get(switch)
        if session is None:
            return "missing"
        waits = session.barrier_xid is not None or self._stages or self._stale
        refused = any(one == switch for one, _ in self._refused)
        return "installing" if waits or refused or not session.found else "ready"

    def _link_state(self, name: str, dead: frozenset[str]) -> LinkState:
        if name in dead:
            return "down"
        return "drained" if name in self._drained else "up"

    # What can happen.

    def handle(self, event: Event, now: float) -> list[Action]:
        """Takes the event in; ``now`` in seconds of a clock that never goes back."""
        if isinstance(event, CountersRead):
            self._counted(event, now)
            return []
        actions = list(self._take(event, now))
        actions += self._link_returned(now)
        actions += self._advance(now)
        if self._began is not None and self.ready:
            self.settled_s = now - self._began
            self._began = None
        return actions

    def _counted(self, event: CountersRead, now: float) -> None:
        switch = self._names.get(event.dpid)
        if switch is not None:
            self.telemetry.take(switch, event, now)

    def _take(self, event: Event, now: float) -> Iterator[Action]:
        match event:
            case JobPlanned(job):
                yield from self._jobs_changed({**self.jobs, job.name: job}, now)
            case JobsReplaced(jobs):
                yield from self._jobs_changed({job.name: job for job in jobs}, now)
            case JobWithdrawn(name):
                left = {} if name is None else {one: job for one, job in self.jobs.items() if one != name}
                yield from self._jobs_changed(left, now)
            case LinkDrained(link, drained):
                self._drained = self._drained_after(link, drained)
                yield Log(f"link {link} {'drained' if drained else 'in use again'}")
                yield from self._routes_changed(now)
            case Tick():
                pass  # what it waited for is looked at after every event
            case HandlerFailed(what):
                self.handler_errors += 1
                yield self._error(f"handler failed: {what}")
            case HandshakeFailed(peer, reason):
                yield self._error(f"a switch at {peer} does not speak OpenFlow 1.3: {reason}")
            case _:
                yield from self._from_switch(event, now)

    def _from_switch(self, event: SwitchEvent, now: float) -> Iterator[Action]:
        switch = self._names.get(event.dpid)
        if switch is None:
            if isinstance(event, SwitchUp):
                yield self._error(f"stranger: a switch with datapath id {event.dpid} connected; ignored")
            return
        if isinstance(event, SwitchUp):
            yield from self._connected(switch, event.connection, now)
            return
        session = self._sessions.get(switch)
        if session is None or session.connection != event.connection:
            return  # of a connection that a newer one has replaced
        yield from self._told_by(switch, session, event, now)

    def _told_by(self, switch: SwitchName, session: _Session, event: SwitchEvent, now: float) -> Iterator[Action]:
        match event:
            case SwitchDown():
                del self._sessions[switch]
                self._stale = True
                yield Log(f"switch {switch} disconnected")
            case BarrierReply():
                if event.xid == session.barrier_xid:
                    session.barrier_xid = None
                    session.in_flight.clear()
            case SwitchError():
                yield self._refuse(switch, session, event)
            case SwitchState():
                yield from self._found(switch, session, event, now)
            case PortChanged():
                down = self._down_ports.get(switch, frozenset())
                self._down_ports[switch] = down - {event.port} if event.alive else down | {event.port}
                yield from self._links_changed(now)

    def _connected(self, switch: SwitchName, connection: int, now: float) -> Iterator[Action]:
        yield Log(f"switch {switch} connected")
        self._sessions[switch] = _Session(connection)
        self._refused = [(one, line) for one, line in self._refused if one != switch]
        self._begin(now)
        if self._grace_until is None:
            self._grace_until = now + GRACE_S
            yield Alarm(GRACE_S)
        yield ReadState(connection)

    def _found(self, switch: SwitchName, session: _Session, state: SwitchState, now: float) -> Iterator[Action]:
        self._told[switch] = {entry.key: entry for entry in state.entries}
        session.found = True
        self._begin(now)
        if state.foreign:
            yield Log(f"switch {switch}: has rules of others; they are deleted")
            yield self._install(switch, (), purge=True)
        self._down_ports[switch] = state.down_ports
        yield from self._links_changed(now)

    def _refuse(self, switch: SwitchName, session: _Session, error: SwitchError) -> Log:
        sent = session.in_flight.pop(error.xid, None)
        if sent is None:
            return self._error(f"switch {switch}: {error.reason}")
        change, before = sent
        if before is None:
            self._told[switch].pop(change.entry.key, None)
        else:
            self._told[switch][change.entry.key] = before
        noun = "rule" if isinstance(change.entry, Rule) else "group"
        line = f"switch {switch} refused to {change.command.value} {noun} ({change.entry}): {error.reason}"
        self._refused.append((switch, line))
        return self._error(line)

    def _error(self, line: str) -> Log:
        self._errors.append(line)
        return Log(line, error=True)

    # Jobs and links: what is wanted.

    def _jobs_changed(self, jobs: dict[str, Plan], now: float) -> Iterator[Action]:
        for name, job in jobs.items():
            if self.jobs.get(name) is not job:
                self._placed_without[name] = self._avoided
        self.jobs = jobs
        self.epoch += 1
        self._refused.clear()
        self._begin(now)
        names = ", ".join(f"{job.name!r} by {job.policy}" for job in jobs.values())
        yield Log(f"epoch {self.epoch}: {f'jobs {names}' if names else 'no job'}")
        yield self._save()

    def _begin(self, now: float) -> None:
        self._stale = True
        self.settled_s = None
        if self._began is None:
            self._began = now

    def _save(self) -> Save:
        state = Saved(self.jobs, self.epoch, self._version, self._avoided, self._drained)
        return Save(written(self.fabric, state))

    def _dead(self) -> frozenset[str]:
        """Links between switches that one end or the other says are dead."""
        ports = (Port(switch, number) for switch, numbers in self._down_ports.items() for number in numbers)
        ours = (port for port in ports if port in self.fabric.ports(port.node))
        trunks = (port for port in ours if self.fabric.is_switch(self.fabric.peer(port).node))
        return frozenset(self.fabric.link(port).name for port in trunks)

    def _links_changed(self, now: float) -> Iterator[Action]:
        """Routes leave a dead link at once, and come back to a live one after a while."""
        avoided = self._dead() | self._drained
        if self._in_grace(now):
            return  # looked at when it ends
        if avoided - self._avoided:
            yield from self._routes_changed(now)
            return
        back = self._avoided - avoided
        if back - self._alive_since.keys():
            yield Alarm(HOLD_DOWN_S)
        self._alive_since = {link: self._alive_since.get(link, now) for link in back}

    def _link_returned(self, now: float) -> Iterator[Action]:
        if self._alive_since and now >= min(self._alive_since.values()) + HOLD_DOWN_S:
            still_young = now - HOLD_DOWN_S + TOGETHER_S
            yield from self._routes_changed(now, {link for link, at in self._alive_since.items() if at > still_young})

    def _routes_changed(self, now: float, held: Collection[str] = ()) -> Iterator[Action]:
        """Routes resident packets and every job that is concerned around the links that are not to be used.

        Links of ``held`` are live, but not for long.
        """
        avoided = self._dead() | self._drained | frozenset(held)
        if avoided == self._avoided:
            return
        gone, back = avoided - self._avoided, self._avoided - avoided
        self._avoided = avoided
        self._alive_since = {link: at for link, at in self._alive_since.items() if link in held}
        yield Log(f"links: without {', '.join(sorted(gone)) or 'none'}; again with {', '.join(sorted(back)) or 'none'}")
        self.epoch += 1
        self._refused.clear()
        self._begin(now)
        yield from self._resident_again()
        for job in list(self.jobs.values()):
            if self._is_concerned(job):
                yield from self._job_again(job)
        yield self._save()

    def _resident_again(self) -> Iterator[Action]:
        place = RESIDENT_VERSIONS.index(self._version) + 1
        version = RESIDENT_VERSIONS[place % len(RESIDENT_VERSIONS)]
        try:
            rules = resident_rules(self.fabric, version, self._avoided)
            prove_resident(self.fabric, rules, self._avoided)
        except (RoutingError, FabricError, ProofError) as error:
            yield self._error(f"resident routes stay as they are: {error}")
        else:
            self._version, self._resident = version, rules

    def _is_concerned(self, job: Plan) -> bool:
        """Whether the job uses a link that it should not, or was placed when links were missing that are back."""
        if self._placed_without[job.name] - self._avoided:
            return True
        ways = (way for route in job.routes.values() for way in (route.path, route.backup) if way)
        return any(self.fabric.link(port).name in self._avoided for way in ways for port in way.hops)

    def _job_again(self, job: Plan) -> Iterator[Action]:
        request = JobRequest(job.name, job.policy, job.demands, job.priority)
        try:
            again = plan(self.fabric, request, job.number, self.epoch, self.situation(job.name), job.routes, True)
        except (RoutingError, FabricError, ProofError) as error:
            yield self._error(f"job {job.name!r} keeps its routes: {error}")
        else:
            self.jobs[job.name] = again
            self._placed_without[job.name] = self._avoided

    # Updates: from what is told to what is wanted.

    def _in_grace(self, now: float) -> bool:
        """Whether the controller has just started, and switches are still to come."""
        if all(switch in self._sessions and self._sessions[switch].found for switch in self.fabric.switches):
            self._grace_until = float("-inf")
        return self._grace_until is None or now < self._grace_until

    def _advance(self, now: float) -> Iterator[Action]:
        """Computes the stages where they are stale, and sends what can be sent."""
        if self._in_grace(now):
            return
        yield from self._links_changed(now)
        if self._busy():
            return
        if self._stale:
            self._compute()
        while self._stages and not self._busy():
            stage = self._stages[0]
            if not all(self._can_have(switch, changes) for switch, changes in stage.changes.items()):
                return
            if stage.drains and self._drained_at is None:
                self._drained_at = now + DRAIN_S
                yield Alarm(DRAIN_S)
            if stage.drains and now < (self._drained_at or now):
                return
            self._stages.popleft()
            self._drained_at = None
            yield from self._send(stage)

    def _send(self, stage: Stage) -> Iterator[Action]:
        for switch, changes in stage.changes.items():
            if switch in self._sessions:
                yield self._install(switch, changes)

    def _busy(self) -> bool:
        """Whether an answer is still to come, or was a refusal."""
        waits = any(session.barrier_xid is not None or not session.found for session in self._sessions.values())
        return waits or bool(self._refused)

    def _compute(self) -> None:
        self._stale = False
        self._drained_at = None
        wanted = [*self._resident, *(entry for job in self.jobs.values() for entry in job.entries)]
        lost = self._lost()
        told = (entry for entries in self._told.values() for entry in entries.values() if entry.switch not in lost)
        self._stages = deque(update_stages(told, (entry for entry in wanted if entry.switch not in lost)))

    def _lost(self) -> set[SwitchName]:
        """The missing switches that have no live link to another: nothing can be done about them, or through them."""
        dead = self._dead()
        lost = set()
        for switch in self.fabric.switches:
            trunks = [port for port in self.fabric.ports(switch) if self.fabric.is_switch(self.fabric.peer(port).node)]
            if switch not in self._sessions and trunks and all(self.fabric.link(port).name in dead for port in trunks):
                lost.add(switch)
        return lost

    def _can_have(self, switch: SwitchName, changes: Iterable[Change]) -> bool:
        return switch in self._sessions or all(change.command is Command.DELETE for change in changes)

    def _install(self, switch: SwitchName, changes: Iterable[Change], purge: bool = False) -> Install:
        session, told = self._sessions[switch], self._told[switch]
        numbered = tuple((self._xid(), change) for change in changes)
        for xid, change in numbered:
            session.in_flight[xid] = (change, told.get(change.entry.key))
            if change.command is Command.ADD:
                told[change.entry.key] = change.entry
            else:
                told.pop(change.entry.key, None)
        self.flow_mods += len(numbered)
        session.barrier_xid = self._xid()
        return Install(session.connection, numbered, session.barrier_xid, purge)

    def _xid(self) -> int:
        self._last_xid = self._last_xid % MAX_XID + 1
        return self._last_xid
