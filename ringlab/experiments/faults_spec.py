"""The field ``faults`` of a spec: a list of what breaks and when, each entry a trigger, an action and its options.

    faults:
      - {at: 1.5s, down: leaf1-spine1, for: 1s}
      - {at_step: 5, operation: 2, lose: leaf1->spine1, share: 10%, for: 500ms}
      - {at: 1s, flap: leaf1-spine1, period: 200ms, count: 5}
      - {at: 1s, degrade: leaf1-spine1, rate: 10G, delay: 20us, jitter: 5us, loss: 1%}
      - {at: 1s, kill: spine1, for: 1s}          # or controller, or rank 3
      - {at: 1s, pause: h3, for: 300ms}
      - {at_step: 9, restore: leaf1-spine1}

Times (``at``, ``for``, ``period``) are seconds of this run, as TCP's own timers are; rates and delays are those of the
real fabric and follow the run's scale, as the fabric's own do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from emulation import doctor
from emulation.errors import EmulationError, MachineError, PlanError
from emulation.faults import (
    Action,
    At,
    AtStep,
    Degrade,
    Down,
    Fault,
    KillController,
    KillRank,
    KillSwitch,
    PauseHost,
    Restore,
    Trigger,
)
from emulation.plan import MOST_PORTS, Plan
from topologies.fabric import Fabric, Link
from topologies.rates import format_rate, parse_latency, parse_rate
from topologies.spelling import did_you_mean
from topologies.yaml_lines import FieldPath, Problems, name_kind

MAX_FAULTS = 64
MAX_TIME_S = 86400.0
MIN_PERIOD_S = 0.05
"""Of a flap: a change takes some milliseconds to be made."""

VERBS: Mapping[str, frozenset[str]] = {
    "down": frozenset({"for"}),
    "flap": frozenset({"period", "count"}),
    "degrade": frozenset({"rate", "delay", "jitter", "loss", "for"}),
    "lose": frozenset({"share", "for"}),
    "kill": frozenset({"for"}),
    "pause": frozenset({"for"}),
    "restore": frozenset(),
}
"""What can be done, with the options of each."""

TRIGGERS = ("at", "at_step", "operation")
CONTROLLER = "controller"


@dataclass(frozen=True, slots=True)
class Scene:
    """What faults can hit: ``steps`` of the collective, timed ``operations`` of a turn."""

    fabric: Fabric
    placement: Sequence[str]
    steps: int
    operations: int


class _EntryError(ValueError):
    """What is wrong with the entry's field ``key`` (None: with the entry as a whole)."""

    def __init__(self, key: str | None, what: str) -> None:
        self.key = key
        super().__init__(what)


def read_faults(entries: Sequence[Any], scene: Scene, problems: Problems) -> tuple[Fault, ...]:
    """The faults of the field; one problem is added for each entry that is wrong."""
    found: list[Fault] = []
    for index, entry in enumerate(entries):
        try:
            found.append(_fault(entry, scene))
        except _EntryError as wrong:
            path: FieldPath = ("faults", index)
            problems.add(path if wrong.key is None else (*path, wrong.key), str(wrong))
    targets = {fault.action.target for fault in found if not isinstance(fault.action, Restore | KillRank)}
    for index, fault in enumerate(found if len(found) == len(entries) else ()):
        if isinstance(fault.action, Restore) and not targets & set(fault.action.targets):
            what = f"nothing else in faults breaks {fault.action.target}; restore what another entry breaks"
            problems.add(("faults", index, "restore"), what)
    return tuple(found)


def scaled(faults: Sequence[Fault], scale: float) -> tuple[Fault, ...]:
    """Rates and delays as they are emulated at ``scale``."""
    return tuple(
        replace(fault, action=_scaled(fault.action, scale)) if isinstance(fault.action, Degrade) else fault
        for fault in faults
    )


def check_machine(faults: Sequence[Fault], plan: Plan) -> None:
    """MachineError where a fault delays packets of a link and nothing here can.

    PlanError where something could and the spec does not let it, and for a fabric too large.
    """
    if faults and plan.shares:
        raise PlanError(
            f"faults: a fabric of {len(plan.switch_interfaces)} switch ports gets switch daemons of its own, which "
            f"faults can't reach; take one of at most {MOST_PORTS} ports"
        )
    for fault in faults:
        if not isinstance(fault.action, Degrade) or not fault.action.delay_s or plan.settings.delays == "netem":
            continue
        if not set(fault.action.ports) <= set(plan.relayed):
            raise _undelayed(fault, plan.settings.delays)


def _undelayed(fault: Fault, delays: str) -> EmulationError:
    if delays == "relay":
        why = "transport: {delays: relay} delays links with a latency alone; give that link one"
        return PlanError(f"fault '{fault}': {why}, or leave delay and jitter out")
    if doctor.netem():
        why = "transport: {delays: none} leaves nothing to delay packets; leave that line out"
        return PlanError(f"fault '{fault}': {why}, or leave delay and jitter out")
    return MachineError(
        f"fault '{fault}': this kernel has no netem to delay packets; leave delay and jitter out, "
        "or have a relay delay that link (transport: {delays: relay}, and a latency on the link)"
    )


