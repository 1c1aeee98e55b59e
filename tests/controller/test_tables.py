"""The pure table against a plain search, and the proof against planted faults."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.planning import plan
from controller.rules import Match, Rule, resident_rules
from controller.tables import Packet, ProofError, Table, flow_packet, prove, prove_resident, tables, walk
from topologies.fabric import Port
from topologies.leaf_spine import leaf_spine
from topologies.ring import ring
from topologies.traffic import Demand, FlowKey, Path

maybe = st.none() | st.integers(1, 2)
addresses = st.none() | st.sampled_from(["10.0.0.1", "10.0.0.2"])
matches = st.builds(Match, st.sampled_from([None, 0x0800]), maybe, addresses, addresses, maybe, maybe)
rules = st.lists(st.builds(Rule, st.just("s"), st.integers(0, 3), matches, st.integers(1, 9)), max_size=12)
packets = st.builds(Packet, st.just(0x0800), maybe, addresses, addresses, maybe, maybe)


def matches_plainly(match, packet):
    return all(getattr(packet, name) == value for name, value in match.fields().items())


@given(rules, packets, st.data())
def test_the_table_finds_what_a_plain_search_finds(rules, packet, data):
    table = Table(rules)
    standing = {rule.key: rule for rule in rules}
    if rules:
        gone = data.draw(st.sampled_from(rules))
        table.delete(gone)
        del standing[gone.key]
    assert sorted(table, key=str) == sorted(standing.values(), key=str)
    assert len(table) == len(standing)
    hits = [rule for rule in standing.values() if matches_plainly(rule.match, packet)]
    found = table.lookup(packet)
    if not hits:
        assert found is None
    else:
        assert found in hits
        assert found.priority == max(rule.priority for rule in hits)


def test_an_equal_rule_takes_the_place_of_the_one_before():
    old, new = Rule("s", 1, Match(), 1), Rule("s", 1, Match(), 2)
    table = Table([old])
    assert table.get(new) is old
    table.add(new)
    assert list(table) == [new]
    assert table.get(Rule("s", 2, Match(), 1)) is None


FABRIC = leaf_spine(2, 2, 1)
KEY = FlowKey("h1", "h2", 30000, 20000)
PLAN = plan(FABRIC, "any", "pinned", [Demand(KEY, (0,), (1,))])
ALL = [*resident_rules(FABRIC), *PLAN.rules]


def changed(switch, **fields):
    """All rules, the flow's at ``switch`` changed."""
    own = PLAN.rules[:3]
    return [replace(rule, **fields) if rule in own and rule.switch == switch else rule for rule in ALL]


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (changed("spine1", out_port=None), "dropped at spine1 by rule"),
        (changed("spine1", out_port=7), "nothing is plugged into spine1:7"),
        (
            changed("spine1", out_port=1),
            r"dropped at spine1: a packet is not sent back by the port it came by \(spine1:1\)",
        ),
        (
            changed("leaf1", out_port=3),
            r"dropped at spine2: a packet is not sent back by the port it came by \(spine2:1\)",
        ),
        ([rule for rule in ALL if rule.switch != "spine1"], "dropped at spine1: no rule matches"),
        (changed("leaf2", out_port=3), "loops: comes to spine1:1 again"),
    ],
)
def test_planted_faults_are_found(rules, message):
    with pytest.raises(ProofError, match=message):
        prove(FABRIC, rules, PLAN.paths)


def test_a_flow_off_its_path_is_found_though_it_arrives():
    wanted = Path((Port("h1", 1), Port("leaf1", 3), Port("spine2", 2), Port("leaf2", 1)))
    with pytest.raises(ProofError) as error:
        prove(FABRIC, ALL, {KEY: wanted})
    assert str(error.value) == (
        "flow h1:30000->h2:20000 leaves its path: it goes h1:1 leaf1:2 spine1:2 leaf2:1; "
        "planned was h1:1 leaf1:3 spine2:2 leaf2:1"
    )


def test_a_loop_is_found():
    fabric = ring(3, 1)
    around = [Rule(f"s{i}", 1, Match(), 3 if i > 1 else 2) for i in (1, 2, 3)]
    went = walk(fabric, tables(fabric, around), Packet(0x0800), Port("h1", 1))
    assert went.delivered_to is None
    assert went.end == "loops: comes to s2:2 again"
    assert went.hops[0] == Port("h1", 1)
    assert [rule.switch for rule in went.rules] == ["s1", "s2", "s3", "s1"]


def test_another_flow_and_a_ping_take_the_tree():
    standing = tables(FABRIC, ALL)
    other = walk(FABRIC, standing, replace(flow_packet(FABRIC, KEY), tcp_src=30001), Port("h1", 1))
    ping = walk(FABRIC, standing, Packet(0x0800, 1, "10.0.0.1", "10.0.0.2"), Port("h1", 1))
    assert other.hops == ping.hops == (Port("h1", 1), Port("leaf1", 2), Port("spine1", 2), Port("leaf2", 1))
    assert ping.end == "delivered to h2"
    assert (
        walk(FABRIC, standing, Packet(0x0806), Port("h1", 1)).end == "dropped at leaf1 by rule leaf1 priority 0 *: drop"
    )
    assert walk(FABRIC, standing, Packet(0x0800, 1, "10.0.0.1", "10.0.0.9"), Port("h1", 1)).delivered_to is None


@pytest.mark.parametrize("fabric", [leaf_spine(3, 2, 2), ring(5, 2), leaf_spine(1, 1, 3)])
def test_resident_rules_are_proved_and_a_missing_one_is_found(fabric):
    rules = resident_rules(fabric)
    prove_resident(fabric, rules)
    for place, rule in enumerate(rules):
        if rule.priority == 10:
            with pytest.raises(ProofError, match="do not arrive from"):
                prove_resident(fabric, rules[:place] + rules[place + 1 :])
