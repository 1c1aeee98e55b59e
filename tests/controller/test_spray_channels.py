"""spray-channels: a pair's channels count through all its equal-cost paths, from a place drawn for the pair."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from controller.routing import Situation, spray_channels
from controller.routing.next_hops import NextHops
from topologies.fat_tree import fat_tree
from topologies.leaf_spine import leaf_spine
from topologies.ports import connect_port
from topologies.traffic import Demand, FlowKey


def channels(src, dst, count):
    return [Demand(FlowKey(src, dst, connect_port(0, channel), 20000), (0,), (1,)) for channel in range(count)]


@pytest.mark.parametrize("fabric", [leaf_spine(2, 4, 1), leaf_spine(2, 3, 1, links=2), fat_tree(4), fat_tree(6)])
@pytest.mark.parametrize("seed", [0, 1, 99])
def test_n_channels_use_all_n_paths_once_and_then_again_in_the_same_order(fabric, seed):
    src, dst = fabric.hosts[0], fabric.hosts[-1]
    switches = fabric.attachment(src).node, fabric.attachment(dst).node
    number = len(NextHops(fabric).walks(*switches, limit=64))
    paths = list(spray_channels.route(fabric, channels(src, dst, 2 * number), seed).values())
    assert len(set(paths[:number])) == number
    assert paths[number:] == paths[:number]


def test_neighbouring_channels_part_at_the_first_switch():
    fabric = fat_tree(4)
    paths = list(spray_channels.route(fabric, channels("h1", "h16", 4)).values())
    assert all(a.hops[1] != b.hops[1] for a, b in pairwise(paths))


def test_the_place_to_begin_is_drawn_evenly_for_each_pair_and_seed():
    fabric = leaf_spine(2, 4, 20)
    pairs = [channels(src, dst, 1)[0] for src in fabric.hosts[:20] for dst in fabric.hosts[20:]]
    begins = {seed: [p.hops[1] for p in spray_channels.route(fabric, pairs, seed).values()] for seed in (1, 2)}
    for used in begins.values():
        assert sum((seen - 100) ** 2 / 100 for seen in Counter(used).values()) < 21.1  # chi-square: once in 10,000
    same = sum(a == b for a, b in zip(*begins.values(), strict=True))
    assert 65 <= same <= 140  # 100 expected of 400


def test_over_a_dead_link_the_channels_share_the_paths_that_are_left():
    fabric = leaf_spine(2, 4, 1)
    situation = Situation(frozenset({"leaf1-spine2"}))
    paths = spray_channels.route(fabric, channels("h1", "h2", 6), situation=situation)
    assert sorted(Counter(path.hops[1].number - 1 for path in paths.values()).items()) == [(1, 2), (3, 2), (4, 2)]
