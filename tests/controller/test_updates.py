"""Updates: at every moment of one, each packet arrives once, by the old way or the new, and never by a mixture."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from controller import updates
from controller.job_request import JobRequest
from controller.planning import plan
from controller.routing import Situation
from controller.routing.next_hops import distances, trunks
from controller.rules import RESIDENT_VERSIONS, UNTAGGED, Group, Match, Output, Rule, SetTag, ToGroup, resident_rules
from controller.tables import flow_packet, tables
from controller.updates import UPDATE_ORDER, Change, Command, Stage, update_stages
from controller.walks import walk
from topologies.fabric import Cable, Fabric
from topologies.traffic import Demand, FlowKey

POLICIES = ["spanning-tree", "shortest", "ecmp:seed=1", "ecmp:seed=2", "least-loaded", "pinned"]
CASES, CHUNKS = 500, 10


def random_fabric(random):
    """A tree of switches, some more links between them (some of them parallel), and hosts with one or two NICs."""
    switches = [f"s{number}" for number in range(1, random.randint(2, 8) + 1)]
    hosts = [f"h{number}" for number in range(1, random.randint(2, 6) + 1)]
    pairs = [(switches[number], random.choice(switches[:number])) for number in range(1, len(switches))]
    pairs += [tuple(random.sample(switches, 2)) for _ in range(random.randint(0, 8))]
    pairs += [(host, random.choice(switches)) for host in hosts for _ in range(random.choice([1, 1, 2]))]
    return Fabric.cabled("random", hosts, switches, [Cable(a, b, 10**9) for a, b in pairs])


def random_demands(fabric, random):
    keys = [FlowKey(*random.sample(fabric.hosts, 2), 30000 + number, 20000) for number in range(5)]
    return tuple(Demand(key, (0,), (1000,)) for key in random.sample(keys, random.randint(1, 5)))


def a_link_to_spare(fabric, random):
    """A link between switches without which all still hang together; none where there is no such link."""
    links = [link for link in fabric.links if fabric.is_switch(link.a.node)]
    spare = [
        link.name for link in links if link.b.node in distances(trunks(fabric, frozenset({link.name})), [link.a.node])
    ]
    return frozenset(random.sample(spare, min(1, len(spare))))


def two_states(random):
    """A fabric, what stands in it, and what is wanted next; with the ways that packets of flows may take."""
    fabric = random_fabric(random)
    demands = random_demands(fabric, random)
    old = plan(fabric, JobRequest("job", random.choice(POLICIES), demands), 1, 1)
    kept = tuple(random.sample(demands, random.randint(0, len(demands))))
    situation, version = Situation(), RESIDENT_VERSIONS[0]
    if random.random() < 0.5:  # a link is drained
        situation, version = Situation(a_link_to_spare(fabric, random)), RESIDENT_VERSIONS[1]
    more = tuple(Demand(FlowKey(*random.sample(fabric.hosts, 2), 31000, 20000), (0,), (1,)) for _ in range(1))
    wanted = JobRequest("job", random.choice(POLICIES), kept + more)
    new = plan(fabric, wanted, 1, 2, situation, old.routes, moves_little=random.random() < 0.5)
    resident = resident_rules(fabric, version, situation.dead)
    return fabric, old, new, [*resident_rules(fabric), *old.entries], [*resident, *new.entries]


class Traffic:
    """Packets of the flows, each at the port that it left by last; every whole way must be one of the flow's."""

    def __init__(self, fabric, keys, allowed):
        self.fabric, self.keys, self.allowed, self.under_way = fabric, keys, allowed, []

    def send_and_move(self, standing, random):
        self.under_way += [(key, (self.fabric.nic(key.src, key.channel),), UNTAGGED) for key in self.keys]
        self.under_way = [
            moved
            for packet in self.under_way
            for moved in ([packet] if random.random() < 0.6 else self.moved(standing, packet))
        ]

    def drain(self, standing):
        while self.under_way:
            self.under_way = [moved for packet in self.under_way for moved in self.moved(standing, packet)]

    def moved(self, standing, packet):
        """The packet one switch further, or nothing once it has arrived."""
        key, hops, tag = packet
        went = walk(self.fabric, standing, flow_packet(self.fabric, key), hops[-1], tag=tag)
        assert went.delivered_to == key.dst, f"{key} at {hops[-1]} with tag {tag}: {went.end}"
        hops = (*hops, went.steps[0].out)
        if len(went.steps) > 1:
            return [(key, hops, went.steps[1].tag)]
        assert hops in self.allowed[key], f"{key} met a mixture: {hops}"
        return []


