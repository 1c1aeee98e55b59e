"""The wire format of protocol buffers, as much as reading a known message takes: fields by number, in their order.

A message is a row of fields, each a key (number and wire type, a varint) and a value: a varint, 8 bytes, a length and
as many bytes (text, a message in the message, packed numbers), or 4 bytes. A file of messages has each one's length, a
varint, before it. Nothing here knows what the numbers mean.

Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
"""Wire types; 3 and 4, groups, are of the past and not read."""

MAX_VARINT_BYTES = 10

Value = int | bytes
"""Of a varint its unsigned value, of the others their bytes."""


class WireError(ValueError):
    """Bytes that are no such message: says at which byte, and what is wrong."""


def varint(data: bytes, at: int) -> tuple[int, int]:
    """The unsigned number that begins at byte ``at``, and where it ends. WireError where the bytes end before it."""
    number = shift = 0
    for place in range(at, at + MAX_VARINT_BYTES):
        if place >= len(data):
            raise WireError(f"byte {place}: the bytes end within a number")
        number |= (data[place] & 0x7F) << shift
        if data[place] < 0x80:
            return number & 0xFFFF_FFFF_FFFF_FFFF, place + 1
        shift += 7
    raise WireError(f"byte {at}: a number of more than {MAX_VARINT_BYTES} bytes")


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Each message of a file of them, with the byte it begins at. WireError where the last one is cut off."""
    at = 0
    while at < len(data):
        size, start = varint(data, at)
        if start + size > len(data):
            raise WireError(f"byte {at}: a message of {size} bytes, and {len(data) - start} are left")
        yield start, data[start : start + size]
        at = start + size


def fields(message: bytes) -> Iterator[tuple[int, int, Value]]:
    """Number, wire type and value of every field. WireError where the bytes are no message."""
    at = 0
    while at < len(message):
        begin = at
        key, at = varint(message, at)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise WireError(f"byte {begin}: a field of number 0")
        if kind == VARINT:
            value, at = varint(message, at)
            yield number, kind, value
            continue
        if kind == LENGTH:
            size, at = varint(message, at)
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
        else:
            raise WireError(f"byte {begin}: wire type {kind} is not read")
        if at + size > len(message):
            raise WireError(f"byte {begin}: a field of {size} bytes, and {len(message) - at} are left")
        yield number, kind, message[at : at + size]
        at += size


def signed(number: int, bits: int = 64) -> int:
    """A varint's number as int32 and int64 mean it: the upper half is below 0."""
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> (bits - 1) else number


def zigzag(number: int) -> int:
    """A varint's number as sint32 and sint64 mean it."""
    return (number >> 1) ^ -(number & 1)


def unpacked(kind: int, value: Value) -> list[int]:
    """The varints of a repeated field: one, or many packed. WireError for another wire type."""
    if kind == VARINT and isinstance(value, int):
        return [value]
    if kind != LENGTH or isinstance(value, int):
        raise WireError(f"wire type {kind} where whole numbers should be")
    found, at = [], 0
    while at < len(value):
        number, at = varint(value, at)
        found.append(number)
    return found


def text(value: Value) -> str:
    """A string field's text. WireError where it is no UTF-8."""
    try:
        return bytes(value).decode() if not isinstance(value, int) else str(value)
    except UnicodeDecodeError:
        raise WireError("text that is no UTF-8") from None


def number_of(layout: str, value: Value) -> float | int:
    """A fixed field's number, ``layout`` as in ``struct``. WireError where it has another size."""
    if isinstance(value, int) or len(value) != struct.calcsize(layout):
        raise WireError("a number of another size")
    found: float | int = struct.unpack(layout, value)[0]
    return found
