"""The first words on a connection: who opens it, for which job, and what both ends must have in common. Pure.

The opener sends a Hello, the listener answers with an empty reason (welcome) or says why not. After that the connection
carries payload only.

Both are frames: seven letters, the version of the protocol, the length of the text, the text. The frame and the reply
are the same in every version, so that ranks of two versions can tell each other which they are.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass

VERSION = 1
"""Of what ranks say to each other: a hello's fields, and how programs lay their bytes on a connection."""

HELLO = b"RINGLAB"
REPLY = b"RINGREP"
HEADER = struct.Struct("!7sBH")
"""Magic, version and the length of the text that follows."""

LONGEST = 8192
"""Bytes of a text: a guest can't make a rank keep more, and a first send always takes as many."""

NOT_YET = "not yet"
"""The reason for a refusal that is none: the call belongs to a meeting that the listener has yet to come to."""


class HelloError(ValueError):
    """Bytes that no rank of ringlab would send first, or none of this version."""


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
    return _framed(REPLY, reason.encode(errors="replace")[:LONGEST])


def _framed(magic: bytes, body: bytes) -> bytes:
    if len(body) > LONGEST:
        raise ValueError(f"token and settings take {len(body)} bytes: at most {LONGEST} fit in a hello")
    return HEADER.pack(magic, VERSION, len(body)) + body


def missing(received: bytes, magic: bytes) -> int:
    """How many bytes of the message that ``received`` begins are still to come.

    HelloError at a wrong magic, a hello of another version, and a text that is too long.
    """
    if not magic.startswith(received[: len(magic)]):
        raise HelloError(f"it began with {received[: len(magic)]!r}, which is no rank of ringlab")
    if len(received) < HEADER.size:
        return HEADER.size - len(received)
    version: int
    size: int
    _, version, size = HEADER.unpack_from(received)
    if magic == HELLO and version != VERSION:
        raise HelloError(f"the caller speaks version {version} of ringlab's protocol, the called version {VERSION}")
    if size > LONGEST:
        raise HelloError(f"it would say {size} bytes, at most {LONGEST} are heard")
    return HEADER.size + size - len(received)


def decode_hello(message: bytes) -> Hello:
    """HelloError if the text is not a hello's."""
    try:
        token, src, dst, channel, settings = json.loads(message[HEADER.size :])
        hello = Hello(str(token), int(src), int(dst), int(channel), {str(k): str(v) for k, v in settings.items()})
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise HelloError(f"its hello can't be read ({error})") from None
    return hello


def decode_reply(message: bytes) -> str:
    """The reason for a refusal, on one line whoever sent it; empty if welcome."""
    words = message[HEADER.size :].decode(errors="replace").split()
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(words))


def difference(mine: Mapping[str, str], theirs: Mapping[str, str]) -> tuple[str, str, str] | None:
    """The first setting that differs: its name, mine, theirs."""
    for name in (*mine, *theirs):
        if mine.get(name) != theirs.get(name):
            return name, mine.get(name, "none"), theirs.get(name, "none")
    return None
