"""Delay, jitter and loss of a link's direction, and when each frame of it is due: pure.

A frame that enters a line at ``now`` is due ``delay_s`` later, give or take ``jitter_s`` (uniform), and never before
the frame ahead of it: a cable does not reorder. ``loss`` is the share of frames that never arrive. A frame is what
the emulation carries at once, up to 64 KiB of a stream, so a loss takes all of its segments, as netem's does.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from emulation.errors import PlanError

Frame = TypeVar("Frame")
Exit = TypeVar("Exit")

RELAYED_FROM_S = 100e-6
"""Shorter delays are left to the machine: a link of switch and cable takes as long by itself."""


@dataclass(frozen=True, slots=True)
class Impairment:
    """What a direction of a link does to frames, beside limiting their rate. ``loss`` is a share from 0 to 1."""

    delay_s: float = 0.0
    jitter_s: float = 0.0
    loss: float = 0.0

    def __post_init__(self) -> None:
        if self.delay_s < 0 or self.jitter_s < 0 or not 0 <= self.loss <= 1:
            raise PlanError(f"{self}: delay and jitter are 0 s or more, loss is a share from 0 to 1")
        if self.jitter_s > self.delay_s:
            raise PlanError(f"jitter {self.jitter_s:g} s is longer than its delay of {self.delay_s:g} s")

    @property
    def matters(self) -> bool:
        """Is it worth a process that holds every frame?"""
        return self.delay_s >= RELAYED_FROM_S or self.loss > 0

    def netem(self, limit_packets: int) -> str:
        """The kernel's own discipline for it, as ``tc`` takes it."""
        jitter = f" {self.jitter_s * 1e6:.0f}us" if self.jitter_s else ""
        loss = f" loss {self.loss * 100:g}%" if self.loss else ""
        return f"netem delay {self.delay_s * 1e6:.0f}us{jitter}{loss} limit {limit_packets}"


@dataclass
class Line:
    """One direction. ``own_s`` is what the machine takes by itself on this link: the held time is shorter by it."""

    impairment: Impairment
    own_s: float = 0.0
    lost: int = 0
    _last_due_s: float = 0.0

    def due_s(self, now_s: float, draw: Callable[[], float]) -> float | None:
        """When a frame that enters at ``now_s`` is due; None: it is lost. ``draw`` gives numbers in [0, 1)."""
        wanted = self.impairment
        if wanted.loss and draw() < wanted.loss:
            self.lost += 1
            return None
        held_s = wanted.delay_s - self.own_s
        if wanted.jitter_s:
            held_s += wanted.jitter_s * (2 * draw() - 1)
        self._last_due_s = max(self._last_due_s, now_s + max(0.0, held_s))
        return self._last_due_s


@dataclass
class Held(Generic[Exit, Frame]):
    """The frames of all lines, by when they are due; of equal ones, the first to come is the first to go."""

    _heap: list[tuple[float, int, Exit, Frame]] = field(default_factory=list)
    _count: int = 0

    def hold(self, due_s: float, exit_: Exit, frame: Frame) -> None:
        self._count += 1
        heapq.heappush(self._heap, (due_s, self._count, exit_, frame))

    def wait_s(self, now_s: float) -> float | None:
        """How long nothing is due; None where nothing is held."""
        return max(0.0, self._heap[0][0] - now_s) if self._heap else None

    def due(self, now_s: float) -> list[tuple[Exit, Frame]]:
        """Every frame that is due, taken out, in order."""
        found = []
        while self._heap and self._heap[0][0] <= now_s:
            _, _, exit_, frame = heapq.heappop(self._heap)
            found.append((exit_, frame))
        return found
