"""An A/B file: a base spec, and what each arm changes in it; or specs that stand in files of their own.

    base: leaf-spine.yaml             # a spec's file, or a spec in place
    arms:
      four-spines: {}                 # the base as it is; the first arm is what the others are compared with
      two-spines: {fabric.spines: 2}
      routed: {policy: pinned, backend: emulated}

A change is a dotted field, as in a sweep file; ``policy`` stands for ``arms``, and ``backend`` goes beside a spec.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field, Tag

from ringlab.errors import UsageError
from ringlab.experiments import fabrics
from ringlab.experiments import spec as specs
from ringlab.experiments.ab.arms import Arm
from ringlab.experiments.ab.quantities import duration_s, share
from ringlab.experiments.arms import placed
from ringlab.experiments.spec_file import Form, Model, SpecError, base_of, by_shape, meant, one_of
from ringlab.sweeps.changes import ChangeError, with_change
from ringlab.sweeps.scenario import EMULATED, NEEDS, with_seed
from ringlab.text_files import read_text
from topologies.yaml_lines import Document, Problems
from topologies.yaml_lines import read as read_document

BLOCKS = 20
"""By default: ``benchmarks/ab.py`` says what that finds."""

WITHIN = 0.02
SAME = 0.02
MAX_ARMS = 16
MAX_BLOCKS = 1000

MAX_NAME = 40
NAME = rf"[A-Za-z0-9][A-Za-z0-9._+:-]{{0,{MAX_NAME - 1}}}"
"""Of an arm."""

UNUSED = ("baseline", "compare")
"""Fields of a spec that an A/B has no use for."""

_WHERE = "arm"

Base = Annotated[Annotated[str, Tag("<text>")] | Annotated[dict[str, Any], Tag("<mapping>")], Discriminator(by_shape)]


class AbFile(Model):
    """The fields as they are written."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] = "ab"
    base: Base
    arms: Annotated[dict[str, dict[str, Any] | None], Field(min_length=2, max_length=MAX_ARMS)]
    backend: Annotated[str, BeforeValidator(one_of(NEEDS))] = EMULATED
    blocks: Annotated[int, Field(ge=2, le=MAX_BLOCKS)] = BLOCKS
    time: Annotated[float | None, BeforeValidator(duration_s)] = None
    within: Annotated[float, BeforeValidator(share)] = WITHIN
    same: Annotated[float, BeforeValidator(share)] = SAME
    aa: bool = False
    seed: Annotated[int, Field(ge=0)] | None = None


AB = Form(
    AbFile,
    "examples/ab.yaml",
    {
        "base": "name a spec's file or write a spec, like base: leaf-spine.yaml",
        "arms": "name two arms or more and what each changes, like arms: {two: {}, four: {fabric.spines: 4}}",
    },
    {
        "base": "a spec's file name or a spec",
        "arms": "a mapping of names to changes, like {two: {}, four: {fabric.spines: 4}}",
        "aa": "true or false",
    },
    {},
)


class AbError(SpecError):
    """What is wrong with an A/B file."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An A/B as it was asked for. ``time_s`` None: no limit but the blocks; ``seed`` None: any, which is kept."""

    name: str
    arms: tuple[Arm, ...]
    blocks: int = BLOCKS
    time_s: float | None = None
    within: float = WITHIN
    same: float = SAME
    aa: bool = False
    seed: int | None = None


def read(path: Path) -> tuple[Wanted, str]:
    """The A/B in a file, and the file's text. UsageError (an AbError where the text is wrong) says why not."""
    text = read_text(path, "A/B")
    return loads(text, str(path), path.parent), text


def loads(text: str, where: str = "ab", folder: Path = Path()) -> Wanted:
    """The A/B in ``text``; files that it names are sought from ``folder``. Raises AbError."""
    return meant(text, where, folder, AB, _meaning, AbError)


