"""rail: by destination; perfect on full racks, colliding on scattered jobs; a channel stays on its rail."""

from __future__ import annotations

from collections import Counter

from controller.routing import Situation, rail
from topologies.catalog import from_short_form
from topologies.fat_tree import fat_tree
from topologies.leaf_spine import leaf_spine
from topologies.ports import connect_port
from topologies.traffic import Demand, FlowKey


def one_step(pairs, channels=1):
    return [
        Demand(FlowKey(src, dst, connect_port(0, channel), 20000), (0,), (1,))
        for src, dst in pairs
        for channel in range(channels)
    ]


def uplink_loads(fabric, paths):
    return Counter(port for path in paths.values() for port in path.hops[1:-1])


def test_a_shift_between_full_racks_gives_every_flow_its_own_links():
    fabric = leaf_spine(4, 4, 4)
    pairs = [(f"h{i + 1}", f"h{(i + 4) % 16 + 1}") for i in range(16)]
    assert set(uplink_loads(fabric, rail.route(fabric, one_step(pairs))).values()) == {1}


def test_destinations_with_the_same_remainder_meet_on_one_uplink():
    fabric = leaf_spine(5, 4, 4)
    pairs = [(f"h{i + 1}", f"h{4 * i + 5}") for i in range(4)]  # a job with one host in each other rack
    loads = uplink_loads(fabric, rail.route(fabric, one_step(pairs)))
    assert max(loads.values()) == 4


def test_the_source_makes_no_difference_to_what_a_switch_does():
    fabric = leaf_spine(4, 3, 2)
    keys = [FlowKey(src, "h7", port, 20000) for src in ("h1", "h2") for port in range(30000, 30010)]
    paths = rail.route(fabric, [Demand(key, (0,), (1,)) for key in keys])
    assert len({path.hops[1:] for path in paths.values()}) == 1


def test_in_a_fat_tree_the_second_tier_uses_the_next_digit_so_all_cores_serve():
    fabric = fat_tree(4)
    pairs = [("h1", host) for host in fabric.hosts[4:8]]
    paths = rail.route(fabric, one_step(pairs))
    assert len({path.nodes(fabric)[3] for path in paths.values()}) == 4


def test_a_channel_stays_on_its_rail():
    fabric = from_short_form("rail:groups=2,hosts=3,rails=4,spines=2")
    inside = [(a, b) for a in fabric.hosts[:3] for b in fabric.hosts[:3] if a != b]
    for key, path in rail.route(fabric, one_step(inside, channels=4)).items():
        assert path.nodes(fabric) == (key.src, fabric.attachment(key.src, key.channel).node, key.dst)


def test_a_dead_uplink_leaves_the_rest_to_its_destinations():
    fabric = leaf_spine(2, 4, 4)
    pairs = [(f"h{i + 1}", f"h{i + 5}") for i in range(4)]
    dead = fabric.link(rail.route(fabric, one_step(pairs[:1])).popitem()[1].hops[1]).name
    loads = uplink_loads(fabric, rail.route(fabric, one_step(pairs), Situation(frozenset({dead}))))
    assert sorted(loads.values()) == [1, 1, 1, 1, 2, 2]  # four flows over three uplinks and their downlinks
