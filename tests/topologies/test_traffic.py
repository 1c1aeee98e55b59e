from topologies.fabric import Port
from topologies.leaf_spine import leaf_spine
from topologies.ports import connect_port, listen_port
from topologies.traffic import Demand, FlowKey, Path, link_bytes

FABRIC = leaf_spine(2, 1, 1)
KEY = FlowKey("h1", "h2", 30000, 20000)
PATH = Path((Port("h1", 1), Port("leaf1", 2), Port("spine1", 2), Port("leaf2", 1)))


def test_a_path_passes_its_nodes_and_returns_by_the_same_cables():
    assert PATH.nodes(FABRIC) == ("h1", "leaf1", "spine1", "leaf2", "h2")
    assert PATH.reversed(FABRIC).nodes(FABRIC) == ("h2", "leaf2", "spine1", "leaf1", "h1")
    assert PATH.reversed(FABRIC).reversed(FABRIC) == PATH
    assert str(PATH) == "h1:1 leaf1:2 spine1:2 leaf2:1"


def test_a_flow_key_turns_round():
    assert str(KEY) == "h1:30000->h2:20000"
    assert KEY.reversed() == FlowKey("h2", "h1", 20000, 30000)
    assert KEY.reversed().reversed() == KEY


def test_a_flow_is_tcp_unless_it_says_udp_which_the_way_back_keeps():
    roce = FlowKey("h1", "h2", 4791, 4791, "udp")
    assert str(roce) == "h1:4791->h2:4791/udp"
    assert roce.reversed() == FlowKey("h2", "h1", 4791, 4791, "udp")
    assert KEY.protocol == "tcp"
    assert FlowKey("h1", "h2", 4791, 4791) != roce


def test_a_flow_of_any_port_turns_round_too():
    every = FlowKey.any_port("h1", "h2")
    assert (str(every), every.channel, every.is_any_port, KEY.is_any_port) == ("h1->h2", 0, True, False)
    assert every.reversed() == FlowKey.any_port("h2", "h1")


def test_the_ports_tell_the_channel_from_either_end():
    for slot, channel in [(0, 0), (0, 5), (3, 63)]:
        key = FlowKey("h1", "h2", connect_port(slot, channel), listen_port(0))
        assert (key.channel, key.reversed().channel) == (channel, channel)
    assert FlowKey("h1", "h2", 5000, 80).channel == 0


def test_link_bytes_add_up_over_demands():
    back = Demand(KEY.reversed(), (0,), (7,))
    there = Demand(KEY, (0, 2), (100, 20))
    assert there.nbytes == 120
    load = link_bytes([there, there, back], {KEY: PATH, KEY.reversed(): PATH.reversed(FABRIC)})
    assert load == dict.fromkeys(PATH.hops, 240) | dict.fromkeys(PATH.reversed(FABRIC).hops, 7)
