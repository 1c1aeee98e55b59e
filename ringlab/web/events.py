"""What a source tells the live view. Frozen, and free of clocks, sockets and processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from topologies.fabric import Port

Phase = Literal["starting", "running", "ended", "failed"]


@dataclass(frozen=True, slots=True)
class Flow:
    """One connection of the running job, and the directed links that it takes; none where it is sprayed."""

    name: str
    hops: tuple[Port, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the run's table: ``time_us`` and ``busbw_GBps`` as they were measured, on the slowed-down fabric.

    ``line_share`` is busbw as a share of the line rate; ``wrong`` is None where nothing was checked.
    """

    arm: str
    block: int
    size_bytes: int
    time_us: float
    busbw_GBps: float  # noqa: N815 - GBps and Gbps differ
    line_share: float
    wrong: int | None


@dataclass(frozen=True, slots=True)
class Said:
    """Something that a reader wants to know; it goes into the log."""

    text: str


@dataclass(frozen=True, slots=True)
class PhaseChanged:
    """``verdict`` is what the run's certificate says, once there is one."""

    phase: Phase
    text: str = ""
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class FabricUp:
    """It runs ``scale`` times slower than the fabric that it stands for."""

    scale: float


@dataclass(frozen=True, slots=True)
class TurnBegan:
    """An arm's turn: ``steps`` are those of one operation of the collective, None where nobody can know them."""

    arm: str
    policy: str
    block: int
    steps: int | None
    flows: tuple[Flow, ...] = ()


@dataclass(frozen=True, slots=True)
class OperationBegan:
    size_bytes: int


@dataclass(frozen=True, slots=True)
class FlowsMoved:
    """The job's flows take other ways, by another policy or round what is broken."""

    flows: tuple[Flow, ...]


@dataclass(frozen=True, slots=True)
class PolicyChanged:
    policy: str


@dataclass(frozen=True, slots=True)
class Loads:
    """Bits a second on directed links, as they cross the (slowed-down) fabric; links that are not named are idle."""

    bps: Mapping[Port, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ranks:
    """How far each rank is: the timed operation that it works on (from 1, 0 between them), and its step (from 0)."""

    at: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class LinkState:
    """``state`` is up, down or drained."""

    link: str
    state: str


@dataclass(frozen=True, slots=True)
class RowDone:
    row: Row


Event = (
    Said
    | PhaseChanged
    | FabricUp
    | TurnBegan
    | OperationBegan
    | FlowsMoved
    | PolicyChanged
    | Loads
    | Ranks
    | LinkState
    | RowDone
)
