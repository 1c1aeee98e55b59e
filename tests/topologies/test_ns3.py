"""The ns-3 edge lists of ASTRA-sim and SimAI: read, written, read back, refused in one clean line."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies import ns3
from topologies.exchange import loads
from topologies.fabric import FabricError, Port
from topologies.fat_tree import fat_tree
from topologies.leaf_spine import leaf_spine
from topologies.rail import rail
from topologies.ring import ring
from topologies.yaml_lines import DocumentError

ASTRA = """\
5 2 4
3 4
0 3 400Gbps 0.0005ms 0
1 3 400Gbps 0.0005ms 0
2 4 400Gbps 500ns 0.000000
3 4 1.6Tbps 1us 0
"""
# two servers of two GPUs, an NVSwitch each; GPU i of each hangs on leaf i
SIMAI = """\
9 2 2 3 10 H100
4 5 6 7 8
0 4 2400Gbps 0.000025ms 0
0 6 200Gbps 0.0005ms 0
1 4 2400Gbps 0.000025ms 0
1 7 200Gbps 0.0005ms 0
2 5 2400Gbps 0.000025ms 0
2 6 200Gbps 0.0005ms 0
3 5 2400Gbps 0.000025ms 0
3 7 200Gbps 0.0005ms 0
6 8 400Gbps 0.0005ms 0
7 8 400Gbps 0.0005ms 0
"""


def _numbered(fabric):
    """Links as numbers of nodes, rates and latencies: what an edge list holds."""
    place = {node: number for number, node in enumerate(fabric.nodes)}
    return [(place[link.a.node], place[link.b.node], link.rate_bps, link.latency_s) for link in fabric.links]


def test_an_edge_list_is_read_to_the_link():
    imported = loads(ASTRA, "lab/eight.txt")
    fabric = imported.fabric
    assert (fabric.name, fabric.hosts, fabric.switches) == ("eight", ("h1", "h2", "h3"), ("s1", "s2"))
    assert [link.name for link in fabric.links] == ["h1-s1", "h2-s1", "h3-s2", "s1-s2"]
    assert [link.rate_bps for link in fabric.links] == [400 * 10**9] * 3 + [1600 * 10**9]
    assert [link.latency_s for link in fabric.links] == pytest.approx([5e-7, 5e-7, 5e-7, 1e-6])
    assert imported.notes == ()


def test_hosts_may_have_any_ids():
    fabric = loads(ASTRA.replace("3 4\n", "4\n0\n", 1).replace("0 3", "3 0").replace("1 3", "1 0"), "f").fabric
    assert fabric.hosts == ("h1", "h2", "h3")
    assert [link.name for link in fabric.links] == ["h3-s1", "h1-s1", "h2-s2", "h3-s2"]


def test_simai_s_nvswitches_are_the_last_port_of_their_hosts():
    imported = loads(SIMAI, "f")
    fabric = imported.fabric
    assert fabric.switches == ("nvswitch1", "nvswitch2", "s1", "s2", "s3")
    assert [fabric.peer(Port("h1", number)).node for number in (1, 2)] == ["s1", "nvswitch1"]
    assert fabric.attachment("h4").node == "s2"
    assert fabric.rate_bps(Port("h4", 2)) == 2400 * 10**9
    assert imported.notes == (
        "f: gpus_per_server 2 and gpu_type H100 were left out; a fabric has hosts, which are the GPUs here",
    )


def test_simai_s_form_is_written_and_read_back_exactly():
    fabric = loads(SIMAI, "f").fabric
    text = ns3.dumps_simai(fabric, "H100")
    assert text.splitlines()[:3] == ["9 2 2 3 10 H100", "4 5 6 7 8", "0 4 2.4Tbps 25ns 0"]
    assert loads(text, "f").fabric == fabric


def test_servers_of_different_sizes_are_refused():
    text = SIMAI.replace("9 2 2 3 10", "9 2 2 3 9").replace("3 5 2400Gbps 0.000025ms 0\n", "")
    with pytest.raises(FabricError, match="nvswitch2 has 1 GPUs and nvswitch1 2"):
        ns3.dumps_simai(loads(text, "f").fabric)


FABRICS = st.one_of(
    st.builds(leaf_spine, st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), links=st.integers(1, 2),
              host_rate_bps=st.integers(1, 10**15), host_latency_s=st.floats(0, 9.9)),
    st.builds(ring, st.integers(3, 5), st.integers(1, 2)),
    st.builds(fat_tree, st.just(4), fabric_latency_s=st.floats(0, 9.9)),
    st.builds(rail, st.integers(1, 2), st.integers(1, 3), st.integers(1, 3), st.integers(1, 2)),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(FABRICS)
def test_every_fabric_is_read_back_but_for_its_names(fabric):
    for text in (ns3.dumps(fabric), ns3.dumps_simai(fabric)):
        again = loads(text, "f").fabric
        assert _numbered(again) == _numbered(fabric)
        ports = [(link.a.number, link.b.number) for link in fabric.links]
        assert [(link.a.number, link.b.number) for link in again.links] == ports
        assert loads(ns3.dumps(again), "f").fabric == again


def test_losses_are_left_out_and_said():
    assert loads(ASTRA.replace("500ns 0.000000", "500ns 1e-3"), "f").notes == (
        "f: error rates of 1 links were left out (line 5); a fabric loses nothing",
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("5 2 4\n", "5 2\n"), "f:1: header: has 2 words; write nodes switches links, or for SimAI nodes gpus"),
        (("5 2 4\n", "5 two 4\n"), "f:1: header: switches: 'two' is no whole number"),
        (("5 2 4\n", "2 2 4\n"), "f:1: header: 2 nodes with 2 switches: no host is left"),
        (("5 2 4\n", "5 2 5\n"), "f:1: header: tells of 5 links, and 4 follow"),
        (("5 2 4\n", "5 3 4\n"), "f:3: switch ids: 3 is there twice"),
        (("5 2 4\n", "9999999 2 4\n"), "f:1: header: 9999999 links are too many"),
        (("3 4\n", "3 3\n"), "f:2: switch ids: 3 is there twice"),
        (("3 4\n", "3 9\n"), "f:2: switch ids: '9' is none; ids are 0 to 4"),
        (("3 4 1.6Tbps", "3 9 1.6Tbps"), "f:6: link 3-9: no node '9'; ids are 0 to 4"),
        (("1.6Tbps", "fast"), "f:6: link 3-4: rate: 'fast' is not a rate"),
        (("1.6Tbps", "1.6TBps"), "f:6: link 3-4: rate: '1.6TBps' is in bytes; rates are in bits: write 12.8Tb/s"),
        (("1us", "soon"), "f:6: link 3-4: delay: 'soon' is not a latency"),
        ((" 1us 0", " 1us"), "f:6: has 4 words and no link's five; write a link like 0 4 100Gbps 0.001ms 0"),
        ((" 1us 0", " 1us much"), "f:6: link 3-4: error rate 'much' is no number"),
        (("3 4 1.6Tbps", "3 3 1.6Tbps"), "joins 's1' with itself"),
        (("2 4 400Gbps", "2 1 400Gbps"), "joins two hosts"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_with_its_line(change, said):
    with pytest.raises(DocumentError) as caught:
        loads(ASTRA.replace(*change), "f", "ns3")
    assert said in str(caught.value)
