"""The shape of a spec file: its fields, their types and ranges; what is wrong with one in the user's words.

pydantic checks the shape here and goes no further: what a value means (is there such a policy, such a host?) is
``ringlab.experiments.spec``'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, ValidationError
from pydantic_core import ErrorDetails

from collectives.metrics import DTYPES, parse_size
from collectives.peers.libraries import EMULATED
from ringlab.errors import UsageError
from ringlab.text_files import read_text
from topologies.ports import MAX_CHANNELS
from topologies.spelling import did_you_mean
from topologies.yaml_lines import Document, DocumentError, FieldPath, Problems, name_kind
from topologies.yaml_lines import read as read_document

MAX_SIZES = 64

MAX_RANKS = 1024
"""A ring of so many has 2 million transfers; no machine emulates more hosts."""


def _size(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f"{value!r} is no size: write bytes or K, M, G, as in 8, 64K, 1.5M, 1G")  # noqa: TRY004 - pydantic takes ValueError
    nbytes = parse_size(str(value))
    if not 0 < nbytes < 2**40:
        raise ValueError(f"{value} is out of range: above 0, below 1024G")
    return nbytes


def auto(parse: Callable[[object], Any]) -> Callable[[object], Any]:
    """``auto`` as None, all else by ``parse``."""
    return lambda value: None if value == "auto" else parse(value)


def factor(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1 <= value < 1e9:
        raise ValueError(f"{value!r} is no time dilation: write auto, or a number from 1")
    return float(value)


def one_of(known: Collection[str]) -> Callable[[object], str]:
    def check(value: object) -> str:
        if not isinstance(value, str) or value not in known:
            raise ValueError(f"no {value!r}; {did_you_mean(str(value), known)}")
        return value

    return check


def by_shape(value: object) -> str:
    """The tag of a union's branch."""
    match value:
        case dict():
            return "<mapping>"
        case str():
            return "<text>"
        case list():
            return "<list>"
    return "<other>"


Size = Annotated[int, BeforeValidator(_size)]


class Model(BaseModel):
    """No unknown fields, and no guessing of types: ``"3"`` is no number."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)


class Sweep(Model):
    """``sizes: {min: 1K, max: 64M, factor: 4}``."""

    min: Size
    """The smallest size."""
    max: Size
    """No size is larger."""
    factor: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 2.0
    """Each size is so many times the one before."""


class Transport(Model):
    """How the ranks' bytes travel."""

    mtu: Annotated[int, Field(ge=576, le=9000)] = 9000
    """Bytes of the largest IP packet."""
    congestion: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,15}$")] = "reno"
    """TCP's congestion control."""
    queue: Annotated[int | None, BeforeValidator(auto(_size))] = None
    """Bytes that wait at a link at most; auto: 1 MiB."""
    delays: Literal["auto", "relay", "none"] = "auto"
    """How links get their latency: auto (by the kernel, if it can), relay (by a process, at a cost), none."""


class NeighbourFile(Model):
    """Another job at the same time."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    """What its rows are called: ARM @ NAME."""
    hosts: Annotated[list[str], Field(min_length=2, max_length=MAX_RANKS)]
    """The host of each of its ranks; none is another job's."""
    algorithm: str | None = None
    """Its schedule; by default the spec's."""
    channels: Annotated[int, Field(ge=1, le=MAX_CHANNELS)] = 1
    """Connections between two of its ranks."""


