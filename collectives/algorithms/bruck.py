"""Bruck's algorithms: as few steps as there can be, for any number of ranks.

Steps: ceil(log2(n))
Bytes: (n - 1) / n * S

(steps, and bytes on the wire sent by each rank; n ranks, S bytes gathered, of an all_gather; an all_to_all takes as
many steps, and sends about log2(n) / 2 * S, as blocks travel by way of others.) Best for small messages. Source: Bruck
et al., "Efficient algorithms for all-to-all communications in multiport message-passing systems", IEEE TPDS 1997.
"""

from __future__ import annotations

import numpy as np

from collectives.schedule import Op, Schedule, Transfer


def all_gather(num_ranks: int) -> Schedule:
    """At step k, rank r sends what it has, blocks r to r + 2**k - 1, to rank r - 2**k; at last what is missing."""
    transfers = []
    for step in range((num_ranks - 1).bit_length()):
        have = 1 << step
        count = min(have, num_ranks - have)
        for rank in range(num_ranks):
            peer = (rank - have) % num_ranks
            before_end = min(count, num_ranks - rank)
            transfers.append(Transfer(step, rank, peer, rank, Op.COPY, 0, before_end))
            if before_end < count:
                transfers.append(Transfer(step, rank, peer, 0, Op.COPY, 0, count - before_end))
    return Schedule.from_transfers(num_ranks, num_ranks, transfers)


def all_to_all(num_ranks: int) -> Schedule:
    """At step k, each block whose way is not a multiple of 2**(k + 1) further on moves 2**k ranks: bit k of its way."""
    ranks = np.arange(num_ranks)
    parts = []
    for step in range((num_ranks - 1).bit_length()):
        way = np.flatnonzero(ranks >> step & 1)[:, np.newaxis]  # from source to target
        done = way & ((1 << step) - 1)
        at = (ranks + done) % num_ranks
        chunk = ranks * num_ranks + (ranks + way) % num_ranks
        parts.append(np.stack(np.broadcast_arrays(step, at, (at + (1 << step)) % num_ranks, chunk)).reshape(4, -1))
    step_, src, dst, chunk = np.concatenate(parts, axis=1) if parts else np.empty((4, 0), dtype=np.int64)
    return Schedule.of(num_ranks, num_ranks * num_ranks, step=step_, src=src, dst=dst, chunk=chunk, op=Op.COPY)
