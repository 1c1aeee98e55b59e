"""Collisions over seeds: the study's statistics within their sampling error, exact small cases, links by name."""

from collections import Counter
from itertools import product
from math import factorial, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.collisions import PATTERNS, Case, Spread, collide, flows, flows_on
from simulation.fair_share import ends
from simulation.hashing import NextHops, mixed, walk
from topologies import catalog

PATTERN_NAMES = list(PATTERNS)
GOLDEN = [  # pattern, seeds there, seeds here, fullest link, throughput and slowest flow in %; None: not given
    ("leaf-spine:leaves=4,spines=4,hosts=4", "permutation", 5000, 5000, 2.51, 72.9, 41.9),
    ("leaf-spine:leaves=4,spines=4,hosts=4", "shuffled-ring", 5000, 5000, 2.57, 70.7, 40.9),
    ("leaf-spine:leaves=8,spines=8,hosts=8", "permutation", 5000, 5000, 3.66, 61.7, 28.1),
    ("leaf-spine:leaves=8,spines=8,hosts=8", "shuffled-ring", 5000, 5000, 3.68, 60.8, None),
    ("leaf-spine:leaves=16,spines=16,hosts=16", "permutation", 2000, 1000, 4.69, 55.7, 21.7),
    ("leaf-spine:leaves=16,spines=16,hosts=16", "shuffled-ring", 2000, 1000, 4.68, 55.5, None),
    ("leaf-spine:leaves=32,spines=32,hosts=32", "permutation", 500, 250, 5.57, 52.6, 18.2),
    ("leaf-spine:leaves=32,spines=32,hosts=32", "shuffled-ring", 500, 250, 5.56, 52.5, None),
    ("fat-tree:k=4", "permutation", 5000, 5000, 2.51, 61.4, 41.8),
    ("fat-tree:k=8", "permutation", 2000, 2000, 4.29, 48.1, 23.8),
    ("fat-tree:k=16", "permutation", 500, 250, 5.68, 42.9, 17.8),
]
"""Section 3.1 of the study of simulation: an implementation and random numbers of its own."""

SIGMAS = 4

FABRICS = [
    "leaf-spine:leaves=4,spines=2,hosts=3",
    "leaf-spine:leaves=3,spines=2,hosts=2,fabric_rate=40G",
    "fat-tree:k=4",
    "torus:x=3,y=3,hosts=1",
    "rail:groups=2,hosts=2,rails=2,spines=2",
    "edge-sites:leaves=2,spines=2,hosts=2,sites=3,site_hosts=2",
]


def tables(text):
    return NextHops.of(catalog.from_short_form(text))


def everyone(found):
    return np.arange(len(found.fabric.hosts))


def assert_near(values, golden, seeds_there, rounding):
    """Both are means of samples of one distribution; ``golden`` is rounded, too."""
    deviation = values.std(ddof=1) * sqrt(1 / len(values) + 1 / seeds_there)
    assert values.mean() == pytest.approx(golden, abs=SIGMAS * deviation + rounding)


@pytest.mark.parametrize(("text", "pattern", "there", "here", "fullest", "throughput", "slowest"), GOLDEN)
def test_the_statistics_of_the_study(text, pattern, there, here, fullest, throughput, slowest):
    found = tables(text)
    drawn = collide(found, Case(pattern, everyone(found)), range(here))
    assert_near(drawn.fullest, fullest, there, 0.005)
    assert_near(100 * drawn.throughput, throughput, there, 0.05)
    if slowest is not None:
        assert_near(100 * drawn.slowest, slowest, there, 0.05)
    assert drawn.fullest == pytest.approx(drawn.slowdown)
    assert drawn.slowest == pytest.approx(drawn.busbw)


