"""MSCCL XML to a Schedule that is proven: the text parsed, run on symbols, and its messages turned into transfers.

A schedule keeps what the data ask for: who sends which chunks to whom, in which version, on which channel; and of the
program's own order, that a rank sends what a thread block sends in its order, and after the sends it waits for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product

from collectives.interchange.lock_step import Batch, Move, steps
from collectives.interchange.msccl_document import Algo, Cell, Gpu, ProgramError, Step, parse
from collectives.interchange.msccl_execution import Execution, Message, execute
from collectives.interchange.msccl_layout import COLLS, Layout
from collectives.interchange.versions import Chain, chain
from collectives.operations import Operation
from collectives.schedule import Schedule, Transfer
from collectives.verify import verify
from topologies.spelling import did_you_mean


@dataclass(frozen=True, slots=True)
class _Bundle:
    """Moves of the message of that number that can be one transfer: neighbouring chunks, all copied or all added."""

    message: int
    moves: tuple[Move, ...]


def read(text: str) -> Schedule:
    """The schedule of the MSCCL program in ``text``; it does what the program says it does (``verify``).

    ProgramError names the line of what can't be read, run or said as a schedule; ScheduleError what the proof found.
    """
    algo = _by_blocks(parse(text))
    layout = _layout(algo)
    found = execute(algo, layout)
    bundles = list(_bundles(found, _chains(found, layout)))
    schedule = Schedule.from_transfers(layout.num_ranks, layout.num_chunks, _transfers(bundles, found.messages))
    schedule = schedule.doing(layout.operation)
    verify(schedule)
    return schedule


def _layout(algo: Algo) -> Layout:
    name = COLLS.get(algo.coll)
    if name is None:
        raise ProgramError(f"line {algo.line}: no coll {algo.coll[:20]!r} here: {did_you_mean(algo.coll, COLLS)}")
    operation, num_ranks = Operation(name), len(algo.gpus)
    whole = Layout(operation, num_ranks, 1, algo.in_place)
    parts, rest = divmod(algo.num_chunks, max(whole.sizes.values()))
    if rest:
        raise ProgramError(
            f"line {algo.line}: nchunksperloop {algo.num_chunks}: {algo.coll} of {num_ranks} ranks "
            f"takes a multiple of {num_ranks}"
        )
    return replace(whole, parts=parts)


def _by_blocks(algo: Algo) -> Algo:
    """The same with a block for a chunk, where steps always take whole blocks: one transfer then moves one."""
    size, rest = divmod(algo.num_chunks, len(algo.gpus))
    if COLLS.get(algo.coll) in (None, "all_reduce") or rest or size == 1:
        return algo
    numbers = [
        number
        for gpu in algo.gpus
        for number in (gpu.scratch_chunks, *(n for block in gpu.blocks for step in block.steps for n in _numbers(step)))
    ]
    if any(number % size for number in numbers):
        return algo
    gpus = tuple(_divided(gpu, size) for gpu in algo.gpus)
    return replace(algo, num_chunks=algo.num_chunks // size, gpus=gpus)


def _numbers(step: Step) -> Iterator[int]:
    """All that counts chunks."""
    yield step.count
    yield from (cell.offset for cell in (step.source, step.target) if cell is not None)


def _divided(gpu: Gpu, size: int) -> Gpu:
    def cell(one: Cell | None) -> Cell | None:
        return one and Cell(one.buffer, one.offset // size)

    blocks = []
    for block in gpu.blocks:
        smaller = [
            replace(step, source=cell(step.source), target=cell(step.target), count=step.count // size)
            for step in block.steps
        ]
        blocks.append(replace(block, steps=tuple(smaller)))
    return replace(gpu, scratch_chunks=gpu.scratch_chunks // size, blocks=tuple(blocks))


def _chains(found: Execution, layout: Layout) -> dict[tuple[int, int], Chain]:
    """By rank and chunk."""
    uses: defaultdict[tuple[int, int], list[tuple[int, ...]]] = defaultdict(list)
    for message in found.messages:
        for value in message.values:
            uses[message.lane[0], value.chunk].append(value.leaves)
    ends = {(rank, value.chunk): value.leaves for rank in range(layout.num_ranks) for value in found.outputs[rank]}
    places = dict.fromkeys([*uses, *ends])
    return {place: chain(uses[place], ends.get(place), f"gpu {place[0]}, chunk {place[1]}") for place in places}


def _bundles(found: Execution, chains: dict[tuple[int, int], Chain]) -> Iterator[_Bundle]:
    for number, message in enumerate(found.messages):
        moves = [_move(message, at, chains) for at in range(len(message.values))]
        cuts = [at for at, (one, other) in enumerate(pairwise(moves), 1) if not _neighbours(one, other)]
        for first, last in pairwise([0, *cuts, len(moves)]):
            yield _Bundle(number, tuple(moves[first:last]))


def _neighbours(one: Move, other: Move) -> bool:
    return other.chunk == one.chunk + 1 and other.op is one.op


def _move(message: Message, at: int, chains: dict[tuple[int, int], Chain]) -> Move:
    src, dst, _ = message.lane
    value, leaf = message.values[at], message.first + at
    target = chains.get((dst, value.chunk))
    if target is None or leaf not in target.made:
        raise ProgramError(
            f"{message.spot}: gpu {dst} needs nothing of the chunk {value.chunk} that it sends there: take it out"
        )
    makes, op = target.made[leaf]
    return Move(src, dst, value.chunk, chains[src, value.chunk].at[frozenset(value.leaves)], makes, op)


def _transfers(bundles: list[_Bundle], messages: Sequence[Message]) -> list[Transfer]:
    """In the order of steps. The program's own order of sends is kept if the versions allow; chunks of one message go
    together likewise.
    """
    one_by_one = [replace(bundle, moves=(move,)) for bundle in bundles for move in bundle.moves]
    for tried, ordered in product((bundles, one_by_one), (True, False)):
        when = steps(_batches(tried, messages if ordered else ()))
        if None not in when:
            bundles = tried
            break
    transfers = [_transfer(bundle, step, messages) for bundle, step in zip(bundles, when, strict=True)]
    return sorted(transfers, key=lambda transfer: transfer.step)


def _batches(bundles: Sequence[_Bundle], messages: Sequence[Message]) -> list[Batch]:
    """With the order that ``messages`` were sent in, if given."""
    parts: defaultdict[int, list[int]] = defaultdict(list)
    for number, bundle in enumerate(bundles):
        parts[bundle.message].append(number)
    found = []
    for bundle in bundles:
        message = messages[bundle.message] if messages else None
        after = [part for earlier in message.waited_for for part in parts[earlier]] if message else []
        beside = parts[message.before] if message and message.before is not None else []
        found.append(Batch(bundle.moves, tuple(after), tuple(beside)))
    return found


def _transfer(bundle: _Bundle, step: int | None, messages: Sequence[Message]) -> Transfer:
    message, first = messages[bundle.message], bundle.moves[0]
    if step is None:
        raise ProgramError(
            f"{message.spot}: gpu {first.src} or {first.dst} needs two versions of chunk {first.chunk} at once; "
            "a schedule keeps one: change the order"
        )
    return Transfer(step, first.src, first.dst, first.chunk, first.op, message.lane[2], len(bundle.moves))
