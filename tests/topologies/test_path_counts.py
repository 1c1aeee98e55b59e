"""Distances and path counts against networkx, which computes them in other ways."""

from itertools import combinations, pairwise
from math import comb, prod

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies import path_counts
from topologies.catalog import from_short_form
from topologies.fabric import Cable, Fabric, FabricError
from topologies.gallery import EXAMPLES
from topologies.path_counts import diameter, equal_cost_paths, path_diversity

FORMS = [
    *EXAMPLES.values(),
    "leaf-spine:leaves=3,spines=2,hosts=1,links=2",
    "tree:depth=3,fanout=2,links=2",
    "mesh:x=3,y=3,hosts=1,links=2",
    "torus:x=4,y=3,hosts=1",
    "rail:groups=3,hosts=2,rails=2,spines=2,links=2",
    "dual-plane:leaves=3,spines=2,hosts=1,planes=3,links=2",
    "dragonfly:a=3,p=1,h=2,groups=4",
    "edge-sites:leaves=2,spines=2,hosts=1,sites=2,site_hosts=1,links=2",
]
FABRICS = [from_short_form(form) for form in FORMS]


@st.composite
def any_fabric(draw):
    """Some switches joined at random, and hosts of one or two NICs on them."""
    switches = [f"s{n}" for n in range(draw(st.integers(1, 6)))]
    pairs = draw(st.lists(st.sampled_from([*combinations(switches, 2)]), max_size=12)) if len(switches) > 1 else []
    cables = [Cable(a, b, 1) for a, b in [*pairs, *pairwise(switches)]]
    nics = draw(st.integers(1, 2))
    hosts = [f"h{n}" for n in range(draw(st.integers(1, 5)))]
    for host in hosts:
        cables += [Cable(host, draw(st.sampled_from(switches)), 1) for _ in range(nics)]
    return Fabric.cabled("any", hosts, switches, cables)


def channels(fabric):
    """The pairs of switches of every channel, and the multigraph of switches."""
    for channel in range(max(len(fabric.ports(host)) for host in fabric.hosts)):
        yield [*combinations(sorted({fabric.attachment(host, channel).node for host in fabric.hosts}), 2)]


def far_apart(fabric):
    """Hosts may end a path; all others of it are switches."""
    found = 0
    for one, other in combinations(fabric.hosts, 2):
        inside = fabric.graph.subgraph({one, other, *fabric.switches})
        found = max(found, nx.shortest_path_length(nx.Graph(inside), one, other))
    return found


def fewest_cuts(fabric):
    graph = nx.Graph()
    for link in fabric.links:
        if fabric.is_switch(link.a.node):
            before = graph.get_edge_data(link.a.node, link.b.node, {"capacity": 0})["capacity"]
            graph.add_edge(link.a.node, link.b.node, capacity=before + 1)
    cuts = [nx.minimum_cut_value(graph, *pair) for pairs in channels(fabric) for pair in pairs]
    return min(cuts, default=1)


def fewest_shortest(fabric):
    switches = fabric.graph.subgraph(fabric.switches)
    plain = nx.Graph(switches)
    found = []
    for pairs in channels(fabric):
        for one, other in pairs:
            paths = list(nx.all_shortest_paths(plain, one, other))
            ways = sum(prod(switches.number_of_edges(*hop) for hop in pairwise(path)) for path in paths)
            found.append((-len(paths[0]), ways))
    return min(found, default=(0, 1))[1]


@pytest.mark.parametrize("fabric", FABRICS, ids=lambda fabric: fabric.name)
def test_generated_fabrics_are_as_networkx_says(fabric):
    assert diameter(fabric) == far_apart(fabric)
    assert path_diversity(fabric) == fewest_cuts(fabric)
    assert equal_cost_paths(fabric) == fewest_shortest(fabric)


@settings(max_examples=60, deadline=None)
@given(any_fabric())
def test_any_fabric_is_as_networkx_says(fabric):
    assert diameter(fabric) == far_apart(fabric)
    assert path_diversity(fabric) == fewest_cuts(fabric)
    assert equal_cost_paths(fabric) == fewest_shortest(fabric)


def test_hosts_forward_nothing():
    cables = [Cable("h1", "s1", 1), Cable("h2", "s1", 1), Cable("h2", "s2", 1), Cable("h3", "s2", 1)]
    fabric = Fabric.cabled("chain", ["h1", "h2", "h3"], ["s1", "s2"], cables)
    with pytest.raises(FabricError, match="'chain': some hosts reach each other only through other hosts"):
        diameter(fabric)
    assert path_diversity(fabric) == 0
    assert equal_cost_paths(fabric) == 0


def test_one_host_is_nowhere_far_from_itself():
    assert diameter(from_short_form("star:hosts=1")) == 0


def test_a_few_sources_stand_for_all_of_a_regular_fabric(monkeypatch):
    whole = [equal_cost_paths(fabric) for fabric in map(from_short_form, ("fat-tree:k=6", "torus:x=5,y=4,hosts=1"))]
    monkeypatch.setattr(path_counts, "MAX_SOURCES", 3)
    few = [equal_cost_paths(fabric) for fabric in map(from_short_form, ("fat-tree:k=6", "torus:x=5,y=4,hosts=1"))]
    assert whole == few == [9, comb_on_a_torus(5, 4)]


def comb_on_a_torus(odd, even):
    """Shortest paths to the opposite switch: two ways around the even dimension, in any order with the odd one's."""
    return 2 * comb(odd // 2 + even // 2, even // 2)
