"""The text of an MSCCL program as plain data that knows its lines. Shape only; what it means is told elsewhere.

An ``algo`` has a ``gpu`` a rank, a gpu has thread blocks (``tb``), each with at most one peer to send to and one to
receive from, on a channel; a thread block works its ``step``s one after another. The text may come from anywhere: a
DOCTYPE (and with it every entity) is refused, and so is what would not fit in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from collectives.schedule import ScheduleError
from topologies.ports import MAX_CHANNELS
from topologies.spelling import did_you_mean

MAX_RANKS = 1024
MAX_CHUNKS = 1 << 16
"""Of a buffer."""

MAX_STEPS = 1 << 17
"""In all thread blocks together: a text of 8 MiB has fewer."""

BUFFERS = {"i": "input", "o": "output", "s": "scratch"}

_INSIDE = {"": "algo", "algo": "gpu", "gpu": "tb", "tb": "step"}
"""What each element may hold."""


class ProgramError(ScheduleError):
    """A program that can't be read or run: one line that says where, what, and what to do."""


@dataclass(frozen=True, slots=True)
class StepType:
    """What a step does: it may receive, read its source, write its target, and send on what came of that."""

    receives: bool = False
    reads: bool = False
    writes: bool = False
    sends: bool = False


STEP_TYPES: Mapping[str, StepType] = {
    "s": StepType(reads=True, sends=True),
    "r": StepType(receives=True, writes=True),
    "rcs": StepType(receives=True, writes=True, sends=True),
    "rrs": StepType(receives=True, reads=True, sends=True),
    "rrc": StepType(receives=True, reads=True, writes=True),
    "rrcs": StepType(receives=True, reads=True, writes=True, sends=True),
    "cpy": StepType(reads=True, writes=True),
    "re": StepType(reads=True, writes=True),
    "nop": StepType(),
}
"""A step that receives and reads adds the two; ``re`` adds its source to its target."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where in the text something stands."""

    line: int
    gpu: int
    tb: int
    step: int

    def __str__(self) -> str:
        return f"line {self.line} (gpu {self.gpu}, tb {self.tb}, step {self.step})"


@dataclass(frozen=True, slots=True)
class Cell:
    """One chunk of one buffer of a rank: ``i``, ``o`` or ``s``."""

    buffer: str
    offset: int

    def __str__(self) -> str:
        return f"{self.buffer}[{self.offset}]"


@dataclass(frozen=True, slots=True)
class Step:
    """``count`` chunks from ``source`` and ``target`` on. ``waits_for``: a thread block of the same gpu and its step.

    A source or target that the type does not use is None. ``awaited``: others may wait for it.
    """

    spot: Spot
    type: str
    source: Cell | None
    target: Cell | None
    count: int
    waits_for: tuple[int, int] | None
    awaited: bool


@dataclass(frozen=True, slots=True)
class ThreadBlock:
    """``send`` and ``recv`` are ranks, or None."""

    id: int
    line: int
    send: int | None
    recv: int | None
    channel: int
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Gpu:
    """One rank."""

    id: int
    scratch_chunks: int
    blocks: tuple[ThreadBlock, ...]


@dataclass(frozen=True, slots=True)
class Algo:
    """A program. ``gpus`` are in the order of ranks."""

    line: int
    name: str
    coll: str
    in_place: bool
    num_chunks: int
    gpus: tuple[Gpu, ...]


def parse(text: str) -> Algo:
    """The program in ``text``. ProgramError where it is none."""
    return _algo(_tree(text))


@dataclass(slots=True)
class _Element:
    tag: str
    line: int
    attributes: dict[str, str]
    children: list[_Element] = field(default_factory=list)

    def word(self, name: str, default: str | None = None) -> str:
        found = self.attributes.get(name, default)
        if found is None:
            raise ProgramError(f'line {self.line}: this {self.tag} has no {name}: write {name}="..."')
        return found

    def number(self, name: str, least: int, most: int, default: int | None = None) -> int:
        text = self.word(name, None if default is None else str(default))
        digits = text.removeprefix("-")
        value = int(text) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None
        if value is None or not least <= value <= most:
            raise ProgramError(f'line {self.line}: {name}="{text[:20]}": a number from {least} to {most} belongs there')
        return value


