"""What a hash does to a pattern of traffic, over thousands of seeds: how full, how slow, and on which links.

Theory of operation. A *draw* is one seed: where the pattern is drawn (permutations, shuffled rings), and which way each
flow is hashed. Flows have one size and start together, so by the theorem of ``fair_share`` the phase ends with its
fullest link, and one ``bincount`` knows when:

    completion = size * max over links of (flows(l) / rate(l))

* *slowdown* is the completion over what the hosts' own links alone would need: 1 where nothing collides;
* *busbw* is 1 / slowdown, a share of line rate, and so nccl-tests' figure for a ring, an all-to-all or a permutation
  (a ring with persistent connections moves at the pace of its slowest edge);
* *throughput* is the flows' mean max-min rate as a share of what their hosts' links would give them, *slowest* the
  least: what a counter of rates sees before the first flow has ended.

A flow between two ranks is split evenly over its *queues* (queue pairs), each hashed by itself and 1/queues of it.
Draws are independent, and worked out side by side: draw d has a fabric of its own, whose link l is number
``d * links + l``. What a draw gives depends on its seed alone, not on those beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulation.fair_share import Numbers, rates
from simulation.hashing import Pairs, mix, mixed, seed_words, walk
from simulation.next_hops import Index, NextHops
from simulation.spraying import spread

MAX_FLOWS = 2**23
"""Of one draw: gigabytes. (An all-to-all of 2,897 ranks.)"""

_AT_ONCE = 2**14
"""Flows that are worked out side by side: they stay in a core's cache."""

_LINKS_AT_ONCE = 2**21
_SAME = 1e-9
_PATTERN = np.uint64(0xD1342543DE82EF95)  # any odd word: patterns are not drawn from the words that flows are hashed by
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)

Edges = tuple[Index, Index, Index]
"""Of each flow the draw (its place among the seeds) and the ranks it goes from and to."""


@dataclass(frozen=True, eq=False)
class Case:
    """``hosts[rank]`` is a host's number. Every rank's flows go over ``channels``, one after the other's NIC.

    ValueError for a pattern that is not in ``PATTERNS``, and for less than 1 channel or queue.
    """

    pattern: str
    hosts: Index
    queues: int = 1
    channels: int = 1
    spray: bool = False

    def __post_init__(self) -> None:
        if self.pattern not in PATTERNS:
            raise ValueError(f"no pattern {self.pattern!r}: there are {', '.join(PATTERNS)}")
        if min(self.queues, self.channels) < 1:
            raise ValueError(f"{self.queues} queues and {self.channels} channels: at least 1 of each")

    @property
    def drawn(self) -> bool:
        """Whether another seed may give another outcome."""
        return not self.spray or self.pattern in {"permutation", "shuffled-ring"}

    @property
    def flows(self) -> int:
        """Of one draw, at most."""
        ranks = len(self.hosts)
        return (ranks * (ranks - 1) if self.pattern == "all-to-all" else ranks) * self.channels * self.queues


@dataclass(frozen=True, eq=False)
class Draws:
    """Figures by seed, and by link.

    ``fullest``: flows on the link that takes longest, a queue counting for 1/queues. Of each directed link: in how many
    draws it was (or was among) the worst while it was slower than any host's link (``times``), its flows in these
    draws together (``flows``) and at most (``most``), and the first seed that had so many (``most_seed``; -1: none).
    """

    seed: Index
    fullest: Numbers
    slowdown: Numbers
    throughput: Numbers
    slowest: Numbers
    times: Index
    flows: Numbers
    most: Numbers
    most_seed: Index

    @property
    def busbw(self) -> Numbers:
        """As a share of line rate."""
        return 1.0 / self.slowdown

    def worst_links(self) -> Index:
        """Links that were ever the worst, those that were most often first."""
        ever = np.flatnonzero(self.times)
        return ever[np.lexsort((ever, -self.flows[ever], -self.times[ever]))]