class SpecFile(Model):
    """The fields as they are written; each is explained where it is used, in ``examples/leaf-spine.yaml``."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    """What the run is called; also part of its folder's name."""
    fabric: Annotated[
        Annotated[str, Tag("<text>")] | Annotated[dict[str, Any], Tag("<mapping>")], Discriminator(by_shape)
    ]
    """A short form, a file as {file: PATH}, or a fabric in place."""
    placement: Annotated[
        Annotated[str, Tag("<text>")] | Annotated[list[str], Tag("<list>")], Discriminator(by_shape)
    ] = "contiguous"
    """Which host each rank runs on: contiguous, interleaved (neighbours on different switches), or a list of hosts."""
    ranks: Annotated[int, Field(ge=2, le=MAX_RANKS)] | None = None
    """How many; by default as many as hosts."""
    collective: Annotated[str, BeforeValidator(one_of(["all_reduce"]))] = "all_reduce"
    """The operation: all_reduce."""
    algorithm: str
    """The schedule: ring, halving-doubling, ... (ringlab schedule --help), or auto: chosen by measured costs."""
    library: Annotated[str, BeforeValidator(one_of(EMULATED))] = "ringlab"
    """Whose collective runs, in arms that name none: ringlab, gloo or openmpi."""
    channels: Annotated[int, Field(ge=1, le=MAX_CHANNELS)] = 1
    """Connections between two neighbours, each with a part of the data."""
    dtype: Annotated[str, BeforeValidator(one_of(DTYPES))] = "float"
    """The elements' type, by nccl-tests' name."""
    sizes: Annotated[
        Annotated[list[Size], Tag("<list>"), Field(min_length=1, max_length=MAX_SIZES)]
        | Annotated[Sweep, Tag("<mapping>")],
        Discriminator(by_shape),
    ]
    """Bytes of each rank's buffer, in binary units: a list, or {min: 64K, max: 16M, factor: 4}."""
    arms: Annotated[list[Any], Field(min_length=1, max_length=256)]
    """The policies that take turns: a name, {ecmp: {seeds: [1, 2, 3]}}, {pinned: {library: gloo}}."""
    repeats: Annotated[int, Field(ge=1, le=1000)] = 3
    """Turns of every arm, each on fresh connections."""
    iterations: Annotated[int, Field(ge=1, le=100_000)] = 2
    """Measured operations of each size in a turn, at the least."""
    min_time_s: Annotated[float, Field(ge=0, le=3600)] = 0.2
    """Seconds of the machine: a size that takes less is measured more often; not where faults count operations."""
    warmup: Annotated[int, Field(ge=0, le=100_000)] = 1
    """Rounds over all sizes before a turn's first measured operation."""
    timeout_s: Annotated[float, Field(gt=0, le=86400)] = 60.0
    """A rank that hears nothing for so long gives up."""
    scale: Annotated[float | None, BeforeValidator(auto(factor))] = None
    """Time dilation: how many times slower than the fabric; auto: what this machine can carry."""
    baseline: Any = None
    """A published sweep's name (ringlab baseline list), or {file: PATH, line_rate: GB/s}."""
    transport: Transport = Transport()
    """How bytes travel."""
    compare: list[Any] | None = None
    """Pairs of policies or arms; by default the last policy against each other one."""
    faults: Annotated[list[Any], Field(max_length=64)] = []
    """What breaks when: see the how-to on faults."""
    neighbours: Annotated[list[NeighbourFile], Field(max_length=64)] = []
    """Other jobs at the same time, on hosts of their own (simulated only)."""


HINTS = {
    "name": "give the experiment a name, like name: my-first",
    "fabric": "give it a short form, like fabric: leaf-spine:leaves=4,spines=2,hosts=2",
    "algorithm": "name the collective's algorithm, like algorithm: ring",
    "sizes": "name the message sizes, like sizes: [1M, 16M]",
    "hosts": "name the hosts of its ranks, like hosts: [h1, h2]",
    "arms": "name the policies to compare, like arms: [spanning-tree, pinned]",
    "min": "name the smallest size, like min: 1K",
    "max": "name the largest size, like max: 64M",
}
"""What to do about a missing field."""

SHAPES = {
    "string_type": "text, in quotes if need be",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "list_type": "a list, like [1, 2]",
    "dict_type": "a mapping, like {a: 1}",
    "model_type": "a mapping, like {a: 1}",
}
"""What a field must be, by the pydantic error that says it is not."""

SHAPES_OF_FIELDS = {
    "fabric": "a short form, a file's path or a mapping",
    "placement": "contiguous, interleaved or a list of hosts",
    "sizes": "a list, like [1M, 16M], or a sweep, like {min: 1K, max: 64M, factor: 4}",
}
"""The same for fields that may have several shapes."""

SPELLINGS = {
    "name": "letters, digits, '.', '_' and '-', at most 64 of them",
    "congestion": "the name of a TCP congestion control, like reno or cubic",
}
"""What a pattern means, by field."""


M = TypeVar("M", bound=Model)
T = TypeVar("T")


class SpecError(UsageError):
    """What is wrong with a spec: each of ``errors`` is ``FILE:LINE: field: what; what to do``."""

    def __init__(self, errors: Sequence[str]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(self.errors))