class _Builder:
    """Elements as the parser finds them; everything that could grow without bound is refused while it is read."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._open = [_Element("", 0, {})]
        self._steps = 0

    def built(self, text: str) -> _Element:
        self._parser.Parse(text, True)
        return self._open[0].children[0]

    def _doctype(self, *_: object) -> None:
        line = self._parser.CurrentLineNumber
        raise ProgramError(f"line {line}: a DOCTYPE (entities could blow up): an MSCCL program has none, take it out")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        above, line = self._open[-1], self._parser.CurrentLineNumber
        if tag != _INSIDE.get(above.tag):
            fits = f"{_INSIDE[above.tag]} belongs there" if above.tag in _INSIDE else "a step holds nothing"
            raise ProgramError(f"line {line}: <{tag[:20]}> {f'in {above.tag}' if above.tag else 'at the top'}: {fits}")
        self._steps += tag == "step"
        if self._steps > MAX_STEPS:
            raise ProgramError(f"line {line}: more than {MAX_STEPS} steps: too large a program to be read")
        self._open.append(_Element(tag, line, attributes))
        above.children.append(self._open[-1])

    def _end(self, _tag: str) -> None:
        self._open.pop()


def _tree(text: str) -> _Element:
    try:
        return _Builder().built(text)
    except expat.ExpatError as error:
        what = expat.errors.messages.get(error.code, "not well formed")
        raise ProgramError(f"line {error.lineno}: no XML: {what}; mend the text there or just before") from None
    except UnicodeEncodeError:
        raise ProgramError("line 1: no XML: half a surrogate pair is no character; save the text as UTF-8") from None


def _algo(root: _Element) -> Algo:
    num_ranks = root.number("ngpus", 1, MAX_RANKS)
    gpus: dict[int, Gpu] = {}
    for element in root.children:
        rank = element.number("id", 0, num_ranks - 1)
        if rank in gpus:
            raise ProgramError(f"line {element.line}: gpu {rank} is there twice: each rank has one")
        gpus[rank] = _gpu(element, rank, num_ranks)
    if len(gpus) < num_ranks:
        lost = next(rank for rank in range(num_ranks) if rank not in gpus)
        raise ProgramError(f"line {root.line}: ngpus is {num_ranks}, and gpu {lost} is missing: add it, empty if idle")
    return Algo(
        root.line,
        root.word("name", "unnamed"),
        root.word("coll"),
        root.number("inplace", 0, 1, 0) == 1,
        root.number("nchunksperloop", 1, MAX_CHUNKS),
        tuple(gpus[rank] for rank in range(num_ranks)),
    )


def _gpu(element: _Element, rank: int, num_ranks: int) -> Gpu:
    blocks: dict[int, ThreadBlock] = {}
    taken: set[tuple[str, int, int]] = set()
    for child in element.children:
        block = _block(child, rank, num_ranks)
        if block.id in blocks:
            raise ProgramError(f"line {child.line}: gpu {rank} has tb {block.id} twice: number them 0, 1, 2, ...")
        blocks[block.id] = block
        for way, peer in (("send to", block.send), ("receive from", block.recv)):
            if peer is not None and (way, peer, block.channel) in taken:
                raise ProgramError(
                    f"line {child.line}: gpu {rank} has two tbs that {way} gpu {peer} on channel {block.channel}: "
                    "join them, or take another channel"
                )
            taken |= {(way, peer, block.channel)} if peer is not None else set()
    return Gpu(rank, element.number("s_chunks", 0, MAX_CHUNKS, 0), tuple(blocks.values()))


def _block(element: _Element, rank: int, num_ranks: int) -> ThreadBlock:
    number = element.number("id", 0, MAX_STEPS)
    steps = tuple(_step(child, rank, number) for child in element.children)
    wrong = next((found for at, found in enumerate(steps) if found.spot.step != at), None)
    if wrong:
        raise ProgramError(f"{wrong.spot}: steps of a tb count 0, 1, 2, ... in their order: renumber them")
    send, recv = (_peer(element, name, rank, num_ranks) for name in ("send", "recv"))
    for step in steps:
        does = STEP_TYPES[step.type]
        if (does.sends and send is None) or (does.receives and recv is None):
            lacks = "send" if does.sends and send is None else "recv"
            raise ProgramError(f'{step.spot}: type {step.type} in a tb with {lacks}="-1": name the peer there')
    return ThreadBlock(number, element.line, send, recv, element.number("chan", 0, MAX_CHANNELS - 1), steps)


def _peer(element: _Element, name: str, rank: int, num_ranks: int) -> int | None:
    peer = element.number(name, -1, num_ranks - 1)
    if peer == rank:
        raise ProgramError(f'line {element.line}: {name}="{peer}" on gpu {rank} itself: take a cpy step for that')
    return None if peer < 0 else peer


def _step(element: _Element, gpu: int, tb: int) -> Step:
    spot = Spot(element.line, gpu, tb, element.number("s", 0, MAX_STEPS))
    kind = element.word("type")
    does = STEP_TYPES.get(kind)
    if does is None:
        raise ProgramError(f"{spot}: no step type {kind[:20]!r} here: {did_you_mean(kind, STEP_TYPES)}")
    block, step = element.number("depid", -1, MAX_STEPS, -1), element.number("deps", -1, MAX_STEPS, -1)
    return Step(
        spot,
        kind,
        _cell(element, "src") if does.reads else None,
        _cell(element, "dst") if does.writes else None,
        element.number("cnt", 1, MAX_CHUNKS) if kind != "nop" else 0,
        (block, step) if block >= 0 else None,
        element.number("hasdep", 0, 1, 0) == 1,
    )


def _cell(element: _Element, end: str) -> Cell:
    buffer = element.word(f"{end}buf")
    if buffer not in BUFFERS:
        raise ProgramError(f'line {element.line}: {end}buf="{buffer[:20]}": i, o or s (input, output, scratch)')
    return Cell(buffer, element.number(f"{end}off", 0, MAX_CHUNKS))
