"""A Baseline as a plain JSON file, and back. Pure.

{"ringlab_baseline": 1, "name": "mine", "collective": "all_reduce", "nranks": 16, ...,
 "points": [{"size_bytes": 1024, "time_us": 18.84, "in_place_us": 18.01}, ...]}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from collectives.baseline.model import Baseline, BaselineError, Point

FORMAT = 1
_KEY = "ringlab_baseline"
_NUMBERS = ("nominal_line_rate_GBps",)
_COUNTS = ("nranks", "nodes", "gpus_per_node")
_NULLABLE = ("nodes", "gpus_per_node", "nominal_line_rate_GBps")


def is_one(text: str) -> bool:
    """Does the text say so in its first words?"""
    return text.lstrip()[:1] == "{" and f'"{_KEY}"' in text[:200]


def dumps(baseline: Baseline) -> str:
    data = {_KEY: FORMAT, **asdict(baseline)}
    data["points"] = [
        {key: value for key, value in asdict(point).items() if value is not None} for point in baseline.points
    ]
    return json.dumps(data, indent=1, allow_nan=False) + "\n"


def loads(text: str, where: str) -> Baseline:
    """The baseline in ``text``. BaselineError with ``where`` and the line, or the field."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise BaselineError(f"{where}, line {error.lineno}: not JSON ({error.msg}); is the file complete?") from None
    if data.get(_KEY) != FORMAT:
        raise BaselineError(f"{where}: a baseline of format {data.get(_KEY)!r}; this reads {FORMAT}")
    values = {field.name: _value(field.name, data, where) for field in fields(Baseline)}
    return Baseline(**values)


def _value(name: str, data: Mapping[str, Any], where: str) -> Any:
    value = data.get(name)
    if name == "points":
        return _points(value, where)
    if value is None and name in _NULLABLE:
        return None
    if name in _COUNTS:
        fits = isinstance(value, int) and not isinstance(value, bool) and value > 0
    elif name in _NUMBERS:
        fits = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")
    else:
        fits = isinstance(value, str)
    if not fits:
        raise BaselineError(f"{where}: {name} is {value!r}; the file was changed by hand, or is of another program")
    return value


def _points(value: object, where: str) -> tuple[Point, ...]:
    if not isinstance(value, list):
        raise BaselineError(f"{where}: points is no list")
    found = []
    for number, point in enumerate(value):
        try:
            in_place = point.get("in_place_us")
            found.append(
                Point(int(point["size_bytes"]), float(point["time_us"]), None if in_place is None else float(in_place))
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise BaselineError(f"{where}: points[{number}] needs size_bytes and time_us: {point!r}") from None
    return tuple(found)
