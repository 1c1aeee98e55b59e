"""How scenarios are spread over lanes (workers that take one message at a time), whoever has them.

Theory of operation. A message costs a fraction of a millisecond at home and several through a cluster's scheduler, as
much as a small scenario. So scenarios travel in chunks of ``CHUNK_S`` of work, by what the last ones took; the first
travel alone. Two chunks a lane are under way, so that no lane waits for us.

When a worker dies, all that was under way on it (or, in a local pool, at all) is lost, and nobody knows which scenario
did it. These *suspects* are sent again one by one, each alone on the road: the one that kills again is known.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from typing import Protocol

from ringlab.errors import RunError
from ringlab.sweeps import work
from ringlab.sweeps.engines import Data
from ringlab.sweeps.work import Record

CHUNK_S = 0.2
"""At least 100 ms a message, and not so much that the last chunk is waited for."""

MAX_CHUNK = 1000


class Lanes(Protocol):
    """Workers. ``submit`` sends one message; its future has the records, or an error where its worker died."""

    @property
    def count(self) -> int: ...

    def submit(self, chunk: Sequence[Data]) -> Future[list[Record]]: ...

    def revive(self) -> None:
        """After a death: sees to it that what is submitted next is worked on."""


def spread(scenarios: Sequence[Data], lanes: Lanes) -> Iterator[Record]:
    """The records, as they come."""
    flight = _Flight(scenarios, lanes)
    while flight.send():
        yield from flight.landed()


class _Flight:
    """What waits, what is under way, and who is suspected."""

    def __init__(self, scenarios: Sequence[Data], lanes: Lanes) -> None:
        self._lanes = lanes
        self._waiting = deque(scenarios)
        self._suspects: deque[Data] = deque()
        self._suspected = False  # is what flies a suspect, and so alone?
        self._flying: dict[Future[list[Record]], list[Data]] = {}
        self._cost_s: float | None = None

    def send(self) -> bool:
        """Fill the lanes. False when nothing is left."""
        if self._suspects:
            if not self._flying:
                self._suspected = self._submit([self._suspects.popleft()])
            return True
        if self._suspected and self._flying:
            return True
        self._suspected = False
        count = self._lanes.count
        while self._waiting and len(self._flying) < 2 * count:
            size = chunk_size(self._cost_s, len(self._waiting), count)
            if not self._submit([self._waiting.popleft() for _ in range(size)]):
                break
        return bool(self._flying)

    def landed(self) -> Iterator[Record]:
        """The records of the next chunks that are through."""
        done, _ = wait(self._flying, return_when=FIRST_COMPLETED)
        deaths = []
        for future in done:
            chunk = self._flying.pop(future)
            if future.cancelled():
                raise RunError("the workers were lost; what is done is kept: --resume goes on")
            error = future.exception()
            if error is not None:
                deaths.append((chunk, error))
                continue
            records = future.result()
            self._cost_s = sum(record["meta"].get("wall_s", 0.0) for record in records) / len(records)
            yield from records
        if deaths:
            yield from self._buried(deaths)

    def _submit(self, chunk: list[Data]) -> bool:
        """False, and the chunk waits on, where a worker has died whose chunk has yet to land."""
        try:
            future = self._lanes.submit(chunk)
        except BrokenExecutor:
            self._waiting.extendleft(reversed(chunk))
            if self._flying:
                return False
            self._lanes.revive()
            future = self._lanes.submit([self._waiting.popleft() for _ in chunk])
        self._flying[future] = chunk
        return True

    def _buried(self, deaths: Sequence[tuple[list[Data], BaseException]]) -> Iterator[Record]:
        """One that was sent alone is the cause; of others each may be."""
        if self._suspected:
            ((chunk, error),) = deaths
            yield work.failed(chunk[0], f"its worker died: {work.one_line(error)}; out of memory?")
        else:
            self._suspects.extend(scenario for chunk, _ in deaths for scenario in chunk)
        self._lanes.revive()


def chunk_size(cost_s: float | None, waiting: int, lanes: int) -> int:
    """How many scenarios of ``cost_s`` each the next message has: ``CHUNK_S`` of work, and some for every lane."""
    if cost_s is None:
        return 1
    wanted = round(CHUNK_S / cost_s) if cost_s > CHUNK_S / MAX_CHUNK else MAX_CHUNK
    return max(1, min(wanted, -(-waiting // (2 * lanes))))
