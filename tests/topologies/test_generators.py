"""Every generator: who is cabled to whom, on which port; counts and measures against their closed forms."""

from itertools import combinations
from math import comb, prod

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies.catalog import from_short_form
from topologies.counts import ParameterError
from topologies.dragonfly import dragonfly
from topologies.dual_plane import dual_plane
from topologies.edge_sites import edge_sites
from topologies.fabric import FabricError, Port
from topologies.fat_tree import fat_tree
from topologies.leaf_spine import leaf_spine
from topologies.measures import measures
from topologies.mesh import mesh, torus
from topologies.rail import rail
from topologies.ring import ring
from topologies.star import star
from topologies.tree import tree

COUNT = st.integers(1, 4)
FEW = st.integers(1, 3)
quickly = settings(max_examples=20, deadline=None)


def peers(fabric, node):
    """The nodes that a node is cabled to, by port."""
    return [fabric.peer(port).node for port in fabric.ports(node)]


def switch_graph(fabric):
    return nx.Graph(fabric.graph.subgraph(fabric.switches))


def sizes(fabric):
    return len(fabric.hosts), len(fabric.switches), len(fabric.links)


GENERATED = st.one_of(
    st.builds(leaf_spine, COUNT, COUNT, COUNT, links=FEW),
    st.builds(ring, st.integers(3, 6), COUNT, links=FEW),
    st.builds(tree, FEW, st.integers(2, 3), links=FEW),
    st.builds(mesh, FEW, COUNT, FEW, z=FEW, links=FEW),
    st.builds(torus, FEW, COUNT, FEW, z=FEW, links=FEW),
    st.builds(fat_tree, st.sampled_from([2, 4, 6])),
    st.builds(rail, FEW, COUNT, FEW, FEW, links=FEW),
    st.builds(dual_plane, FEW, FEW, FEW, planes=st.integers(2, 3), links=FEW),
    st.builds(dragonfly, FEW, FEW, FEW),
    st.builds(star, COUNT),
    st.builds(edge_sites, FEW, FEW, FEW, FEW, FEW, links=FEW),
)


@settings(max_examples=80, deadline=None)
@given(GENERATED)
def test_every_fabric_is_whole_and_in_order(fabric):
    assert nx.is_connected(fabric.graph)
    assert fabric.hosts == tuple(f"h{number + 1}" for number in range(len(fabric.hosts)))
    assert len({link.name for link in fabric.links}) == len(fabric.links)
    for node in fabric.nodes:
        assert [port.number for port in fabric.ports(node)] == list(range(1, len(peers(fabric, node)) + 1))
    assert len({len(fabric.ports(host)) for host in fabric.hosts}) == 1  # every host has as many NICs
    for switch in fabric.switches:  # hosts first, then switches
        kinds = [fabric.is_switch(peer) for peer in peers(fabric, switch)]
        assert kinds == sorted(kinds)


@quickly
@given(COUNT, COUNT, COUNT, COUNT)
def test_every_leaf_meets_every_spine(leaves, spines, hosts, links):
    fabric = leaf_spine(leaves, spines, hosts, links=links)
    assert sizes(fabric) == (leaves * hosts, leaves + spines, leaves * (hosts + spines * links))
    for leaf in range(1, leaves + 1):
        mine = [f"h{(leaf - 1) * hosts + host}" for host in range(1, hosts + 1)]
        assert peers(fabric, f"leaf{leaf}") == mine + [f"spine{n}" for n in range(1, spines + 1) for _ in range(links)]


def test_a_spine_counts_its_ports_by_leaf():
    fabric = leaf_spine(4, 2, 2)
    assert [fabric.peer(port) for port in fabric.ports("spine2")] == [Port(f"leaf{n}", 4) for n in (1, 2, 3, 4)]


def test_leaf_spine_rates_and_latencies_go_to_their_links():
    fabric = leaf_spine(2, 1, 1, host_rate_bps=25, fabric_rate_bps=100, host_latency_s=1e-6, fabric_latency_s=2e-6)
    assert {(link.rate_bps, link.latency_s) for link in fabric.links if link.a.node.startswith("h")} == {(25, 1e-6)}
    assert {(link.rate_bps, link.latency_s) for link in fabric.links if link.a.node.startswith("l")} == {(100, 2e-6)}


