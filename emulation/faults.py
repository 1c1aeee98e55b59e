"""Faults on a schedule: what breaks, when, and how every port should be at any moment. Pure: no clock, no command.

Theory of operation. A Fault is a trigger and an action. A Scenario takes in what happens (work begins, a step begins,
time passes) and answers with the changes that are due: faults that begin, faults that end. How a port should be
(``condition``) follows from all faults that are on, not from the last change: of two faults on one link each ends in
its own time, and when none is on, everything is as it was planned. Whoever carries changes out (``outages.py``)
compares conditions and does the difference; ending a turn is nothing but ending all faults.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from math import prod

from topologies.fabric import Link, Port
from topologies.rates import format_rate


@dataclass(frozen=True, slots=True)
class At:
    """``after_s`` seconds after a turn's work begins (its ranks have met)."""

    after_s: float

    def __str__(self) -> str:
        return f"at {self.after_s:g} s"


@dataclass(frozen=True, slots=True)
class AtStep:
    """When the first rank begins ``step`` (from 0) of the turn's timed operation number ``operation`` (from 1)."""

    step: int
    operation: int = 1

    def __str__(self) -> str:
        return f"at step {self.step} of operation {self.operation}"


@dataclass(frozen=True, slots=True)
class Down:
    """A cable is pulled: both ends lose their carrier."""

    link: Link

    @property
    def target(self) -> str:
        return f"link {self.link.name}"

    on, now, off = "down", "down", "up again"


@dataclass(frozen=True, slots=True)
class Degrade:
    """A directed link (or both directions of one) carries less, later, or not everything; no port says so.

    ``rate_bps`` as emulated, None: as planned. ``loss`` is the share of frames (from 0 to 1) that vanish: each frame
    by a throw of the dice, with segmentation offload up to 64 KiB of one connection.
    """

    name: str
    ports: tuple[Port, ...]
    rate_bps: int | None = None
    delay_s: float = 0.0
    jitter_s: float = 0.0
    loss: float = 0.0

    @property
    def target(self) -> str:
        return f"link {self.name}"

    @property
    def on(self) -> str:
        parts = [f"limited to {format_rate(self.rate_bps)}b/s"] if self.rate_bps is not None else []
        if self.delay_s or self.jitter_s:
            spread = f" +- {self.jitter_s * 1e6:g} us" if self.jitter_s else ""
            parts.append(f"delayed by {self.delay_s * 1e6:g} us{spread}")
        parts += [f"loses {self.loss * 100:g} % of its frames"] if self.loss else []
        return ", ".join(parts)

    @property
    def now(self) -> str:
        return self.on.replace("loses", "losing")

    off = "as before"


@dataclass(frozen=True, slots=True)
class KillSwitch:
    """A switch loses its ports' carriers, its tables and its controller session, and starts again empty."""

    switch: str

    @property
    def target(self) -> str:
        return f"switch {self.switch}"

    on, now, off = "killed", "dead", "restarted"


@dataclass(frozen=True, slots=True)
class KillController:
    """The controller's process is killed; switches forward on with the rules that they have."""

    target = "controller"
    on, now, off = "killed", "dead", "restarted"


@dataclass(frozen=True, slots=True)
class PauseHost:
    """Every rank on the host stands still; its kernel does not."""

    host: str

    @property
    def target(self) -> str:
        return f"host {self.host}"

    on, now, off = "paused", "paused", "resumed"


@dataclass(frozen=True, slots=True)
class KillRank:
    """A rank's process ends at once, and does not come back."""

    rank: int

    @property
    def target(self) -> str:
        return f"rank {self.rank}"

    on, now, off = "killed", "dead", "still dead"


@dataclass(frozen=True, slots=True)
class Restore:
    """Ends every fault that is on at one of ``targets`` (as in their ``target``)."""

    targets: tuple[str, ...]

    @property
    def target(self) -> str:
        return self.targets[0]

    on, now, off = "restored", "restored", ""


Trigger = At | AtStep
Action = Down | Degrade | KillSwitch | KillController | PauseHost | KillRank | Restore


@dataclass(frozen=True, slots=True)
class Fault:
    """``action`` begins at ``trigger``. It ends after ``lasts_s``, by a Restore, or with the turn.

    ``repeats`` times every ``period_s``, where it is more than 1: a flap is a link that is down for half its period.
    """

    trigger: Trigger
    action: Action
    lasts_s: float | None = None
    repeats: int = 1
    period_s: float = 0.0

    def __str__(self) -> str:
        flaps = f", {self.repeats} times every {self.period_s:g} s" if self.repeats > 1 else ""
        lasts = f" for {self.lasts_s:g} s" if self.lasts_s is not None else ""
        return f"{self.action.target} {self.action.on}{lasts}{flaps} {self.trigger}"

    @property
    def span_s(self) -> float:
        """From its beginning to its last end; 0 where it has none of its own."""
        return (self.repeats - 1) * self.period_s + (self.lasts_s or 0.0)


@dataclass(frozen=True, slots=True)
class Change:
    """A fault begins (``on``) or ends."""

    fault: Fault
    on: bool

    def __str__(self) -> str:
        action = self.fault.action
        return f"{action.target} {action.on if self.on else action.off}"