def of_specs(paths: Sequence[Path], backend: str) -> tuple[Wanted, str]:
    """An arm a spec file, named after it, and a text that says the same as an A/B file would."""
    names = [path.stem for path in paths]
    if len(set(names)) < len(names):
        names = [str(path) for path in paths]
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice:
        raise UsageError(f"{twice} is there twice; --aa compares the first arm with itself")
    arms = []
    for name, path in zip(names, paths, strict=True):
        text = read_text(path, "spec")
        specs.loads(text, str(path), path.parent)  # its errors have its lines
        arms.append(Arm(name, _placed(read_document(text, str(path)).data, path.parent), backend))
    data = {arm.name: dict(arm.data) for arm in arms}
    return Wanted("ab", tuple(arms)), json.dumps({"specs": data}, indent=2) + "\n"


def with_changes(
    wanted: Wanted,
    *,
    blocks: int | None,
    time_text: str | None,
    within: str | None,
    same: str | None,
    aa: bool,
    seed: int | None,
) -> Wanted:
    """``wanted`` with what the command line says instead; None changes nothing. UsageError for what can't be."""
    changes = {
        "blocks": blocks,
        "time_s": _option("--time", time_text, duration_s),
        "within": _option("--within", within, share),
        "same": _option("--same", same, share),
        "seed": seed,
    }
    given: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
    return replace(wanted, **given, aa=aa or wanted.aa)


def _option(name: str, text: str | None, parse: Callable[[object], float | None]) -> float | None:
    try:
        return None if text is None else parse(text)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None


def on_backend(wanted: Wanted, backend: str) -> Wanted:
    """All arms on ``backend``."""
    return replace(wanted, arms=tuple(replace(arm, backend=backend) for arm in wanted.arms))


def _meaning(written: AbFile, document: Document, folder: Path, problems: Problems) -> Wanted:
    for name in written.arms:
        if not re.fullmatch(NAME, name):
            problems.add(("arms", name), f"{name!r} can't be a name; write letters, digits, '.', '_', '-' and '+'")
    base = _base(document, folder, problems)
    arms = []
    for name, changes in written.arms.items():
        try:
            arms.append(_arm(name, base, changes or {}, written.backend, folder))
        except ChangeError as error:
            problems.add(("arms", name), str(error))
    problems.raise_any()
    _check_specs(arms, problems)
    problems.raise_any()
    return Wanted(
        written.name, tuple(arms), written.blocks, written.time, written.within, written.same, written.aa, written.seed
    )


def _arm(name: str, base: Mapping[str, Any], changes: Mapping[str, Any], backend: str, folder: Path) -> Arm:
    data: Any = dict(base)
    for field, value in changes.items():
        match field:
            case "backend":
                backend = value
                if value not in NEEDS:
                    raise ChangeError(f"no backend {value!r}; write {' or '.join(NEEDS)}")
            case "policy":
                data = {**data, "arms": [value]}
            case _:
                data = with_change(data, field, value)
    return Arm(name, _placed(data, folder), backend)


def _base(document: Document, folder: Path, problems: Problems) -> dict[str, Any]:
    base, folder = base_of(document, folder, problems)
    data = {key: value for key, value in base.data.items() if key != "policy"}
    if "policy" in base.data:
        data["arms"] = [base.data["policy"]]
    return {"name": "ab", **_placed(data, folder)}


def _placed(data: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """``data`` with the files that it names as whole paths: it is read again, from anywhere."""
    found = {key: value for key, value in data.items() if key not in UNUSED}
    if "arms" in found:
        found["arms"] = placed(found["arms"], folder)
    file = fabrics.file_named(data.get("fabric"))
    return found if file is None else {**found, "fabric": {"file": str((folder / file).absolute())}}


def _check_specs(arms: Sequence[Arm], problems: Problems) -> None:
    """Every arm is a spec that can be. What is wrong with all of them is wrong with the base."""
    wrong = {arm.name: _wrong(arm) for arm in arms}
    everywhere = [line for line in wrong[arms[0].name] if all(line in lines for lines in wrong.values())]
    for line in everywhere:
        problems.add(("base",), line)
    for name, lines in wrong.items():
        for line in lines:
            if line not in everywhere:
                problems.add(("arms", name), line)


def _wrong(arm: Arm) -> list[str]:
    try:
        specs.loads(json.dumps(with_seed(dict(arm.data), 1)), _WHERE)
    except SpecError as error:
        return [re.sub(rf"^{_WHERE}(:\d+)?: ", "", line) for line in error.errors]
    return []
