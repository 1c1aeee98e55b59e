"""Spraying as arrays: a flow spread over all its equal-cost paths, and what crosses each link in the mean.

Every packet of a sprayed flow picks anew at every switch, so a flow is divided evenly there among its next hops: the
shares are handed on along ``NextHops`` from switch to switch until all of them have arrived. Flows between the same two
switches spread alike, so each pair of switches is worked out once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulation.fair_share import Numbers
from simulation.hashing import Pairs
from simulation.next_hops import Index, NextHops


def spread(tables: NextHops, pairs: Pairs) -> tuple[NDArray[np.int32], Numbers]:
    """For each flow the links it takes (flows, links; filled up with -1) and the share of it that crosses each.

    The two are ``paths`` and ``use`` of ``fair_share.rates``. The shares that leave any switch, or arrive, sum up to
    what came in: 1 in all. RoutingError for a flow that has no way, or whose NIC's link is dead.
    """
    src_nic, dst_nic = pairs.channel % tables.nics.take(pairs.src), pairs.channel % tables.nics.take(pairs.dst)
    up, target = tables.up[pairs.src, src_nic], tables.target[pairs.dst, dst_nic]
    down = tables.down[pairs.dst, dst_nic]
    tables.check_nics(up, down)
    width = len(tables.switch)
    trip, which = np.unique(tables.head.take(up) * width + target, return_inverse=True)
    middle, share = _between(tables, *np.divmod(trip, width))
    rows = np.concatenate([up[:, None], middle[which], down[:, None]], axis=1)
    whole = np.ones((len(pairs), 1))
    return rows, np.concatenate([whole, share[which], whole], axis=1)


def _between(tables: NextHops, switch: Index, target: Index) -> tuple[NDArray[np.int32], Numbers]:
    """The same of trips from ``switch`` to ``target``."""
    trip = np.arange(len(switch))
    share: Numbers = np.ones(len(switch))
    at = switch
    num_switches = len(tables.fabric.switches)
    trips, links, shares = [trip[:0]], [tables.hops[:0]], [share[:0]]
    while len(trip):
        under_way = at != tables.switch.take(target.take(trip))
        trip, at, share = trip[under_way], at[under_way], share[under_way]
        group = tables.group[at, target.take(trip)]
        count = tables.count.take(group)
        if not count.all():
            lost = int(np.argmin(count))
            tables.raise_no_way(int(at[lost]), int(target[trip[lost]]))
        place = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        link = tables.hops.take(np.repeat(tables.first.take(group), count) + place)
        each = np.repeat(share / count, count)
        trips.append(np.repeat(trip, count))
        links.append(link)
        shares.append(each)
        meeting, where = np.unique(trips[-1] * num_switches + tables.head.take(link), return_inverse=True)
        trip, at = np.divmod(meeting, num_switches)
        share = np.bincount(where, each, len(meeting)).astype(np.float64)
    return _as_rows(len(switch), np.concatenate(trips), np.concatenate(links), np.concatenate(shares))


def _as_rows(number: int, trip: Index, link: NDArray[np.int32], share: Numbers) -> tuple[NDArray[np.int32], Numbers]:
    order = np.argsort(trip, kind="stable")
    length = np.bincount(trip, minlength=number)
    place = np.arange(len(trip)) - np.repeat(np.cumsum(length) - length, length)
    rows = np.full((number, int(length.max(initial=0))), -1, dtype=np.int32)
    shares = np.zeros(rows.shape)
    rows[trip[order], place], shares[trip[order], place] = link[order], share[order]
    return rows, shares