def _scaled(action: Degrade, scale: float) -> Degrade:
    rate = None if action.rate_bps is None else max(1, round(action.rate_bps / scale))
    return replace(action, rate_bps=rate, delay_s=action.delay_s * scale, jitter_s=action.jitter_s * scale)


def _fault(entry: Any, scene: Scene) -> Fault:
    if not isinstance(entry, dict):
        raise _EntryError(None, f"is {name_kind(entry)}; write a fault like {{at: 1.5s, down: leaf1-spine1, for: 1s}}")
    verb = _verb(entry)
    known = {*TRIGGERS, verb, *VERBS[verb]}
    for key in entry:
        if key not in known:
            raise _EntryError(key, f"there is no such field beside {verb}; {did_you_mean(key, sorted(known))}")
    trigger = _trigger(entry, scene)
    action = ACTIONS[verb](entry, scene)
    if isinstance(action, KillRank) and "for" in entry:
        raise _EntryError("for", "a killed rank does not come back; leave it out")
    if verb == "flap":
        period_s = _seconds(entry, "period")
        if period_s < MIN_PERIOD_S:
            raise _EntryError("period", f"{period_s:g} s is too short; write at least {MIN_PERIOD_S * 1000:g}ms")
        return Fault(trigger, action, period_s / 2, _whole(entry, "count", 1, 1000), period_s)
    return Fault(trigger, action, _seconds(entry, "for") if "for" in entry else None)


def _verb(entry: Mapping[str, Any]) -> str:
    verbs = [key for key in entry if key in VERBS]
    if len(verbs) == 1:
        return verbs[0]
    if verbs:
        raise _EntryError(verbs[1], f"stands beside {verbs[0]}; write a fault of its own for it")
    others = [key for key in entry if key not in TRIGGERS]
    raise _EntryError(None, f"does nothing; {did_you_mean(others[0] if others else '', VERBS)}")


def _trigger(entry: Mapping[str, Any], scene: Scene) -> Trigger:
    if ("at" in entry) == ("at_step" in entry):
        raise _EntryError(None, "write when: either at: 1.5s, or at_step: 5")
    if "at" in entry:
        if "operation" in entry:
            raise _EntryError("operation", "goes with at_step; leave it out, or write at_step instead of at")
        return At(_seconds(entry, "at", least=0.0))
    step = _whole(entry, "at_step", 0, scene.steps - 1)
    return AtStep(step, _whole(entry, "operation", 1, scene.operations) if "operation" in entry else 1)


# -- actions ----------------------------------------------------------------------------
def _down(entry: Mapping[str, Any], scene: Scene) -> Action:
    return Down(_cable(entry, "down", scene))


def _flap(entry: Mapping[str, Any], scene: Scene) -> Action:
    for key in ("period", "count"):
        if key not in entry:
            raise _EntryError(None, "a flap needs both, like period: 200ms and count: 5")
    return Down(_cable(entry, "flap", scene))


def _degrade(entry: Mapping[str, Any], scene: Scene) -> Action:
    if not entry.keys() & {"rate", "delay", "jitter", "loss"}:
        raise _EntryError("degrade", "says nothing of how; write rate: 10G, delay: 20us, jitter: 5us or loss: 1%")
    found = _directed(entry, "degrade", scene)
    slowest = min(scene.fabric.rate_bps(port) for port in found.ports)
    rate = _parsed(entry, "rate", lambda value: parse_rate(str(value))) if "rate" in entry else None
    if rate is not None and rate > slowest:
        raise _EntryError("rate", f"{entry['rate']} is more than the link has, {format_rate(slowest)}; write less")
    delay_s, jitter_s = (_latency(entry, key) for key in ("delay", "jitter"))
    if jitter_s > delay_s:
        raise _EntryError(
            "jitter", f"{entry['jitter']} is longer than the delay; write it together with a longer delay"
        )
    loss = _share(entry, "loss") if "loss" in entry else 0.0
    return replace(found, rate_bps=rate, delay_s=delay_s, jitter_s=jitter_s, loss=loss)


def _lose(entry: Mapping[str, Any], scene: Scene) -> Action:
    return replace(_directed(entry, "lose", scene), loss=_share(entry, "share") if "share" in entry else 1.0)


def _kill(entry: Mapping[str, Any], scene: Scene) -> Action:
    wanted = entry["kill"]
    if wanted == CONTROLLER:
        return KillController()
    if wanted in scene.fabric.switches:
        return KillSwitch(wanted)
    word, _, number = str(wanted).partition(" ")
    if word == "rank" and number.isdigit():
        if int(number) >= len(scene.placement):
            raise _EntryError("kill", f"no rank {number}; ranks are 0 to {len(scene.placement) - 1}")
        return KillRank(int(number))
    switches = scene.fabric.switches
    hint = did_you_mean(str(wanted), switches) if len(switches) <= 8 else f"like {switches[0]}"
    raise _EntryError("kill", f"no {wanted!r} to kill; write a switch ({hint}), controller, or a rank like rank 3")


