"""What a step, a byte on the wire and a byte of memory cost a communicator's ranks: measured, for ``auto`` to go by.

Every rank sends to the next one at once, as in a step of a ring, so that what ranks share (a core, a link) is in the
figures. The slowest rank's median counts, and all ranks get the same.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from collectives.choice import Network
from collectives.operations import Operation
from collectives.transport.connections import SEGMENT

if TYPE_CHECKING:
    from collectives.communicator import Communicator

TINY, LARGE = 8, 4 * SEGMENT
"""Bytes of the two messages whose times tell alpha and beta."""

TRIES = 15

_STEP = Operation("sendrecv")


def measured(communicator: Communicator) -> Network:
    """To be called by all ranks of two or more. Takes some milliseconds."""
    small, large = (_step_s(communicator, nbytes) for nbytes in (TINY, LARGE))
    memory = _touch_s_per_byte()
    wire = max((large - small) / (LARGE - TINY) - memory, 0.0)  # the large step touches what it moves
    found = np.array([small, wire, memory])
    communicator.all_reduce(found, op="max")
    return Network(*found.tolist())


def _step_s(communicator: Communicator, nbytes: int) -> float:
    source, target = np.zeros((2, nbytes), dtype=np.uint8)
    return _median_s(lambda: communicator.collective(_STEP, nbytes, source, target))


def _touch_s_per_byte() -> float:
    """Of adding a segment of floats that is in the cache, as it is when it has just arrived.

    Cold memory would be four times as dear here, but what waits for it waits beside the wire: charged in full it made
    ``auto`` take fewer touches for a third more bytes, and lose.
    """
    one, other = np.zeros((2, SEGMENT // 4), dtype=np.float32)
    return _median_s(lambda: np.add(one, other, out=one)) / SEGMENT


def _median_s(run: Callable[[], object]) -> float:
    """The first does not count."""
    times = []
    for _ in range(1 + TRIES):
        began = perf_counter()
        run()
        times.append(perf_counter() - began)
    return float(np.median(times[1:]))