class Scenario:
    """The faults of one turn. Times are seconds of any clock that does not go back; mutable."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._waiting = list(faults)
        self._due: list[tuple[float, int, Change]] = []
        self._order = count()  # of changes at one moment: as they were scheduled
        self._began: float | None = None
        self._on: dict[int, tuple[Fault, float]] = {}  # by identity: one spec may list two equal faults

    @property
    def steps(self) -> tuple[tuple[int, int], ...]:
        """The (operation, step) pairs that somebody must tell us of."""
        triggers = (fault.trigger for fault in self._waiting)
        return tuple(sorted({(trigger.operation, trigger.step) for trigger in triggers if isinstance(trigger, AtStep)}))

    @property
    def on(self) -> tuple[tuple[Fault, float], ...]:
        """The faults that are on, and since when (seconds after work began)."""
        return tuple((fault, since - (self._began or 0.0)) for fault, since in self._on.values())

    @property
    def never_came(self) -> tuple[Fault, ...]:
        """Faults whose moment has not come."""
        due = [change.fault for _, _, change in self._due if change.on]
        return (*self._waiting, *due)

    def work_begins(self, now: float) -> None:
        """Moments count from here; said again, nothing happens."""
        if self._began is None:
            self._began = now
            self._begin([fault for fault in self._waiting if isinstance(fault.trigger, At)], now)

    def step_begins(self, operation: int, step: int, now: float) -> None:
        self._begin([fault for fault in self._waiting if fault.trigger == AtStep(step, operation)], now)

    def ask(self, fault: Fault, now: float) -> None:
        """A fault that nobody had planned: its moment is counted from now."""
        self._begin([fault], now)

    def next_at(self) -> float | None:
        """When ``due`` will have something to say, None where nothing is scheduled."""
        return self._due[0][0] if self._due else None

    def due(self, now: float) -> list[Change]:
        """The changes whose time has come, in order; they count as done."""
        changes: list[Change] = []
        while self._due and self._due[0][0] <= now:
            at, _, change = heapq.heappop(self._due)
            changes += self._take(change, max(at, now))
        return changes

    def end(self) -> list[Change]:
        """End every fault that is on, the last first; what has not come will not come."""
        changes = [Change(fault, on=False) for fault, _ in reversed(self._on.values())]
        self._on.clear()
        return changes

    def since_s(self, now: float) -> float:
        """Seconds since work began."""
        return now - self._began if self._began is not None else 0.0

    def _begin(self, faults: Iterable[Fault], now: float) -> None:
        for fault in faults:
            self._waiting = [other for other in self._waiting if other is not fault]
            start = now + fault.trigger.after_s if isinstance(fault.trigger, At) else now
            for repeat in range(fault.repeats):
                begins = start + repeat * fault.period_s
                self._schedule(begins, Change(fault, on=True))
                if fault.lasts_s is not None:
                    self._schedule(begins + fault.lasts_s, Change(fault, on=False))

    def _schedule(self, at: float, change: Change) -> None:
        heapq.heappush(self._due, (at, next(self._order), change))

    def _take(self, change: Change, now: float) -> Iterator[Change]:
        fault = change.fault
        if isinstance(fault.action, Restore):
            for other, _ in list(self._on.values()):
                if other.action.target in fault.action.targets:
                    del self._on[id(other)]
                    yield Change(other, on=False)
        elif change.on and id(fault) not in self._on:
            self._on[id(fault)] = fault, now
            yield change
        elif not change.on and id(fault) in self._on:
            del self._on[id(fault)]
            yield change


@dataclass(frozen=True, slots=True)
class Condition:
    """How a port is while faults are on; the defaults are a whole port. ``rate_bps`` None: as planned."""

    up: bool = True
    rate_bps: int | None = None
    delay_s: float = 0.0
    jitter_s: float = 0.0
    loss: float = 0.0


WHOLE = Condition()


def condition(port: Port, actions: Sequence[Action]) -> Condition:
    """The port under all of ``actions``: the lowest rate, delays added, losses one after another."""
    up = not any(
        (isinstance(action, Down) and port in (action.link.a, action.link.b))
        or (isinstance(action, KillSwitch) and port.node == action.switch)
        for action in actions
    )
    slower = [action for action in actions if isinstance(action, Degrade) and port in action.ports]
    return Condition(
        up=up,
        rate_bps=min((action.rate_bps for action in slower if action.rate_bps is not None), default=None),
        delay_s=sum(action.delay_s for action in slower),
        jitter_s=sum(action.jitter_s for action in slower),
        loss=1 - prod(1 - action.loss for action in slower),
    )


def conditions(ports: Iterable[Port], actions: Sequence[Action]) -> Mapping[Port, Condition]:
    """Of every port that is not whole."""
    found = {port: condition(port, actions) for port in ports}
    return {port: one for port, one in found.items() if one != WHOLE}


def touches(action: Action, hops: Iterable[Port]) -> bool:
    """Does the action hit a path of these directed links?"""
    match action:
        case Down(link):
            return any(port in (link.a, link.b) for port in hops)
        case Degrade(ports=ports):
            return any(port in ports for port in hops)
        case KillSwitch(switch):
            return any(port.node == switch for port in hops)
    return False
