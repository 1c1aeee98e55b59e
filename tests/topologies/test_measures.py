from itertools import combinations

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies.catalog import from_short_form
from topologies.fabric import Cable, Fabric
from topologies.leaf_spine import leaf_spine
from topologies.measures import bisection_bps, line_rate_bps, measures, oversubscription, ring_line_rate_bps
from topologies.ring import ring

G = 10**9
RATES = st.tuples(st.integers(1, 400), st.integers(1, 400))
ONE_SWITCH = Fabric.cabled("star", ["h1", "h2", "h3"], ["s"], [Cable(f"h{n}", "s", 10 * G) for n in (1, 2, 3)])


def test_the_demo_fabrics():
    found = measures(leaf_spine(4, 2, 2))
    assert (found.hosts, found.switches, found.links) == (8, 6, 16)
    assert (found.line_rate_bps, found.oversubscription, found.bisection_bps, found.diameter) == (
        100 * G, 1.0, 400 * G, 4,
    )  # fmt: skip
    found = measures(ring(8, 1, host_rate_bps=400 * G))
    assert (found.line_rate_bps, found.oversubscription, found.bisection_bps, found.diameter) == (
        200 * G, 2.0, 200 * G, 6,
    )  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), RATES)
def test_line_rate_of_a_leaf_spine_is_its_formula(leaves, spines, hosts, links, rates):
    host_rate, fabric_rate = rates
    fabric = leaf_spine(leaves, spines, hosts, links=links, host_rate_bps=host_rate, fabric_rate_bps=fabric_rate)
    uplink = spines * links * fabric_rate
    assert line_rate_bps(fabric) == pytest.approx(min(host_rate, uplink / hosts))
    assert oversubscription(fabric) == pytest.approx(hosts * host_rate / uplink)


def test_the_slowest_host_sets_the_line_rate():
    cables = [Cable("h1", "s1", 10), Cable("h2", "s1", 4), Cable("h3", "s2", 10), Cable("s1", "s2", 12)]
    assert line_rate_bps(Fabric.cabled("f", ["h1", "h2", "h3"], ["s1", "s2"], cables)) == 4
    assert oversubscription(Fabric.cabled("f", ["h1", "h2", "h3"], ["s1", "s2"], cables)) == pytest.approx(14 / 12)


def test_a_host_of_two_nics_has_both_of_them():
    cables = [Cable(host, switch, 10) for host in ("h1", "h2") for switch in ("s1", "s2")]
    fabric = Fabric.cabled(
        "rails", ["h1", "h2"], ["s1", "s2", "top"], [*cables, Cable("s1", "top", 8), Cable("s2", "top", 40)]
    )
    assert line_rate_bps(fabric) == 4 + 10
    assert measures(fabric).diameter == 2


def test_one_switch_has_no_uplinks_to_share():
    assert line_rate_bps(ONE_SWITCH) == 10 * G
    assert oversubscription(ONE_SWITCH) == 0


def test_one_host_is_no_network():
    lonely = Fabric.cabled("one", ["h1"], ["s"], [Cable("h1", "s", G)])
    assert bisection_bps(lonely) == 0
    assert measures(lonely).diameter == 0


@settings(max_examples=20, deadline=None)
@given(
    st.one_of(
        st.builds(
            ring, st.integers(3, 5), st.just(1), host_rate_bps=st.integers(1, 20), fabric_rate_bps=st.integers(1, 9)
        ),
        st.builds(
            leaf_spine, st.sampled_from([2, 4]), st.integers(1, 3), st.just(1), fabric_rate_bps=st.integers(1, 9)
        ),
        st.builds(leaf_spine, st.just(2), st.integers(1, 3), st.just(2), fabric_rate_bps=st.integers(1, 9)),
    )
)
def test_no_even_split_of_the_hosts_carries_less(fabric):
    assert bisection_bps(fabric) == least_of_all_splits(fabric)