@dataclass(frozen=True, slots=True)
class Spread:
    """Of one figure over all draws; percentiles are values that occurred."""

    mean: float
    standard_error: float
    p1: float
    p50: float
    p99: float

    @classmethod
    def of(cls, values: Numbers) -> Spread:
        p1, p50, p99 = np.quantile(values, [0.01, 0.5, 0.99], method="inverted_cdf")
        error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
        return cls(float(values.mean()), float(error), float(p1), float(p50), float(p99))


def collide(tables: NextHops, case: Case, seeds: Sequence[int]) -> Draws:
    """The outcomes of ``case`` with each of ``seeds`` (0 and up).

    ValueError where no flow leaves its host, or a draw has more than ``MAX_FLOWS`` flows. RoutingError for a flow that
    has no way.
    """
    if case.flows > MAX_FLOWS:
        raise ValueError(f"{case.pattern} of {len(case.hosts)} ranks: {case.flows} flows a draw, more than {MAX_FLOWS}")
    if len(np.unique(case.hosts)) < 2:
        raise ValueError(f"{len(case.hosts)} ranks on one host send nothing over the fabric: place them on several")
    width = max(1, min(_AT_ONCE // case.flows, _LINKS_AT_ONCE // len(tables.links.ports)))
    parts = [_together(tables, case, np.asarray(seeds[i : i + width])) for i in range(0, len(seeds), width)]
    return joined(parts)


def joined(parts: Sequence[Draws]) -> Draws:
    """Draws of different seeds as one."""
    seed, fullest, slowdown, throughput, slowest = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("seed", "fullest", "slowdown", "throughput", "slowest")
    )
    most = np.stack([part.most for part in parts])
    first = np.argmax(most, axis=0)[None, :]
    most_seed = np.take_along_axis(np.stack([part.most_seed for part in parts]), first, axis=0)[0]
    times = np.sum([part.times for part in parts], axis=0)
    crossing = np.sum([part.flows for part in parts], axis=0)
    return Draws(seed, fullest, slowdown, throughput, slowest, times, crossing, most.max(axis=0), most_seed)


def _together(tables: NextHops, case: Case, seeds: Index) -> Draws:
    draw, pairs = flows(case, seeds)
    rows, share = _ways(tables, case, pairs, seeds[draw])
    links, number = len(tables.links.ports), len(seeds)
    rate_bps = np.tile(tables.links.rate_bps, number)
    apart = np.where(rows < 0, -1, rows + (draw * links)[:, None])
    crossing = np.where(rows < 0, number * links, apart).reshape(-1)
    load = np.bincount(crossing, None if share is None else share.reshape(-1), number * links + 1)[:-1]
    time = (load / rate_bps).reshape(number, links)
    ideal = time[:, tables.of_hosts].max(axis=1)
    longest = time.max(axis=1)
    nothing = longest == 0
    slowdown = np.where(nothing, 1.0, longest / np.where(nothing, 1.0, ideal))
    rate = rates(apart, rate_bps, use=share)
    last = rows.shape[1] - 1 - np.argmax(rows[:, ::-1] >= 0, axis=1)  # sprayed rows have gaps before it
    nics = np.stack([apart[:, 0], apart[np.arange(len(apart)), last]])
    relative = rate * (load[nics] / rate_bps[nics]).max(axis=0)
    slowest = np.ones(number)
    np.minimum.at(slowest, draw, relative)
    sent = np.maximum(np.bincount(draw, minlength=number), 1)
    throughput = np.where(nothing, 1.0, np.bincount(draw, relative, number) / sent)
    flows_on = load.reshape(number, links) / case.queues
    worst = (time >= longest[:, None] * (1 - _SAME)) & (slowdown > 1 + _SAME)[:, None]
    fullest = np.where(time >= longest[:, None] * (1 - _SAME), flows_on, 0.0).max(axis=1)
    here = np.where(worst, flows_on, 0.0)
    most = here.max(axis=0)
    most_seed = np.where(most > 0, seeds[here.argmax(axis=0)], -1)
    return Draws(seeds, fullest, slowdown, throughput, slowest, worst.sum(axis=0), here.sum(axis=0), most, most_seed)


def flows(case: Case, seeds: Index) -> tuple[Index, Pairs]:
    """The flows of all ``seeds``: which one's (its place), and from where to where; those within a host left out."""
    draw, src, dst = PATTERNS[case.pattern](len(case.hosts), seeds)
    src, dst = case.hosts[src], case.hosts[dst]
    leaves = src != dst
    each = case.channels * case.queues
    draw, src, dst = (np.repeat(column[leaves], each) for column in (draw, src, dst))
    part = np.tile(np.arange(each), leaves.sum())
    return draw, Pairs.of(src, dst, part // case.queues, part % case.queues)


def flows_on(tables: NextHops, case: Case, seed: int, link: int) -> tuple[Pairs, Numbers]:
    """The flows that ``seed`` puts on ``link``, and the share of each that crosses it."""
    _, pairs = flows(case, np.array([seed]))
    rows, share = _ways(tables, case, pairs, np.full(len(pairs), seed))
    crossing = rows == link
    which = np.flatnonzero(crossing.any(axis=1))
    shares = crossing.astype(float) if share is None else share * crossing
    return Pairs(*(getattr(pairs, name)[which] for name in ("src", "dst", "channel", "queue"))), shares.sum(1)[which]


def _ways(tables: NextHops, case: Case, pairs: Pairs, seed: Index) -> tuple[NDArray[np.int32], Numbers | None]:
    return spread(tables, pairs) if case.spray else (walk(tables, pairs, mixed(pairs, seed)), None)


def _shuffled(ranks: int, seeds: Index) -> Index:
    """A uniform order of the ranks for each seed: by words drawn for each."""
    drawn = mix(seed_words(seeds) ^ _PATTERN)[:, None] + np.arange(1, ranks + 1, dtype=np.uint64) * _GOLDEN
    return np.argsort(mix(drawn), axis=1, kind="stable")


def _permutation(ranks: int, seeds: Index) -> Edges:
    order = _shuffled(ranks, seeds)
    for rank in np.flatnonzero((order == np.arange(ranks)).any(axis=0)).tolist():
        own, after = np.flatnonzero(order[:, rank] == rank), (rank + 1) % ranks
        order[own, rank], order[own, after] = order[own, after], rank
    return np.repeat(np.arange(len(seeds)), ranks), np.tile(np.arange(ranks), len(seeds)), order.ravel()


def _shuffled_ring(ranks: int, seeds: Index) -> Edges:
    order = _shuffled(ranks, seeds)
    return np.repeat(np.arange(len(seeds)), ranks), order.ravel(), np.roll(order, -1, axis=1).ravel()


def _ring(ranks: int, seeds: Index) -> Edges:
    src = np.tile(np.arange(ranks), len(seeds))
    return np.repeat(np.arange(len(seeds)), ranks), src, (src + 1) % ranks


def _all_to_all(ranks: int, seeds: Index) -> Edges:
    src, far = (np.tile(grid.ravel(), len(seeds)) for grid in np.mgrid[:ranks, 1:ranks])
    return np.repeat(np.arange(len(seeds)), ranks * (ranks - 1)), src, (src + far) % ranks


PATTERNS: Mapping[str, Callable[[int, Index], Edges]] = {
    "ring": _ring,
    "shuffled-ring": _shuffled_ring,
    "permutation": _permutation,
    "all-to-all": _all_to_all,
}
"""Ring: each rank to the next, in the order of ranks or in one that is drawn. Permutation: each to the one it drew, but
who drew itself exchanges with the next rank, so that all of them send. All-to-all: each to every other, at once."""
