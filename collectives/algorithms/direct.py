"""Every block straight from where it is to where it must be, in one step: sendrecv, and send.

Steps: 1
Bytes: S

(steps, and bytes on the wire sent by each rank that sends; a message of S bytes.)
"""

from __future__ import annotations

import numpy as np

from collectives.schedule import Op, Schedule


def sendrecv(num_ranks: int) -> Schedule:
    """Rank r's block to rank r + 1."""
    rank = np.arange(num_ranks if num_ranks > 1 else 0)
    return Schedule.of(num_ranks, num_ranks, step=0, src=rank, dst=(rank + 1) % num_ranks, chunk=rank, op=Op.COPY)


def send(num_ranks: int, root: int, peer: int) -> Schedule:
    """One block from ``root`` to ``peer``."""
    src = [root] if root != peer else []
    return Schedule.of(num_ranks, 1, step=0, src=src, dst=peer, chunk=0, op=Op.COPY)
