"""What each rank's chunks hold after each step, as text: a small version of the stepper's page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from collectives.interchange.stepper import stepper
from collectives.schedule import Schedule, ScheduleError, Transfer
from collectives.verify import verify


def made(num_ranks: int, *phases: Iterable[Transfer], num_chunks: int | None = None) -> Schedule:
    """The phases, one after the other, each with steps from 0. ScheduleError for a transfer that can't be."""
    chunks = num_chunks or num_ranks
    parts = [Schedule.from_transfers(num_ranks, chunks, phase) for phase in phases]
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.then(part)
    return whole


def show(num_ranks: int, *phases: Iterable[Transfer]) -> None:
    """Print every step, and what the verifier says."""
    schedule = made(num_ranks, *phases)
    steps = stepper(schedule)
    held = {(r, c): tuple(ranks) for r, row in enumerate(steps["start"]) for c, ranks in enumerate(row)}
    print("\n".join(["at the start", *_rows(held, num_ranks)]))
    for number, step in enumerate(steps["steps"]):
        held.update(_changes(step))
        print("\n".join([f"after step {number}", *_rows(held, num_ranks)]))
    try:
        verify(schedule)
        print("proven: every rank ends with every rank's data exactly once")
    except ScheduleError as error:
        print(f"not right yet: {error}")


def _changes(step: Mapping[str, Any]) -> dict[tuple[int, int], tuple[int, ...]]:
    return {(one["rank"], one["chunk"]): tuple(one["contributors"]) for one in step["holds"]}


def _rows(held: Mapping[tuple[int, int], tuple[int, ...]], num_ranks: int) -> list[str]:
    chunks = max(chunk for _, chunk in held) + 1
    return [
        f"  rank {rank}  "
        + "  ".join("+".join(map(str, held[rank, chunk])).ljust(2 * num_ranks) for chunk in range(chunks))
        for rank in range(num_ranks)
    ]
