"""The core against switches that answer: what it wants stands in them, and what stands there costs nothing."""

from __future__ import annotations

import pytest

from controller.actions import Alarm, Install, Log, ReadState, Save
from controller.core import Controller
from controller.events import (
    BarrierReply,
    HandlerFailed,
    JobPlanned,
    JobWithdrawn,
    LinkDrained,
    PortChanged,
    SwitchDown,
    SwitchError,
    SwitchState,
    SwitchUp,
    Tick,
)
from controller.job_request import JobRequest
from controller.planning import plan
from controller.rules import FLOW_PRIORITY, Rule
from controller.updates import Command
from topologies.addressing import dpid
from topologies.fabric import Port
from topologies.leaf_spine import leaf_spine
from topologies.traffic import Demand, FlowKey

KEY = FlowKey("h1", "h3", 30000, 20000)
DEMANDS = (Demand(KEY, (0,), (1000,)), Demand(FlowKey("h2", "h4", 30000, 20000), (0,), (1000,)))
FABRIC_UPLINKS = (Port("leaf1", 3), Port("leaf1", 4))


class Network:
    """The core and its switches: their entries, and what is to be answered. A clock that goes on by events."""

    def __init__(self, fabric, entries=None, saved=None):
        self.fabric, self.core, self.now = fabric, Controller(fabric, saved), 0.0
        self.entries = entries or {switch: {} for switch in fabric.switches}
        self.connections, self.inbox, self.alarms, self.log, self.saved = {}, [], [], [], None
        self.refuses = lambda change: False

    def tell(self, event):
        self.now += 0.001
        for action in self.core.handle(event, self.now):
            match action:
                case Install() | ReadState():
                    self.inbox.append(action)
                case Alarm(delay_s):
                    self.alarms.append(self.now + delay_s)
                case Save(text):
                    self.saved = text
                case Log(line):
                    self.log.append(line)

    def connect(self, *switches):
        for switch in switches or self.fabric.switches:
            connection = len(self.connections) + 1
            self.connections[connection] = switch
            self.tell(SwitchUp(dpid(self.fabric, switch), connection))

    def connection(self, switch):
        return max(number for number, name in self.connections.items() if name == switch)

    def about(self, switch):
        return dpid(self.fabric, switch), self.connection(switch)

    def settle(self):
        while self.inbox or self.alarms:
            if self.inbox:
                self.answer(self.inbox.pop(0))
            else:
                self.alarms.sort()
                self.now = max(self.now, self.alarms.pop(0))
                self.tell(Tick())

    def answer(self, action):
        switch = self.connections[action.connection]
        entries, about = self.entries[switch], (dpid(self.fabric, switch), action.connection)
        if isinstance(action, ReadState):
            self.tell(SwitchState(*about, tuple(entries.values()), frozenset()))
            return
        for xid, change in action.changes:
            if self.refuses(change):
                self.tell(SwitchError(*about, xid, "OFPFMFC_TABLE_FULL(1)"))
            elif change.command is Command.ADD:
                entries[change.entry.key] = change.entry
            else:
                del entries[change.entry.key]
        self.tell(BarrierReply(*about, action.barrier_xid))

    def announce(self, name="job", policy="pinned"):
        core, request = self.core, JobRequest(name, policy, DEMANDS, 0)
        self.tell(JobPlanned(plan(self.fabric, request, core.job_number(name), core.epoch + 1, core.situation(name))))

    def objective_s(self):
        return self.core.jobs["job"].assessment.objective_s

    def path(self):
        return self.core.jobs["job"].routes[KEY].path


@pytest.fixture
def network():
    network = Network(leaf_spine(2, 2, 2))
    network.connect()
    network.settle()
    network.announce()
    network.settle()
    return network


def test_ready_only_when_every_switch_has_answered():
    network = Network(leaf_spine(2, 2, 2))
    assert set(network.core.switches().values()) == {"missing"}
    network.connect()
    assert set(network.core.switches().values()) == {"installing"}
    network.settle()
    assert network.core.ready
    assert network.core.settled_s > 0


