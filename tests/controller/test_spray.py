import pytest

from controller.routing import RoutingError, Situation, policy, spray
from topologies.catalog import from_short_form
from topologies.traffic import Demand, FlowKey

FABRIC = from_short_form("leaf-spine:leaves=2,spines=4,hosts=2")


def keys(*pairs):
    return [FlowKey(src, dst, 30000 + number, 20000) for number, (src, dst) in enumerate(pairs)]


def shares(spread):
    return {str(port): share for port, share in spread}


def test_a_flow_is_spread_over_all_spines_alike():
    (key,) = keys(("h1", "h3"))
    found = spray.spread(FABRIC, [key])[key]
    by_node = {}
    for port, share in found:
        by_node.setdefault(port.node, []).append(share)
    assert by_node["h1"] == [1.0]
    assert by_node["leaf1"] == [0.25] * 4
    assert sum(sum(by_node[f"spine{number}"]) for number in range(1, 5)) == 1.0
    assert by_node["leaf2"] == [1.0]


def test_within_a_leaf_there_is_one_way():
    (key,) = keys(("h1", "h2"))
    assert sorted(share for _, share in spray.spread(FABRIC, [key])[key]) == [1.0, 1.0]


def test_dead_links_are_avoided():
    dead = Situation(frozenset({"leaf1-spine1", "leaf1-spine2"}))
    (key,) = keys(("h1", "h3"))
    found = spray.spread(FABRIC, [key], dead)[key]
    assert [share for port, share in found if port.node == "leaf1"] == [0.5, 0.5]


def test_no_way_at_all_is_said():
    dead = Situation(frozenset(f"leaf1-spine{number}" for number in range(1, 5)))
    (key,) = keys(("h1", "h3"))
    with pytest.raises(RoutingError, match="h1 has no way to h3"):
        spray.spread(FABRIC, [key], dead)


@pytest.mark.parametrize(
    "short", ["fat-tree:k=4", "torus:x=4,y=4,hosts=1", "dragonfly:a=4,p=1,h=1", "ring:switches=6,hosts=1"]
)
def test_what_flows_into_a_node_flows_out_of_it(short):
    fabric = from_short_form(short)
    wanted = keys(*[(src, dst) for src in fabric.hosts[:3] for dst in fabric.hosts[-3:] if src != dst])
    for key, spread in spray.spread(fabric, wanted).items():
        balance = dict.fromkeys(fabric.nodes, 0.0)
        for port, share in spread:
            balance[port.node] -= share
            balance[fabric.peer(port).node] += share
        assert balance.pop(key.src) == pytest.approx(-1)
        assert balance.pop(key.dst) == pytest.approx(1)
        assert list(balance.values()) == pytest.approx([0.0] * len(balance))


def test_switches_here_cannot_install_it():
    (key,) = keys(("h1", "h3"))
    with pytest.raises(RoutingError, match="--backend simulated"):
        policy("spray").route(FABRIC, [Demand(key, (0,), (1,))])
