import pytest

from topologies.fabric import Cable, Fabric, FabricError, Link, Port
from topologies.leaf_spine import leaf_spine

HOSTS, SWITCHES = ["h1", "h2"], ["s1", "s2"]
CABLES = [Cable("h1", "s1", 10, 1e-6), Cable("h2", "s2", 10), Cable("s1", "s2", 40), Cable("s1", "s2", 40)]
FABRIC = Fabric.cabled("f", HOSTS, SWITCHES, CABLES)


def test_ports_are_numbered_in_the_order_of_cables():
    assert [str(port) for port in FABRIC.ports("s1")] == ["s1:1", "s1:2", "s1:3"]
    assert FABRIC.peer(Port("s1", 1)) == Port("h1", 1)
    assert FABRIC.peer(FABRIC.peer(Port("s1", 3))) == Port("s1", 3)
    assert FABRIC.attachment("h2") == Port("s2", 1)


def test_each_direction_has_a_name():
    assert [FABRIC.direction(port) for port in FABRIC.directed_links()] == [
        "h1->s1", "s1->h1", "h2->s2", "s2->h2", "s1->s2", "s2->s1", "s1->s2#2", "s2->s1#2",
    ]  # fmt: skip


def test_the_graph_is_the_fabric():
    fabric = leaf_spine(3, 2, 2, links=2)
    assert set(fabric.graph.nodes) == set(fabric.nodes)
    assert {data["link"] for _, _, data in fabric.graph.edges(data=True)} == set(fabric.links)
    assert [node for node, kind in fabric.graph.nodes(data="kind") if kind == "switch"] == list(fabric.switches)
    assert [fabric.is_switch(node) for node in ("h1", "leaf1")] == [False, True]
    assert fabric.rate_bps(fabric.links[0].a) == fabric.link(fabric.links[0].b).rate_bps == 100 * 10**9


@pytest.mark.parametrize(
    ("hosts", "switches", "cables", "message"),
    [
        ([], ["s1"], [], "has no hosts"),
        (["h1", "h1"], ["s1"], [], "node 'h1' is named twice"),
        (["h1"], ["h1"], [], "node 'h1' is named twice"),
        (["1h"], ["s1"], [], "node name '1h': use ASCII letters"),
        (["hé"], ["s1"], [], "node name 'hé': use ASCII letters"),
        ([""], ["s1"], [], "node name ''"),
        (["h1"], ["s1"], [Cable("h1", "s9", 1)], "link h1-s9: 's9' is neither a host nor a switch"),
        (["h1"], ["s1"], [Cable("h1", "s1", 1), Cable("s1", "s1", 1)], "link s1-s1: joins 's1' with itself"),
        (["h1"], ["s1"], [Cable("h1", "s1", 0)], "link h1-s1: rate 0 b/s must be above 0"),
        (["h1"], ["s1"], [Cable("h1", "s1", 1, -1.0)], "link h1-s1: latency -1.0 s must be"),
        (["h1"], ["s1"], [Cable("h1", "s1", 1, float("nan"))], "link h1-s1: latency nan s must be"),
        (["h1"], ["s1"], [], "host 'h1' has no link: plug it into a switch"),
        (["h1", "h2"], ["s1"], [Cable("h1", "h2", 1)], "link h1-h2: joins two hosts; hosts plug into switches"),
        (HOSTS, SWITCHES, CABLES[:2], "is in 2 pieces: 'h2' cannot reach 'h1'"),
    ],
)
def test_what_can_not_be_is_refused(hosts, switches, cables, message):
    with pytest.raises(FabricError, match=message):
        Fabric.cabled("f", hosts, switches, cables)


def test_a_port_holds_one_cable():
    link = Link("one", Port("h1", 1), Port("s1", 1), 1, 0.0)
    other = Link("two", Port("h1", 2), Port("s1", 1), 1, 0.0)
    with pytest.raises(FabricError, match="link two: port s1:1 already has a cable"):
        Fabric("f", ("h1",), ("s1",), (link, other))
