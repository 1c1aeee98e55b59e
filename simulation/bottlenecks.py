"""Max-min-fair levels, solved at once: the links that are bottlenecks whatever the rest does, then what is left.

A flow's *level* is its rate for each unit of its weight, a link's *share* the level at which its flows fill it. In
rounds: a link whose flows could none of them be held back more elsewhere is a bottleneck, so all such links are settled
at once, their flows frozen, and what is left of the capacities goes round again.

``rows[hop, flow]`` are numbers of links, one more than there are for no link: this way round, hops are whole vectors.
``taking[hop, flow]`` is what a flow takes of each link for each unit of its level.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Index = NDArray[np.intp]


def solved(rows: Index, capacity: Numbers, taking: Numbers | None = None) -> tuple[Numbers, Numbers]:
    """Flows' levels, in the unit of ``capacity`` (one per link), and links' shares, of no link too.

    Infinite for a flow without links, and for a link that holds no flow back. ``taking`` is 1 if not given.
    """
    found, settled = np.full(rows.shape[1], np.inf), np.full(len(capacity) + 1, np.inf)
    left = np.append(np.asarray(capacity, dtype=np.float64), np.inf)
    active = np.arange(rows.shape[1])
    while len(active):
        fair, stays = _round(rows, left, taking, settled)
        kept, gone = np.flatnonzero(stays), np.flatnonzero(~stays)
        found[active.take(gone)] = fair.take(gone)
        if not len(kept):
            break
        taken = np.where(np.isinf(fair), 0.0, fair).take(gone)
        taken = np.repeat(taken[None, :], len(rows), axis=0) if taking is None else taking.take(gone, axis=1) * taken
        left -= sums(rows.take(gone, axis=1), taken, len(left))
        left[-1] = np.inf
        np.maximum(left, 0.0, out=left)
        active, rows = active.take(kept), rows.take(kept, axis=1)
        taking = None if taking is None else taking.take(kept, axis=1)
    return found, settled


def _round(rows: Index, left: Numbers, taking: Numbers | None, settled: Numbers) -> tuple[Numbers, NDArray[np.bool_]]:
    """Each flow's share of its tightest link, and whether it stays: whether none of its links is a bottleneck yet.

    The shares of those that are go to ``settled``.
    """
    load = sums(rows, taking, len(left))
    with np.errstate(divide="ignore", invalid="ignore"):  # where nobody crosses
        share = left / load
    if taking is not None:
        share[load <= 0] = np.inf  # who takes nothing of a link is not held back by it
    share[-1] = np.inf
    offered = share.take(rows)
    fair = offered.min(axis=0, initial=np.inf)
    held_back = sums(rows, offered > fair, len(left)) > 0  # links with flows that have less elsewhere
    held_back[-1] = True
    np.copyto(settled, share, where=~held_back & (load > 0))
    return fair, held_back.take(rows).all(axis=0) & (fair < np.inf)


def sums(rows: Index, values: NDArray[Any] | None, number: int) -> NDArray[Any]:
    """The sum of ``values`` (rows' shape; 1 each if None) on each of ``number`` links."""
    if values is None:
        return np.bincount(rows.reshape(-1), minlength=number)
    return np.bincount(rows.reshape(-1), values.reshape(-1), number).astype(np.float64, copy=False)  # int where empty
