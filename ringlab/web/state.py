"""What the page shows, as one frozen value: events in, a View out; pure.

Theory of operation. ``advance`` takes in one event; nothing else changes a View. ``snapshot`` is all of it, plain data
for JSON, in sections. Who has seen one snapshot needs only ``delta`` to have the next: the sections that differ, and of
the links only those that differ. ``merged`` is what a page does with it (in JavaScript), and what the tests hold it to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ringlab.web.events import (
    Event,
    FabricUp,
    Flow,
    FlowsMoved,
    LinkState,
    Loads,
    OperationBegan,
    Phase,
    PhaseChanged,
    PolicyChanged,
    Ranks,
    Row,
    RowDone,
    Said,
    TurnBegan,
)
from topologies.fabric import Fabric, Port

HOT_LINKS = 8
LOG_LINES = 50
SHOWN_FLOWS = 512
"""More would make an announcement of some hundred KB; the page says how many there are."""

BY_LINK = "links"
"""The one section of which a delta has only the entries that changed."""


@dataclass(frozen=True, slots=True)
class View:
    """``kind``: emulated, simulated or recorded. Rates are those of the fabric as it runs, ``scale`` times slower."""

    fabric: Fabric
    name: str
    kind: str
    collective: str
    algorithm: str
    placement: tuple[str, ...]
    policies: tuple[str, ...] = ()
    """That may be switched to; empty where nothing can be."""
    can_cut: bool = False
    scale: float = 1.0
    phase: Phase = "starting"
    text: str = ""
    verdict: str = ""
    arm: str = ""
    policy: str = ""
    block: int = 0
    steps: int | None = None
    size_bytes: int | None = None
    flows: tuple[Flow, ...] = ()
    bps: Mapping[Port, float] = field(default_factory=dict)
    ranks: tuple[tuple[int, int], ...] = ()
    states: Mapping[str, str] = field(default_factory=dict)
    """Of links that are not up."""
    rows: tuple[Row, ...] = ()
    log: tuple[tuple[float, str], ...] = ()


def advance(view: View, event: Event, now_s: float) -> View:  # noqa: C901, PLR0911 - one case an event
    """The view after ``event``, which came ``now_s`` seconds after the view began."""
    match event:
        case Said(text):
            return _logged(view, text, now_s)
        case PhaseChanged(phase, text, verdict):
            changed = replace(view, phase=phase, text=text, verdict=verdict or view.verdict)
            if phase in {"ended", "failed"}:
                changed = replace(changed, bps={}, ranks=())
            return _logged(changed, text, now_s) if text and text != view.text else changed
        case FabricUp(scale):
            return replace(view, scale=scale)
        case TurnBegan(arm, policy, block, steps, flows):
            turn = replace(view, arm=arm, policy=policy, block=block, steps=steps, flows=flows, ranks=())
            return replace(turn, phase="running", text="", size_bytes=None)
        case OperationBegan(size_bytes):
            return replace(view, size_bytes=size_bytes)
        case FlowsMoved(flows):
            return replace(view, flows=flows)
        case PolicyChanged(policy):
            return _logged(replace(view, policy=policy), f"policy: {policy}", now_s)
        case Loads(bps):
            return replace(view, bps=bps)
        case Ranks(at):
            return replace(view, ranks=at)
        case LinkState(link, state):
            return _link_changed(view, link, state, now_s)
        case RowDone(row):
            return replace(view, rows=(*view.rows, row))


def _logged(view: View, text: str, now_s: float) -> View:
    return replace(view, log=(*view.log, (round(now_s, 1), text))[-LOG_LINES:])


def _link_changed(view: View, link: str, state: str, now_s: float) -> View:
    if view.states.get(link, "up") == state:
        return view
    states = {name: other for name, other in view.states.items() if name != link}
    if state != "up":
        states[link] = state
    return _logged(replace(view, states=states), f"link {link}: {state}", now_s)


def share(view: View, port: Port) -> float:
    """Of a directed link's rate, how much is in use."""
    return view.bps.get(port, 0.0) * view.scale / view.fabric.rate_bps(port)


def snapshot(view: View) -> dict[str, Any]:
    """All that the page shows; plain data."""
    return {
        "about": {
            "name": view.name,
            "kind": view.kind,
            "fabric": view.fabric.name,
            "collective": view.collective,
            "algorithm": view.algorithm,
            "scale": view.scale,
        },
        "run": {
            "phase": view.phase,
            "text": view.text,
            "verdict": view.verdict,
            "arm": view.arm,
            "policy": view.policy,
            "block": view.block,
            "size_bytes": view.size_bytes,
            "steps": view.steps,
        },
        "control": {"cut": view.can_cut, "policies": list(view.policies)},
        "ranks": _ranks(view),
        "links": {str(port): _link(view, port) for port in view.fabric.directed_links()},
        "hot": _hot(view),
        "down": dict(sorted(view.states.items())),
        "flows": {
            "count": len(view.flows),
            "shown": [{"name": flow.name, "hops": list(map(str, flow.hops))} for flow in view.flows[:SHOWN_FLOWS]],
        },
        "rows": [_row(row) for row in view.rows],
        "log": [[at_s, text] for at_s, text in view.log],
    }


def delta(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What of a snapshot ``after`` is not in ``before``: whole sections, and single links."""
    found = {name: section for name, section in after.items() if name != BY_LINK and section != before.get(name)}
    links = {port: one for port, one in after[BY_LINK].items() if one != before[BY_LINK].get(port)}
    return found | ({BY_LINK: links} if links else {})


def merged(before: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """The snapshot after ``change``."""
    return {**before, **change, BY_LINK: {**before[BY_LINK], **change.get(BY_LINK, {})}}


def _ranks(view: View) -> list[dict[str, Any]]:
    return [
        {"host": host, "operation": operation, "step": step}
        for host, (operation, step) in zip(view.placement, view.ranks, strict=False)
    ]


def _link(view: View, port: Port) -> list[float]:
    """Share in use and Gb/s of the fabric that it stands for, rounded so that noise is no change."""
    used = share(view, port)
    return [round(used, 3), round(used * view.fabric.rate_bps(port) / 1e9, 2)]


def _hot(view: View) -> list[dict[str, Any]]:
    """The directed links that are used most, hosts' own among them; the fullest first."""
    used = [(share(view, port), port) for port in view.bps]
    full = sorted((item for item in used if item[0] >= 0.005), key=lambda item: (-item[0], item[1]))
    return [
        {"port": str(port), "name": view.fabric.direction(port), "share": round(part, 3)}
        for part, port in full[:HOT_LINKS]
    ]


def _row(row: Row) -> dict[str, Any]:
    return {
        "arm": row.arm,
        "block": row.block,
        "size_bytes": row.size_bytes,
        "time_us": round(row.time_us, 1),
        "busbw_GBps": round(row.busbw_GBps, 4),
        "line_share": round(row.line_share, 4),
        "wrong": row.wrong,
    }