def _pause(entry: Mapping[str, Any], scene: Scene) -> Action:
    wanted = entry["pause"]
    if wanted not in scene.placement:
        hosts = sorted(set(scene.placement), key=scene.fabric.hosts.index)
        raise _EntryError("pause", f"no rank runs on {wanted!r}; {_hint(str(wanted), hosts)}")
    return PauseHost(wanted)


def _restore(entry: Mapping[str, Any], scene: Scene) -> Action:
    wanted = str(entry["restore"])
    if wanted == CONTROLLER:
        return Restore((wanted,))
    if wanted in scene.fabric.switches:
        return Restore((f"switch {wanted}",))
    if wanted in scene.fabric.hosts:
        return Restore((f"host {wanted}",))
    found = _directed(entry, "restore", scene)
    directions = map(scene.fabric.direction, found.ports)
    return Restore(tuple(f"link {name}" for name in dict.fromkeys((found.name, *directions))))


ACTIONS: Mapping[str, Callable[[Mapping[str, Any], Scene], Action]] = {
    "down": _down,
    "flap": _flap,
    "degrade": _degrade,
    "lose": _lose,
    "kill": _kill,
    "pause": _pause,
    "restore": _restore,
}


# -- values -----------------------------------------------------------------------------
def _cable(entry: Mapping[str, Any], key: str, scene: Scene) -> Link:
    """A whole link. A direction of it can't be pulled out."""
    wanted = str(entry[key])
    found = _links(scene).get(wanted)
    if found is None and wanted in _directions(scene.fabric):
        raise _EntryError(
            key, f"{wanted!r} is one direction, and a cable has two; write {_both(wanted, scene)}, or lose"
        )
    if found is None:
        raise _EntryError(key, f"no link {wanted!r} in this fabric; {_hint(wanted, _links(scene))}")
    return found


def _directed(entry: Mapping[str, Any], key: str, scene: Scene) -> Degrade:
    """Both directions of a link, or one: nothing is degraded yet."""
    wanted, directions = str(entry[key]), _directions(scene.fabric)
    if (link := _links(scene).get(wanted)) is not None:
        return Degrade(link.name, (link.a, link.b))
    if wanted in directions:
        return Degrade(wanted, (directions[wanted],))
    raise _EntryError(key, f"no link {wanted!r} in this fabric; {_hint(wanted, [*_links(scene), *directions])}")


def _links(scene: Scene) -> dict[str, Link]:
    """By name; cables may be named from either end."""
    links = {link.name: link for link in scene.fabric.links}
    for link in scene.fabric.links:
        copy = link.name[link.name.index("#") :] if "#" in link.name else ""
        links.setdefault(f"{link.b.node}-{link.a.node}{copy}", link)
    return links


def _directions(fabric: Fabric) -> dict[str, Any]:
    return {fabric.direction(port): port for port in fabric.directed_links()}


def _both(direction: str, scene: Scene) -> str:
    return scene.fabric.link(_directions(scene.fabric)[direction]).name


def _hint(wanted: str, known: Any) -> str:
    names = list(known)
    hint = did_you_mean(wanted, names)
    return hint if hint.startswith("did") or len(names) <= 8 else f"there are {', '.join(names[:4])}, ..."


def _parsed(entry: Mapping[str, Any], key: str, parse: Callable[[Any], Any]) -> Any:
    try:
        return parse(entry[key])
    except ValueError as error:
        raise _EntryError(key, str(error)) from None


def _seconds(entry: Mapping[str, Any], key: str, least: float = 0.001) -> float:
    value = entry[key]
    if type(value) in {int, float}:
        seconds = float(value)
    elif isinstance(value, str):
        seconds = _parsed(entry, key, parse_latency)
    else:
        raise _EntryError(key, f"is {name_kind(value)}; write a time like 1.5s or 200ms")
    if not least <= seconds <= MAX_TIME_S:
        raise _EntryError(key, f"{value} is out of range; write a time from {least:g} to {MAX_TIME_S:g} seconds")
    return seconds


def _latency(entry: Mapping[str, Any], key: str) -> float:
    return float(_parsed(entry, key, lambda value: parse_latency(str(value)))) if key in entry else 0.0


def _whole(entry: Mapping[str, Any], key: str, low: int, high: int) -> int:
    value = entry[key]
    if type(value) is not int:
        raise _EntryError(key, f"is {name_kind(value)}; write a whole number")
    if not low <= value <= high:
        raise _EntryError(key, f"{value} is out of range; write {low} to {high}")
    return value


def _share(entry: Mapping[str, Any], key: str) -> float:
    text = str(entry[key]).strip()
    try:
        share = float(text.removesuffix("%")) / 100 if text.endswith("%") else float(text)
    except ValueError:
        share = -1.0
    if not 0 < share <= 1:
        raise _EntryError(key, f"{entry[key]!r} is no share of frames; write one like 10% or 0.1")
    return share
