"""Every policy on every kind of fabric, whole and with dead links: live links only, to the NIC, no loop."""

from __future__ import annotations

from itertools import pairwise

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.routing import RoutingError, Situation, policy, with_acknowledgements
from controller.routing.next_hops import NextHops, trunks
from controller.routing.spanning_tree import tree
from topologies.catalog import GENERATORS, from_short_form
from topologies.leaf_spine import leaf_spine
from topologies.ports import connect_port
from topologies.ring import ring
from topologies.traffic import Demand, FlowKey

POLICIES = ["spanning-tree", "shortest", "ecmp:seed=5", "least-loaded", "pinned", "rail", "spray-channels:seed=5"]
FABRICS = {
    text.partition(":")[0]: from_short_form(text)
    for text in [
        "leaf-spine:leaves=3,spines=2,hosts=2,links=2",
        "ring:switches=5,hosts=1,links=2",
        "tree:depth=3,fanout=2",
        "mesh:x=3,y=2,hosts=1",
        "torus:x=3,y=3,hosts=1",
        "fat-tree:k=4",
        "rail:groups=2,hosts=2,rails=2,spines=2",
        "dual-plane:leaves=2,spines=2,hosts=2",
        "dragonfly:a=2,p=1,h=1",
        "star:hosts=4",
        "edge-sites:leaves=2,spines=2,hosts=1,sites=2,site_hosts=2",
    ]
}


def test_every_generator_is_here():
    assert set(FABRICS) == set(GENERATORS)


@st.composite
def jobs(draw, fabric):
    """Demands on up to four channels, and the names of up to three dead links."""
    pairs = draw(st.lists(st.permutations(fabric.hosts).map(lambda order: order[:2]), min_size=1, max_size=6))
    demands = []
    for number, (src, dst) in enumerate(pairs):
        key = FlowKey(src, dst, connect_port(number, draw(st.integers(0, 3))), 20000 + number)
        demands.append(Demand(key, (draw(st.integers(0, 1)),), (draw(st.integers(0, 1000)),)))
    names = [link.name for link in fabric.links]
    return demands, draw(st.frozensets(st.sampled_from(names), max_size=3))


def live_way(fabric, key, dead):
    """Links from NIC to NIC by an independent search; None where there are none."""
    nics = fabric.nic(key.src, key.channel), fabric.nic(key.dst, key.channel)
    if any(fabric.link(nic).name in dead for nic in nics):
        return None
    graph = nx.Graph(
        [
            (link.a.node, link.b.node)
            for link in fabric.links
            if link.name not in dead and fabric.is_switch(link.a.node) and fabric.is_switch(link.b.node)
        ]
    )
    graph.add_nodes_from(fabric.switches)
    first, last = (fabric.peer(nic).node for nic in nics)
    return nx.shortest_path_length(graph, first, last) + 2 if nx.has_path(graph, first, last) else None


@pytest.mark.parametrize("kind", FABRICS)
@pytest.mark.parametrize("text", POLICIES)
def test_paths_are_of_live_links_and_arrive_without_a_loop(text, kind):
    fabric = FABRICS[kind]
    chosen = policy(text)

    @given(job=jobs(fabric))
    @settings(max_examples=8, deadline=None)
    def holds(job):
        demands, dead = job
        situation = Situation(dead)
        cut = [demand for demand in demands if live_way(fabric, demand.key, dead) is None]
        for demand in cut:
            with pytest.raises(RoutingError) as error:
                chosen.route(fabric, [demand], situation=situation)
            assert any(name in str(error.value) for name in dead)
        served = [demand for demand in demands if demand not in cut]
        paths = chosen.route(fabric, served, situation=situation)
        assert set(paths) == {demand.key for demand in served}
        everything = with_acknowledgements(chosen, fabric, served, paths, situation)
        assert set(everything) == {key for demand in served for key in (demand.key, demand.key.reversed())}
        for key, path in everything.items():
            check(fabric, key, path, dead, shortest=not text.startswith("spanning-tree"))

    holds()


