"""Every policy on random fabrics: each flow arrives once, along its plan, by as few hops as it should."""

from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.job_request import JobRequest
from controller.planning import plan
from controller.routing import RoutingError, policy
from controller.rules import resident_rules
from controller.tables import flow_packet, tables
from controller.walks import walk
from topologies.fabric import Cable, Fabric
from topologies.leaf_spine import leaf_spine
from topologies.ports import connect_port
from topologies.ring import ring
from topologies.traffic import Demand, FlowKey

POLICIES = [
    "spanning-tree",
    "shortest",
    "ecmp",
    "ecmp:seed=7",
    "least-loaded",
    "pinned",
    "rail",
    "spray-channels",
    "spray-channels:seed=7",
]

counts = st.integers(1, 3)


def two_planes(leaves, spines):
    """A host a leaf with two NICs, each in a leaf-spine of its own; only hosts join the two."""
    cables, switches = [], []
    for plane in "ab":
        switches += [f"{plane}leaf{leaf}" for leaf in range(leaves)] + [
            f"{plane}spine{spine}" for spine in range(spines)
        ]
        for leaf in range(leaves):
            cables.append(Cable(f"h{leaf}", f"{plane}leaf{leaf}", 10**9))
            cables += [Cable(f"{plane}leaf{leaf}", f"{plane}spine{spine}", 10**9) for spine in range(spines)]
    return Fabric.cabled("two-planes", [f"h{leaf}" for leaf in range(leaves)], switches, cables)


fabrics = st.one_of(
    st.builds(two_planes, st.integers(2, 4), counts),
    st.builds(leaf_spine, st.integers(2, 4), counts, counts, links=st.integers(1, 2)),
    st.builds(ring, st.integers(3, 7), st.integers(1, 2), links=st.integers(1, 2)),
)


@st.composite
def jobs(draw):
    """A fabric and demands between its hosts."""
    fabric = draw(fabrics)
    pairs = st.lists(st.sampled_from(fabric.hosts), min_size=2, max_size=2, unique=True)
    steps = st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True).map(sorted)
    demands = []
    for number in range(draw(st.integers(0, 8))):
        src, dst = draw(pairs)
        active = draw(steps)
        nbytes = draw(st.lists(st.integers(0, 1000), min_size=len(active), max_size=len(active)))
        demands.append(Demand(FlowKey(src, dst, 30000 + number, 20000), tuple(active), tuple(nbytes)))
    return fabric, demands


def planned_by(text, fabric, demands):
    return plan(fabric, JobRequest("any", text, tuple(demands)), 1, 1)


def fewest_hops(fabric, key):
    return nx.shortest_path_length(fabric.graph, key.src, key.dst)


@pytest.mark.parametrize("text", POLICIES)
@given(job=jobs())
@settings(max_examples=25, deadline=None)
def test_each_flow_and_its_acknowledgements_arrive_once_along_the_plan(text, job):
    fabric, demands = job
    planned = planned_by(text, fabric, demands)  # proves them all
    assert set(planned.paths) == {key for d in demands for key in (d.key, d.key.reversed())}
    standing = tables(fabric, [*resident_rules(fabric), *planned.entries])
    for key, path in planned.paths.items():
        went = walk(fabric, standing, flow_packet(fabric, key), fabric.nic(key.src, key.channel))
        assert went.hops == path.hops
        assert path.nodes(fabric)[0] == key.src
        assert path.nodes(fabric)[-1] == key.dst
        if text != "spanning-tree":
            assert len(path.hops) == fewest_hops(fabric, key)


@pytest.mark.parametrize("text", POLICIES)
@given(job=jobs())
@settings(max_examples=10, deadline=None)
def test_equal_demands_get_equal_paths_and_switches_that_look_at_no_job_send_acknowledgements_another_way(text, job):
    fabric, demands = job
    planned = planned_by(text, fabric, demands)
    again = Fabric(fabric.name, fabric.hosts, fabric.switches, fabric.links)
    assert planned_by(text, again, demands).paths == planned.paths
    if not text.startswith(("ecmp", "rail", "spray-channels")):
        for demand in demands:
            assert planned.paths[demand.key.reversed()] == planned.paths[demand.key].reversed(fabric)


@given(job=jobs())
@settings(max_examples=25, deadline=None)
def test_the_spanning_tree_has_no_cycle_and_serves_every_pair(job):
    fabric, _ = job
    everybody = [Demand(FlowKey(a, b, 1, 2), (0,), (1,)) for a in fabric.hosts for b in fabric.hosts if a != b]
    paths = policy("spanning-tree").route(fabric, everybody)
    used = nx.Graph()
    for path in paths.values():
        links = {fabric.link(port).name for port in path.hops}
        for name in links:
            link = next(one for one in fabric.links if one.name == name)
            used.add_edge(link.a, link.b)  # a cable
            for port in (link.a, link.b):
                used.add_edge(port, port.node)  # and the nodes that it is plugged into
    assert nx.is_tree(used)


