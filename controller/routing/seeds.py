"""Seeds: the policies that draw are functions of one; how it is spelled, and the keyed hash that draws.

The hash is keyed BLAKE2b, the key is the seed: equal in every process and on every machine, uniform, and with
another seed as good as independent.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

from controller.routing.errors import RoutingError


def option(policy: str) -> Callable[[str], int]:
    """The reader of the option ``seed`` of ``policy``: RoutingError unless a whole number from 0 to 2^64 - 1."""

    def seed(text: str) -> int:
        if not (text.isascii() and text.isdigit() and int(text) < 2**64):
            raise RoutingError(f"policy {policy!r}: seed {text!r} must be a whole number from 0 to 2^64 - 1")
        return int(text)

    return seed


def draw(seed: int, message: bytes) -> int:
    """A number from 0 to 2^64 - 1 for ``message``."""
    return int.from_bytes(blake2b(message, digest_size=8, key=seed.to_bytes(8, "big")).digest(), "big")
