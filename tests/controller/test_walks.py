import pytest

from controller.rules import Match, Output, Route, Rule, SetTag, flow_entries, resident_rules
from controller.tables import flow_packet, tables
from controller.walks import walk
from topologies.catalog import from_short_form
from topologies.traffic import FlowKey, Path

FABRIC = from_short_form("leaf-spine:leaves=2,spines=2,hosts=2,rate=100G")
KEY = FlowKey("h1", "h3", 30000, 20000, protocol="udp")


def through(spine):
    up = next(port for port in FABRIC.ports("leaf1") if FABRIC.peer(port).node == spine)
    down = next(port for port in FABRIC.ports(spine) if FABRIC.peer(port).node == "leaf2")
    return Path((FABRIC.nic("h1"), up, down, FABRIC.attachment("h3")))


ROUTE = Route(through("spine1"), through("spine2"), version=4)
ENTRIES = [*resident_rules(FABRIC), *flow_entries(FABRIC, {KEY: ROUTE}, job=1)]


def trace(fabric, entries, key, dead=frozenset()):
    return walk(fabric, tables(fabric, entries), flow_packet(fabric, key), fabric.nic(key.src, key.channel), dead)


def nodes(found):
    return [step.arrival.node for step in found.steps]


def test_the_path_while_all_lives():
    found = trace(FABRIC, ENTRIES, KEY)
    assert found.delivered_to == "h3"
    assert tuple(step.out for step in found.steps) == ROUTE.path.hops[1:]
    assert [step.tag for step in found.steps] == [0, 8, 8]
    assert [step.bucket for step in found.steps] == [0, 0, None]


def test_the_first_link_dead_takes_the_backup():
    found = trace(FABRIC, ENTRIES, KEY, {"leaf1-spine1"})
    assert found.delivered_to == "h3"
    assert tuple(step.out for step in found.steps) == ROUTE.backup.hops[1:]
    assert [step.bucket for step in found.steps] == [1, None, None]
    assert [step.tag for step in found.steps] == [0, 9, 9]


def test_the_second_link_dead_turns_back_first():
    found = trace(FABRIC, ENTRIES, KEY, {FABRIC.link(ROUTE.path.hops[2]).name})
    assert found.delivered_to == "h3"
    assert nodes(found) == ["leaf1", "spine1", "leaf1", "spine2", "leaf2"]


def test_both_ways_dead_says_where_it_ends():
    found = trace(FABRIC, ENTRIES, KEY, {"leaf1-spine1", "leaf1-spine2"})
    assert found.delivered_to is None
    assert found.end == "dropped at leaf1: no bucket of its group lives"


def test_other_flows_follow_the_resident_rules():
    found = trace(FABRIC, ENTRIES, FlowKey("h1", "h2", 1, 1))
    assert nodes(found) == ["leaf1"]
    assert found.delivered_to == "h2"


def test_a_dead_host_link():
    assert trace(FABRIC, ENTRIES, KEY, {FABRIC.link(FABRIC.nic("h1")).name}).delivered_to is None
    found = trace(FABRIC, ENTRIES, KEY, {FABRIC.link(FABRIC.nic("h3")).name})
    assert found.end.startswith("lost: sent into dead link")


@pytest.mark.parametrize(("rules", "end"), [([], "no rule matches"), ([Rule("leaf1", 0, Match(), ())], "by its rule")])
def test_drops(rules, end):
    assert end in trace(FABRIC, rules, KEY).end


def test_a_loop_ends():
    ways = through("spine1").hops[1:3], [FABRIC.peer(port) for port in reversed(through("spine2").hops[1:3])]
    circle = [Rule(port.node, 1, Match(), (Output(port.number),)) for way in ways for port in way]
    assert "loops" in trace(FABRIC, circle, KEY).end


def test_an_output_to_where_it_came_from_is_a_drop():
    back = Rule("leaf1", 1, Match(), (Output(FABRIC.attachment("h1").number),))
    assert "dropped" in trace(FABRIC, [back], KEY).end


def test_the_wrong_host():
    wrong = Rule("leaf1", 1, Match(), (Output(FABRIC.attachment("h2").number),))
    assert trace(FABRIC, [wrong], KEY).delivered_to == "h2"


def test_a_host_drops_what_still_has_a_tag():
    tagged = Rule("leaf1", 1, Match(), (SetTag(8), Output(FABRIC.attachment("h2").number)))
    assert "with tag 8 on" in trace(FABRIC, [tagged], KEY).end
