"""The hash of ecmp is honest: uniform over next hops, independent between switches, another one with another seed."""

from __future__ import annotations

from collections import Counter

import pytest

from controller.planning import plan
from controller.routing import ecmp
from topologies.leaf_spine import leaf_spine
from topologies.ring import ring
from topologies.traffic import Demand, FlowKey

CHI_SQUARE = {1: 15.1, 2: 18.4, 3: 21.1}
"""By degrees of freedom: exceeded by chance once in 10,000. (The seeds are fixed: a test fails always or never.)"""


def assert_honest(observed, expected=None):
    """Pearson's test; an even spread is expected where nothing else is said."""
    expected = expected or [sum(observed) / len(observed)] * len(observed)
    statistic = sum((o - e) ** 2 / e for o, e in zip(observed, expected, strict=True))
    assert statistic < CHI_SQUARE[len(observed) - 1], observed


def flows(src, dst, count):
    """As an application would make them: neighbouring ports, which a weak hash maps to few next hops."""
    return [Demand(FlowKey(src, dst, 30000 + number, 20000 + number % 8), (0,), (1,)) for number in range(count)]


@pytest.mark.parametrize("seed", [0, 1, 2, 12345])
@pytest.mark.parametrize("spines", [2, 3, 4])
def test_flows_spread_evenly_over_the_spines(seed, spines):
    fabric = leaf_spine(2, spines, 1)
    paths = ecmp.route(fabric, flows("h1", "h2", 2000), seed)
    used = Counter(path.hops[1] for path in paths.values())
    assert len(used) == spines
    assert_honest(list(used.values()))


def test_choices_of_neighbouring_switches_are_independent():
    fabric = ring(5, 1, links=2)
    paths = ecmp.route(fabric, flows("h1", "h3", 2000), seed=1)
    pairs = Counter((path.hops[1], path.hops[2]) for path in paths.values())
    assert len(pairs) == 4
    assert_honest(list(pairs.values()))


def test_the_seed_makes_another_hash_and_the_way_back_is_hashed_by_itself():
    fabric = leaf_spine(2, 4, 1)
    demands = flows("h1", "h2", 400)
    one, other = (ecmp.route(fabric, demands, seed) for seed in (1, 2))
    differing = sum(one[demand.key] != other[demand.key] for demand in demands)
    assert_honest([differing, 400 - differing], [300, 100])
    paths = plan(fabric, "any", "ecmp:seed=1", demands).paths
    elsewhere = sum(paths[d.key.reversed()] != paths[d.key].reversed(fabric) for d in demands)
    assert_honest([elsewhere, 400 - elsewhere], [300, 100])


def test_the_hash_is_the_same_in_every_process():
    fabric = leaf_spine(2, 4, 1)
    paths = ecmp.route(fabric, flows("h1", "h2", 12), seed=3)
    assert [path.hops[1].number - 1 for path in paths.values()] == [1, 3, 2, 2, 3, 3, 1, 4, 3, 2, 3, 3]