@pytest.mark.parametrize(
    "form",
    [
        "ring:switches=5,hosts=1", "tree:depth=2,fanout=2", "tree:depth=2,fanout=3", "tree:depth=3,fanout=2",
        "tree:depth=2,fanout=3,links=2", "mesh:x=4,y=2,hosts=1", "mesh:x=2,y=2,z=2,hosts=1", "mesh:x=3,y=3,hosts=1",
        "mesh:x=2,y=2,hosts=2", "mesh:x=3,y=1,hosts=2,fabric_rate=50G", "torus:x=2,y=4,hosts=1",
        "torus:x=3,y=3,hosts=1,fabric_rate=30G", "torus:x=4,y=2,hosts=1,fabric_rate=10G", "fat-tree:k=2",
        "rail:groups=2,hosts=3,rails=2,spines=1", "rail:groups=3,hosts=2,rails=2,spines=1,fabric_rate=30G",
        "rail:groups=1,hosts=5,rails=3,spines=0", "dual-plane:leaves=2,spines=1,hosts=3",
        "dual-plane:leaves=4,spines=1,hosts=2,fabric_rate=30G", "dragonfly:a=2,p=1,h=1",
        "dragonfly:a=3,p=1,h=1,groups=3,fabric_rate=10G", "dragonfly:a=2,p=1,h=2,groups=4,fabric_rate=30G",
        "dragonfly:a=1,p=1,h=7,fabric_rate=10G", "dragonfly:a=2,p=1,h=1,groups=2,fabric_rate=10G",
        "dragonfly:a=4,p=1,h=1,groups=2,fabric_rate=10G", "star:hosts=6",
        "edge-sites:leaves=1,spines=1,hosts=4,sites=2,site_hosts=2",
        "edge-sites:leaves=1,spines=1,hosts=2,sites=3,site_hosts=2",
    ],
)  # fmt: skip
def test_the_generators_number_hosts_such_that_the_halves_are_the_bisection(form):
    fabric = from_short_form(form)
    assert bisection_bps(fabric) == least_of_all_splits(fabric)


def least_of_all_splits(fabric):
    """Every even split of the hosts, with networkx, on the whole graph with its hosts."""
    graph = nx.DiGraph()
    for port in fabric.directed_links():
        ends = (port.node, fabric.peer(port).node)
        before = graph.edges[ends]["capacity"] if graph.has_edge(*ends) else 0
        graph.add_edge(*ends, capacity=before + fabric.rate_bps(port))
    half = len(fabric.hosts) // 2
    found = []
    for left in combinations(fabric.hosts, half):
        if 2 * half == len(fabric.hosts) and fabric.hosts[0] not in left:
            continue  # the same split, seen from the other side
        split = graph.copy()
        split.add_edges_from(("from", host) for host in left)
        split.add_edges_from((host, "to") for host in fabric.hosts if host not in left)
        found.append(nx.maximum_flow_value(split, "from", "to"))
    return min(found)


def test_parts_are_counted():
    found = measures(from_short_form("rail:groups=2,hosts=4,rails=2,spines=2,links=2"))
    assert (found.hosts, found.switches, found.links) == (8, 6, 32)
    assert found.switch_ports == 4 * (4 + 4) + 2 * 8


def test_a_thousand_hosts_are_measured_in_a_moment():
    assert measures(leaf_spine(32, 8, 32)).bisection_bps == 12_800 * G


@pytest.mark.parametrize(
    ("form", "all_at_once_bps", "ring_bps"),
    [
        ("leaf-spine:leaves=4,spines=2,hosts=2", 100 * G, 100 * G),
        ("leaf-spine:leaves=2,spines=1,hosts=4", 25 * G, 100 * G),
        ("star:hosts=8", 100 * G, 100 * G),
        ("system:dgx-h100-2", 400 * G, 3200 * G),
        ("system:polaris-2", 100 * G, 400 * G),
    ],
)
def test_a_ring_leaves_a_switch_once_and_all_its_hosts_at_once_share_what_it_has(form, all_at_once_bps, ring_bps):
    fabric = from_short_form(form)
    assert (line_rate_bps(fabric), ring_line_rate_bps(fabric)) == (all_at_once_bps, ring_bps)
