"""A Schedule as plain data for a page that shows chunks moving, step by step.

``start`` says what every rank's chunks hold at first: the ranks whose contributions are in them. Each of ``steps`` has
the ``transfers`` that cross in it, and what they change: ``holds``, an entry a chunk that something came to. A page
that keeps a table of ranks and chunks and writes these into it, step after step, shows what is where at any time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from collectives.operations import ALL
from collectives.schedule import Op, Schedule, ScheduleError, Transfer

FORMAT = "ringlab-steps-1"

MOST = 1 << 22
"""Contributors in all steps together: a page can't show more, and a browser not hold them."""

Contributors = tuple[int, ...]
"""Sorted; a rank that was added twice is there twice."""


def stepper(schedule: Schedule) -> dict[str, Any]:
    """The data, ready for JSON. It need not be a right schedule: seeing where it goes wrong is what a page is for.

    Keys: ``format``, ``operation``, ``num_ranks``, ``num_chunks``, ``num_channels``; ``chunks``, an entry a chunk with
    its ``block`` and the ranks where it must start and end (``starts``, ``ends``); ``start``: ``start[rank][chunk]``
    lists the ranks whose data it holds; ``steps``. ScheduleError if it is too large to be shown.
    """
    held = _at_start(schedule)
    start = [[list(held.get((rank, chunk), ())) for chunk in range(schedule.num_chunks)] for rank in _ranks(schedule)]
    by_step: defaultdict[int, list[Transfer]] = defaultdict(list)
    for transfer in schedule.transfers():
        by_step[transfer.step].append(transfer)
    steps = [_step(number, by_step[number], held) for number in range(schedule.num_steps)]
    return {
        "format": FORMAT,
        "operation": schedule.operation.name,
        "num_ranks": schedule.num_ranks,
        "num_chunks": schedule.num_chunks,
        "num_channels": schedule.num_channels,
        "chunks": _chunks(schedule),
        "start": start,
        "steps": steps,
    }


def _ranks(schedule: Schedule) -> range:
    return range(schedule.num_ranks)


def _at_start(schedule: Schedule) -> dict[tuple[int, int], Contributors]:
    moved = int(schedule.count.sum(dtype=np.int64))
    if (moved + schedule.num_chunks * schedule.num_ranks) * schedule.num_ranks > MOST:
        raise ScheduleError(
            f"{schedule.num_ranks} ranks and {moved} chunks that move are too much to step through: take fewer ranks"
        )
    start = schedule.operation.ends(schedule.num_ranks)[0]
    return {
        (rank, chunk): (rank,)
        for rank in _ranks(schedule)
        for chunk in range(schedule.num_chunks)
        if start[chunk % len(start)] in (ALL, rank)
    }


def _chunks(schedule: Schedule) -> list[dict[str, Any]]:
    starts, ends = schedule.operation.ends(schedule.num_ranks)
    everyone = list(_ranks(schedule))
    found = []
    for chunk in range(schedule.num_chunks):
        block = chunk % len(starts)
        first, last = (everyone if end[block] == ALL else [int(end[block])] for end in (starts, ends))
        found.append({"block": block, "starts": first, "ends": last})
    return found


def _step(number: int, transfers: Sequence[Transfer], held: dict[tuple[int, int], Contributors]) -> dict[str, Any]:
    """What crosses, and what is where afterwards; ``held`` goes along. Sends read what was there before the step."""
    before = {(one.src, chunk): held.get((one.src, chunk), ()) for one in transfers for chunk in one.chunks}
    changed: dict[tuple[int, int], Contributors] = {}
    for one in transfers:
        for chunk in one.chunks:
            place = one.dst, chunk
            kept = changed.get(place, held.get(place, ())) if one.op is Op.REDUCE else ()
            changed[place] = tuple(sorted(kept + before[one.src, chunk]))
    held.update(changed)
    return {
        "step": number,
        "transfers": [
            {
                "src": one.src,
                "dst": one.dst,
                "chunks": list(one.chunks),
                "op": one.op.name.lower(),
                "channel": one.channel,
            }
            for one in transfers
        ],
        "holds": [
            {"rank": rank, "chunk": chunk, "contributors": list(found)} for (rank, chunk), found in changed.items()
        ],
    }
