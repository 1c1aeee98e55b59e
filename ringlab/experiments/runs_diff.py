"""What differs between two runs: in what was asked (the spec), where it ran (the fingerprint), and what came out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

ABSENT = "(not there)"


@dataclass(frozen=True, slots=True)
class Change:
    """A field by its dotted name, and its two values."""

    field: str
    one: Any
    other: Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One arm at one size; ``ratio`` is the other's over the one's. ``unit``: ``us``, or ``times as fast`` of an ab."""

    size_bytes: int
    arm: str
    unit: str
    one: float | None
    other: float | None

    @property
    def ratio(self) -> float | None:
        return self.other / self.one if self.one and self.other else None


@dataclass(frozen=True, slots=True)
class Diff:
    """Times are nominal: time dilations may differ."""

    spec: tuple[Change, ...]
    fingerprint: tuple[Change, ...]
    figures: tuple[Figure, ...]


def diff(one: Mapping[str, Any], other: Mapping[str, Any]) -> Diff:
    """Of two runs' data, as their JSON files have it."""
    return Diff(
        tuple(changes(_asked(one), _asked(other))),
        tuple(changes(one.get("fingerprint") or {}, other.get("fingerprint") or {})),
        tuple(_figures(one, other)),
    )


def to_data(found: Diff) -> dict[str, Any]:
    figures = [{**asdict(figure), "ratio": figure.ratio} for figure in found.figures]
    return {**asdict(found), "figures": figures}


def changes(one: Any, other: Any, field: str = "") -> Iterator[Change]:
    """Every leaf that differs, lists item by item, in the order of their fields."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in dict.fromkeys((*one, *other)):
            yield from changes(one.get(key, ABSENT), other.get(key, ABSENT), f"{field}.{key}" if field else str(key))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from changes(left, right, f"{field}.{place}")
    elif one != other or (isinstance(one, bool) != isinstance(other, bool)):
        yield Change(field, one, other)


def _asked(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was to be run. The time dilation that a machine chose is part of it: it decides what is measured."""
    if "specs" in data:
        return {"scale": data["scale"], "backends": data["backends"], "arms": data["specs"]}
    spec = dict(data.get("spec") or {})
    if "scale" in data:
        spec["scale"] = data["scale"]
    return spec


def _figures(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[Figure]:
    left, right = dict(_values(one)), dict(_values(other))
    for size, arm, unit in sorted(left.keys() | right.keys()):
        yield Figure(size, arm, unit, left.get((size, arm, unit)), right.get((size, arm, unit)))


def _values(data: Mapping[str, Any]) -> Iterator[tuple[tuple[int, str, str], float]]:
    if data.get("kind") == "ab":
        for judged in (data["found"] or {}).get("comparisons", []):
            name = f"{judged['arm']} / {judged['than']}"
            yield (judged["size_bytes"], name, "times as fast"), judged["ratio"]
        return
    for arm in data.get("arms", []):
        for found in arm.get("results", []) if isinstance(arm, Mapping) else []:
            yield (found["size_bytes"], arm["name"], "us"), found["nominal"]["time_us"]
