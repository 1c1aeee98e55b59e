"""The proof against planted faults: nothing that would lose a packet is ever sent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.job_request import JobRequest
from controller.planning import plan
from controller.proof import ProofError, prove, prove_resident
from controller.rules import FLOW_PRIORITY, Group, Output, Route, Rule, SetTag, resident_rules
from topologies.fabric import Port
from topologies.leaf_spine import leaf_spine
from topologies.ring import ring
from topologies.traffic import Demand, FlowKey, Path

FABRIC = leaf_spine(2, 2, 1)
KEY = FlowKey("h1", "h2", 30000, 20000)
PLAN = plan(FABRIC, JobRequest("any", "pinned", (Demand(KEY, (0,), (1,)),)), 1, 1)
ALL = [*resident_rules(FABRIC), *PLAN.entries]


def flow_rule(switch, *, backup=False):
    """The forward flow's rule at the switch, on its path or on its backup."""
    source = {"h1": "10.0.0.1"}["h1"]
    [rule] = [
        entry
        for entry in PLAN.entries
        if isinstance(entry, Rule)
        and entry.switch == switch
        and entry.match.ipv4_src == source
        and bool((entry.match.tag or 0) % 2) == backup
    ]
    return rule


def changed(switch, *actions, backup=False):
    wrong = flow_rule(switch, backup=backup)
    return [replace(entry, actions=actions) if entry == wrong else entry for entry in ALL]


def without(entry):
    return [one for one in ALL if one != entry]


SPINE = FABRIC.peer(PLAN.routes[KEY].path.hops[1]).node
OTHER = ({"spine1", "spine2"} - {SPINE}).pop()


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (changed(SPINE), f"dropped at {SPINE} by its rule"),
        (changed(SPINE, Output(7)), f"nothing is plugged into {SPINE}:7"),
        (changed(SPINE, Output(1)), f"dropped at {SPINE}: a packet is not sent back by the port it came by"),
        (without(flow_rule(SPINE)), f"dropped at {SPINE}: no rule matches|by its rule|does not arrive"),
        (changed("leaf2", Output(1)), "given to h2 with tag .* on: its host drops it"),
        (without(flow_rule(OTHER, backup=True)), "does not arrive while .* is dead"),
        (changed(OTHER, Output(1), backup=True), "does not arrive while .* is dead"),
        ([entry for entry in ALL if not isinstance(entry, Group)], "its group is missing"),
    ],
)
def test_planted_faults_are_found(entries, message):
    with pytest.raises(ProofError, match=message):
        prove(FABRIC, entries, PLAN.routes)


def test_a_flow_off_its_path_is_found_though_it_arrives():
    wanted = PLAN.routes[KEY].backup
    with pytest.raises(ProofError, match=r"leaves its path: it goes .*; planned was"):
        prove(FABRIC, ALL, {KEY: Route(wanted, None, 4)})


def test_a_loop_is_found():
    fabric = ring(3, 1)
    around = [
        Rule(entry.switch, FLOW_PRIORITY + 1, entry.match, (SetTag(9), Output(3 if entry.switch != "s1" else 2)))
        for entry in resident_rules(fabric)
        if entry.priority == 5
    ]
    with pytest.raises(ProofError):
        prove_resident(fabric, [*resident_rules(fabric), *around])


@pytest.mark.parametrize("fabric", [leaf_spine(3, 2, 2), ring(5, 2), leaf_spine(1, 1, 3)])
def test_resident_rules_are_proved_and_a_missing_one_is_found(fabric):
    rules = resident_rules(fabric)
    prove_resident(fabric, rules)
    for place, rule in enumerate(rules):
        if rule.priority == 10 and (rule.match.tag == 0 or len(fabric.leaves) > 1):
            with pytest.raises(ProofError, match="do not arrive from"):
                prove_resident(fabric, rules[:place] + rules[place + 1 :])


def test_the_path_of_a_proof_names_ports():
    wanted = Path((Port("h1", 1), Port("leaf1", 2), Port(OTHER, 2), Port("leaf2", 1)))
    with pytest.raises(ProofError) as error:
        prove(FABRIC, ALL, {KEY: Route(wanted, None, 4)})
    assert "planned was" in str(error.value)