@pytest.mark.parametrize(
    ("queues", "fullest", "busbw"), [(1, 4.73, 21), (2, 3.45, 29), (4, 2.65, 38), (8, 2.12, 47), (16, 1.75, 57)]
)
def test_queues_of_a_shuffled_ring_of_256_hosts(queues, fullest, busbw):
    """The study does not say how many seeds it took; 30 are assumed."""
    found = tables("leaf-spine:leaves=16,spines=16,hosts=16")
    drawn = collide(found, Case("shuffled-ring", everyone(found), queues), range(max(30, 300 // queues)))
    assert_near(drawn.fullest, fullest, 30, 0.005)
    assert_near(100 * drawn.busbw, busbw, 30, 1.0)


def test_a_sorted_ring_has_line_rate_whatever_the_seed():
    found = tables("leaf-spine:leaves=8,spines=8,hosts=8")
    drawn = collide(found, Case("ring", everyone(found)), range(200))
    for figure in (drawn.fullest, drawn.slowdown, drawn.busbw, drawn.throughput, drawn.slowest):
        assert figure == pytest.approx(np.ones(200))
    assert not len(drawn.worst_links())
    assert (drawn.most_seed == -1).all()


@pytest.mark.parametrize("hosts", [2, 3, 4, 5])
def test_the_chance_of_no_collision_on_a_leaf(hosts):
    """From one leaf, h flows on h uplinks: h! / h^h that no two meet. Each has a leaf of its own to go to."""
    found = tables(f"leaf-spine:leaves={hosts + 1},spines={hosts},hosts={hosts}")
    seeds = 4000
    ring = Case(
        "ring", np.array([rank // 2 if rank % 2 == 0 else hosts * (rank // 2 + 1) for rank in range(2 * hosts)])
    )
    _, pairs = flows(ring, np.arange(seeds))
    out = pairs.src < hosts
    rows = walk(found, pairs, mixed(pairs, np.repeat(np.arange(seeds), 2 * hosts)))[out]
    uplinks = rows[:, 1].reshape(seeds, hosts)
    free = np.mean([len(set(row)) == hosts for row in uplinks.tolist()])
    chance = factorial(hosts) / hosts**hosts
    assert free == pytest.approx(chance, abs=SIGMAS * sqrt(chance * (1 - chance) / seeds))


def test_the_distribution_of_the_fullest_link_of_two_leaves_exactly():
    """Two leaves, two spines, two hosts each; a ring in the order h1 h3 h2 h4: two flows each way, four bins of two."""
    found = tables("leaf-spine:leaves=2,spines=2,hosts=2")
    drawn = collide(found, Case("ring", np.array([0, 2, 1, 3])), range(8000))
    # Either direction collides with 1/2 (both its uplink and its downlink): 1 with chance 1/4, else 2.
    assert np.mean(drawn.fullest == 1) == pytest.approx(0.25, abs=SIGMAS * sqrt(0.25 * 0.75 / 8000))
    assert set(drawn.fullest.tolist()) == {1.0, 2.0}


@settings(max_examples=40, deadline=None)
@given(
    text=st.sampled_from(FABRICS),
    pattern=st.sampled_from(PATTERN_NAMES),
    queues=st.integers(1, 3),
    channels=st.integers(1, 2),
    seed=st.integers(0, 2**40),
)
def test_one_count_is_the_event_loops_completion(text, pattern, queues, channels, seed):
    found = tables(text)
    case = Case(pattern, everyone(found), queues, channels)
    drawn = collide(found, case, [seed])
    _, pairs = flows(case, np.array([seed]))
    rows = walk(found, pairs, mixed(pairs, seed))
    done = ends(rows, found.links.rate_bps, np.full(len(rows), 1e9), tolerance=0.0)
    at_hosts = np.where(np.isin(rows, found.of_hosts), rows, -1)
    alone = ends(at_hosts, found.links.rate_bps, np.full(len(rows), 1e9), tolerance=0.0)
    assert drawn.slowdown[0] == pytest.approx(done.max() / alone.max())


@pytest.mark.parametrize(("pattern", "spray"), list(product(PATTERN_NAMES, [False, True])))
def test_a_seeds_outcome_is_its_own(pattern, spray):
    found = tables("fat-tree:k=4")
    case = Case(pattern, everyone(found), 2, spray=spray)
    together = collide(found, case, range(300))
    for seed in (0, 150, 299):
        alone = collide(found, case, [seed])
        for name in ("fullest", "slowdown", "throughput", "slowest"):
            assert getattr(alone, name)[0] == pytest.approx(getattr(together, name)[seed])


@pytest.mark.parametrize("pattern", PATTERN_NAMES)
def test_spraying_on_a_clos_never_collides(pattern):
    for text in ("leaf-spine:leaves=4,spines=4,hosts=4", "fat-tree:k=4"):
        found = tables(text)
        drawn = collide(found, Case(pattern, everyone(found), spray=True), range(20))
        assert drawn.slowdown == pytest.approx(np.ones(20))
        assert drawn.throughput == pytest.approx(np.ones(20))
        assert drawn.slowest == pytest.approx(np.ones(20))


def test_spraying_on_half_the_spines_halves_what_crosses():
    found = tables("leaf-spine:leaves=4,spines=2,hosts=4")
    interleaved = np.arange(16).reshape(4, 4).T.ravel()
    drawn = collide(found, Case("ring", interleaved, spray=True), [0])
    assert drawn.slowdown == pytest.approx([2.0])
    assert drawn.fullest == pytest.approx([2.0])
    assert len(drawn.worst_links()) == 16  # all of them alike


def test_an_all_to_all_is_measured_against_the_hosts_links():
    found = tables("leaf-spine:leaves=2,spines=1,hosts=2")
    drawn = collide(found, Case("all-to-all", everyone(found)), [0])
    # Each host sends 3 flows, and 4 of each leaf's cross the one spine.
    assert drawn.fullest.tolist() == [4.0]
    assert drawn.slowdown == pytest.approx([4 / 3])
    assert drawn.busbw == pytest.approx([0.75])
    # In the leaf 1/2 is left of the host's link beside two flows of 1/4 each; 1/3 would be fair shares of its own.
    assert drawn.throughput == pytest.approx([(2 * 0.75 + 1.5) / 3])


@pytest.mark.parametrize("ranks", [2, 3, 7])
@pytest.mark.parametrize("pattern", ["permutation", "shuffled-ring"])
def test_drawn_patterns_are_permutations_without_fixed_points(pattern, ranks):
    draw, src, dst = PATTERNS[pattern](ranks, np.arange(500))
    for number in range(500):
        assert sorted(src[draw == number]) == sorted(dst[draw == number]) == list(range(ranks))
    assert (src != dst).all()
    if pattern == "shuffled-ring":  # one ring: from 0 it takes all ranks to come back
        for number in range(500):
            to = dict(zip(src[draw == number].tolist(), dst[draw == number].tolist(), strict=True))
            at, seen = 0, set()
            while at not in seen:
                seen.add(at)
                at = to[at]
            assert len(seen) == ranks


def test_all_rings_of_four_are_equally_likely():
    _, src, dst = PATTERNS["shuffled-ring"](4, np.arange(6000))
    order = np.argsort(src.reshape(-1, 4), axis=1)
    rings = Counter(map(tuple, np.take_along_axis(dst.reshape(-1, 4), order, axis=1).tolist()))
    assert len(rings) == 6
    assert sum((count - 1000) ** 2 / 1000 for count in rings.values()) < 25.7  # exceeded once in 10,000


def test_the_worst_links_and_the_flows_on_them():
    found = tables("leaf-spine:leaves=4,spines=4,hosts=4")
    case = Case("shuffled-ring", everyone(found), queues=2)
    drawn = collide(found, case, range(400))
    worst = drawn.worst_links()
    assert list(drawn.times[worst]) == sorted(drawn.times[worst], reverse=True)
    assert not np.isin(worst, found.of_hosts).any()
    assert drawn.most[worst].max() == drawn.fullest.max()
    for link in worst[:5]:
        seed = int(drawn.most_seed[link])
        pairs, share = flows_on(found, case, seed, int(link))
        assert share.sum() / 2 == drawn.most[link]
        assert drawn.fullest[seed] == drawn.most[link]
        assert (pairs.src // 4 != pairs.dst // 4).all()
    assert drawn.times.sum() >= np.sum(drawn.slowdown > 1)


@pytest.mark.parametrize("spray", [False, True])
def test_flows_inside_a_leaf_by_hand(spray):
    """Two leaves, a spine, two hosts each, all to all: over the spine 4 flows each way, of a host 3.

    Those that cross get 1/4 of a link, those inside what is left of their hosts' links, 1/2. With its hosts' links
    alone each would get 1/3: 3/4 and 3/2 of it, and of 12 flows 4 are inside.
    """
    found = tables("leaf-spine:leaves=2,spines=1,hosts=2")
    drawn = collide(found, Case("all-to-all", everyone(found), spray=spray), [0])
    assert drawn.throughput == pytest.approx((8 * 3 / 4 + 4 * 3 / 2) / 12)
    assert drawn.slowest == pytest.approx(3 / 4)


def test_a_slow_link_is_always_the_worst():
    found = tables("edge-sites:leaves=2,spines=2,hosts=2,sites=3,site_hosts=2")
    drawn = collide(found, Case("all-to-all", everyone(found)), range(10))
    assert drawn.times.max() == 10
    assert (drawn.slowdown > 2).all()


def test_ranks_that_share_hosts_send_only_what_leaves_them():
    _, pairs = flows(Case("ring", np.array([0, 0, 1, 1])), np.array([0]))
    assert (pairs.src.tolist(), pairs.dst.tolist()) == ([0, 1], [1, 0])


def test_a_spread_by_hand():
    spread = Spread.of(np.array([4.0, 1.0, 2.0, 3.0]))
    assert (spread.mean, spread.p1, spread.p50, spread.p99) == (2.5, 1.0, 2.0, 4.0)
    assert spread.standard_error == pytest.approx(sqrt(5 / 3) / 2)
    assert Spread.of(np.array([3.0])).standard_error == 0


def test_cases_that_can_not_be():
    found = tables("leaf-spine:leaves=2,spines=2,hosts=2")
    with pytest.raises(ValueError, match="no pattern 'star': there are ring,"):
        Case("star", everyone(found))
    with pytest.raises(ValueError, match="0 queues and 1 channels"):
        Case("ring", everyone(found), 0)
    with pytest.raises(ValueError, match="2 ranks on one host"):
        collide(found, Case("ring", np.array([1, 1])), [0])
    with pytest.raises(ValueError, match="8997000 flows a draw"):
        collide(found, Case("all-to-all", np.arange(3000)), [0])