def check(fabric, key, path, dead, *, shortest):
    assert path.hops[0] == fabric.nic(key.src, key.channel)
    assert fabric.peer(path.hops[-1]) == fabric.nic(key.dst, key.channel)
    for port, following in pairwise(path.hops):
        assert fabric.peer(port).node == following.node
    nodes = path.nodes(fabric)
    assert len(set(nodes)) == len(nodes)
    assert not {fabric.link(port).name for port in path.hops} & dead
    if shortest:
        assert len(path.hops) == live_way(fabric, key, dead)


@pytest.mark.parametrize("kind", FABRICS)
def test_the_tree_of_the_live_links_has_one_root_for_each_piece(kind):
    fabric = FABRICS[kind]
    names = [link.name for link in fabric.links]

    @given(dead=st.frozensets(st.sampled_from(names), max_size=6))
    @settings(max_examples=20, deadline=None)
    def holds(dead):
        live = nx.Graph([(switch, peer) for switch, ports in trunks(fabric, dead).items() for _, peer in ports])
        live.add_nodes_from(fabric.switches)
        parents = tree(fabric, dead)
        assert len(fabric.switches) - len(parents) == nx.number_connected_components(live)
        assert not {fabric.link(port).name for port in parents.values()} & dead
        kept = nx.Graph([(switch, fabric.peer(port).node) for switch, port in parents.items()])
        kept.add_nodes_from(fabric.switches)
        assert nx.is_forest(kept)
        assert nx.number_connected_components(kept) == nx.number_connected_components(live)

    holds()


@pytest.mark.parametrize("text", POLICIES)
def test_a_flow_without_a_way_names_the_dead_links(text):
    fabric = leaf_spine(2, 2, 1)
    demands = [Demand(FlowKey("h1", "h2", 1, 2), (0,), (1,))]
    both = Situation(frozenset({"leaf1-spine2", "leaf2-spine1"}))
    with pytest.raises(RoutingError) as error:
        policy(text).route(fabric, demands, both)
    assert str(error.value) == (
        "no way over switches from 'leaf1' to 'leaf2' while leaf1-spine2, leaf2-spine1 are dead: bring one up"
    )
    with pytest.raises(RoutingError) as error:
        policy(text).route(fabric, demands, Situation(frozenset({"h2-leaf2"})))
    assert str(error.value) == "flow h1:1->h2:2: 'h2' is cut off while h2-leaf2 is dead: bring it up"


def test_of_many_dead_links_ten_are_named():
    fabric = leaf_spine(2, 12, 1)
    dead = frozenset(f"leaf1-spine{number}" for number in range(1, 13))
    with pytest.raises(RoutingError, match=r"leaf1-spine7 and 2 more are dead: bring one up"):
        NextHops(fabric, dead).choices("leaf1", "leaf2")


@pytest.mark.parametrize("text", POLICIES)
def test_without_dead_links_nothing_changes_and_a_returned_link_is_used_again(text):
    fabric = ring(4, 1)
    demands = [Demand(FlowKey("h1", "h2", connect_port(0, channel), 20000), (0,), (1,)) for channel in range(4)]
    whole = policy(text).route(fabric, demands)
    cut = policy(text).route(fabric, demands, Situation(frozenset({"s1-s2"})))
    assert {path.nodes(fabric) for path in cut.values()} == {("h1", "s1", "s4", "s3", "s2", "h2")}
    assert policy(text).route(fabric, demands, Situation(frozenset())) == whole


def test_a_misspelt_dead_link_is_refused_as_it_would_stay_in_use():
    with pytest.raises(RoutingError, match=r"^no link 'leaf1-spin2' in fabric '.*': did you mean 'leaf1-spine2'\?$"):
        policy("ecmp").route(leaf_spine(2, 2, 1), [], Situation(frozenset({"leaf1-spin2"})))
