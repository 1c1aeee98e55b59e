"""The core against switches that answer in any order: ready only when all have, and packets arrive at every moment."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.actions import Alarm, Install, Log
from controller.core import DRAIN_S, Controller
from controller.events import (
    BarrierReply,
    HandlerFailed,
    HandshakeFailed,
    JobPlanned,
    JobWithdrawn,
    SwitchDown,
    SwitchError,
    SwitchUp,
    Tick,
)
from controller.planning import plan
from controller.rules import Command, Match, Rule
from controller.tables import Table, flow_packet, walk
from topologies.addressing import dpid
from topologies.leaf_spine import leaf_spine
from topologies.ring import ring
from topologies.traffic import Demand, FlowKey


class FakeSwitch:
    """A table with stamps, and an inbox worked off one message at a time."""

    def __init__(self, name, number):
        self.name, self.dpid = name, number
        self.entries = {}
        self.inbox = deque()
        self.connection = None
        self.refuses = lambda change: False

    def table(self):
        return Table(rule for rule, _ in self.entries.values())

    def receive(self, install):
        self.inbox.extend(("change", install, xid, change) for xid, change in install.changes)
        if install.purge:
            self.inbox.append(("purge", install, None, None))
        self.inbox.append(("barrier", install, install.barrier_xid, None))

    def step(self):
        """Works off one message; returns what it answers."""
        kind, install, xid, change = self.inbox.popleft()
        if kind == "barrier":
            return BarrierReply(self.dpid, install.connection, xid)
        if kind == "purge":
            self.entries = {key: entry for key, entry in self.entries.items() if entry[1] == install.stamp}
        elif self.refuses(change):
            return SwitchError(self.dpid, install.connection, xid, "OFPFMFC_TABLE_FULL(1)")
        elif change.command is Command.ADD:
            self.entries[change.rule.key] = (change.rule, install.stamp)
        else:
            self.entries.pop(change.rule.key, None)
        return None


class Network:
    """The core and its switches; ``now`` goes on by a millisecond with each event."""

    def __init__(self, fabric):
        self.fabric, self.core, self.now = fabric, Controller(fabric), 0.0
        self.switches = {name: FakeSwitch(name, dpid(fabric, name)) for name in fabric.switches}
        self.connections = 0
        self.alarms = []
        self.log = []

    def tell(self, event):
        self.now += 0.001
        for action in self.core.handle(event, self.now):
            if isinstance(action, Log):
                self.log.append(action.line)
                continue
            if isinstance(action, Alarm):
                self.alarms.append(self.now + action.delay_s)
                continue
            assert isinstance(action, Install)
            for switch in self.switches.values():
                if switch.connection == action.connection:
                    switch.receive(action)

    def connect(self, *names):
        for name in names or self.switches:
            self.connections += 1
            self.switches[name].connection = self.connections
            self.switches[name].inbox.clear()
            self.tell(SwitchUp(self.switches[name].dpid, self.connections))

    def disconnect(self, name):
        switch = self.switches[name]
        connection, switch.connection = switch.connection, None
        switch.inbox.clear()
        self.tell(SwitchDown(switch.dpid, connection))

    def step(self, name):
        answer = self.switches[name].step()
        if answer is not None:
            self.tell(answer)

    def busy(self):
        return [name for name, switch in self.switches.items() if switch.inbox]

    def ring_alarm(self):
        self.now = max(self.now, self.alarms.pop(0))
        self.tell(Tick())

    def settle(self, but=()):
        while (busy := [name for name in self.busy() if name not in but]) or self.alarms:
            if busy:
                self.step(busy[0])
            else:
                self.ring_alarm()

    def announce(self, text, demands, name="job"):
        self.tell(JobPlanned(plan(self.fabric, name, text, demands, self.core.epoch + 1)))

    def arrives(self, key):
        return walk(self.fabric, self.standing(), flow_packet(self.fabric, key), self.fabric.nic(key.src, key.channel))

    def standing(self):
        return {name: switch.table() for name, switch in self.switches.items()}


def demand(src, dst, port=30000):
    return Demand(FlowKey(src, dst, port, 20000), (0,), (1000,))


@pytest.fixture
def network():
    network = Network(leaf_spine(2, 2, 2))
    network.connect()
    network.settle()
    return network


DEMANDS = [demand("h1", "h3"), demand("h2", "h4")]


def test_ready_only_when_every_switch_has_answered():
    network = Network(leaf_spine(2, 2, 2))
    assert set(network.core.switches().values()) == {"missing"}
    network.connect()
    assert set(network.core.switches().values()) == {"installing"}
    network.settle(but=["spine2"])
    assert network.core.switches() == {"leaf1": "ready", "leaf2": "ready", "spine1": "ready", "spine2": "installing"}
    assert not network.core.ready
    network.settle()
    assert network.core.ready
    network.announce("pinned", DEMANDS)
    assert not network.core.ready
    network.settle(but=["leaf2"])
    assert not network.core.ready
    network.settle()
    assert network.core.ready
    assert network.core.settled_s > 0
    for item in DEMANDS:
        assert network.arrives(item.key).hops == network.core.job.paths[item.key].hops


def test_what_the_core_believes_is_what_stands_in_the_switches(network):
    for text in ("pinned", "ecmp:seed=4", "spanning-tree"):
        network.announce(text, DEMANDS)
        network.settle()
        for name, switch in network.switches.items():
            assert sorted(map(str, network.core.tables[name])) == sorted(map(str, switch.table()))
        assert network.core.settled_s >= DRAIN_S or text == "pinned"  # the first has nothing to delete
    network.tell(JobWithdrawn())
    network.settle()
    assert network.core.job is None
    assert network.core.epoch == 4
    assert sum(len(s.entries) for s in network.switches.values()) == 15  # 4 drops, 3 ways up, 8 hosts


def test_an_unchanged_job_still_asks_every_switch(network):
    network.announce("pinned", DEMANDS)
    network.settle()
    network.announce("pinned", DEMANDS)
    assert not network.core.ready
    assert [len(switch.inbox) for switch in network.switches.values()] == [1, 1, 1, 1]  # barriers alone
    network.settle()
    assert network.core.ready


def test_a_stranger_is_named_and_left_alone(network):
    network.tell(SwitchUp(99, 77))
    network.tell(BarrierReply(99, 77, 1))
    network.tell(SwitchDown(99, 77))
    assert network.core.errors == ("stranger: a switch with datapath id 99 connected; ignored",)
    assert network.core.ready


def test_a_switch_that_comes_back_gets_its_rules_and_loses_only_foreign_ones(network):
    network.announce("pinned", DEMANDS)
    network.settle()
    before = sorted(map(str, network.switches["leaf1"].table()))
    foreign = Rule("leaf1", 200, Match(eth_type=0x0806), 2)
    network.disconnect("leaf1")
    assert network.core.switches()["leaf1"] == "missing"
    assert not network.core.ready
    network.switches["leaf1"].entries[foreign.key] = (foreign, 0)
    network.connect("leaf1")
    while network.switches["leaf1"].inbox:
        network.step("leaf1")
        assert set(before) <= set(map(str, network.switches["leaf1"].table()))
    assert sorted(map(str, network.switches["leaf1"].table())) == before
    assert network.core.ready


def test_an_emptied_switch_is_filled_again(network):
    network.announce("pinned", DEMANDS)
    network.settle()
    before = sorted(map(str, network.switches["spine1"].table()))
    network.disconnect("spine1")
    network.switches["spine1"].entries.clear()
    network.connect("spine1")
    network.settle()
    assert sorted(map(str, network.switches["spine1"].table())) == before


def test_a_missing_switch_holds_the_update_up(network):
    network.disconnect("spine2")
    network.announce("ecmp:seed=1", [demand("h1", "h3", 30000 + i) for i in range(8)])
    network.settle()
    assert not network.core.ready
    network.connect("spine2")
    network.settle()
    assert network.core.ready
    assert all(network.arrives(d.key).hops == network.core.job.paths[d.key].hops for d in network.core.job.demands)


def test_words_of_a_replaced_connection_are_not_heard(network):
    old = network.switches["leaf1"].connection
    network.connect("leaf1")  # the new one came before the old one was noticed to be dead
    network.tell(SwitchDown(network.switches["leaf1"].dpid, old))
    assert network.core.switches()["leaf1"] == "installing"
    network.settle()
    assert network.core.ready


def test_a_refused_rule_stops_the_update_is_told_and_tried_again(network):
    network.switches["spine1"].refuses = lambda change: change.rule.priority == 100
    network.announce("shortest", DEMANDS)
    network.settle()
    assert not network.core.ready
    assert network.core.switches()["spine1"] == "installing"
    assert len(network.core.refused) > 0
    assert network.core.refused[0] == (
        "switch spine1 refused to add rule (spine1 priority 100 eth_type=2048,ip_proto=6,ipv4_src=10.0.0.1,"
        "ipv4_dst=10.0.0.3,tcp_src=30000,tcp_dst=20000: output 2): OFPFMFC_TABLE_FULL(1)"
    )
    assert network.core.errors == network.core.refused
    assert all(network.arrives(d.key).delivered_to == d.key.dst for d in DEMANDS)
    network.switches["spine1"].refuses = lambda change: False
    network.announce("shortest", DEMANDS)
    network.settle()
    assert network.core.ready
    assert network.core.refused == ()
    assert len(network.core.errors) > 0  # what happened stays told
    assert sorted(map(str, network.switches["spine1"].table())) == sorted(map(str, network.core.tables["spine1"]))


def test_a_refused_change_leaves_what_stood_there(network):
    network.announce("shortest", DEMANDS)  # by spine1
    network.settle()
    others = [text for text in (f"ecmp:seed={n}" for n in range(20)) if moves_first(network, text)]
    network.switches["leaf1"].refuses = lambda change: change.rule.priority == 100
    network.announce(others[0], DEMANDS)
    network.settle()
    assert sorted(map(str, network.switches["leaf1"].table())) == sorted(map(str, network.core.tables["leaf1"]))
    assert all(network.arrives(d.key).delivered_to == d.key.dst for d in DEMANDS)


def moves_first(network, text):
    return plan(network.fabric, "job", text, DEMANDS).paths[DEMANDS[0].key].hops[1].number == 4


def test_our_own_faults_are_counted_and_kept(network):
    network.tell(HandlerFailed("on_error: KeyError: 3"))
    network.tell(HandshakeFailed("127.0.0.1:9", "unsupported version 0x1"))
    assert network.core.handler_errors == 1
    assert network.core.errors == (
        "handler failed: on_error: KeyError: 3",
        "a switch at 127.0.0.1:9 does not speak OpenFlow 1.3: unsupported version 0x1",
    )
    for number in range(200):
        network.tell(HandlerFailed(str(number)))
    assert len(network.core.errors) == 100
    assert network.core.errors[-1] == "handler failed: 199"
    network.tell(SwitchError(network.switches["leaf1"].dpid, network.switches["leaf1"].connection, 123456, "OFPBRC_X"))
    assert network.core.errors[-1] == "switch leaf1: OFPBRC_X"
    assert network.core.ready


@st.composite
def stories(draw):
    """A fabric and what happens: announcements, withdrawals, lost and new connections, work at some switch."""
    fabric = draw(st.sampled_from([leaf_spine(2, 2, 1), leaf_spine(3, 2, 1), ring(4, 1), ring(5, 1)]))
    hosts = st.lists(st.sampled_from(fabric.hosts), min_size=2, max_size=2, unique=True)
    jobs = st.lists(hosts.map(lambda pair: demand(*pair)), max_size=4, unique_by=lambda one: one.key)
    policies = st.sampled_from(["spanning-tree", "shortest", "ecmp:seed=1", "ecmp:seed=2", "pinned"])
    switch = st.sampled_from(fabric.switches)
    happening = st.one_of(
        st.tuples(st.just("announce"), policies, jobs),
        st.tuples(st.just("withdraw")),
        st.tuples(st.just("reconnect"), switch),
        st.tuples(st.just("work"), st.lists(switch, min_size=1, max_size=30)),
    )
    return fabric, draw(st.lists(happening, min_size=2, max_size=10))


@given(stories())
@settings(max_examples=40, deadline=None)
def test_whatever_happens_packets_arrive_at_every_moment(story):
    fabric, happenings = story
    network = Network(fabric)
    network.connect()
    network.settle()
    keys = {one.key for what, *about in happenings if what == "announce" for one in about[1]}
    keys |= {key.reversed() for key in keys} | {FlowKey(fabric.hosts[0], fabric.hosts[-1], 1, 2)}

    def check():
        standing = network.standing()
        for key in keys:
            went = walk(fabric, standing, flow_packet(fabric, key), fabric.nic(key.src, key.channel))
            assert went.delivered_to == key.dst, f"{key}: {went.end}"

    def work(name):
        if network.switches[name].inbox:
            network.step(name)
            check()

    for what, *about in happenings:
        match what:
            case "announce":
                network.announce(*about)
            case "withdraw":
                network.tell(JobWithdrawn())
            case "reconnect":
                network.disconnect(about[0])  # what it has not worked off is lost with the connection
                network.connect(about[0])
            case "work":
                for name in about[0]:
                    work(name)
    while (busy := network.busy()) or network.alarms:
        if busy:
            work(busy[-1])
        else:
            network.ring_alarm()
    assert network.core.ready
    assert network.core.errors == ()
    for name, switch in network.switches.items():
        assert sorted(map(str, network.core.tables[name])) == sorted(map(str, switch.table()))
    if network.core.job:
        for key, path in network.core.job.paths.items():
            assert network.arrives(key).hops == path.hops
