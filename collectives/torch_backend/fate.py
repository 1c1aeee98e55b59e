"""Whether a group still works. Its first failure ends all of it, and every rank tells what went wrong first.

A rank that fails ends its connections, so that the others fail too: but they see a neighbour leave, not the rank that
was lost. So each leaves a word in the job's store before it ends a connection, and the first word is what all repeat.
Where that word is only that a rank heard nothing, everybody waits for everybody: who is stuck leaves no word at all.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic, sleep
from typing import TypeVar

from torch._C._distributed_c10d import Store

from collectives.transport.connections import Group
from collectives.transport.errors import MismatchError, PeerSilentError, TransportError

T = TypeVar("T")

ANSWER_S = 2.0
"""How long to wait for the store: it may have been on the lost rank's host."""

WORDS_S = 1.0
"""How long to wait for the words of the others: they notice at once that this rank has ended its connections."""


class Fate:
    """``failing``: the group is at its end. What ended it is known when the others have been asked."""

    def __init__(self, group: Group, store: Store, key: str) -> None:
        self.failing = False
        self._error: TransportError | None = None
        self._group = group
        self._store = store
        self._key = key
        self._lock = threading.Lock()
        self._known = threading.Event()
        self._heirs: list[Callable[[], None]] = []

    def on_failure(self, call: Callable[[], None]) -> None:
        """``call()``, in whatever thread the group fails."""
        self._heirs.append(call)

    def fail(self, error: TransportError) -> TransportError:
        """The group's error: this one, or that of whoever came before. Takes a while, to ask the others."""
        with self._lock:
            late, self.failing = self.failing, True
        if late:
            return self.error()
        cause = ""
        try:
            first = _bounded(lambda: self._first_word(error), ANSWER_S)
            for call in self._heirs:
                call()
            cause = self._cause(error, first)
        finally:  # whatever happens: others wait for it
            self._error = type(error)(f"{error}{cause}")
            self._known.set()
        return self._error

    def error(self) -> TransportError:
        """What the group failed with: soon, as it is failing."""
        self._known.wait()
        assert self._error is not None
        return self._error

    def later(self, what: str) -> TransportError:
        """Of a call after the failure."""
        error = self.error()
        return type(error)(f"{what} can't run, as the group has failed before: {error}")

    def _first_word(self, error: TransportError) -> tuple[bool, str]:
        """Of the first rank that failed: did it only hear nothing, and what it says."""
        mine = json.dumps([isinstance(error, PeerSilentError), str(error)])
        first = self._store.compare_set(self._key, "", mine).decode()
        self._store.set(self._word(self._group.rank), mine)
        silent, text = json.loads(first)
        return bool(silent), str(text)

    def _cause(self, error: TransportError, first: tuple[bool, str] | None) -> str:
        if isinstance(error, MismatchError):  # it says all
            return ""
        if first is None:
            return "; the job's store does not answer: has the process that holds it ended (rank 0, as a rule)?"
        silent, text = first
        if not silent:
            return "" if text == str(error) else f"; first of all: {text}"
        stuck = _bounded(self._without_word, ANSWER_S + WORDS_S) or []
        if not stuck:
            return f"; first of all: {text}"
        names = " and ".join(self._group.name(rank) for rank in stuck)
        return f"; no word of {names}: stuck, cut off, or busy with something else?"

    def _without_word(self) -> list[int]:
        """The ranks that have said nothing of the failure."""
        until = monotonic() + WORDS_S
        missing = list(range(len(self._group.addresses)))
        while missing := [rank for rank in missing if not self._store.check([self._word(rank)])]:
            if monotonic() >= until:
                break
            sleep(WORDS_S / 50)
        return missing

    def _word(self, rank: int) -> str:
        return f"{self._key}/{rank}"


def _bounded(call: Callable[[], T], limit_s: float) -> T | None:
    """The result, or None if there is none in time, or torch's store is gone. Some of its calls know no time-out."""
    results: list[T] = []

    def run() -> None:
        with suppress(RuntimeError):
            results.append(call())

    thread = threading.Thread(target=run, name="ringlab-store", daemon=True)
    thread.start()
    thread.join(limit_s)
    return results[0] if results else None
