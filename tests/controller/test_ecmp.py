"""The hash of ecmp is honest: uniform over next hops, independent between switches, another one with another seed."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from math import factorial

import pytest

from controller.job_request import JobRequest
from controller.planning import plan
from controller.routing import Situation, ecmp
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


def test_queue_pairs_of_one_host_pair_spread_evenly_by_their_udp_source_ports():
    fabric = leaf_spine(2, 4, 1)
    pairs = [Demand(FlowKey("h1", "h2", 49152 + number, 4791, "udp"), (0,), (1,)) for number in range(2000)]
    paths = ecmp.route(fabric, pairs, seed=1)
    assert_honest(list(Counter(path.hops[1] for path in paths.values()).values()))
    as_tcp = [Demand(FlowKey("h1", "h2", 49152 + number, 4791), (0,), (1,)) for number in range(2000)]
    same = sum(a == b for a, b in zip(paths.values(), ecmp.route(fabric, as_tcp, seed=1).values(), strict=True))
    assert_honest([same, 2000 - same], [500, 1500])  # the protocol is in the hash


def mean_largest_bin(balls, bins):
    """Exactly: the expected fullest of ``bins`` when each of ``balls`` falls into any of them with equal chance.

    P(fullest <= m) is balls! / bins^balls times the coefficient of x^balls in (sum of x^i / i! for i <= m)^bins.
    """
    expected = Fraction(0)
    for most in range(balls):
        series = [Fraction(1)] + [Fraction(0)] * balls
        for _ in range(bins):
            series = [
                sum((series[n - i] / factorial(i) for i in range(min(most, n) + 1)), Fraction(0))
                for n in range(balls + 1)
            ]
        expected += 1 - series[balls] * factorial(balls) / Fraction(bins) ** balls
    return float(expected)


def test_the_theory_of_balls_in_bins_by_hand():
    assert mean_largest_bin(2, 2) == 1.5
    assert mean_largest_bin(3, 2) == pytest.approx((2 * 3 + 6 * 2) / 8)


@pytest.mark.parametrize(("count", "spines"), [(8, 4), (16, 4), (16, 8)])
def test_the_fullest_uplink_is_as_full_as_balls_in_bins_over_200_seeds(count, spines):
    fabric = leaf_spine(4, spines, 1)
    sending = [flows(src, dst, count) for src, dst in [("h1", "h2"), ("h2", "h3"), ("h3", "h4"), ("h4", "h1")]]
    fullest = [
        max(Counter(path.hops[1] for path in ecmp.route(fabric, demands, seed).values()).values())
        for seed in range(200)
        for demands in sending
    ]
    assert sum(fullest) / len(fullest) == pytest.approx(mean_largest_bin(count, spines), rel=0.03)


def test_over_a_dead_spine_the_rest_is_shared_evenly():
    fabric = leaf_spine(2, 4, 1)
    situation = Situation(frozenset({"leaf2-spine3"}))
    paths = ecmp.route(fabric, flows("h1", "h2", 2000), 1, situation)
    used = Counter(path.hops[1].number - 1 for path in paths.values())
    assert sorted(used) == [1, 2, 4]
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
    paths = plan(fabric, JobRequest("any", "ecmp:seed=1", tuple(demands)), 1, 1).paths
    elsewhere = sum(paths[d.key.reversed()] != paths[d.key].reversed(fabric) for d in demands)
    assert_honest([elsewhere, 400 - elsewhere], [300, 100])


def test_the_hash_is_the_same_in_every_process():
    fabric = leaf_spine(2, 4, 1)
    paths = ecmp.route(fabric, flows("h1", "h2", 12), seed=3)
    assert [path.hops[1].number - 1 for path in paths.values()] == [1, 3, 2, 2, 3, 3, 1, 4, 3, 2, 3, 3]
