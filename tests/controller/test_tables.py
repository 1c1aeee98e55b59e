"""The pure table against a plain search."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from controller.rules import Group, Match, Output, Rule, ToGroup
from controller.tables import Packet, Table

maybe = st.none() | st.integers(1, 2)
addresses = st.none() | st.sampled_from(["10.0.0.1", "10.0.0.2"])
matches = st.builds(Match, st.sampled_from([None, 0x0800]), maybe, addresses, addresses, maybe, maybe)
rules = st.lists(st.builds(Rule, st.just("s"), st.integers(0, 3), matches, st.just((Output(1),))), max_size=12)
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
    old, new = Rule("s", 1, Match(), (Output(1),)), Rule("s", 1, Match(), (Output(2),))
    table = Table([old])
    assert table.get(new) is old
    table.add(new)
    assert list(table) == [new]
    assert table.get(Rule("s", 2, Match(), ())) is None


def test_a_group_takes_its_rules_along():
    group, rule = Group("s", 7, ()), Rule("s", 1, Match(), (ToGroup(7),))
    table = Table([group, rule, Rule("s", 2, Match(), ())])
    assert table.get(group) is group
    table.delete(group)
    assert list(table) == [Rule("s", 2, Match(), ())]
    assert table.get(group) is None
