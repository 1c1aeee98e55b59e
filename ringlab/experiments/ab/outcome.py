"""An A/B's outcome as frozen data; the JSON object of ``ringlab ab FILE --json -``, kept as ``ab.json``.

Times are in microseconds as they stand for the nominal fabric (the time dilation, ``scale``, is taken out).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ringlab.errors import UsageError
from ringlab.experiments.ab.design import Order
from ringlab.experiments.ab.interval import Interval
from ringlab.experiments.ab.stopping import ALPHA, Look, Rules

SCHEMA = 1
KIND = "ab"


@dataclass(frozen=True, slots=True)
class Refused:
    """A turn that does not count, and why; it was made again."""

    block: int
    arms: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Block:
    """``times_us``: what each arm's turn took by size. ``counted`` is False for the warm-up, and if one was missing."""

    number: int
    counted: bool
    order: Order
    seconds: float
    times_us: Mapping[str, Mapping[int, float]]
    samples_us: Mapping[str, Mapping[int, tuple[float, ...]]]
    verdicts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """What a course of blocks gave. ``stopped``: narrow, budget, interrupted, unfit (too few valid turns), or broken.

    ``error`` is what broke it.
    """

    arms: tuple[str, ...]
    rules: Rules
    blocks: tuple[Block, ...]
    refused: tuple[Refused, ...]
    looks: tuple[Look, ...]
    stopped: str
    error: str = ""

    @property
    def counted(self) -> int:
        return sum(block.counted for block in self.blocks)

    @property
    def last(self) -> Look | None:
        return self.looks[-1] if self.looks else None

    def differs(self) -> bool:
        """Is any arm called faster or slower?"""
        return bool(self.last) and any(one.verdict in ("faster", "slower") for one in self.last.judged)  # type: ignore[union-attr]  # likewise


@dataclass(frozen=True, slots=True)
class Outcome:
    """``found`` is None where the A/A showed a difference, so that nothing else was run."""

    id: str
    name: str
    created: str
    specs: Mapping[str, Mapping[str, Any]]
    backends: Mapping[str, str]
    scale: float
    time_s: float | None
    found: Found | None
    aa: Found | None
    notes: tuple[str, ...]
    fingerprint: Mapping[str, Any]


def to_data(outcome: Outcome) -> dict[str, Any]:
    """Plain dicts, lists, numbers and strings."""
    data = asdict(outcome)
    return {
        "schema": SCHEMA,
        "kind": KIND,
        "alpha": ALPHA,
        **{key: value for key, value in data.items() if key not in ("found", "aa")},
        "found": _found(outcome.found),
        "aa": _found(outcome.aa),
    }


def _found(found: Found | None) -> dict[str, Any] | None:
    if found is None:
        return None
    data = asdict(found)
    for look in data["looks"]:
        for one in look["judged"]:
            one.update(one.pop("interval"))
    return {**data, "comparisons": data["looks"][-1]["judged"] if data["looks"] else []}


def from_data(data: Mapping[str, Any]) -> Outcome:
    """The outcome that ``to_data`` took apart. UsageError for anything else."""
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - only readers need it

    kept = {field.name: data.get(field.name) for field in fields(Outcome)}
    try:
        for name in ("found", "aa"):
            kept[name] = _found_of(data[name])
        return TypeAdapter(Outcome).validate_python(kept)
    except (ValidationError, KeyError, TypeError, AttributeError):
        raise UsageError("ab.json: is not what ringlab ab writes; was it changed by hand?") from None


def _found_of(data: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if data is None:
        return None
    own = [field.name for field in fields(Interval)]
    looks = [
        {
            **look,
            "judged": [{**one, "interval": {name: one[name] for name in own if name in one}} for one in look["judged"]],
        }
        for look in data["looks"]
    ]
    return {**data, "looks": looks}
