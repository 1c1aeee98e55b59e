"""Backups share no link with their path, and stand wherever there is a way for one."""

from __future__ import annotations

from collections import Counter

import pytest

from controller.protection import MAX_BACKUP_HOPS, backups
from controller.routing import Situation, policy, with_acknowledgements
from topologies.catalog import from_short_form
from topologies.leaf_spine import leaf_spine
from topologies.ring import ring
from topologies.traffic import Demand, FlowKey


def protected(fabric, pairs, text="pinned", situation=None, standing=None):
    demands = [Demand(FlowKey(a, b, 30000, 20000 + number), (0,), (1000,)) for number, (a, b) in enumerate(pairs)]
    situation, chosen = situation or Situation(), policy(text)
    paths = chosen.route(fabric, demands, situation)
    everything = with_acknowledgements(chosen, fabric, demands, paths, situation)
    return everything, backups(fabric, demands, everything, situation, standing or {})


def links(fabric, path):
    return {fabric.link(port).name for port in path.hops[1:-1]}


@pytest.mark.parametrize(
    "short",
    ["leaf-spine:leaves=4,spines=3,hosts=2", "fat-tree:k=4", "ring:switches=6,hosts=1", "torus:x=3,y=3,hosts=1"],
)
def test_every_flow_between_switches_of_a_redundant_fabric_has_a_disjoint_backup(short):
    fabric = from_short_form(short)
    hosts = fabric.hosts
    paths, found = protected(fabric, list(zip(hosts, (*hosts[1:], hosts[0]), strict=True)))
    for key, path in paths.items():
        assert (key in found) == (len(path.hops) > 2)
        if key in found:
            assert links(fabric, path).isdisjoint(links(fabric, found[key]))
            assert (found[key].hops[0], found[key].hops[-1]) == (path.hops[0], path.hops[-1])


def test_the_way_back_is_protected_by_the_same_links():
    fabric = leaf_spine(2, 3, 1)
    key = FlowKey("h1", "h2", 30000, 20000)
    _, found = protected(fabric, [("h1", "h2")])
    assert found[key.reversed()] == found[key].reversed(fabric)


def test_flows_that_a_link_would_lose_together_are_spread():
    fabric = leaf_spine(2, 4, 6)
    pairs = [(f"h{number}", f"h{number + 6}") for number in range(1, 7)]
    paths, found = protected(fabric, pairs, "spanning-tree")
    forward = [found[key] for key in paths if key in found and key.src in fabric.hosts[:6]]
    spines = Counter(path.hops[2].node for path in forward)
    assert sorted(spines.values()) == [2, 2, 2]


def test_no_backup_without_a_way_or_over_a_dead_link():
    assert protected(from_short_form("tree:depth=2,fanout=2"), [("h1", "h4")])[1] == {}
    fabric = leaf_spine(2, 2, 1)
    assert protected(fabric, [("h1", "h2")], situation=Situation(frozenset({"leaf1-spine1"})))[1] == {}


def test_backups_that_stand_are_kept():
    fabric = leaf_spine(2, 4, 1)
    _, first = protected(fabric, [("h1", "h2")])
    key = FlowKey("h1", "h2", 30000, 20000)
    others = {port.node for port in first[key].hops}
    paths, _ = protected(fabric, [("h1", "h2")])
    spine = next(s for s in ("spine2", "spine3", "spine4") if s not in others and s != paths[key].hops[2].node)
    shifted = {key: policy("pinned").route(fabric, [Demand(key, (0,), (1,))], Situation(avoiding(fabric, spine)))[key]}
    _, again = protected(fabric, [("h1", "h2")], standing=shifted)
    assert again[key] == shifted[key] != first[key]


def avoiding(fabric, spine):
    """All links of the other spines."""
    ends = ((link.a.node, link.b.node, link.name) for link in fabric.links)
    return frozenset(name for a, b, name in ends if spine not in (a, b) and ("spine" in a or "spine" in b))


def test_a_large_ring_has_no_backups_that_cost_a_rule_at_every_switch():
    fabric = ring(MAX_BACKUP_HOPS + 3, 1)
    _, found = protected(fabric, [("h1", "h2")])
    assert found == {}
    assert len(protected(ring(MAX_BACKUP_HOPS, 1), [("h1", "h2")])[1]) == 2


def test_ports_that_no_group_number_holds_are_not_protected():
    assert protected(leaf_spine(2, 2, 1023), [("h1", "h2000")])[1] == {}
    assert len(protected(leaf_spine(2, 2, 1020), [("h1", "h2000")])[1]) == 2
