"""leaf_spine and ring: who is cabled to whom, on which port."""

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies.counts import ParameterError
from topologies.fabric import FabricError, Port
from topologies.leaf_spine import leaf_spine
from topologies.ring import ring

COUNT = st.integers(1, 4)


@settings(max_examples=40, deadline=None)
@given(COUNT, COUNT, COUNT, COUNT)
def test_every_leaf_meets_every_spine(leaves, spines, hosts, links):
    fabric = leaf_spine(leaves, spines, hosts, links=links)
    assert len(fabric.hosts) == leaves * hosts
    assert len(fabric.switches) == leaves + spines
    assert len(fabric.links) == leaves * (hosts + spines * links)
    for leaf in range(1, leaves + 1):
        peers = [fabric.peer(port).node for port in fabric.ports(f"leaf{leaf}")]
        mine = [f"h{(leaf - 1) * hosts + host}" for host in range(1, hosts + 1)]
        assert peers == mine + [f"spine{spine}" for spine in range(1, spines + 1) for _ in range(links)]


def test_a_spine_counts_its_ports_by_leaf():
    fabric = leaf_spine(4, 2, 2)
    assert [fabric.peer(port) for port in fabric.ports("spine2")] == [Port(f"leaf{n}", 4) for n in (1, 2, 3, 4)]


def test_leaf_spine_rates_and_latencies_go_to_their_links():
    fabric = leaf_spine(2, 1, 1, host_rate_bps=25, fabric_rate_bps=100, host_latency_s=1e-6, fabric_latency_s=2e-6)
    assert {(link.rate_bps, link.latency_s) for link in fabric.links if link.a.node.startswith("h")} == {(25, 1e-6)}
    assert {(link.rate_bps, link.latency_s) for link in fabric.links if link.a.node.startswith("l")} == {(100, 2e-6)}


@settings(max_examples=40, deadline=None)
@given(st.integers(3, 9), COUNT)
def test_the_switches_of_a_ring_are_one_cycle(switches, hosts):
    fabric = ring(switches, hosts)
    circle = fabric.graph.subgraph(fabric.switches)
    assert nx.is_connected(circle)
    assert {degree for _, degree in circle.degree()} == {2}
    assert all(fabric.attachment(f"h{n + 1}").node == f"s{n // hosts + 1}" for n in range(len(fabric.hosts)))


def test_a_ring_counts_its_ports_as_documented():
    fabric = ring(4, 2, host_rate_bps=400, fabric_rate_bps=100)
    assert [fabric.peer(port).node for port in fabric.ports("s1")] == ["h1", "h2", "s2", "s4"]
    assert [fabric.peer(port).node for port in fabric.ports("s3")] == ["h5", "h6", "s2", "s4"]
    assert {fabric.rate_bps(port) for port in fabric.ports("s3")} == {400, 100}


def test_parallel_links_have_names_of_their_own():
    names = [link.name for link in ring(3, 1, links=2).links]
    assert len(set(names)) == len(names) == 9
    assert "s1-s2#2" in names


@pytest.mark.parametrize(
    ("make", "parameter"),
    [
        (lambda: leaf_spine(0, 2, 2), "leaves"),
        (lambda: leaf_spine(2, -1, 2), "spines"),
        (lambda: leaf_spine(2, 2, 0), "hosts"),
        (lambda: leaf_spine(2, 2, 2, links=0), "links"),
        (lambda: ring(2, 1), "switches"),
        (lambda: ring(3, 0), "hosts"),
    ],
)
def test_counts_too_small_are_refused_by_name(make, parameter):
    with pytest.raises(ParameterError, match=f"^{parameter}: .* is too few; give at least") as caught:
        make()
    assert caught.value.parameter == parameter


@pytest.mark.parametrize("make", [lambda: leaf_spine(10**6, 10**6, 1), lambda: ring(10**8, 1)])
def test_a_slip_of_the_pen_is_refused_at_once(make):
    with pytest.raises(FabricError, match="links are too many; at most 1000000"):
        make()
