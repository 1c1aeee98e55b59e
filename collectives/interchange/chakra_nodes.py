"""The nodes of a Chakra execution trace as its files have them, protobuf or JSON; ``chakra.py`` knows what they mean.

A ``.et`` file is a row of messages with their lengths: GlobalMetadata, then a Node each. ``chakra_jsonizer`` turns it
into JSON objects, one after the other, in protobuf's own JSON (``durationMicros``, numbers of 64 bits as text). The
feeder has a JSON form of its own: ``{"workload_graph": [{"Id": 1, "NodeType": 7, "comm_size": 1024, ...}]}``.

Source: ``schema/protobuf/et_def.proto``, ``src/jsonizer`` and ``src/feeder/json_node.cpp`` of mlcommons/chakra.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from collectives.interchange.protobuf_wire import (
    LENGTH,
    VARINT,
    Value,
    WireError,
    fields,
    messages,
    number_of,
    signed,
    text,
    unpacked,
    zigzag,
)
from collectives.interchange.trace import TraceError

KINDS = (
    "INVALID_NODE", "METADATA_NODE", "MEM_LOAD_NODE", "MEM_STORE_NODE", "COMP_NODE", "COMM_SEND_NODE",
    "COMM_RECV_NODE", "COMM_COLL_NODE", "STORAGE_NODE", "BATCH_NODE", "CHECKPOINT_NODE",
)  # fmt: skip
"""NodeType, by number."""

UNKNOWN = "?"
"""In place of an attribute's value of a kind that is not read."""

_NODE = {"id": 1, "name": 2, "type": 3, "ctrl_deps": 4, "data_deps": 5, "duration_micros": 7, "inputs": 8, "attr": 10}
_READ_OR_KNOWN = frozenset({*_NODE.values(), 6, 9})
"""With the start time and the outputs, which say nothing to a replay."""

_JSON = re.compile(rb'\s*\{\s*["}]')
"""How JSON begins; a message's length and first field can look so only with a name of 34 or 125 characters."""

_FEEDER = {"Id": "id", "Name": "name", "NodeType": "type", "runtime": "durationMicros"}


@dataclass(frozen=True, slots=True)
class Node:
    """``after`` are the ids it waits for, by control or data; ``unread`` are numbers of fields that are not known."""

    number: int
    name: str
    kind: str
    after: tuple[int, ...]
    duration_us: int
    place: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    input_values: str = ""
    unread: tuple[int, ...] = ()


def nodes(content: bytes, where: str) -> list[Node]:
    """The nodes of one rank's file, in its order, by its first byte JSON or protobuf. TraceError says what is wrong."""
    found = list((_of_json if _JSON.match(content) else _of_wire)(content, where))
    seen: dict[int, str] = {}
    for node in found:
        if node.number in seen:
            raise TraceError(f"{node.place}: a second node of that id; ids are given once a file")
        seen[node.number] = node.place
    return found


# -- protobuf ---------------------------------------------------------------------------
def _of_wire(content: bytes, where: str) -> Iterator[Node]:
    begin = 0
    try:
        for place, (start, message) in enumerate(messages(content)):
            begin = start
            found = list(fields(message))
            if place or any(kind == VARINT for _, kind, _ in found):  # else it is the metadata
                yield _node(found, f"{where}: byte {start}", where)
    except WireError as error:
        what = f"is no Chakra trace: {error}; give a .et file, or its JSON"
        raise TraceError(f"{where}: message at byte {begin} {what}") from None


