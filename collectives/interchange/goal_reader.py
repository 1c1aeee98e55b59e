"""GOAL text (Group Operation Assembly Language), as LogGOPSim's ``txt2bin`` reads it and ``goal.py`` writes it.

::

    num_ranks 2
    rank 0 {
    l1: calc 100
    l2: send 10b to 1 tag 5
    l2 requires l1
    }
    rank 1 {
    l1: recv 10b from 0 tag 5
    }

A line is an operation, with a label or without, or says what one waits for: ``requires`` an end, ``irequires`` a start.
A label stands above what names it. ``calc`` counts nanoseconds. Comments are ``// ...`` and ``/* ... */``. ``cpu N``
and ``nic N`` are read and left out, with a note: LogGOPSim makes operations on one cpu take turns, here only what is
said to wait waits. A receive from any rank, or of any tag (``-1``), is refused: who would be first depends on the run.

Source: ``txt2bin.re`` of spcl's LogGOPSim; T. Hoefler, C. Siebert, A. Lumsdaine, "Group Operation Assembly Language",
ICPP 2009.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

from collectives.interchange.trace import Calculation, Operation, Receive, Send, Trace, TraceError

MAX_RANKS = 65536

_LABEL = r"(?P<label>[A-Za-z][A-Za-z0-9_]*)\s*"
_MORE = r"(?P<more>(?:\s+(?:cpu|nic)\s+[0-9]{1,9})*)"
_MESSAGE = re.compile(
    rf"(?:{_LABEL}:\s*)?(?P<kind>send|recv)\s+(?P<size>[0-9]{{1,18}})\s*b\s+(?P<way>to|from)\s+"
    rf"(?P<peer>-1|[0-9]{{1,9}})(?:\s+tag\s+(?P<tag>-1|[0-9]{{1,10}}))?{_MORE}"
)
_CALC = re.compile(rf"(?:{_LABEL}:\s*)?calc\s+(?P<size>[0-9]{{1,18}}){_MORE}")
_WAIT = re.compile(rf"{_LABEL}\s(?P<kind>i?requires)\s+(?P<other>[A-Za-z][A-Za-z0-9_]*)")
_NUM_RANKS = re.compile(r"num_ranks\s+([0-9]{1,9})")
_RANK = re.compile(r"rank\s+([0-9]{1,9})\s*\{")
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)

LIKE = "write l1: send 10b to 1 tag 0, l1: recv 10b from 1 tag 0, l1: calc 100, or l2 requires l1"


def is_goal(text: str) -> bool:
    """Whether ``text`` begins as GOAL does."""
    return text.startswith("num_ranks") or _COMMENT.sub("", text).lstrip().startswith("num_ranks")


def read(text: str, where: str = "goal") -> Trace:
    """The trace in ``text``; ``where`` (a file's name) goes into errors.

    Raises TraceError, one line: ``WHERE:LINE: what; what to do``.
    """
    reader = _Reader(where)
    for line, words in enumerate(_COMMENT.sub(_newlines, text).split("\n"), 1):
        if words.strip():
            reader.take(line, words.strip())
    return reader.finish()


def _newlines(comment: re.Match[str]) -> str:
    return "\n" * comment[0].count("\n")


class _Reader:
    """Takes the lines one by one."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.num_ranks = 0
        self.ranks: dict[int, tuple[Operation, ...]] = {}
        self.open: tuple[int, int] | None = None  # the rank whose block it is, and the block's first line
        self.operations: list[Operation] = []
        self.labels: dict[str, int] = {}
        self.left_out: Counter[str] = Counter()

    def take(self, line: int, words: str) -> None:
        if self.open is None:
            self._outside(line, words)
        elif words == "}":
            self.ranks[self.open[0]] = tuple(self.operations)
            self.open = None
        elif found := _MESSAGE.fullmatch(words):
            self._message(line, found)
        elif found := _CALC.fullmatch(words):
            self._add(line, found, Calculation(place=self._place(line), duration_s=int(found["size"]) * 1e-9))
        elif found := _WAIT.fullmatch(words):
            self._wait(line, found)
        else:
            raise self._error(line, f"{words[:40]!r} is no operation; {LIKE}")

    def finish(self) -> Trace:
        if self.open is not None:
            raise self._error(self.open[1], f"the block of rank {self.open[0]} has no end; close it with }}")
        if not self.num_ranks:
            raise self._error(1, "num_ranks is missing; write num_ranks 2 first")
        missing = next((rank for rank in range(self.num_ranks) if rank not in self.ranks), None)
        if missing is not None:
            raise self._error(1, f"rank {missing} of {self.num_ranks} has no block; write rank {missing} {{ ... }}")
        notes = [
            f"{self.where}: {word} of {count} operations was left out; here operations wait for what they name alone"
            for word, count in self.left_out.items()
        ]
        return Trace(tuple(self.ranks[rank] for rank in range(self.num_ranks)), tuple(notes))

    def _error(self, line: int, what: str) -> TraceError:
        return TraceError(f"{self._place(line)}: {what}")

    def _place(self, line: int) -> str:
        return f"{self.where}:{line}"

    def _outside(self, line: int, words: str) -> None:
        if found := _NUM_RANKS.fullmatch(words):
            if self.num_ranks:
                raise self._error(line, "num_ranks is given twice; keep one")
            self.num_ranks = int(found[1])
            if not 1 <= self.num_ranks <= MAX_RANKS:
                raise self._error(line, f"num_ranks {self.num_ranks} is out of range; give from 1 to {MAX_RANKS}")
        elif found := _RANK.fullmatch(words):
            rank = int(found[1])
            if rank >= self.num_ranks:
                raise self._error(line, f"rank {rank}: there are {self.num_ranks}, from 0; write num_ranks before")
            if rank in self.ranks:
                raise self._error(line, f"rank {rank} has a block already; write one a rank")
            self.open, self.operations, self.labels = (rank, line), [], {}
        else:
            raise self._error(line, f"{words[:40]!r} stands in no rank's block; write num_ranks N, then rank 0 {{")

    def _message(self, line: int, found: re.Match[str]) -> None:
        peer, tag, nbytes = int(found["peer"]), int(found["tag"] or 0), int(found["size"])
        sends = found["kind"] == "send"
        if (found["way"] == "to") is not sends:
            raise self._error(line, f"{found['kind']} {found['way']}: write send ... to, recv ... from")
        if peer < 0 or tag < 0:
            raise self._error(line, "-1, any rank or any tag, depends on who is first; name the rank and the tag")
        if peer >= self.num_ranks:
            raise self._error(line, f"rank {peer}: there are {self.num_ranks}, from 0; name one of them")
        kind = Send if sends else Receive
        self._add(line, found, kind(place=self._place(line), peer=peer, nbytes=nbytes, tag=tag))

    def _add(self, line: int, found: re.Match[str], operation: Operation) -> None:
        for word in ("cpu", "nic"):
            self.left_out[word] += f"{word} " in found["more"]
        self.left_out = +self.left_out
        label = found["label"]
        if label is not None:
            if label in self.labels:
                raise self._error(line, f"label {label} is taken; give each operation of a rank its own")
            self.labels[label] = len(self.operations)
        self.operations.append(operation)

    def _wait(self, line: int, found: re.Match[str]) -> None:
        for label in (found["label"], found["other"]):
            if label not in self.labels:
                raise self._error(line, f"no label {label} above; a label stands above what names it")
        place, other = self.labels[found["label"]], self.labels[found["other"]]
        one = self.operations[place]
        if found["kind"] == "requires":
            self.operations[place] = replace(one, after=(*one.after, other))
        else:
            self.operations[place] = replace(one, beside=(*one.beside, other))
