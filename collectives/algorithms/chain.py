"""A chain from the root on: every rank passes on to the next what is still arriving.

Steps: n - 1
Bytes: S

(steps, and bytes on the wire sent by each rank but the last; n ranks, a message of S bytes.) As the bytes stream
through the ranks, a large broadcast or reduction takes hardly longer than a single message.
"""

from __future__ import annotations

import numpy as np

from collectives.schedule import Op, Schedule


def broadcast(num_ranks: int, root: int) -> Schedule:
    """From the root upwards, n - 1 steps."""
    step = np.arange(num_ranks - 1)
    src = (step + root) % num_ranks
    return Schedule.of(num_ranks, 1, step=step, src=src, dst=(src + 1) % num_ranks, chunk=0, op=Op.COPY)


def reduce(num_ranks: int, root: int) -> Schedule:
    """Upwards to the root, n - 1 steps."""
    step = np.arange(num_ranks - 1)
    src = (step + root + 1) % num_ranks
    return Schedule.of(num_ranks, 1, step=step, src=src, dst=(src + 1) % num_ranks, chunk=0, op=Op.REDUCE)
