"""Messages between two ranks: their header, and which receive gets which. No sockets, no clocks.

A letter is a header and its payload. It answers the first receive that waits for its sender (or for anybody) and its
tag. A letter that nobody waits for stays with its sender, in the sockets' buffers; it is taken in early only where
somebody waits for another one behind it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch

from collectives.torch_backend.work import GroupWork

_HEADER = struct.Struct("!qqq16s")
HEADER_SIZE = _HEADER.size


class Header(NamedTuple):
    tag: int
    nbytes: int
    elements: int
    dtype: str

    @classmethod
    def of(cls, tensor: torch.Tensor, tag: int) -> Self:
        return cls(
            tag, tensor.numel() * tensor.element_size(), tensor.numel(), str(tensor.dtype).removeprefix("torch.")
        )

    def __str__(self) -> str:
        return f"{self.elements} {self.dtype}"

    def encoded(self) -> bytes:
        return _HEADER.pack(self.tag, self.nbytes, self.elements, self.dtype.encode())

    @classmethod
    def decoded(cls, text: bytes | bytearray) -> Self:
        tag, nbytes, elements, dtype = _HEADER.unpack(text)
        return cls(tag, nbytes, elements, dtype.rstrip(b"\0").decode(errors="replace"))


@dataclass(slots=True, eq=False)
class Receive:
    """Somebody waits. ``source`` is None for anybody; ``finish`` is to be called when ``room`` is filled."""

    work: GroupWork
    source: int | None
    wanted: Header
    room: memoryview
    finish: Callable[[], object]
    since: float

    def answers(self, source: int, tag: int) -> bool:
        return self.source in (None, source) and self.wanted.tag == tag


class Early(NamedTuple):
    source: int
    header: Header
    payload: bytearray


class Desk:
    """Receives that wait, and letters that came early; each in the order in which it came."""

    def __init__(self) -> None:
        self.waiting: list[Receive] = []
        self._early: list[Early] = []

    def claim(self, source: int, tag: int) -> Receive | None:
        """Who gets the letter that begins to arrive; it does not wait any longer."""
        for receive in self.waiting:
            if receive.answers(source, tag):
                self.waiting.remove(receive)
                return receive
        return None

    def is_awaited(self, source: int) -> bool:
        """Does anybody wait for any letter of the source?"""
        return any(receive.source in (None, source) for receive in self.waiting)

    def keep(self, letter: Early) -> None:
        self._early.append(letter)

    def early(self, receive: Receive) -> Early | None:
        """The letter that answers it, if it is here already; it leaves the desk."""
        for letter in self._early:
            if receive.answers(letter.source, letter.header.tag):
                self._early.remove(letter)
                return letter
        return None
