"""A sweep file: a base spec and what changes in it; read, and unfolded into drafts of scenarios.

    base: leaf-spine.yaml          # a spec's file, or a spec in place
    grid:                          # every combination of these; or list: [{algorithm: ring}, ...], one by one
      fabric.spines: [1, 2, 4]
      algorithm: [ring, halving-doubling]
    seed: 1
    draws: 10                      # of each combination, where $seed stands somewhere in its spec
    backend: simulated

Fabric files that a spec names are read here, once, and stand in the scenarios with their content: a worker on another
machine has no such file. Policies of one's own stand there by their whole paths, and a hash of what is in them goes
into the scenario's id. A GPU baseline stands beside a single run; scenarios have none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from itertools import product
from math import prod
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field, Tag

from controller.own_policies import OWN
from ringlab.errors import UsageError
from ringlab.experiments import fabrics
from ringlab.experiments.arms import of_entry, placed
from ringlab.experiments.spec_file import Form, Model, SpecError, base_of, by_shape, meant, one_of
from ringlab.sweeps.changes import ChangeError, keys_of, with_change
from ringlab.sweeps.scenario import DRAW, NEEDS, SIMULATED, Scenario, canonical
from ringlab.text_files import read_text
from topologies import formats
from topologies.yaml_lines import Document, FieldPath, Problems, name_field

MAX_SCENARIOS = 1_000_000

Grid = Annotated[dict[str, list[Any]], Field(min_length=1)]
Entries = Annotated[list[dict[str, Any]], Field(min_length=1)]
Base = Annotated[Annotated[str, Tag("<text>")] | Annotated[dict[str, Any], Tag("<mapping>")], Discriminator(by_shape)]


class SweepFile(Model):
    """The fields as they are written."""

    base: Base
    grid: Grid | None = None
    list: Entries | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    draws: Annotated[int, Field(ge=1, le=MAX_SCENARIOS)] = 1
    backend: Annotated[str, BeforeValidator(one_of(NEEDS))] = SIMULATED


SWEEP = Form(
    SweepFile,
    "examples/sweep.yaml",
    {
        "base": "name a spec's file or write a spec, like base: leaf-spine.yaml",
        "grid": "name a field and its values, like grid: {algorithm: [ring, halving-doubling]}",
        "list": "write a scenario's changes, like list: [{algorithm: ring}]",
    },
    {"base": "a spec's file name or a spec", "grid": "a mapping, like {algorithm: [ring, halving-doubling]}"},
    {},
)


class SweepError(SpecError):
    """What is wrong with a sweep file."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One field's value, and where in the sweep file it stands; ``content``: the value with its files read."""

    field: str
    value: Any
    origin: FieldPath
    content: Any


Draft = tuple[Choice, ...]
"""What a scenario changes in the base."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep file whose shape is right. ``columns`` are a grid's fields with their choices; a list has ``rows``."""

    name: str
    document: Document
    base: Document
    spec: Mapping[str, Any]
    columns: tuple[Draft, ...]
    rows: tuple[Draft, ...]
    seed: int
    draws: int
    backend: str

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that change, in the order in which they are written."""
        drafts = self.rows or [[column[0] for column in self.columns]]
        named = dict.fromkeys(choice.field for draft in drafts for choice in draft)
        return (*named, DRAW) if self.draws > 1 else tuple(named)

    @property
    def exclusive(self) -> bool:
        """Does a scenario need its machine for itself?"""
        return "netns" in NEEDS[self.backend]

    def drafts(self) -> Iterator[Draft]:
        """Every combination; the last field changes soonest."""
        yield from product(*self.columns) if self.columns else self.rows

    def spec_of(self, draft: Draft) -> dict[str, Any]:
        """The base after its changes. ChangeError for a field that there can't be."""
        spec: Any = self.spec
        for choice in draft:
            spec = with_change(spec, choice.field, choice.content)
        assert isinstance(spec, dict)
        return spec

    def scenarios(self) -> Iterator[Scenario]:
        """All of them, with their draws. Raises as ``spec_of``."""
        hash_of = cache(_hash_of)
        for draft in self.drafts():
            spec, changes = self.spec_of(draft), {choice.field: choice.value for choice in draft}
            code = [hash_of(file) for file in _own_files(spec.get("arms"))]
            for draw in range(1, self.draws + 1):
                drawn = {**changes, DRAW: draw} if self.draws > 1 else changes
                yield Scenario.of(spec, self.backend, self.seed, drawn, code)


def read(path: Path) -> tuple[Sweep, str]:
    """The sweep in a file, and the file's text. UsageError (a SweepError where the text is wrong) says why not."""
    text = read_text(path, "sweep")
    return loads(text, str(path), path.parent), text


def loads(text: str, where: str = "sweep", folder: Path = Path()) -> Sweep:
    """The sweep in ``text``; files that it names are sought from ``folder``. Raises SweepError."""
    return meant(text, where, folder, SWEEP, _meaning, SweepError)


