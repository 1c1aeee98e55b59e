"""Updates: the stages that lead switches from the entries they have to those they should have. Pure.

The order is a table. Every stage is answered by a barrier before the next is sent, so that at any moment each packet
follows, from end to end, either the route that was there before or the new one; see ``rules.py`` for why. Tagged rules
of a new version are seen by nobody until an ingress rule puts the tag on; those of an old one are deleted only when
the packets that carry its tag have arrived (``drains``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from controller.rules import UP_PRIORITY, Entry, Group, Rule


class Command(Enum):
    ADD = "add"
    """Puts an entry in, or in the place of the one with the same key, at once."""
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Change:
    command: Command
    entry: Entry


@dataclass(frozen=True, slots=True)
class Stage:
    """Changes by switch that may be made in any order; the next stage waits until all are answered.

    ``drains``: and this one first lets packets arrive that are on their way by rules which it deletes.
    """

    changes: Mapping[str, tuple[Change, ...]]
    drains: bool = False


def _is_group(entry: Entry) -> bool:
    return isinstance(entry, Group)


def _is_tagged_rule(entry: Entry) -> bool:
    return isinstance(entry, Rule) and not entry.is_ingress


def _is_ingress_rule(entry: Entry) -> bool:
    return isinstance(entry, Rule) and entry.is_ingress


def _is_for_some(entry: Entry) -> bool:
    return _is_ingress_rule(entry) and not _is_for_the_rest(entry)


def _is_for_the_rest(entry: Entry) -> bool:
    """An ingress rule for packets that none of a higher priority is for: it may only come after those."""
    return isinstance(entry, Rule) and entry.is_ingress and entry.priority <= UP_PRIORITY


@dataclass(frozen=True, slots=True)
class Phase:
    """One line of the order: which command, for which entries, and whether packets on their way come first."""

    command: Command
    concerns: Callable[[Entry], bool]
    drains: bool = False


UPDATE_ORDER = (
    Phase(Command.ADD, _is_group),
    Phase(Command.ADD, _is_tagged_rule),
    Phase(Command.ADD, _is_for_some),
    Phase(Command.ADD, _is_for_the_rest),
    Phase(Command.DELETE, _is_ingress_rule),
    Phase(Command.DELETE, _is_tagged_rule, drains=True),
    Phase(Command.DELETE, _is_group),
)


def update_stages(before: Iterable[Entry], after: Iterable[Entry]) -> tuple[Stage, ...]:
    """The stages from one set of entries to the other; none where they are equal."""
    old = {_key(entry): entry for entry in before}
    new = {_key(entry): entry for entry in after}
    changed = {
        Command.ADD: [entry for key, entry in new.items() if old.get(key) != entry],
        Command.DELETE: [entry for key, entry in old.items() if key not in new],
    }
    return tuple(_stages(changed))


def _key(entry: Entry) -> object:
    return entry.switch, entry.key


def _stages(changed: Mapping[Command, list[Entry]]) -> Iterator[Stage]:
    for phase in UPDATE_ORDER:
        changes: dict[str, list[Change]] = {}
        for entry in changed[phase.command]:
            if phase.concerns(entry):
                changes.setdefault(entry.switch, []).append(Change(phase.command, entry))
        if changes:
            yield Stage({switch: tuple(of_switch) for switch, of_switch in changes.items()}, phase.drains)