@pytest.mark.parametrize(
    "form",
    [
        "leaf-spine:leaves=2,spines=1,hosts=1", "ring:switches=3,hosts=1", "tree:depth=2,fanout=2",
        "mesh:x=2,y=2,hosts=1", "torus:x=3,y=2,hosts=1", "fat-tree:k=2", "rail:groups=2,hosts=1,rails=2,spines=1",
        "dual-plane:leaves=2,spines=1,hosts=1", "dragonfly:a=2,p=1,h=1",
    ],
)  # fmt: skip
def test_rates_and_latencies_go_to_their_links(form):
    fabric = from_short_form(f"{form},host_rate=25G,fabric_rate=100G,host_latency=2us,fabric_latency=3us")
    for link in fabric.links:
        inside = fabric.is_switch(link.a.node) and fabric.is_switch(link.b.node)
        assert (link.rate_bps, link.latency_s) == ((100 * 10**9, 3e-6) if inside else (25 * 10**9, 2e-6))


@quickly
@given(st.integers(3, 9), COUNT)
def test_the_switches_of_a_ring_are_one_cycle(switches, hosts):
    fabric = ring(switches, hosts)
    circle = fabric.graph.subgraph(fabric.switches)
    assert nx.is_connected(circle)
    assert {degree for _, degree in circle.degree()} == {2}
    assert all(fabric.attachment(f"h{n + 1}").node == f"s{n // hosts + 1}" for n in range(len(fabric.hosts)))


def test_a_ring_counts_its_ports_as_documented():
    fabric = ring(4, 2, host_rate_bps=400, fabric_rate_bps=100)
    assert peers(fabric, "s1") == ["h1", "h2", "s2", "s4"]
    assert peers(fabric, "s3") == ["h5", "h6", "s2", "s4"]
    assert {fabric.rate_bps(port) for port in fabric.ports("s3")} == {400, 100}


def test_parallel_links_have_names_of_their_own():
    names = [link.name for link in ring(3, 1, links=2).links]
    assert len(set(names)) == len(names) == 9
    assert "s1-s2#2" in names


@quickly
@given(FEW, st.integers(2, 4), FEW)
def test_a_tree_is_a_tree(depth, fanout, links):
    fabric = tree(depth, fanout, links=links)
    hosts, switches = fanout**depth, sum(fanout**tier for tier in range(depth))
    assert sizes(fabric) == (hosts, switches, hosts + (switches - 1) * links)
    assert nx.is_isomorphic(nx.Graph(fabric.graph), nx.balanced_tree(fanout, depth))
    found = measures(fabric)
    assert found.diameter == 2 * depth
    assert found.path_diversity == (links if depth > 1 else 1)
    assert found.equal_cost_paths == links ** (2 * depth - 2)


def test_a_tree_counts_its_ports_as_documented():
    fabric = tree(3, 2, links=2)
    assert peers(fabric, "s1") == ["s2", "s2", "s3", "s3"]
    assert peers(fabric, "s3") == ["s6", "s6", "s7", "s7", "s1", "s1"]
    assert peers(fabric, "s7") == ["h7", "h8", "s3", "s3"]


