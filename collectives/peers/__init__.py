"""Other libraries in the place of our own: what the benchmark needs of a group of ranks, and who can stand in for it.

The benchmark (``collectives.perf``) knows its ranks by ``Ranks`` alone. Our ``Communicator`` is one; ``gloo`` and
``openmpi`` are others, each in a file that is imported only where its library is asked for.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Protocol, Self

from numpy.typing import NDArray

from collectives.operations import Operation
from collectives.peers.errors import MissingError
from collectives.peers.libraries import Library

__all__ = ["MissingError", "Ranks", "connect", "require", "version"]

Array = NDArray[Any]


class Ranks(Protocol):
    """A group of ranks, one of them this process; all make the same calls in the same order.

    ``operations`` counts what the group's own schedule moved, by bytes; it stays empty where nobody knows that.
    """

    rank: int
    num_ranks: int
    operations: Counter[int]

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def all_reduce(self, array: Array) -> object:
        """The sum over all ranks, in place."""

    def barrier(self) -> None:
        """Return when every rank has called it."""

    def collective(self, operation: Operation, count: int, source: Array, target: Array, op: str = "sum") -> Array:
        """As ``Communicator.collective``."""


def connect(
    library: Library,
    rank: int,
    peers: Sequence[str],
    *,
    store_port: int,
    timeout_s: float,
    rendezvous_timeout_s: float,
) -> Ranks:
    """Rank ``rank`` of a library that is not ours; it meets the others on entry.

    MissingError where the library is not installed.
    """
    module = _module(library)
    found: Ranks = module.connect(
        rank, peers, store_port=store_port, timeout_s=timeout_s, rendezvous_timeout_s=rendezvous_timeout_s
    )
    return found


def require(library: Library) -> None:
    """MissingError where the library is not installed. It is not loaded: that takes seconds, and a rank needs it."""
    if library.needs and find_spec(library.needs) is None:
        raise MissingError(f"{library.name} needs {library.needs}, which is not installed: {library.fix}")


def version(library: Library) -> str:
    """The library and its version, in words."""
    return str(_module(library).version()) if library.module else library.name


def _module(library: Library) -> Any:
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")  # an error is ours to tell, in one line
    try:
        return import_module(f"collectives.peers.{library.module}")
    except ImportError as error:
        raise MissingError(f"{library.name} can't be used here ({error}): {library.fix}") from None