def _meaning(written: SweepFile, document: Document, folder: Path, problems: Problems) -> Sweep:
    if (written.grid is None) == (written.list is None):
        problems.add((), "needs a grid or a list, and not both; begin with examples/sweep.yaml")
        problems.raise_any()
    for field, values in (written.grid or {}).items():
        if not values:
            problems.add(("grid", field), "is empty; write a list of its values")
    for place, entry in enumerate(written.list or []):
        if not entry:
            problems.add(("list", place), "changes nothing; write a field and its value, like {algorithm: ring}")
    problems.raise_any()
    base, spec = _base(document, folder, problems)
    files = _Files(folder, problems)
    columns = tuple(
        tuple(files.choice(field, value, ("grid", field, place)) for place, value in enumerate(values))
        for field, values in (written.grid or {}).items()
    )
    rows = tuple(
        tuple(files.choice(field, value, ("list", place, field)) for field, value in entry.items())
        for place, entry in enumerate(written.list or [])
    )
    _check_fields(document, problems)
    _check_twice(columns, rows, problems)
    count = (prod(map(len, columns)) if columns else len(rows)) * written.draws
    if count > MAX_SCENARIOS:
        problems.add(("grid" if columns else "list",), f"makes {count:,} scenarios; at most {MAX_SCENARIOS:,}")
    problems.raise_any()
    name = str(spec.get("name", "sweep"))
    return Sweep(name, document, base, spec, columns, rows, written.seed, written.draws, written.backend)


def _base(document: Document, folder: Path, problems: Problems) -> tuple[Document, dict[str, Any]]:
    """The base with its lines, and its spec with its files read."""
    base, folder = base_of(document, folder, problems)
    spec = {key: value for key, value in base.data.items() if key != "baseline"}
    of_base = Problems(base)
    files = _Files(folder, of_base)
    spec = {field: files.content(field, value, (field,)) for field, value in spec.items()}
    of_base.raise_any()
    return base, spec


def _own_files(arms: object) -> list[Path]:
    """Of policies of one's own, in the order of ``arms``; what is wrong with these is told elsewhere."""
    entries = arms if isinstance(arms, list) else []
    names = [name for entry in entries for name in (entry if isinstance(entry, dict) else [entry])]
    own = [name for name in names if isinstance(name, str) and name.startswith(OWN)]
    return [Path(of_entry(name)[0].removeprefix(OWN)) for name in own]


def _hash_of(file: Path) -> str:
    try:
        return sha256(file.read_bytes()).hexdigest()
    except (OSError, ValueError):  # told where the policy is loaded
        return ""


class _Files:
    """Fabric files with their content in place, each read once; policies of one's own by their whole paths."""

    def __init__(self, folder: Path, problems: Problems) -> None:
        self._folder, self._problems = folder, problems
        self._read: dict[Path, dict[str, Any]] = {}

    def choice(self, field: str, value: Any, origin: FieldPath) -> Choice:
        return Choice(field, value, origin, self.content(field, value, origin))

    def content(self, field: str, value: Any, origin: FieldPath) -> Any:
        """``value``; where it names a fabric's file, the fabric in place. Problems are added where it can't be read."""
        match field.split("."):
            case ["arms"]:
                return placed(value, self._folder)
            case ["arms", _]:
                whole: Any = placed([value], self._folder)
                return whole[0]
        name = fabrics.file_named(value) if field == "fabric" else None
        if name is None:
            return value
        path = self._folder / name
        if path not in self._read:
            try:
                self._read[path] = formats.to_data(fabrics.read_file(path))
            except UsageError as error:
                for line in str(error).splitlines():
                    self._problems.add(origin, line)
                return value
        return self._read[path]


def _check_fields(document: Document, problems: Problems) -> None:
    """Each field by itself, and against those beside it: no two may change the same."""
    grid = document.data.get("grid")
    groups: list[tuple[FieldPath, list[str]]] = [(("grid",), list(grid))] if grid else []
    groups += [(("list", place), list(entry)) for place, entry in enumerate(document.data.get("list") or [])]
    for path, fields in groups:
        seen: list[tuple[str, ...]] = []
        for field in fields:
            try:
                keys = keys_of(field)
            except ChangeError as error:
                problems.add((*path, field), str(error))
                continue
            if keys[0] in ("baseline", DRAW, "seed"):
                problems.add((*path, field), _not_swept(keys[0]))
            for other in seen:
                shorter = keys if len(keys) < len(other) else other
                if keys[: len(shorter)] == other[: len(shorter)]:
                    problems.add((*path, field), f"is within {'.'.join(shorter)}; change one of them")
            seen.append(keys)


def _not_swept(field: str) -> str:
    if field == "baseline":
        return "a sweep's scenarios have no baseline; leave it out"
    return "is no field of a spec; write draws: 10 beside the grid, and $seed where a draw's seed belongs"


def _check_twice(columns: Sequence[Draft], rows: Sequence[Draft], problems: Problems) -> None:
    """Equal scenarios would be one in the store."""
    for column in columns:
        seen: dict[str, FieldPath] = {}
        for choice in column:
            first = seen.setdefault(_content([choice], problems), choice.origin)
            if first != choice.origin:
                problems.add(choice.origin, f"is {name_field(first)} again; keep one")
    known: dict[str, FieldPath] = {}
    for row in rows:
        here = row[0].origin[:2]
        first = known.setdefault(_content(row, problems), here)
        if first != here:
            problems.add(here, f"is {name_field(first)} again; keep one")


def _content(draft: Sequence[Choice], problems: Problems) -> str:
    try:
        return canonical({choice.field: choice.content for choice in draft})
    except ValueError:
        for choice in draft:
            problems.add(choice.origin, "holds a number that is not finite; write a finite one")
        return repr(draft)