@quickly
@given(COUNT, COUNT, FEW, FEW)
def test_a_mesh_is_a_grid(x, y, z, hosts):
    fabric = mesh(x, y, hosts, z=z)
    assert nx.is_isomorphic(switch_graph(fabric), nx.grid_graph([x, y, z]))
    switches = x * y * z
    between = sum(switches // size * (size - 1) for size in (x, y, z))
    assert sizes(fabric) == (switches * hosts, switches, switches * hosts + between)
    found = measures(fabric)
    if len(fabric.hosts) > 1:
        assert found.diameter == 2 + x + y + z - 3
    assert found.path_diversity == (sum(size > 1 for size in (x, y, z)) or 1)
    if z == 1:
        assert found.equal_cost_paths == comb(x + y - 2, x - 1)


@quickly
@given(COUNT, COUNT, FEW, FEW)
def test_a_torus_is_a_periodic_grid_without_doubled_cables(x, y, z, hosts):
    fabric = torus(x, y, hosts, z=z)
    degree = sum((0, 1, 2)[min(size, 3) - 1] for size in (x, y, z))
    cycles = [nx.cycle_graph(size) if size > 2 else nx.path_graph(size) for size in (x, y, z)]
    wanted = nx.cartesian_product(nx.cartesian_product(*cycles[:2]), cycles[2])
    assert nx.is_isomorphic(switch_graph(fabric), wanted)
    assert sizes(fabric) == (x * y * z * hosts, x * y * z, x * y * z * hosts + x * y * z * degree // 2)
    found = measures(fabric)
    if len(fabric.hosts) > 1:
        assert found.diameter == 2 + x // 2 + y // 2 + z // 2
    assert found.path_diversity == (degree or 1)


@pytest.mark.parametrize("shape", [(4, 2, 1), (2, 4, 1), (2, 2, 4), (4, 4, 2), (1, 6, 1), (2, 2, 2)])
@pytest.mark.parametrize(("make", "across"), [(mesh, 1), (torus, 2)])
def test_a_grid_is_thinnest_across_its_longest_dimension(make, across, shape):
    x, y, z = shape
    longest = max(shape)
    wide = across if longest > 2 else 1
    found = measures(make(x, y, 20, z=z, fabric_rate_bps=1, host_rate_bps=1))
    assert found.bisection_bps == prod(shape) // longest * wide


def test_a_grid_counts_its_ports_as_documented():
    fabric = torus(3, 4, 1)
    assert peers(fabric, "x1y1") == ["h1", "x2y1", "x3y1", "x1y2", "x1y4"]
    assert peers(fabric, "x2y3") == ["h8", "x1y3", "x3y3", "x2y2", "x2y4"]
    assert peers(mesh(4, 3, 1), "x2y1")[0] == "h4"  # along the shorter dimension first
    assert "x2y1z3" in mesh(2, 2, 1, z=3).switches


@pytest.mark.parametrize("k", [2, 4, 6, 8])
def test_a_fat_tree_has_full_bisection_and_its_formulas(k):
    half = k // 2
    fabric = fat_tree(k, host_rate_bps=7, fabric_rate_bps=7)
    assert sizes(fabric) == (k**3 // 4, 5 * k * k // 4, 3 * k**3 // 4)
    assert {len(fabric.ports(switch)) for switch in fabric.switches} == {k}
    found = measures(fabric)
    assert (found.bisection_bps, found.oversubscription, found.diameter) == (7 * k**3 // 8, 1, 6)
    assert (found.path_diversity, found.equal_cost_paths) == (half, half**2)


def test_a_fat_tree_counts_its_ports_as_documented():
    fabric = fat_tree(4)
    assert peers(fabric, "edge3") == ["h5", "h6", "agg3", "agg4"]
    assert peers(fabric, "agg3") == ["edge3", "edge4", "core1", "core2"]
    assert peers(fabric, "core3") == ["agg2", "agg4", "agg6", "agg8"]


@quickly
@given(FEW, COUNT, COUNT, FEW, FEW)
def test_nic_r_of_a_host_is_on_rail_r(groups, hosts, rails, spines, links):
    fabric = rail(groups, hosts, rails, spines, links=links)
    assert sizes(fabric) == (
        groups * hosts, groups * rails + spines, groups * rails * (hosts + spines * links),
    )  # fmt: skip
    for number, host in enumerate(fabric.hosts):
        assert peers(fabric, host) == [f"g{number // hosts + 1}r{one + 1}" for one in range(rails)]
    assert len(peers(fabric, "spine1")) == groups * rails * links
    found = measures(fabric)
    assert found.diameter == (0 if groups * hosts == 1 else 2 if groups == 1 else 4)
    assert found.path_diversity == (1 if groups == 1 else spines * links)
    assert found.equal_cost_paths == (1 if groups == 1 else spines * links**2)


def test_rails_alone_are_joined_by_hosts():
    fabric = rail(1, 4, 3, 0)
    assert nx.number_connected_components(fabric.graph.subgraph(fabric.switches)) == 3
    assert measures(fabric).diameter == 2
    with pytest.raises(ParameterError, match="spines: 0 leave 2 groups apart; give at least 1, or one group"):
        rail(2, 4, 3, 0)


@quickly
@given(FEW, FEW, FEW, st.integers(2, 3), FEW)
def test_planes_share_no_switch(leaves, spines, hosts, planes, links):
    fabric = dual_plane(leaves, spines, hosts, planes=planes, links=links)
    one = leaf_spine(leaves, spines, hosts, links=links)
    assert sizes(fabric) == (len(one.hosts), planes * len(one.switches), planes * len(one.links))
    parts = list(nx.connected_components(fabric.graph.subgraph(fabric.switches)))
    assert len(parts) == planes
    assert {frozenset(name[:2] for name in part) for part in parts} == {
        frozenset([f"p{plane + 1}"]) for plane in range(planes)
    }
    for host in fabric.hosts:
        leaf = one.attachment(host).node
        assert peers(fabric, host) == [f"p{plane + 1}{leaf}" for plane in range(planes)]
    found, alone = measures(fabric), measures(one)
    assert found.bisection_bps == planes * alone.bisection_bps
    assert found.line_rate_bps == pytest.approx(planes * alone.line_rate_bps)
    assert (found.diameter, found.path_diversity) == (alone.diameter, alone.path_diversity)


@quickly
@given(COUNT, FEW, FEW)
def test_a_dragonfly_has_one_link_between_every_two_groups(a, p, h):
    fabric = dragonfly(a, p, h)
    groups = a * h + 1
    assert sizes(fabric) == (groups * a * p, groups * a, groups * a * p + groups * comb(a, 2) + comb(groups, 2))
    assert {len(fabric.ports(switch)) for switch in fabric.switches} == {p + a - 1 + h}
    between = [
        frozenset((link.a.node.partition("s")[0], link.b.node.partition("s")[0]))
        for link in fabric.links
        if fabric.is_switch(link.a.node) and link.a.node.partition("s")[0] != link.b.node.partition("s")[0]
    ]
    assert len(between) == len(set(between)) == comb(groups, 2)
    found = measures(fabric)
    assert found.diameter == (5 if a > 1 else 3)
    assert found.path_diversity == a - 1 + h


@quickly
@given(COUNT, FEW, st.data())
def test_a_dragonfly_of_fewer_groups_shares_its_links_out_evenly(a, h, data):
    groups = data.draw(st.integers(2, a * h + 1))
    fabric = dragonfly(a, 1, h, groups=groups)
    ways = nx.MultiGraph()
    for link in fabric.links:
        if fabric.is_switch(link.a.node):
            ways.add_edge(link.a.node.partition("s")[0], link.b.node.partition("s")[0])
    assert {ways.number_of_edges(*pair) for pair in combinations(sorted(ways), 2)} == {a * h // (groups - 1)}
    assert max(len(fabric.ports(switch)) for switch in fabric.switches) <= 1 + a - 1 + h


def test_a_dragonfly_counts_its_ports_as_documented():
    fabric = dragonfly(2, 1, 2)
    assert peers(fabric, "g1s1") == ["h1", "g1s2", "g5s2", "g4s2"]
    assert peers(fabric, "g1s2") == ["h2", "g1s1", "g3s1", "g2s1"]


@quickly
@given(FEW, FEW, FEW, FEW, FEW, FEW)
def test_sites_hang_on_the_border_by_one_thin_uplink(leaves, spines, hosts, sites, site_hosts, links):
    fabric = edge_sites(leaves, spines, hosts, sites, site_hosts, links=links)
    core = leaf_spine(leaves, spines, hosts, links=links)
    assert sizes(fabric) == (
        len(core.hosts) + sites * site_hosts,
        len(core.switches) + 1 + sites,
        len(core.links) + spines * links + sites * (site_hosts + 1),
    )
    uplinks = [link for link in fabric.links if link.latency_s == 0.01]
    assert [(link.a.node, link.b.node, link.rate_bps) for link in uplinks] == [
        (f"site{site + 1}", "border", 10**9) for site in range(sites)
    ]
    found = measures(fabric)
    assert found.oversubscription == max(site_hosts * 100.0, hosts / spines / links)
    assert (found.diameter, found.path_diversity) == (5, 1)


def test_a_rate_for_all_leaves_uplinks_thin():
    fabric = from_short_form("edge-sites:leaves=1,spines=1,hosts=1,sites=1,site_hosts=1,rate=400G,latency=2us")
    assert sorted({(link.rate_bps, link.latency_s) for link in fabric.links}) == [(10**9, 0.01), (400 * 10**9, 2e-6)]


def test_a_star_is_one_switch():
    fabric = star(5)
    assert peers(fabric, "s1") == ["h1", "h2", "h3", "h4", "h5"]
    found = measures(fabric)
    assert (found.diameter, found.path_diversity, found.equal_cost_paths, found.oversubscription) == (2, 1, 1, 0)


@pytest.mark.parametrize(
    ("make", "parameter"),
    [
        (lambda: leaf_spine(0, 2, 2), "leaves"),
        (lambda: leaf_spine(2, -1, 2), "spines"),
        (lambda: leaf_spine(2, 2, 0), "hosts"),
        (lambda: leaf_spine(2, 2, 2, links=0), "links"),
        (lambda: ring(2, 1), "switches"),
        (lambda: ring(3, 0), "hosts"),
        (lambda: tree(0, 2), "depth"),
        (lambda: tree(2, 1), "fanout"),
        (lambda: mesh(0, 2, 1), "x"),
        (lambda: torus(2, 2, 1, z=0), "z"),
        (lambda: fat_tree(0), "k"),
        (lambda: rail(1, 1, 0, 1), "rails"),
        (lambda: rail(1, 1, 1, -1), "spines"),
        (lambda: dual_plane(1, 1, 1, planes=1), "planes"),
        (lambda: dragonfly(2, 0, 1), "p"),
        (lambda: dragonfly(2, 1, 1, groups=1), "groups"),
        (lambda: star(0), "hosts"),
        (lambda: edge_sites(1, 1, 1, 0, 1), "sites"),
    ],
)
def test_counts_too_small_are_refused_by_name(make, parameter):
    with pytest.raises(ParameterError, match=f"^{parameter}: .* is too few; give at least") as caught:
        make()
    assert caught.value.parameter == parameter


def test_counts_that_can_not_be_are_refused_by_name():
    with pytest.raises(ParameterError, match="k: 5 is odd; half of a switch's ports go up, so give 4 or 6"):
        fat_tree(5)
    with pytest.raises(ParameterError, match="groups: 4 is too many; give at most 3"):
        dragonfly(2, 1, 1, groups=4)
    with pytest.raises(ParameterError, match="depth: 21 is too many; give at most 20"):
        tree(21, 2)


@pytest.mark.parametrize(
    "make",
    [
        lambda: leaf_spine(10**6, 10**6, 1),
        lambda: ring(10**8, 1),
        lambda: tree(20, 999_999_999),
        lambda: torus(10**9, 10**9, 1, z=10**9),
        lambda: fat_tree(10**8),
        lambda: rail(10**6, 10**6, 8, 8),
        lambda: dual_plane(10**6, 10**6, 1),
        lambda: dragonfly(10**9, 10**9, 10**9),
        lambda: star(10**7),
        lambda: edge_sites(1, 1, 1, 10**7, 1),
    ],
)
def test_a_slip_of_the_pen_is_refused_at_once(make):
    with pytest.raises(FabricError, match="links are too many; at most 1000000"):
        make()


def test_a_large_fabric_is_measured_in_a_moment():
    found = measures(fat_tree(16))
    assert (found.hosts, found.switches, found.links) == (1024, 320, 3072)
    assert (found.path_diversity, found.equal_cost_paths, found.diameter) == (8, 64, 6)
    assert found.bisection_bps == 512 * 100 * 10**9
