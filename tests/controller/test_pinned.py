"""pinned reaches what can be reached: the degree bound on leaf-spines, the best of all placements on small fabrics."""

from __future__ import annotations

import math
from collections import Counter
from itertools import product
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.routing import pinned, policy
from controller.routing.clos import clos
from controller.routing.next_hops import NextHops, ends, host_to_host
from controller.routing.placement import assess, group_load_s, step_groups
from topologies.fabric import Cable, Fabric
from topologies.leaf_spine import leaf_spine
from topologies.ring import ring
from topologies.traffic import Demand, FlowKey

sizes = st.integers(1, 3)


def demands_between(fabric, pairs, nbytes=1000, steps=(0,)):
    return [
        Demand(FlowKey(src, dst, 30000 + number, 20000), steps, (nbytes,) * len(steps))
        for number, (src, dst) in enumerate(pairs)
        if src != dst
    ]


def pairs_of(fabric, most):
    host = st.sampled_from(fabric.hosts)
    return st.lists(st.tuples(host, host), max_size=most)


@st.composite
def equal_flows_on_leaf_spines(draw):
    fabric = draw(st.builds(leaf_spine, st.integers(2, 5), st.integers(1, 4), sizes, links=st.integers(1, 2)))
    return fabric, demands_between(fabric, draw(pairs_of(fabric, 30)))


@given(equal_flows_on_leaf_spines())
@settings(max_examples=100, deadline=None)
def test_no_link_carries_more_than_its_share(job):
    fabric, demands = job
    paths = pinned.route(fabric, demands)
    leaving, entering = Counter(), Counter()
    carried = Counter(port for path in paths.values() for port in path.hops[1:-1])
    for demand in demands:
        source, target = ends(fabric, demand.key)
        if source != target:
            leaving[source] += 1
            entering[target] += 1
    width = clos(fabric).width
    for port, count in carried.items():
        if port.node in leaving and port.node.startswith("leaf"):
            assert count <= math.ceil(leaving[port.node] / width)
        else:
            assert count <= math.ceil(entering[fabric.peer(port).node] / width)


@given(equal_flows_on_leaf_spines())
@settings(max_examples=50, deadline=None)
def test_flows_that_never_meet_are_placed_apart(job):
    fabric, demands = job
    by_step = [Demand(d.key, (number % 3,), d.step_bytes) for number, d in enumerate(demands)]
    paths = pinned.route(fabric, by_step)
    assert assess(fabric, by_step, paths).gap < 1e-9


def best_of_all(fabric, demands):
    hops = NextHops(fabric)
    choices = [
        [host_to_host(fabric, d.key, walk) for walk in hops.walks(*ends(fabric, d.key), limit=64)] for d in demands
    ]
    keys = [d.key for d in demands]
    return min(
        sum(
            max(group_load_s(fabric, demands, dict(zip(keys, chosen, strict=True)), group).values())
            for group in step_groups(demands)
        )
        for chosen in product(*choices)
    )


def few_flows(random):
    fabric = random.choice([leaf_spine(3, 2, 2), leaf_spine(2, 3, 2), ring(4, 1), ring(4, 2), ring(6, 1)])
    demands = []
    for number in range(random.randint(1, 6)):
        src, dst = random.sample(fabric.hosts, 2)
        steps = random.choice([(0,), (1,), (0, 1)])
        nbytes = tuple(random.randint(1, 9) for _ in steps)
        demands.append(Demand(FlowKey(src, dst, 30000 + number, 20000), steps, nbytes))
    return fabric, demands


def test_against_the_best_of_all_placements():
    random = Random(5)
    times_best = []
    for _ in range(300):
        fabric, demands = few_flows(random)
        best = best_of_all(fabric, demands)
        assessment = assess(fabric, demands, pinned.route(fabric, demands))
        assert assessment.lower_bound_s <= best * (1 + 1e-9)
        times_best.append(assessment.objective_s / best)
    assert min(times_best) > 1 - 1e-9  # the best is the best
    assert sum(ratio < 1 + 1e-9 for ratio in times_best) >= 297  # the search misses it in 1 of 300, by 6 %
    assert max(times_best) < 1.1


def test_a_ring_of_ranks_interleaved_over_leaves_has_every_link_to_itself():
    fabric = leaf_spine(4, 2, 2)
    order = ["h1", "h3", "h5", "h7", "h2", "h4", "h6", "h8"]
    demands = demands_between(fabric, zip(order, order[1:] + order[:1], strict=True), steps=tuple(range(14)))
    carried = Counter(port for path in pinned.route(fabric, demands).values() for port in path.hops)
    assert set(carried.values()) == {1}
    assert len(carried) == 8 * 4


def test_what_is_a_leaf_spine():
    assert clos(leaf_spine(4, 2, 2)).width == 2
    assert clos(leaf_spine(4, 2, 2, links=3)).width == 6
    assert clos(ring(4, 1)) is None
    cables = [Cable("h1", "a", 10), Cable("h2", "b", 10), Cable("a", "x", 10), Cable("b", "x", 10)]
    assert clos(Fabric.cabled("one spine", ["h1", "h2"], ["a", "b", "x"], cables)).width == 1
    uneven = [*cables, Cable("a", "y", 10), Cable("b", "y", 20)]
    assert clos(Fabric.cabled("uneven", ["h1", "h2"], ["a", "b", "x", "y"], uneven)) is None
    missing = [*cables, Cable("a", "y", 10)]
    assert clos(Fabric.cabled("missing", ["h1", "h2"], ["a", "b", "x", "y"], missing)) is None
    joined = [*cables, Cable("a", "y", 10), Cable("b", "y", 10), Cable("x", "y", 10)]
    assert clos(Fabric.cabled("joined", ["h1", "h2"], ["a", "b", "x", "y"], joined)) is None


def test_unequal_links_are_filled_by_their_rates():
    cables = [Cable(f"h{i}", "a" if i < 5 else "b", 100) for i in range(1, 9)]
    cables += [Cable("a", "x", 30), Cable("a", "y", 10), Cable("b", "x", 30), Cable("b", "y", 10)]
    fabric = Fabric.cabled("uneven", [f"h{i}" for i in range(1, 9)], ["a", "b", "x", "y"], cables)
    demands = demands_between(fabric, [(f"h{i}", f"h{i + 4}") for i in range(1, 5)])
    spines = Counter(path.nodes(fabric)[2] for path in pinned.route(fabric, demands).values())
    assert spines == {"x": 3, "y": 1}


def test_no_policy_beats_pinned_where_it_meets_the_bound():
    fabric = leaf_spine(4, 4, 4)
    pairs = [(host, fabric.hosts[(place + 4) % 16]) for place, host in enumerate(fabric.hosts)]
    demands = demands_between(fabric, pairs)
    mine = assess(fabric, demands, pinned.route(fabric, demands))
    assert mine.optimal
    for text in ("spanning-tree", "shortest", "ecmp:seed=1", "ecmp:seed=2"):
        assert assess(fabric, demands, policy(text).route(fabric, demands)).objective_s >= mine.objective_s
