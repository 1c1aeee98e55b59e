"""The first words on a connection: who opens it, for which job, and what both ends must have in common. Pure.

The opener sends a Hello, the listener answers with an empty reason (welcome) or says why not. After that the connection
carries payload only.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass

HELLO = b"RINGLAB1"
REPLY = b"RINGLABR"
HEADER = struct.Struct("!8sH")
"""Magic and the length of the JSON text that follows."""


class HelloError(ValueError):
    """Bytes that no rank of ringlab would send first."""


@dataclass(frozen=True, slots=True)
class Hello:
    """``settings`` are what the ranks of a job must agree on, by name: each a word that can stand in a message."""

    token: str
    src: int
    dst: int
    channel: int
    settings: Mapping[str, str]


def encode_hello(hello: Hello) -> bytes:
    fields = [hello.token, hello.src, hello.dst, hello.channel, dict(hello.settings)]
    return _framed(HELLO, json.dumps(fields).encode())


def encode_reply(reason: str) -> bytes:
    return _framed(REPLY, reason.encode())


def _framed(magic: bytes, body: bytes) -> bytes:
    return HEADER.pack(magic, len(body)) + body


def missing(received: bytes, magic: bytes) -> int:
    """How many bytes of the message that ``received`` begins are still to come. HelloError at a wrong magic."""
    if not magic.startswith(received[: len(magic)]):
        raise HelloError(f"it began with {received[: len(magic)]!r}, which is no rank of ringlab")
    if len(received) < HEADER.size:
        return HEADER.size - len(received)
    size: int = HEADER.unpack_from(received)[1]
    return HEADER.size + size - len(received)


def decode_hello(message: bytes) -> Hello:
    """HelloError if the text is not a hello's."""
    try:
        token, src, dst, channel, settings = json.loads(message[HEADER.size :])
        hello = Hello(str(token), int(src), int(dst), int(channel), {str(k): str(v) for k, v in settings.items()})
    except (ValueError, TypeError, AttributeError) as error:
        raise HelloError(f"its hello can't be read ({error})") from None
    return hello


def decode_reply(message: bytes) -> str:
    """The reason for a refusal; empty if welcome."""
    return message[HEADER.size :].decode(errors="replace")


def difference(mine: Mapping[str, str], theirs: Mapping[str, str]) -> tuple[str, str, str] | None:
    """The first setting that differs: its name, mine, theirs."""
    for name in (*mine, *theirs):
        if mine.get(name) != theirs.get(name):
            return name, mine.get(name, "none"), theirs.get(name, "none")
    return None