def test_the_tree_stands_on_the_first_spine_and_a_ring_is_cut_opposite_its_first_switch():
    fabric = leaf_spine(4, 2, 1)
    paths = policy("spanning-tree").route(fabric, [Demand(FlowKey("h1", "h4", 1, 2), (0,), (1,))])
    assert next(iter(paths.values())).nodes(fabric) == ("h1", "leaf1", "spine1", "leaf4", "h4")
    circle = ring(6, 1)
    paths = policy("spanning-tree").route(circle, [Demand(FlowKey("h4", "h5", 1, 2), (0,), (1,))])
    assert next(iter(paths.values())).nodes(circle) == ("h4", "s4", "s3", "s2", "s1", "s6", "s5", "h5")


def test_shortest_uses_both_sides_of_a_ring():
    fabric = ring(6, 1)
    keys = [FlowKey(f"h{i}", f"h{i % 6 + 1}", 30000, 20000) for i in range(1, 7)]
    keys += [FlowKey(key.dst, key.src, 30001, 20000) for key in keys]
    paths = policy("shortest").route(fabric, [Demand(key, (0,), (1,)) for key in keys])
    trunk_ports = [path.hops[1] for path in paths.values()]
    assert len(set(trunk_ports)) == 12  # every directed link of the ring carries one flow
    assert all(len(path.hops) == 3 for path in paths.values())


def test_a_long_ring_needs_no_deep_stack():
    fabric = ring(1100, 1)
    demand = Demand(FlowKey("h1", "h551", 1, 2), (0,), (1,))
    for text in POLICIES:
        assert len(policy(text).route(fabric, [demand])[demand.key].hops) >= 552


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pined", "no routing policy 'pined': did you mean 'pinned'?"),
        (
            "",
            (
                "no routing policy '': there are spanning-tree, shortest, ecmp, least-loaded, pinned, rail, spray, "
                "spray-channels"
            ),
        ),
        ("pinned:seed=3", "policy 'pinned' has no option 'seed': it takes none"),
        ("ecmp:sed=3", "policy 'ecmp' has no option 'sed': did you mean 'seed'?"),
        ("ecmp:seed", "policy 'ecmp': option 'seed' needs a value, as in ecmp:seed=3"),
        ("ecmp:seed=1,seed=2", "policy 'ecmp': option 'seed' is given twice"),
        ("ecmp:seed=x", "policy 'ecmp': seed 'x' must be a whole number from 0 to 2^64 - 1"),
        ("spray-channels:seed=x", "policy 'spray-channels': seed 'x' must be a whole number from 0 to 2^64 - 1"),
        ("rail:seed=3", "policy 'rail' has no option 'seed': it takes none"),
        ("ecmp:seed=-1", "policy 'ecmp': seed '-1' must be a whole number from 0 to 2^64 - 1"),
        (f"ecmp:seed={2**64}", f"policy 'ecmp': seed '{2**64}' must be a whole number from 0 to 2^64 - 1"),
    ],
)
def test_a_wrong_policy_gets_one_clear_line(text, message):
    with pytest.raises(RoutingError) as error:
        policy(text)
    assert str(error.value) == message


@pytest.mark.parametrize("text", POLICIES)
def test_hosts_that_only_hosts_join_cannot_be_routed_and_the_rest_can(text):
    planes = Fabric.cabled(
        "two planes",
        ["h1", "h2", "h3", "h4"],
        ["a", "b"],
        [Cable(host, switch, 10) for host, switch in [("h1", "a"), ("h2", "a"), ("h3", "b"), ("h4", "b"), ("h4", "a")]],
    )
    assert planned_by(text, planes, [Demand(FlowKey("h3", "h4", 1, 2), (0,), (1,))])
    with pytest.raises(RoutingError, match=r"no way over switches from 'a' to 'b': cable them"):
        planned_by(text, planes, [Demand(FlowKey("h1", "h4", 1, 2), (0,), (1,))])


@pytest.mark.parametrize("text", POLICIES)
def test_a_flow_from_a_host_to_itself_is_refused(text):
    with pytest.raises(RoutingError, match="src and dst are both 'h1'"):
        policy(text).route(ring(3, 1), [Demand(FlowKey("h1", "h1", 1, 2), (0,), (1,))])


@pytest.mark.parametrize("text", POLICIES)
def test_channels_take_the_nics_in_turn(text):
    fabric = two_planes(2, 2)
    keys = [FlowKey("h0", "h1", connect_port(0, channel), 20000) for channel in range(4)]
    paths = policy(text).route(fabric, [Demand(key, (0,), (10,)) for key in keys])
    assert [paths[key].hops[0].number for key in keys] == [1, 2, 1, 2]
    assert [paths[key].nodes(fabric)[-2] for key in keys] == ["aleaf1", "bleaf1"] * 2
