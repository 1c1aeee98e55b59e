"""The ways of many connections at once, as rows of an array: link numbers, and the share that crosses each.

A path crosses each of its links as a whole. A sprayed flow crosses every link of its equal-cost ways with a share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulation.fair_share import Numbers
from simulation.links import Links
from topologies.fabric import Port

Route = Sequence[tuple[Port, float]]
"""One connection's directed links, and the share of the flow that crosses each (1; less where it is sprayed)."""

Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Routes:
    """``rows[connection, hop]`` are link numbers, -1 where there is no further hop; ``share`` of the flow on each.

    A connection without links is one within a host, or one whose bytes are not counted.
    """

    rows: Index
    share: Numbers

    @classmethod
    def of(cls, ways: Sequence[Route], links: Links) -> Routes:
        width = max(1, max(map(len, ways), default=1))
        rows, share = np.full((len(ways), width), -1, dtype=np.int64), np.zeros((len(ways), width))
        for number, way in enumerate(ways):
            rows[number, : len(way)] = [links.number[port] for port, _ in way]
            share[number, : len(way)] = [part for _, part in way]
        return cls(rows, share)

    @classmethod
    def whole(cls, rows: NDArray[np.integer]) -> Routes:
        """Of paths."""
        return cls(rows.astype(np.int64), np.where(rows < 0, 0.0, 1.0))

    def __len__(self) -> int:
        return len(self.rows)

    def among(self, places: Index, number: int) -> Routes:
        """The same as those numbered ``places`` of ``number`` connections; the others have no links."""
        rows = np.full((number, self.rows.shape[1]), -1, dtype=np.int64)
        share = np.zeros(rows.shape)
        rows[places], share[places] = self.rows, self.share
        return Routes(rows, share)

    @property
    def crossing(self) -> NDArray[np.bool_]:
        """Of each connection: does it have a link?"""
        return np.asarray((self.rows >= 0).any(axis=1))

    def latency_s(self, links: Links) -> Numbers:
        """Of the ways that each flow takes, weighed by what crosses them."""
        each = np.where(self.rows < 0, 0.0, links.latency_s.take(self.rows))
        return np.asarray((self.share * each).sum(axis=1))


def load(rows: Index, weights: Numbers, num_links: int) -> Numbers:
    """What rows put on each link, together."""
    there = rows >= 0
    return np.bincount(rows[there], weights[there], num_links).astype(np.float64)


def both(there: Routes, back: Routes, payload_share: float, ack_share: float) -> tuple[Index, Numbers]:
    """The links of each connection and its acknowledgements, and what a unit of its rate takes of each.

    As ``fair_share.rates`` has them: links first, then -1.
    """
    if not ack_share:
        return there.rows, there.share / payload_share
    rows = np.concatenate([there.rows, back.rows], axis=1)
    use = np.concatenate([there.share / payload_share, back.share * ack_share], axis=1)
    order = np.argsort(rows < 0, axis=1, kind="stable")
    width = max(1, int((rows >= 0).sum(axis=1).max(initial=0)))
    rows, use = (np.take_along_axis(each, order, axis=1)[:, :width] for each in (rows, use))
    return rows, use