def _node(found: Sequence[tuple[int, int, Value]], at: str, where: str) -> Node:
    values: dict[int, Value] = {}
    after: list[int] = []
    attributes: dict[str, Any] = {}
    for number, kind, value in found:
        if number in (_NODE["ctrl_deps"], _NODE["data_deps"]):
            after += unpacked(kind, value)
        elif number == _NODE["attr"]:
            attributes.update([_attribute(_message(kind, value))])
        else:
            values[number] = value
    inputs = values.get(_NODE["inputs"], b"")
    given = {number: value for number, _, value in fields(_message(LENGTH, inputs))}
    number, kind_number = _whole(values, "id"), _whole(values, "type")
    name = text(values.get(_NODE["name"], b""))
    return Node(
        number,
        name,
        _kind(kind_number, at),
        tuple(dict.fromkeys(after)),
        _whole(values, "duration_micros"),
        _place(where, number, name),
        attributes,
        text(given.get(1, b"")),
        tuple(sorted({number for number, _, _ in found} - _READ_OR_KNOWN)),
    )


def _whole(values: Mapping[int, Value], name: str) -> int:
    value = values.get(_NODE[name], 0)
    if not isinstance(value, int):
        raise WireError(f"a node's {name} is no whole number")
    return value


def _message(kind: int, value: Value) -> bytes:
    if kind != LENGTH or isinstance(value, int):
        raise WireError(f"wire type {kind} where a message should be")
    return value


def _attribute(message: bytes) -> tuple[str, Any]:
    name = ""
    found: Any = UNKNOWN
    for number, kind, value in fields(message):
        if number == 1:
            name = text(value)
        elif number in _VALUES:
            found = _VALUES[number](value)
        elif number in _LISTS:
            found = [_LISTS[number](one) for inner, its, them in fields(_message(kind, value)) if inner == 1
                     for one in unpacked(its, them)]  # fmt: skip
        elif number == _STRINGS:
            found = [text(one) for inner, _, one in fields(_message(kind, value)) if inner == 1]
    return name, found


def _varint(read: Callable[[int], int | bool]) -> Callable[[Value], Any]:
    def checked(value: Value) -> int | bool:
        if not isinstance(value, int):
            raise WireError("a whole number of another wire type")
        return read(value)

    return checked


def _fixed(layout: str) -> Callable[[Value], Any]:
    return lambda value: number_of(layout, value)


_VALUES: Mapping[int, Callable[[Value], Any]] = {
    3: _fixed("<d"),
    5: _fixed("<f"),
    7: _varint(lambda number: signed(number, 32)),
    9: _varint(signed),
    11: _varint(int),
    13: _varint(int),
    15: _varint(zigzag),
    17: _varint(zigzag),
    19: _fixed("<I"),
    21: _fixed("<Q"),
    23: _fixed("<i"),
    25: _fixed("<q"),
    27: _varint(bool),
    29: text,
}
"""AttributeProto's values by their field numbers: double_val = 3, float_val = 5, int32_val = 7, ... string_val = 29."""

_LISTS: Mapping[int, Callable[[int], int | bool]] = {
    8: signed, 10: signed, 12: int, 14: int, 16: zigzag, 18: zigzag, 28: bool,
}  # fmt: skip
"""Lists of varints."""

_STRINGS = 30


# -- JSON -------------------------------------------------------------------------------
def _of_json(content: bytes, where: str) -> Iterator[Node]:
    try:
        words = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TraceError(f"{where}:{line}: is no UTF-8 text; save it as UTF-8") from None
    objects = _objects(words, where)
    if len(objects) == 1 and isinstance(objects[0][1].get("workload_graph"), list):
        line = objects[0][0]
        for number, one in enumerate(objects[0][1]["workload_graph"]):
            at = f"{where}:{line}: workload_graph[{number}]"
            if not isinstance(one, dict):
                raise TraceError(f"{at}: is no node; write an object with Id and NodeType")
            yield _json_node({_FEEDER.get(str(key), str(key)): value for key, value in one.items()}, at, where)
        return
    for place, (line, one) in enumerate(objects):
        if place or "id" in one or "type" in one:  # else it is the metadata
            yield _json_node(one, f"{where}:{line}", where)