@dataclass(frozen=True)
class Form(Generic[M]):
    """A kind of spec file: its fields, those of its ``parts``, an example to begin with, and words for errors."""

    kind: type[M]
    example: str
    hints: Mapping[str, str]
    shapes: Mapping[str, str]
    parts: Mapping[FieldPath, type[Model]]

    def fields_beside(self, path: FieldPath) -> list[str]:
        return list(self.parts.get(path[:-1], self.kind).model_fields)


RUN = Form(
    SpecFile,
    "examples/leaf-spine.yaml",
    HINTS,
    SHAPES_OF_FIELDS,
    {("sizes",): Sweep, ("transport",): Transport},
)
"""The spec of ``ringlab run``."""


def meant(
    text: str,
    where: str,
    folder: Path,
    form: Form[M],
    meaning: Callable[[M, Document, Path, Problems], T],
    error: type[SpecError] = SpecError,
) -> T:
    """What ``text``, a file of that form, means; raises ``error``, a line for everything that is wrong in a stage.

    ``meaning`` of the file, its document, the ``folder`` from where files that it names are sought, and its problems.
    """
    try:
        return meant_by(read_document(text, where), folder, form, meaning, error)
    except DocumentError as wrong:
        raise error(wrong.errors) from None


def meant_by(
    document: Document,
    folder: Path,
    form: Form[M],
    meaning: Callable[[M, Document, Path, Problems], T],
    error: type[SpecError] = SpecError,
) -> T:
    """The same of a document that has been read."""
    try:
        problems = Problems(document)
        written = check_form(document, problems, form)
        problems.raise_any()
        assert written is not None
        return meaning(written, document, folder, problems)
    except DocumentError as wrong:
        raise error(wrong.errors) from None


def base_of(document: Document, folder: Path, problems: Problems) -> tuple[Document, Path]:
    """The spec under ``base``, in place or in a file, and the folder from where files that it names are sought.

    DocumentError where it is no mapping; problems are added and raised where its file can't be read.
    """
    base = document.under("base")
    if isinstance(base.data, str):
        path = folder / base.data
        try:
            base = read_document(read_text(path, "spec"), str(path))
        except DocumentError:
            raise
        except UsageError as error:
            problems.add(("base",), str(error))
            problems.raise_any()
        folder = path.parent
    if not isinstance(base.data, dict):
        raise DocumentError([f"{base.place()}: is {name_kind(base.data)}; a spec is a mapping"])
    return base, folder


def check_form(document: Document, problems: Problems, form: Form[M]) -> M | None:
    """The file of that form in ``document``; None, and problems added, where its shape is wrong."""
    if document.data is None:
        problems.add((), f"is empty; begin with {form.example}")
        return None
    if not isinstance(document.data, dict):
        problems.add((), f"is {name_kind(document.data)}; a spec is a mapping; begin with {form.example}")
        return None
    try:
        return form.kind.model_validate(document.data)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            path = _path(detail["loc"])
            problems.add(path, _words(detail, path, form))
        return None


def _path(place: tuple[str | int, ...]) -> FieldPath:
    """An error's place as pydantic has it, without a union's branch in it."""
    return tuple(part for part in place if part not in ("<text>", "<mapping>", "<list>"))


def _words(detail: ErrorDetails, path: FieldPath, form: Form[Any]) -> str:
    """One of pydantic's errors as what is wrong and what to do."""
    value, context, name = detail["input"], detail.get("ctx", {}), str(path[-1])
    match detail["type"]:
        case "missing":
            words = f"is missing; {form.hints[name]}"
        case "extra_forbidden":
            words = f"there is no such field; {did_you_mean(name, form.fields_beside(path))}"
        case "too_short":
            found, least = context["actual_length"], context["min_length"]
            words = f"{f'has {found} of at least {least} items' if found else 'is empty'}; {form.hints[name]}"
        case "too_long":
            words = f"has {context['actual_length']} items; at most {context['max_length']}"
        case "string_pattern_mismatch":
            words = f"{value!r} can't be; write {SPELLINGS[name]}"
        case "greater_than_equal" | "less_than_equal" | "greater_than":
            words = f"{value} is out of range; write {_bound(context)}"
        case "value_error":
            words = str(context["error"])
        case kind:
            words = f"is {name_kind(value)}; write {form.shapes.get(name) or SHAPES[kind]}"
    return words


def _bound(context: Mapping[str, Any]) -> str:
    words = {"ge": "at least", "le": "at most", "gt": "more than"}
    return next(f"{words[key]} {context[key]:g}" for key in words if key in context)