def ways(fabric, entries, keys):
    standing = tables(fabric, entries)
    return {
        key: walk(fabric, standing, flow_packet(fabric, key), fabric.nic(key.src, key.channel)).hops for key in keys
    }


def allowed_ways(fabric, old, new, before, after):
    """Of a flow that comes or goes, also the resident way of either version; of one that stays, only its two ways."""
    keys = list({**old.routes, **new.routes})
    resident = [[entry for entry in entries if getattr(entry, "priority", 100) < 100] for entries in (before, after)]
    first, last, *others = (ways(fabric, entries, keys) for entries in (before, after, *resident))
    both = old.routes.keys() & new.routes.keys()
    return {key: {first[key], last[key], *(() if key in both else (one[key] for one in others))} for key in keys}


def update_under_traffic(random):
    """Every flow sends between any two changes; switches are not in step with one another within a stage."""
    fabric, old, new, before, after = two_states(random)
    keys = list({**old.routes, **new.routes})
    traffic = Traffic(fabric, keys, allowed_ways(fabric, old, new, before, after))
    standing = tables(fabric, before)
    for stage in update_stages(before, after):
        if stage.drains:
            traffic.drain(standing)
        changes = [change for one in stage.changes.values() for change in one]
        random.shuffle(changes)
        for change in changes:
            traffic.send_and_move(standing, random)
            apply(standing, change)
    traffic.drain(standing)
    assert {entry for table in standing.values() for entry in table} == set(after)


def apply(standing, change):
    """As a switch does it, which refuses a rule that sends to a group that it has not."""
    table, entry = standing[change.entry.switch], change.entry
    if change.command is Command.DELETE:
        table.delete(entry)
        return
    missing = [a.group for a in getattr(entry, "actions", ()) if isinstance(a, ToGroup) and a.group not in table.groups]
    assert not missing, f"{entry.switch} refuses: no group {missing}"
    table.add(entry)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_moment_of_updates_on_random_fabrics(chunk):
    for seed in range(chunk, CASES, CHUNKS):
        update_under_traffic(Random(seed))


def swapped(first, second):
    order = list(UPDATE_ORDER)
    order[first], order[second] = order[second], order[first]
    return tuple(order)


@pytest.mark.parametrize(
    "order",
    [
        swapped(0, 1),
        swapped(1, 2),
        swapped(2, 3),
        swapped(4, 5),
        swapped(5, 6),
        tuple(replace(phase, drains=False) for phase in UPDATE_ORDER),
    ],
    ids=[
        "rules before groups",
        "ingress before inner",
        "the rest first",
        "inner go first",
        "groups go first",
        "no drain",
    ],
)
def test_any_other_order_loses_packets(order, monkeypatch):
    monkeypatch.setattr(updates, "UPDATE_ORDER", order)
    with pytest.raises(AssertionError):
        for seed in range(100):
            update_under_traffic(Random(seed))


def test_the_order_as_a_table():
    group = Group("a", 7, ())
    inner = Rule("a", 100, Match(tag=8), (ToGroup(7),))
    ingress = Rule("a", 100, Match(tag=0), (SetTag(8), ToGroup(7)))
    add, delete = (lambda entry: {"a": (Change(Command.ADD, entry),)}), lambda e: {"a": (Change(Command.DELETE, e),)}
    assert update_stages([], [ingress, inner, group]) == (Stage(add(group)), Stage(add(inner)), Stage(add(ingress)))
    assert update_stages([ingress, inner, group], []) == (
        Stage(delete(ingress)),
        Stage(delete(inner), drains=True),
        Stage(delete(group)),
    )
    assert update_stages([ingress], [ingress]) == ()
    other = replace(ingress, actions=(Output(1),))
    assert update_stages([ingress], [other]) == (Stage(add(other)),)