def _objects(words: str, where: str) -> list[tuple[int, dict[str, Any]]]:
    """JSON objects that stand one after the other, each with its first line."""
    decoder = json.JSONDecoder()
    found: list[tuple[int, dict[str, Any]]] = []
    at, line, counted = 0, 1, 0
    while at < len(words):
        if words[at].isspace() or words[at] == ",":
            at += 1
            continue
        line, counted = line + words.count("\n", counted, at), at
        try:
            one, at = decoder.raw_decode(words, at)
        except json.JSONDecodeError as error:
            raise TraceError(f"{where}:{error.lineno}: is no JSON: {error.msg}; give a .et file, or its JSON") from None
        except RecursionError:
            raise TraceError(f"{where}:{line}: is nested too deep; is it the right file?") from None
        if not isinstance(one, dict):
            raise TraceError(f"{where}:{line}: is no object; a trace is objects, one a node")
        found.append((line, one))
    return found


def _json_node(given: Mapping[str, Any], at: str, where: str) -> Node:
    number = _json_whole(given.get("id", 0), f"{at}: id")
    name = given.get("name", "")
    after = [
        _json_whole(one, f"{at}: {key}")
        for key in ("ctrlDeps", "ctrl_deps", "dataDeps", "data_deps")
        for one in _json_list(given.get(key, []), f"{at}: {key}")
    ]
    duration = given.get("durationMicros", given.get("duration_micros", 0))
    inputs = given.get("inputs")
    attributes = {key: value for key, value in given.items() if key.startswith(("comm_", "is_cpu"))}
    for one in _json_list(given.get("attr", []), f"{at}: attr"):
        attributes.update([_json_attribute(one, at)])
    return Node(
        number,
        str(name),
        _json_kind(given.get("type", 0), at),
        tuple(dict.fromkeys(after)),
        _json_whole(duration, f"{at}: durationMicros"),
        _place(where, number, str(name)),
        attributes,
        str(inputs.get("values", "")) if isinstance(inputs, dict) else "",
    )


def _json_attribute(one: object, at: str) -> tuple[str, Any]:
    if not isinstance(one, dict) or not isinstance(one.get("name"), str):
        raise TraceError(f"{at}: attr: an attribute without a name; write it as protobuf's JSON does")
    for key, value in one.items():
        if key.endswith(("List", "_list")) and isinstance(value, dict):
            return one["name"], value.get("values", [])
        if key.endswith(("Val", "_val")):
            return one["name"], value
    return one["name"], UNKNOWN


def _json_kind(value: object, at: str) -> str:
    if isinstance(value, str) and value in KINDS:
        return value
    return _kind(_json_whole(value, f"{at}: type"), at)


def _json_list(value: object, at: str) -> list[Any]:
    if not isinstance(value, list):
        raise TraceError(f"{at}: is no list; write it as protobuf's JSON does")
    return value


def _json_whole(value: object, at: str) -> int:
    """Numbers of 64 bits are text in protobuf's JSON."""
    number = as_whole(value)
    if number is None or number < 0:
        raise TraceError(f"{at}: {str(value)[:40]!r} is no whole number of 0 or more; write one")
    return number


# -- both -------------------------------------------------------------------------------
def as_whole(value: object) -> int | None:
    """An attribute's value as a whole number; None where it is none. Text in digits is one, as in protobuf's JSON."""
    if isinstance(value, str):
        digits = value.removeprefix("-")
        return int(value) if digits.isascii() and digits.isdigit() and len(digits) <= 20 else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value // 1:
        return None
    return int(value)


def _kind(number: int, at: str) -> str:
    if not 0 <= number < len(KINDS):
        raise TraceError(f"{at}: a node of type {number}, which is not known; types are 0 to {len(KINDS) - 1}")
    return KINDS[number]


def _place(where: str, number: int, name: str) -> str:
    called = f" {name[:40]!r}" if name else ""
    return f"{where}: node {number}{called}"