def test_a_restarted_controller_changes_nothing(network):
    again = Network(network.fabric, network.entries, network.saved)
    again.connect()
    again.settle()
    assert again.core.ready
    assert again.core.flow_mods == 0
    assert again.core.jobs == network.core.jobs


def test_routes_leave_a_dead_link_and_come_back(network):
    before_s, hop = network.objective_s(), network.path().hops[1]
    network.tell(PortChanged(*network.about("leaf1"), hop.number, False))
    network.settle()
    assert network.core.links()[network.fabric.link(hop).name] == "down"
    assert hop not in network.path().hops
    network.tell(PortChanged(*network.about("leaf1"), hop.number, True))
    assert hop not in network.path().hops  # held down for a while
    assert network.objective_s() == 2 * before_s
    network.settle()
    assert network.objective_s() == before_s
    assert network.core.ready


def cut(network, hop, *, alive, at_s):
    """The port dies or lives again at a time; alarms due by then have rung."""
    for due in sorted(alarm for alarm in network.alarms if alarm < at_s):
        network.alarms.remove(due)
        network.now = due
        network.tell(Tick())
    network.now = at_s
    network.tell(PortChanged(*network.about(hop.node), hop.number, alive))


def test_a_link_that_dies_again_starts_its_time_anew(network):
    before_s, hop = network.objective_s(), network.path().hops[1]
    cut(network, hop, alive=False, at_s=10.0)
    network.settle()
    for alive, at_s in [(True, 20.0), (False, 20.9), (True, 20.95)]:
        cut(network, hop, alive=alive, at_s=at_s)
    network.now = 21.1
    network.tell(Tick())
    assert hop not in network.path().hops
    network.now = 21.96
    network.tell(Tick())
    network.settle()
    assert network.objective_s() == before_s


@pytest.mark.parametrize(("later_s", "together"), [(0.05, True), (0.9, False)])
def test_links_return_each_in_its_time_and_such_as_come_at_once_together(later_s, together):
    network = Network(leaf_spine(2, 3, 2))
    network.connect()
    network.settle()
    one, other = FABRIC_UPLINKS
    for hop in (one, other):
        cut(network, hop, alive=False, at_s=10.0)
    network.settle()
    cut(network, one, alive=True, at_s=20.0)
    cut(network, other, alive=True, at_s=20.0 + later_s)
    network.now = 21.01
    network.tell(Tick())
    epoch = network.core.epoch
    assert "again with leaf1-spine1" in network.log[-1]
    assert ("leaf1-spine2" in network.log[-1]) == together
    network.settle()
    assert network.core.epoch == epoch + (not together)
    assert network.core.ready


def test_a_drained_link_is_left(network):
    link = network.fabric.link(network.path().hops[1]).name
    network.tell(LinkDrained(link, True))
    network.settle()
    assert network.core.links()[link] == "drained"
    assert link not in {network.fabric.link(hop).name for hop in network.path().hops}


def test_a_wiped_switch_is_filled_again_at_the_cost_of_its_own_entries(network):
    before, flow_mods = dict(network.entries["spine1"]), network.core.flow_mods
    network.entries["spine1"].clear()
    network.tell(SwitchDown(*network.about("spine1")))
    assert network.core.switches()["spine1"] == "missing"
    network.connect("spine1")
    network.settle()
    assert network.core.ready
    assert network.entries["spine1"] == before
    assert network.core.flow_mods - flow_mods == len(before)


def test_a_refusal_stops_the_update_and_is_told(network):
    network.tell(JobWithdrawn("job"))
    network.settle()
    network.refuses = lambda change: isinstance(change.entry, Rule) and change.entry.priority == FLOW_PRIORITY
    network.announce()
    network.settle()
    assert not network.core.ready
    assert "refused to add rule" in network.core.refused[0]
    network.refuses = lambda change: False
    network.announce()
    network.settle()
    assert network.core.ready
    assert network.core.refused == ()


def test_strangers_and_own_faults_are_told(network):
    network.tell(SwitchUp(99, 77))
    network.tell(HandlerFailed("on_error: KeyError: 3"))
    assert network.core.errors == (
        "stranger: a switch with datapath id 99 connected; ignored",
        "handler failed: on_error: KeyError: 3",
    )
    assert network.core.handler_errors == 1
