"""Rules: what stands where, and updates that at no moment make a hole or a loop."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.planning import plan
from controller.rules import Change, Command, Match, Rule, Stage, cookie, flow_rules, resident_rules, update_stages
from controller.tables import flow_packet, prove, tables, walk
from topologies.fabric import Port
from topologies.leaf_spine import leaf_spine
from topologies.ring import ring
from topologies.traffic import Demand, FlowKey

EXACT = Match(0x0800, 6, "10.0.0.1", "10.0.0.3", 30000, 20000)


def test_a_flow_has_one_exact_rule_at_each_switch_of_its_path():
    fabric = leaf_spine(2, 2, 2)
    key = FlowKey("h1", "h3", 30000, 20000)
    planned = plan(fabric, "any", "pinned", [Demand(key, (0,), (1,))], epoch=3)
    first = flow_rules(fabric, {key: planned.paths[key]}, epoch=3)
    assert [(r.switch, r.priority, r.match, r.out_port, r.remaining) for r in first] == [
        ("leaf1", 100, EXACT, 3, 2),
        ("spine1", 100, EXACT, 2, 1),
        ("leaf2", 100, EXACT, 1, 0),
    ]
    assert {rule.cookie for rule in first} == {cookie(3, 1)} == {(3 << 24) | 1}
    assert len(planned.rules) == 6  # and the way back


def test_resident_rules_know_the_hosts_below_and_send_the_rest_up():
    rules = {str(rule) for rule in resident_rules(leaf_spine(2, 2, 1)) if rule.priority}
    assert rules == {
        "leaf1 priority 10 eth_type=2048,ipv4_dst=10.0.0.1: output 1",
        "leaf2 priority 10 eth_type=2048,ipv4_dst=10.0.0.2: output 1",
        "spine1 priority 10 eth_type=2048,ipv4_dst=10.0.0.1: output 1",
        "spine1 priority 10 eth_type=2048,ipv4_dst=10.0.0.2: output 2",
        "leaf1 priority 5 eth_type=2048: output 2",
        "leaf2 priority 5 eth_type=2048: output 2",
        "spine2 priority 5 eth_type=2048: output 1",
    }
    drops = [rule for rule in resident_rules(leaf_spine(2, 2, 1)) if not rule.priority]
    assert [str(rule) for rule in drops] == [f"{s} priority 0 *: drop" for s in ("leaf1", "leaf2", "spine1", "spine2")]


def test_a_thousand_hosts_need_thousands_of_resident_rules():
    assert len(resident_rules(leaf_spine(32, 16, 32))) < 4 * 1024


def rule(switch, port, remaining, match=EXACT):
    return Rule(switch, 100, match, port, remaining=remaining)


def test_adds_go_from_the_destination_and_deletes_from_the_source():
    before = [rule("a", 1, 2), rule("b", 1, 1), rule("c", 1, 0)]
    after = [rule("a", 2, 2), rule("d", 1, 1), rule("c", 1, 0)]
    assert update_stages(before, after) == (
        Stage({"d": (Change(Command.ADD, rule("d", 1, 1)),)}),
        Stage({"a": (Change(Command.ADD, rule("a", 2, 2)),)}),
        Stage({"b": (Change(Command.DELETE, rule("b", 1, 1)),)}, drains=True),
    )
    assert [list(stage.changes) for stage in update_stages(after, [])] == [["a"], ["d"], ["c"]]
    assert not any(stage.drains for stage in update_stages(after, []))
    assert update_stages(after, after) == ()


def test_another_cookie_alone_is_no_change():
    assert update_stages([Rule("a", 100, EXACT, 1, cookie=1)], [Rule("a", 100, EXACT, 1, cookie=2)]) == ()


@st.composite
def two_jobs(draw):
    """A fabric and two lists of demands with some flows in common."""
    fabric = draw(st.sampled_from([leaf_spine(3, 2, 1), leaf_spine(2, 3, 2, links=2), ring(5, 1), ring(6, 1, links=2)]))
    pool = [
        Demand(FlowKey(src, dst, 30000, 20000), (0,), (100,))
        for src in fabric.hosts
        for dst in fabric.hosts
        if src != dst
    ]
    jobs = st.lists(st.sampled_from(pool), max_size=6, unique_by=lambda demand: demand.key)
    policies = st.sampled_from(["spanning-tree", "shortest", "ecmp:seed=1", "ecmp:seed=2", "pinned"])
    return fabric, [(draw(policies), draw(jobs)) for _ in range(2)]


def assert_all_arrive(fabric, standing, keys):
    """From wherever a packet of the flow may be: also from switches that its path does not pass."""
    for key in keys:
        packet = flow_packet(fabric, key)
        for host in fabric.hosts:
            if host != key.dst:
                went = walk(fabric, standing, packet, fabric.nic(host))
                assert went.delivered_to == key.dst, f"{key} from {host}: {went.end}"


@given(two_jobs(), st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_at_no_moment_of_an_update_is_there_a_hole_or_a_loop(case, random):
    fabric, jobs = case
    old, new = (plan(fabric, "any", text, demands) for text, demands in jobs)
    resident = resident_rules(fabric)
    before, after = [*resident, *old.rules], [*resident, *new.rules]
    standing = tables(fabric, before)
    keys = {**old.paths, **new.paths}
    for stage in update_stages(before, after):
        changes = [change for one in stage.changes.values() for change in one]
        random.shuffle(changes)  # switches are not in step with one another within a stage
        for change in changes:
            table = standing[change.rule.switch]
            (table.add if change.command is Command.ADD else table.delete)(change.rule)
            assert_all_arrive(fabric, standing, keys)
    prove(fabric, [one for table in standing.values() for one in table], new.paths)
    assert {(r.switch, *r.key, r.out_port) for table in standing.values() for r in table} == {
        (r.switch, *r.key, r.out_port) for r in after
    }


class Packets:
    """Packets on their way: each at the port that it arrives by next."""

    def __init__(self, fabric, keys):
        self.fabric, self.keys, self.places = fabric, keys, []

    def send_and_move(self, standing, random):
        """Every flow sends one more; of all that are on their way, about a fifth go on by one hop."""
        self.places += [(key, self.fabric.peer(self.fabric.ports(key.src)[0])) for key in self.keys]
        staying, moving = [], []
        for place in self.places:
            (moving if random.random() < 0.2 else staying).append(place)
        self.places = staying + self._move(standing, moving)

    def drain(self, standing):
        while self.places:
            self.places = self._move(standing, self.places)

    def _move(self, standing, places):
        moved = []
        for key, arrival in places:
            rule = standing[arrival.node].lookup(flow_packet(self.fabric, key))
            assert rule.out_port not in (None, arrival.number), f"{key} is lost at {arrival}"
            onward = self.fabric.peer(Port(arrival.node, rule.out_port))
            if self.fabric.is_switch(onward.node):
                moved.append((key, onward))
            else:
                assert onward.node == key.dst
        return moved


def update_under_traffic(fabric, old, new, random, drains=True):
    """Goes from plan to plan, every flow sending all the time; fails at the first packet that is lost."""
    resident = resident_rules(fabric)
    before, after = [*resident, *old.rules], [*resident, *new.rules]
    standing = tables(fabric, before)
    packets = Packets(fabric, list(new.paths))
    for stage in update_stages(before, after):
        if stage.drains and drains:
            packets.drain(standing)
        changes = [change for one in stage.changes.values() for change in one]
        random.shuffle(changes)
        for change in changes:
            packets.send_and_move(standing, random)
            table = standing[change.rule.switch]
            (table.add if change.command is Command.ADD else table.delete)(change.rule)
    packets.drain(standing)


@given(two_jobs(), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_no_packet_on_its_way_is_lost_when_one_job_follows_another(case, random):
    fabric, jobs = case
    (old_policy, demands), (new_policy, _) = jobs
    old, new = (plan(fabric, "any", text, demands) for text in (old_policy, new_policy))
    update_under_traffic(fabric, old, new, random)


def test_packets_would_be_lost_if_old_rules_went_before_they_arrived():
    fabric = leaf_spine(2, 2, 2)
    demands = [Demand(FlowKey("h1", "h3", 30000 + number, 20000), (0,), (1,)) for number in range(8)]
    old, new = (plan(fabric, "any", text, demands) for text in ("ecmp:seed=1", "shortest"))
    update_under_traffic(fabric, old, new, Random(2))
    with pytest.raises(AssertionError, match="is lost at spine2:1"):
        update_under_traffic(fabric, old, new, Random(2), drains=False)
