"""A Schedule of some bytes as GOAL text (Group Operation Assembly Language), which LogGOPSim's ``txt2bin`` reads.

A rank is a block of labelled operations: ``send`` and ``recv`` with bytes, peer and tag, and ``calc`` with nanoseconds.
``l3 requires l2``: l3 starts when l2 is over. ``l3 irequires l2``: when l2 has started; so a receive follows the send
of what it overwrites in the same step, and two ranks that exchange chunks do not wait for each other. Tags count the
messages of each pair of ranks, so that none is taken for another. A label stands above what requires it.

Format: T. Hoefler, C. Siebert, A. Lumsdaine, "Group Operation Assembly Language", ICPP 2009.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from collectives.hazards import Accesses, hazards
from collectives.schedule import Op, Schedule, ScheduleError, Transfer

End = tuple[int, bool]
"""A transfer's row, and whether it is the receiver's end of it."""


@dataclass(slots=True)
class _Operation:
    """One line, without its label; ``requires`` and ``irequires`` are ends in the same rank."""

    text: str
    calc_ns: int = 0
    requires: set[End] = field(default_factory=set)
    irequires: set[End] = field(default_factory=set)


def write(schedule: Schedule, count: int, itemsize: int, *, reduce_ns_per_byte: float = 0.0) -> str:
    """GOAL of the operation where the largest buffer of a rank has ``count`` elements of ``itemsize`` bytes.

    The bytes are those that the sockets carry; transfers of none are left out. Where ``reduce_ns_per_byte`` is given, a
    ``calc`` of that much follows what is added, and what needs the sum waits for it. ScheduleError if it is negative.
    """
    if not reduce_ns_per_byte >= 0:
        raise ScheduleError(f"{reduce_ns_per_byte} ns a byte for reducing: 0 or more")
    sizes = schedule.chunk_sizes(count) * itemsize
    operations = _operations(schedule, sizes, reduce_ns_per_byte)
    _require(schedule, sizes, operations)
    blocks: list[list[str]] = [[] for _ in range(schedule.num_ranks)]
    for rank, ends in enumerate(_by_rank(schedule, operations)):
        blocks[rank] = list(_block(ends, operations))
    text = "".join(f"\nrank {rank} {{\n" + "\n".join(lines) + "\n}\n" for rank, lines in enumerate(blocks))
    return f"num_ranks {schedule.num_ranks}\n{text}"


def _operations(schedule: Schedule, sizes: NDArray[np.int64], ns_per_byte: float) -> dict[End, _Operation]:
    """Both ends of every transfer that carries anything, in the order of steps."""
    bounds = np.concatenate([[0], np.cumsum(sizes)])
    found = {}
    tags: Counter[tuple[int, int]] = Counter()
    for row, one in _in_order(schedule):
        if nbytes := int(bounds[one.chunk + one.count] - bounds[one.chunk]):
            tag = tags[one.src, one.dst]
            tags[one.src, one.dst] += 1
            found[row, False] = _Operation(f"send {nbytes}b to {one.dst} tag {tag}")
            calc_ns = round(nbytes * ns_per_byte) if one.op is Op.REDUCE else 0
            found[row, True] = _Operation(f"recv {nbytes}b from {one.src} tag {tag}", calc_ns)
    return found


def _in_order(schedule: Schedule) -> list[tuple[int, Transfer]]:
    return sorted(enumerate(schedule.transfers()), key=lambda one: (one[1].step, one[1].chunk))


def _require(schedule: Schedule, sizes: NDArray[np.int64], operations: dict[End, _Operation]) -> None:
    """What the data ask for, and each rank's order of sends on each channel."""
    accesses = _of_some_bytes(schedule, sizes)
    found = hazards(accesses)
    for before, after in zip(found.before.tolist(), found.after.tolist(), strict=True):
        first, then = ((int(accesses.item[access]), bool(accesses.write[access])) for access in (before, after))
        together = accesses.step[before] == accesses.step[after]
        (operations[then].irequires if together else operations[then].requires).add(first)
    for before, after in zip(*(rows.tolist() for rows in schedule.sending_order()), strict=True):
        if (before, False) in operations and (after, False) in operations:
            operations[after, False].requires.add((before, False))


def _of_some_bytes(schedule: Schedule, sizes: NDArray[np.int64]) -> Accesses:
    """An empty chunk holds nothing up."""
    every = schedule.accesses()
    some = sizes[every.place % schedule.num_chunks] > 0
    return Accesses(every.item[some], every.place[some], every.step[some], every.write[some])


def _by_rank(schedule: Schedule, operations: dict[End, _Operation]) -> list[list[End]]:
    """The ends at each rank, step by step, the sends of a step before its receives."""
    found: list[list[End]] = [[] for _ in range(schedule.num_ranks)]
    for row, received in operations:
        found[int((schedule.dst if received else schedule.src)[row])].append((row, received))
    for ends in found:
        ends.sort(key=lambda end: (int(schedule.step[end[0]]), end[1]))
    return found


def _block(ends: list[End], operations: dict[End, _Operation]) -> Iterator[str]:
    """The lines of a rank. One that has nothing to do computes for no time, as a block may not be empty."""
    if not ends:
        yield "l1: calc 0"
    begun: dict[End, str] = {}
    over: dict[End, str] = {}
    labels = (f"l{number}" for number in range(1, 2 * len(ends) + 1))
    for end in ends:
        one = operations[end]
        begun[end] = over[end] = label = next(labels)
        yield f"{label}: {one.text}"
        yield from (f"{label} requires {over[other]}" for other in sorted(one.requires))
        yield from (f"{label} irequires {begun[other]}" for other in sorted(one.irequires - one.requires))
        if one.calc_ns:
            over[end] = next(labels)
            yield f"{over[end]}: calc {one.calc_ns}"
            yield f"{over[end]} requires {label}"
