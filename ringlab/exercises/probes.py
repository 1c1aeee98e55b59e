"""Pairs of hosts that try the fabric, one pair after the other: what exercise 10 has to go by.

The pairs are few, and chosen such that every link is crossed by a set of them that is no other link's: whichever one is
slow, the set of slow pairs names it. They are found greedily, the next pair being the one that leaves the fewest
links alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

from collectives.algorithms.ring import ring
from ringlab.exercises.measure import Measurement, Setup, fabric, link_names, simulate
from topologies.fabric import Fabric

FABRIC = "leaf-spine:leaves=4,spines=2,hosts=2"
NBYTES = 1_000_000
SEEDS = range(4)


@dataclass(frozen=True, slots=True)
class Probe:
    """``pair`` ran a small allreduce over ``links``; ``busbw`` as a share of B."""

    pair: str
    links: frozenset[str]
    busbw: float


@dataclass(frozen=True)
class Trial:
    """A pair that is to be tried, routed by ``policy``."""

    setup: Setup
    policy: str

    @property
    def links(self) -> frozenset[str]:
        """Of the ways there and back."""
        paths = self.setup.paths(self.policy).values()
        return frozenset(name for path in paths for name in link_names(self.setup.fabric, path))

    def probe(self, found: Measurement) -> Probe:
        return Probe("-".join(self.setup.placement), self.links, found.busbw)


@lru_cache(1)
def trials() -> tuple[Trial, ...]:
    """The pairs, with the hash that spreads them over the spines."""
    network = fabric(FABRIC)
    setups = [Setup(network, ring(2), NBYTES, pair) for pair in combinations(network.hosts, 2)]
    links = {one: one.links for one in (Trial(setup, f"ecmp:seed={seed}") for setup in setups for seed in SEEDS)}
    chosen: list[Trial] = []
    while _alike(network, [links[one] for one in chosen]):
        chosen.append(min(links, key=lambda more: _alike(network, [links[one] for one in (*chosen, more)])))
    return tuple(chosen)


def _alike(network: Fabric, tried: Sequence[frozenset[str]]) -> int:
    """Pairs of links that these trials can't tell apart; a link that none crosses is like one that is well."""
    seen = Counter(tuple(link.name in links for links in tried) for link in network.links)
    seen[(False,) * len(tried)] += 1
    return sum(number * (number - 1) // 2 for number in seen.values())


def probe_all(slow: Mapping[str, float]) -> list[Probe]:
    """All pairs, on a fabric where links have these shares of their rates."""
    return [trial.probe(simulate(trial.setup, trial.policy, slow=slow)) for trial in trials()]
