"""htsim's .topo: read to the link, written and read back, and refused in one clean line where it says nonsense."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies import htsim
from topologies.exchange import loads
from topologies.fabric import Cable, Fabric, FabricError
from topologies.fat_tree import fat_tree
from topologies.leaf_spine import leaf_spine
from topologies.measures import oversubscription
from topologies.rail import rail
from topologies.ring import ring
from topologies.star import star
from topologies.yaml_lines import DocumentError

FOUR_TO_ONE = """\
# a leaf-spine as the simulator's own examples write one
Nodes 16
Tiers 2
podsize 16

Tier 0
Downlink_speed_Gbps 200
Radix_Down 8
Radix_Up 2
Downlink_Latency_ns 500
Switch_Latency_ns 0
Oversubscribed 4

Tier 1
Downlink_speed_Gbps 200
Radix_Down 2
Downlink_Latency_ns 1000
"""
BUNDLES = """\
Nodes 72
Tiers 3
Podsize 36
Tier 0
Downlink_speed_Gbps 100
Radix_Down 6
Radix_Up 6
Downlink_Latency_ns 1000
Queue_Down 100
Switch_Latency_ns 300
Tier 1
Downlink_speed_Gbps 100
Radix_Down 6
Radix_Up 6
Downlink_Latency_ns 1000
Tier 2
Downlink_speed_Gbps 100
Radix_Down 6
Downlink_Latency_ns 600000
Bundle 3
"""


def test_two_tiers_are_a_leaf_spine():
    fabric = loads(FOUR_TO_ONE, "lab/tiny.topo").fabric
    expected = leaf_spine(
        2, 2, 8, host_rate_bps=200 * 10**9, fabric_rate_bps=200 * 10**9, host_latency_s=500e-9, fabric_latency_s=1e-6
    )
    assert fabric == replace(expected, name="tiny")
    assert oversubscription(fabric) == 4


def test_three_tiers_with_bundles_and_the_latency_of_switches():
    imported = loads(BUNDLES, "f")
    fabric = imported.fabric
    assert (len(fabric.hosts), len(fabric.links)) == (72, 72 + 12 * 6 + 12 * 6)
    assert fabric.switches[:12] == tuple(f"edge{number}" for number in range(1, 13))
    above = {fabric.peer(port).node for port in fabric.ports("agg2") if fabric.peer(port).node.startswith("core")}
    assert above == {"core3", "core4"}
    assert {fabric.peer(port).node for port in fabric.ports("agg8")} >= above, "the second of each pod shares its cores"
    assert sum(fabric.peer(port).node == "core3" for port in fabric.ports("agg2")) == 3
    # host, edge, agg, core, agg, edge, host: the links, and the edges' 300 ns each
    way = ["h1-edge1", "edge1-agg1", "agg1-core1", "agg7-core1", "edge7-agg7", "h37-edge7"]
    latency = {link.name: link.latency_s for link in fabric.links}
    assert sum(latency[name] for name in way) == pytest.approx(2 * (1e-6 + 1e-6 + 600e-6) + 2 * 300e-9)
    assert imported.notes == (
        "f: 1 queue sizes (Queue_Down, Queue_Up) were left out; a fabric has no queues",
        "f: half of each Switch_Latency_ns is put on each of the switch's links",
    )


def test_oversubscription_that_is_not_so_is_said():
    (note,) = loads(FOUR_TO_ONE.replace("Oversubscribed 4", "Oversubscribed 2"), "f").notes
    assert note == "f: Tier 0: Oversubscribed 2 is not what speeds and radices give; these were taken"


def _leaf_spines():
    return st.builds(
        lambda leaves, spines, links, ratio, rate, latency: leaf_spine(
            leaves, spines, spines * links * ratio, links=links, host_rate_bps=rate * 10**9,
            fabric_rate_bps=rate * 10**9, host_latency_s=latency * 1e-9,
        ),
        st.integers(1, 4), st.integers(1, 3), st.integers(1, 2), st.integers(1, 3), st.integers(1, 800),
        st.integers(1, 10**6),
    )  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(_leaf_spines())
def test_leaf_spines_are_read_back(fabric):
    again = loads(htsim.dumps(fabric), "f").fabric
    # A latency is a whole number of nanoseconds in the file, and the same decimal here and there.
    assert [replace(link, latency_s=round(link.latency_s, 12)) for link in again.links] == [
        replace(link, latency_s=round(link.latency_s, 12)) for link in fabric.links
    ]
    assert (again.name, again.hosts, again.switches) == (fabric.name, fabric.hosts, fabric.switches)


@pytest.mark.parametrize("k", [2, 4, 8])
def test_fat_trees_are_read_back(k):
    fabric = fat_tree(k, host_rate_bps=400 * 10**9, fabric_rate_bps=400 * 10**9)
    assert loads(htsim.dumps(fabric), "f").fabric == fabric


def test_cores_may_be_listed_in_any_order():
    fabric = fat_tree(4)
    edge, agg, core = (tuple(s for s in fabric.switches if s.startswith(kind)) for kind in ("edge", "agg", "core"))
    mixed = replace(fabric, switches=(*core[::-1], *agg[::-1], *edge))
    assert htsim.dumps(mixed) == htsim.dumps(fabric)


def _cabled(cables, hosts=4):
    nodes = {node for cable in cables for node in (cable.a, cable.b)}
    return Fabric.cabled("odd", [f"h{n}" for n in range(1, hosts + 1)], sorted(n for n in nodes if n[0] != "h"), cables)


def _cables(pairs, rate=10**11):
    return [Cable(*pair.split("-"), rate, 1e-6) for pair in pairs.split()]


PAIR = "h1-l1 h2-l1 h3-l2 h4-l2 l1-s1 l2-s1 l1-s2 l2-s2"


@pytest.mark.parametrize(
    ("fabric", "said"),
    [
        (rail(2, 2, 2, 2), "host h1 has 2 links"),
        (star(4), "has 1 tiers of switches"),
        (ring(4, 1), "has 1 tiers of switches"),
        (_cabled(_cables(PAIR + " l1-l2")), "link l1-l2 joins two switches of one tier"),
        (leaf_spine(2, 2, 3), "oversubscription there is a whole number"),
        (leaf_spine(2, 1, 4, fabric_rate_bps=400 * 10**9), "at equal speeds"),
        (leaf_spine(2, 1, 1, host_latency_s=0.5e-9), "latencies are whole ns above 0"),
        (leaf_spine(2, 1, 1, host_rate_bps=2_500_000_000), "rates are whole Gb/s"),
        (_cabled(_cables(PAIR.replace("h2-l1 h3-l2", "h2-l2 h3-l1"))), "h2 breaks the order"),
        (_cabled(_cables(PAIR.removesuffix("l2-s2") + "h5-l2 l2-s2"), 5), "as many on each"),
        (_cabled(_cables(PAIR.removesuffix(" l2-s2"))), "l2 and s2 are not joined"),
        (_cabled(_cables(PAIR + " l2-s2")), "l2 and s2 have 2 links"),
        (_cabled([*_cables(PAIR)[:-1], Cable("l2", "s2", 10**10, 1e-6)]), "links down from tier 1 differ"),
        (_cabled(_cables("h1-l1 h2-l2 l1-a1 l2-a2 l1-b1 l2-b2 a1-c1 a2-c1 b1-c2 b2-c2 a1-c2 b2-c1"), 2), "c1"),
    ],
)  # fmt: skip
def test_what_htsim_could_not_build_is_refused_in_one_line(fabric, said):
    with pytest.raises(FabricError, match=said) as caught:
        htsim.dumps(fabric)
    assert str(caught.value).startswith("htsim describes leaf-spines and fat-trees alone: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("Nodes 16", "Nodes 15"), "f:4: Podsize: 15 nodes are no whole pods"),
        (("Nodes 16", "Nodes 32"), "f:4: Podsize: two tiers are one pod; write Podsize 32"),
        (("Nodes 16\n", ""), "f:1: header: Nodes is missing"),
        (("Tiers 2", "Tiers 4"), "f:3: Tiers: 4 is out of range; htsim builds 2 or 3"),
        (("Tiers 2", "Tiers 3"), "f:3: Tiers: says 3, and 2 blocks follow"),
        (("Tier 1", "Tier 2"), "f:14: Tier 2: tiers come in their order; write Tier 1"),
        (("Radix_Up 2\n", ""), "f:1: Tier 0: Radix_Up is missing"),
        (("Radix_Up 2", "Radix_Up 0"), "f:9: Radix_Up: is 0; give at least 1"),
        (("Radix_Down 8", "Radix_Down 5"), "f:8: Tier 0: Radix_Down: does not divide Podsize"),
        (("Radix_Down 2", "Radix_Down 3"), "f:16: Tier 1: Radix_Down: a pod's 2 leaves take 2 links"),
        (("Radix_Down 8", "Radix_Down eight"), "f:8: Radix_Down: needs one whole number"),
        (("Radix_Down 8", "Radix_Dwon 8"), "f:8: Radix_Dwon: no such field here; did you mean 'Radix_Down'?"),
        (("Radix_Down 8", "Radix_Down 8\nRadix_Down 8"), "f:9: Radix_Down: given twice, first in line 8"),
        (("Downlink_speed_Gbps 200", "Downlink_speed_Gbps 0"), "f:7: Downlink_speed_Gbps: is 0"),
        (("Oversubscribed 4", "Bundle 2"), "f:12: Tier 0: Bundle: htsim's hosts have one link"),
        (("Tier 1\n", "Tier 1\nRadix_Up 2\n"), "f:15: Radix_Up: the top tier has no links up"),
        (("Nodes 16\nTiers 2\npodsize 16", "Nodes 999999999\nTiers 2\nPodsize 999999999"), "does not divide Podsize"),
        (("Nodes 16", "Connections 16"), "f:2: Connections: is of a connection matrix"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_with_its_line(change, said):
    with pytest.raises(DocumentError) as caught:
        loads(FOUR_TO_ONE.replace(*change), "f", "htsim")
    assert said in str(caught.value)


def test_more_links_than_any_fabric_has_are_refused():
    text = FOUR_TO_ONE.replace("16", "1600000").replace("Radix_Down 2", "Radix_Down 200000")
    with pytest.raises(DocumentError, match=r"f:2: Nodes: 2000000 links are too many"):
        loads(text, "f")
