"""Rules: what stands where, for everybody and for flows."""

from __future__ import annotations

from controller.rules import (
    INGRESS_COOKIE,
    INGRESS_COOKIE_MASK,
    Bounce,
    Bucket,
    Group,
    Match,
    Output,
    Route,
    Rule,
    SetDscp,
    SetTag,
    ToGroup,
    cookie,
    flow_entries,
    job_of,
    resident_rules,
)
from controller.tables import flow_packet, tables
from topologies.fabric import Port
from topologies.leaf_spine import leaf_spine
from topologies.traffic import FlowKey, Path

FABRIC = leaf_spine(2, 2, 2)
KEY = FlowKey("h1", "h3", 30000, 20000)


def through(spine, up):
    return Path((Port("h1", 1), Port("leaf1", up), Port(spine, 2), Port("leaf2", 1)))


PATH, BACKUP = through("spine1", 3), through("spine2", 4)
EXACT = {
    "eth_type": 0x0800,
    "ip_proto": 6,
    "ipv4_src": "10.0.0.1",
    "ipv4_dst": "10.0.0.3",
    "tcp_src": 30000,
    "tcp_dst": 20000,
}


def entries(route, **options):
    return list(flow_entries(FABRIC, {KEY: route}, job=3, **options))


def test_an_unprotected_flow_is_tagged_where_it_enters_and_untagged_where_it_leaves():
    inner, ingress = cookie(3, 5, 1), cookie(3, 5, 1, ingress=True)
    assert entries(Route(PATH, None, 5)) == [
        Rule("leaf1", 100, Match(**EXACT, tag=0), (SetTag(10), Output(3)), ingress),
        Rule("spine1", 100, Match(**EXACT, tag=10), (Output(2),), inner),
        Rule("leaf2", 100, Match(**EXACT, tag=10), (SetTag(0), Output(1)), inner),
    ]


def test_a_protected_flow_has_a_group_at_every_switch_and_its_backup_stands():
    first, second = (entry for entry in entries(Route(PATH, BACKUP, 5)) if isinstance(entry, Group))
    assert first.buckets == (Bucket(3, (Output(3),)), Bucket(4, (SetTag(11), Output(4))))
    assert second.switch == "spine1"  # which the backup does not pass: back to where it came from
    assert second.buckets == (Bucket(2, (Output(2),)), Bucket(1, (SetTag(11), Bounce())))
    rules = [entry for entry in entries(Route(PATH, BACKUP, 5)) if isinstance(entry, Rule)]
    assert [(rule.switch, rule.match.tag, rule.actions) for rule in rules] == [
        ("leaf1", 0, (SetTag(10), ToGroup(first.number))),
        ("spine1", 10, (ToGroup(second.number),)),
        ("spine1", 11, (Output(1),)),
        ("leaf2", 10, (SetTag(0), Output(1))),
        ("leaf1", 11, (Output(4),)),
        ("spine2", 11, (Output(2),)),
        ("leaf2", 11, (SetTag(0), Output(1))),
    ]


def test_groups_of_equal_use_are_one():
    keys = [KEY, FlowKey("h1", "h3", 30001, 20000)]
    found = list(flow_entries(FABRIC, dict.fromkeys(keys, Route(PATH, BACKUP, 5)), job=1))
    groups = [entry for entry in found if isinstance(entry, Group)]
    assert len(groups) == len({(group.switch, group.number) for group in groups}) == 2


def test_a_priority_is_a_mark_put_on_at_the_ingress():
    marked = [
        entry for entry in entries(Route(PATH, BACKUP, 5), priority=1) if SetDscp(46) in getattr(entry, "actions", ())
    ]
    assert [(rule.switch, rule.match.tag) for rule in marked] == [("leaf1", 0)]


def test_a_flow_within_one_switch_is_one_rule():
    key = FlowKey("h1", "h2", 30000, 20000)
    path = Path((Port("h1", 1), Port("leaf1", 2)))
    [rule] = flow_entries(FABRIC, {key: Route(path, None, 5)}, job=1)
    assert (rule.match.tag, rule.actions) == (0, (Output(2),))


def test_a_flow_of_any_port_matches_hosts_alone_and_yields_to_exact_flows():
    key = FlowKey.any_port("h1", "h3")
    exact, pair = Route(PATH, None, 5), Route(through("spine2", 4), None, 6)
    found = list(flow_entries(FABRIC, {KEY: exact, key: pair}, job=1))
    hosts = {name: value for name, value in EXACT.items() if not name.startswith("tcp")}
    assert [rule.match for rule in found[3:]] == [Match(**hosts, tag=0), Match(**hosts, tag=12), Match(**hosts, tag=12)]
    table = tables(FABRIC, [*resident_rules(FABRIC), *found])["leaf1"]
    for flow, out in ((KEY, 3), (FlowKey("h1", "h3", 30001, 20000), 4), (FlowKey("h1", "h3", 1024, 1025), 4)):
        assert table.lookup(flow_packet(FABRIC, flow)).actions[-1] == Output(out)
    udp = flow_packet(FABRIC, FlowKey("h1", "h3", 30000, 20000, "udp"))
    assert table.lookup(udp).priority < 90  # the resident rules


def test_cookies_tell_job_and_ingress():
    one = cookie(300, 7, 9, ingress=True)
    assert (job_of(one), job_of(cookie()), job_of(0x1234)) == (300, 0, None)
    assert one & INGRESS_COOKIE_MASK == INGRESS_COOKIE
    assert cookie(300, 7, 9) & INGRESS_COOKIE_MASK != INGRESS_COOKIE


def test_resident_rules_know_the_hosts_below_and_send_the_rest_up():
    rules = {str(rule) for rule in resident_rules(leaf_spine(2, 2, 1)) if rule.priority}
    assert rules == {
        "leaf1 priority 10 eth_type=2048,ipv4_dst=10.0.0.1,tag=0: output 1",
        "leaf1 priority 10 eth_type=2048,ipv4_dst=10.0.0.1,tag=1: untag, output 1",
        "leaf1 priority 5 eth_type=2048,tag=0: tag 1, output 2",
        "leaf1 priority 5 eth_type=2048,tag=1: output 2",
        "leaf2 priority 10 eth_type=2048,ipv4_dst=10.0.0.2,tag=0: output 1",
        "leaf2 priority 10 eth_type=2048,ipv4_dst=10.0.0.2,tag=1: untag, output 1",
        "leaf2 priority 5 eth_type=2048,tag=0: tag 1, output 2",
        "leaf2 priority 5 eth_type=2048,tag=1: output 2",
        "spine1 priority 10 eth_type=2048,ipv4_dst=10.0.0.1,tag=1: output 1",
        "spine1 priority 10 eth_type=2048,ipv4_dst=10.0.0.2,tag=1: output 2",
        "spine2 priority 5 eth_type=2048,tag=1: output 1",
    }
    drops = [rule for rule in resident_rules(leaf_spine(2, 2, 1)) if not rule.priority]
    assert [str(rule) for rule in drops] == [f"{s} priority 0 *: drop" for s in ("leaf1", "leaf2", "spine1", "spine2")]


def test_a_thousand_hosts_need_thousands_of_resident_rules():
    assert len(resident_rules(leaf_spine(32, 16, 32))) < 5 * 1024


def test_resident_rules_avoid_dead_links():
    rules = resident_rules(FABRIC, 2, frozenset({"leaf1-spine1"}))
    assert not [rule for rule in rules if rule.switch == "leaf1" and Output(3) in rule.actions]
