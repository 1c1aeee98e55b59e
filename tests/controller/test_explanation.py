import pytest

from collectives import algorithms
from collectives.job import demands
from controller import routing
from controller.explanation import HOST_LINK, SWITCH_LINKS, VOLUME, explain, ways, why
from controller.routing.placement import assess
from topologies.catalog import from_short_form
from topologies.traffic import Demand, FlowKey

LEAF_SPINE = from_short_form("leaf-spine:leaves=4,spines=2,hosts=2,rate=100G")
INTERLEAVED = ("h1", "h3", "h5", "h7", "h2", "h4", "h6", "h8")


def job(fabric, algorithm="ring", hosts=None, count=1000):
    hosts = hosts or fabric.hosts
    return demands(algorithms.build(algorithm, len(hosts)), hosts, count, 4)


def one(src, dst, nbytes=1000, port=1):
    return Demand(FlowKey(src, dst, port, port), (0,), (nbytes,))


@pytest.mark.parametrize("policy", ["spanning-tree", "shortest", "ecmp:seed=1", "pinned"])
@pytest.mark.parametrize("algorithm", ["ring", "halving-doubling", "bidirectional-ring"])
def test_the_figures_are_those_of_the_placement(policy, algorithm):
    asked = job(LEAF_SPINE, algorithm, INTERLEAVED)
    paths = routing.policy(policy).route(LEAF_SPINE, asked)
    found, assessment = explain(LEAF_SPINE, asked, paths), assess(LEAF_SPINE, asked, paths)
    assert found.objective_s == pytest.approx(assessment.objective_s)
    assert found.gap == pytest.approx(assessment.gap, abs=1e-8)
    apart_s = sum(phase.bound.seconds for phase in found.phases)
    assert apart_s <= found.objective_s * (1 + 1e-9)
    assert apart_s == pytest.approx(assessment.lower_bound_s)


def tight(fabric, asked):
    found = explain(fabric, asked, routing.policy("pinned").route(fabric, asked))
    (phase,) = found.phases
    return phase.bound


def test_two_flows_into_one_host_are_bound_by_its_link():
    bound = tight(LEAF_SPINE, [one("h1", "h8"), one("h3", "h8")])
    assert (bound.kind, bound.node) == (HOST_LINK, "h8")
    assert bound.seconds == pytest.approx(8 * 2000 / 100e9)


def test_three_flows_over_two_uplinks_must_share_one():
    fabric = from_short_form("leaf-spine:leaves=4,spines=2,hosts=3,rate=100G")
    bound = tight(fabric, [one("h1", "h4"), one("h2", "h7"), one("h3", "h10")])
    assert (bound.kind, bound.node) == (SWITCH_LINKS, "leaf1")
    assert bound.seconds == pytest.approx(8 * 2000 / 100e9)


def test_far_flows_on_a_ring_are_bound_by_volume():
    ring = from_short_form("ring:switches=8,hosts=1,host_rate=400G,fabric_rate=100G")
    far = [one(f"h{i}", f"h{(i + 3) % 8 + 1}") for i in range(1, 9)]
    assert tight(ring, far).kind == VOLUME


def test_the_links_are_listed_with_their_flows():
    asked = job(LEAF_SPINE, hosts=INTERLEAVED)
    first = explain(LEAF_SPINE, asked, routing.policy("spanning-tree").route(LEAF_SPINE, asked)).links[0]
    assert LEAF_SPINE.is_switch(first.port.node)
    assert len(first.flows) == 2
    assert first.load_s == pytest.approx(2 * 8 * 7000 / 100e9)


def test_a_flow_that_shares_its_way_has_a_less_loaded_one():
    asked = job(LEAF_SPINE, hosts=INTERLEAVED)
    paths = routing.policy("spanning-tree").route(LEAF_SPINE, asked)
    found = ways(LEAF_SPINE, asked, paths, asked[0].key)
    assert [way.chosen for way in found] == [False, True]
    assert found[0].load_s == pytest.approx(found[1].load_s / 2)
    assert "less loaded" in why(found)


def test_pinned_leaves_no_better_way():
    asked = job(LEAF_SPINE, hosts=INTERLEAVED)
    paths = routing.policy("pinned").route(LEAF_SPINE, asked)
    for demand in asked:
        found = ways(LEAF_SPINE, asked, paths, demand.key)
        assert found[0].chosen
        assert why(found) == "every other shortest way would make the whole job slower"


def test_a_flow_within_a_leaf_has_one_way():
    asked = [one("h1", "h2")]
    paths = routing.policy("pinned").route(LEAF_SPINE, asked)
    assert why(ways(LEAF_SPINE, asked, paths, asked[0].key)) == "it is the only shortest way"


def test_a_flow_that_no_demand_has():
    asked = [one("h1", "h2")]
    with pytest.raises(routing.RoutingError, match="no demand has the flow"):
        ways(LEAF_SPINE, asked, routing.policy("pinned").route(LEAF_SPINE, asked), FlowKey("h2", "h1", 1, 1))
