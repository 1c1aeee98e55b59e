"""The arms of a spec (which policies take turns) and the pairs of them to compare.

An arm is written as a policy's text (``pinned``, ``ecmp:seed=1``) or as ``{ecmp: {seeds: [1, 2, 3]}}``, which makes an
arm of every seed. Arms of one policy are one *group*: ecmp with three seeds is three draws of the same thing. An arm
may name the library that runs its collective, ``{pinned: {library: gloo}}`` or ``pinned+gloo``: both are in its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from controller.own_policies import OWN, known
from topologies.spelling import did_you_mean
from topologies.yaml_lines import FieldPath, Problems

CheckLibrary = Callable[[str], object]
"""Raises ValueError where there is no such library, or it can't do what is asked of it."""

OURS = "ringlab"
"""The library of arms that name none."""


def only_ours(library: str) -> None:
    """A CheckLibrary."""
    if library != OURS:
        raise ValueError(f"no library {library!r} here: only {OURS} can do this")


@dataclass(frozen=True, slots=True)
class Arm:
    """One policy that takes its turns; ``policy`` is its text as ``controller.routing.policy`` reads it.

    ``library`` runs the collective.
    """

    name: str
    group: str
    policy: str
    library: str = OURS


@dataclass(frozen=True, slots=True)
class _Written:
    """What one arm is, and where it stands. Without a ``library`` of its own it has the spec's."""

    policy: str
    library: Any
    path: FieldPath

    def arm(self, default: str) -> Arm:
        library = default if self.library is None else self.library
        suffix = "" if library == default else f"+{library}"
        group = self.policy if self.policy.startswith(OWN) else self.policy.partition(":")[0]
        return Arm(self.policy + suffix, group + suffix, self.policy, library)


def read_arms(
    entries: Sequence[Any],
    folder: Path,
    problems: Problems,
    library: str = OURS,
    check_library: CheckLibrary = only_ours,
) -> tuple[Arm, ...]:
    """The arms of the field ``arms``; problems are added for what is wrong or there twice.

    Files of policies of one's own are sought from ``folder``. ``library`` is that of arms that name none.
    """
    arms: dict[str, Arm] = {}
    for index, entry in enumerate(entries):
        said = set()  # a misspelt policy with three seeds is one error
        for written in _written(entry, ("arms", index), problems):
            arm = written.arm(library)
            if arm.name in arms:
                problems.add(written.path, f"the arm {arm.name!r} is there twice; keep one")
            for wrong in _wrong(arm, folder, check_library):
                if wrong not in said:
                    problems.add(written.path, wrong)
                said.add(wrong)
            arms[arm.name] = arm
    return tuple(arms.values())


def placed(entries: object, folder: Path) -> object:
    """The items of ``arms`` with whole paths of policies of one's own: they are read again, from anywhere."""
    if not isinstance(entries, list):
        return entries
    return [
        {_placed(name, folder): options for name, options in entry.items()}
        if isinstance(entry, dict)
        else _placed(entry, folder)
        for entry in entries
    ]


def _placed(text: Any, folder: Path) -> Any:
    if not isinstance(text, str) or not text.startswith(OWN):
        return text
    return OWN + str((folder / text.removeprefix(OWN)).absolute())


def _wrong(arm: Arm, folder: Path, check_library: CheckLibrary) -> Iterator[str]:
    for one, text in ((partial(known, folder=folder), arm.policy), (check_library, arm.library)):
        try:
            one(text)
        except ValueError as error:
            yield str(error)


def read_pairs(entries: Sequence[Any] | None, arms: Sequence[Arm], problems: Problems) -> tuple[tuple[str, str], ...]:
    """The pairs of the field ``compare``: ``[pinned, ecmp]``, or a list of such pairs; groups or single arms.

    By default the last group (the policy under test, by custom) against each other group.
    """
    groups = list(dict.fromkeys(arm.group for arm in arms))
    if entries is None:
        return tuple((groups[-1], other) for other in groups[:-1])
    known = [*groups, *(arm.name for arm in arms)]
    pairs: list[tuple[FieldPath, Any]] = [(("compare", index), entry) for index, entry in enumerate(entries)]
    if entries and all(isinstance(entry, str) for entry in entries):
        pairs = [(("compare",), entries)]
    return tuple(pair for path, entry in pairs for pair in _pair(entry, path, known, problems))


def _pair(entry: Any, path: FieldPath, known: Sequence[str], problems: Problems) -> Iterator[tuple[str, str]]:
    if not isinstance(entry, list) or len(entry) != 2:
        problems.add(path, "is no pair; write two arms or groups, like [pinned, ecmp]")
        return
    wrong = [(index, name) for index, name in enumerate(entry) if name not in known]
    for index, name in wrong:
        problems.add((*path, index), f"no arm {name!r}; {did_you_mean(str(name), dict.fromkeys(known))}")
    if entry[0] == entry[1]:
        problems.add(path, f"compares {entry[0]!r} with itself; write two arms or groups, like [pinned, ecmp]")
    elif not wrong:
        yield entry[0], entry[1]


def of_entry(entry: str) -> tuple[str, str | None]:
    """The policy and the library of ``pinned+gloo``; None where none is named."""
    start = entry.rfind("/") + 1 if entry.startswith(OWN) else 0  # folders may have a plus in their names
    policy, plus, library = entry[start:].partition("+")
    return entry[:start] + policy, library if plus else None


def _written(entry: Any, path: FieldPath, problems: Problems) -> Iterator[_Written]:
    """Every arm that one item of ``arms`` stands for."""
    if isinstance(entry, str):
        yield _Written(*of_entry(entry), path)
    elif not isinstance(entry, dict) or len(entry) != 1:
        problems.add(path, "is no policy; write one like pinned, ecmp:seed=1 or {ecmp: {seeds: [1, 2, 3]}}")
    else:
        name, options = next(iter(entry.items()))
        yield from _expanded(name, options, (*path, name), problems)


def _expanded(name: str, options: Any, path: FieldPath, problems: Problems) -> Iterator[_Written]:
    if options is None:
        yield _Written(name, None, path)
        return
    if not isinstance(options, dict):
        problems.add(path, f"write its options as a mapping, like {name}: {{seeds: [1, 2, 3]}}")
        return
    library = options.get("library")
    single = {key: value for key, value in options.items() if key not in ("seeds", "library")}
    if "seeds" not in options:
        yield _Written(_text(name, single), library, path)
    elif not isinstance(options["seeds"], list) or not options["seeds"]:
        problems.add((*path, "seeds"), "is no list of seeds; write one like [1, 2, 3]")
    else:
        for index, seed in enumerate(options["seeds"]):
            yield _Written(_text(name, {**single, "seed": seed}), library, (*path, "seeds", index))


def _text(name: str, options: Mapping[str, Any]) -> str:
    written = ",".join(f"{key}={value}" for key, value in options.items())
    return f"{name}:{written}" if written else name
