"""Ways as rows: what connections take of links, by arrays and by hand; a plan of arrays is that of mappings."""

import gc
import weakref
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectives import algorithms
from collectives.job import connections, demands
from controller.routing import policy, spray
from simulation import fluid
from simulation.collective import Connections, Job, Moves, place, plan
from simulation.conditions import Conditions
from simulation.fluid import Steps
from simulation.links import Links
from simulation.next_hops import NextHops
from simulation.routes import Routes, both, load
from topologies.catalog import from_short_form
from topologies.leaf_spine import leaf_spine
from topologies.traffic import Demand

LINKS = Links.of(leaf_spine(2, 2, 2))
WAYS = st.lists(
    st.lists(st.tuples(st.sampled_from(LINKS.ports), st.floats(0.1, 1)), max_size=5), min_size=1, max_size=6
)


def by_hand(there, back, conditions):
    taken = defaultdict(float)
    for port, share in there:
        taken[LINKS.number[port]] += share / conditions.payload_share
    for port, share in back:
        taken[LINKS.number[port]] += share * conditions.ack_share
    return {link: use for link, use in taken.items() if use}


@given(WAYS, st.data())
def test_what_flows_take_of_links(there, data):
    back = [data.draw(st.permutations(way)) for way in there]
    for conditions in (Conditions.ideal(), Conditions.tcp(1500)):
        rows, use = both(
            Routes.of(there, LINKS), Routes.of(back, LINKS), conditions.payload_share, conditions.ack_share
        )
        for row, taken, *ways in zip(rows, use, there, back, strict=True):
            filled = row >= 0
            assert not np.diff(filled.astype(int)).max(initial=0) > 0  # links first
            found = load(row[None], taken[None], len(LINKS.ports))
            assert dict(enumerate(found)) == pytest.approx(
                dict.fromkeys(range(len(found)), 0) | by_hand(*ways, conditions)
            )


@given(WAYS)
def test_latency_is_weighed_by_what_crosses(ways):
    made = Routes.of(ways, LINKS)
    expected = [sum(share * LINKS.latency_s[LINKS.number[port]] for port, share in way) for way in ways]
    assert made.latency_s(LINKS) == pytest.approx(expected)
    assert made.crossing.tolist() == [bool(way) for way in ways]


def test_among_others():
    made = Routes.whole(np.array([[3, 4], [5, -1]])).among(np.array([2, 0]), 4)
    assert made.rows.tolist() == [[5, -1], [-1, -1], [3, 4], [-1, -1]]
    assert made.share.tolist() == [[1, 0], [0, 0], [1, 1], [0, 0]]
    assert len(made) == 4


CASES = [
    ("leaf-spine:leaves=3,spines=2,hosts=3", 9), ("fat-tree:k=4", 16), ("ring:switches=5,hosts=2", 10),
    ("rail:groups=2,hosts=2,rails=2,spines=2", 8),
]  # fmt: skip


@pytest.mark.parametrize("algorithm", algorithms.names())
@pytest.mark.parametrize(("text", "ranks"), CASES)
def test_a_closed_form_by_arrays_is_that_of_demands(text, ranks, algorithm):
    """Some ranks share a host; sizes do and do not divide by the chunks."""
    fabric = from_short_form(text)
    hosts = fabric.hosts[: ranks // 2] * 2 if len(fabric.hosts) < ranks else fabric.hosts[:ranks]
    hosts = [*hosts[: ranks - 1], hosts[0]]
    ranks = len(hosts)
    name = f"{algorithm}:{3 if ranks % 2 else 2}" if algorithm in algorithms.SIZED else algorithm
    schedule = algorithms.build(name, ranks, 2)
    links, made = Links.of(fabric), Connections.of(schedule)
    for count in (ranks * 840, 1_000_003, 3):
        wanted, job = demands(schedule, hosts, count, 4), Job.of(schedule, count, 4)
        paths = policy("ecmp:seed=4").route(fabric, [*wanted, *map(_back, wanted)])
        keys = connections(schedule, hosts)
        there, back = (
            Routes.of(
                [[(hop, 1.0) for hop in paths[turn(keys[one])].hops] if one in keys else [] for one in made], links
            )
            for turn in (lambda key: key, lambda key: key.reversed())
        )
        steps = Steps.alike(schedule.step.astype(np.int64), job.connection, job.nbytes)
        use = both(there, back, fluid.payload_share(9000), fluid.acknowledgement_share(9000))
        for relay in (True, False):
            by_arrays = fluid.stepped_s(steps, *use, links.rate_bps, alpha_s=3e-6, relay=relay)
            expected = fluid.completion_s(wanted, paths, fabric.rate_bps, mtu=9000, alpha_s=3e-6, relay=relay)
            assert by_arrays == pytest.approx(expected, rel=1e-12)


def _back(demand):
    return Demand(demand.key.reversed(), (), ())


def test_steps_that_are_alike_are_counted_once():
    schedule = algorithms.build("ring", 16)
    for count, different in ((1600, 1), (1601, 16)):  # one chunk is larger: it is at another rank in each step
        job = Job.of(schedule, count, 4)
        steps = Steps.alike(schedule.step.astype(np.int64), job.connection, job.nbytes)
        assert len(steps.of) == 30
        assert len(np.unique(steps.of)) == different
        assert steps.nbytes[steps.which == 0].sum() == job.nbytes[schedule.step == 0].sum()


@pytest.mark.parametrize("algorithm", ["ring", "halving-doubling", "double-binary-tree"])
def test_what_moves_is_placed_on_any_ways(algorithm):
    fabric, schedule = leaf_spine(2, 2, 4), algorithms.build(algorithm, 8, 2)
    links, job, conditions = Links.of(fabric), Job.of(schedule, 1 << 20, 4), Conditions.tcp(9000)
    moves, keys = Moves.of(job), connections(schedule, fabric.hosts)
    for number in (1, 2):
        spread = spray.spread(fabric, [key for one in keys.values() for key in (one, one.reversed())])
        hashed = policy(f"ecmp:seed={number}").route(fabric, [Demand(key, (), ()) for key in spread])
        for ways in (spread, {key: [(hop, 1.0) for hop in path.hops] for key, path in hashed.items()}):
            there = {pair: ways[key] for pair, key in keys.items()}
            back = {pair: ways[key.reversed()] for pair, key in keys.items()}
            once = plan(job, there, back, links, conditions)
            again = place(
                moves,
                *(Routes.of([given[one] for one in moves.connections], links) for given in (there, back)),
                links,
                conditions,
            )
            for name in ("rows", "use", "amount", "lag_s", "starts", "needs"):
                assert np.array_equal(getattr(once.flows, name), getattr(again.flows, name)), name
            assert np.array_equal(once.caps, again.caps)


def test_what_is_found_once_a_fabric_goes_with_it():
    fabric = leaf_spine(2, 2, 2)
    assert NextHops.of(fabric) is NextHops.of(fabric)
    assert Links.of(fabric) is Links.of(fabric)
    alive = weakref.ref(fabric)
    del fabric
    gc.collect()
    assert alive() is None
