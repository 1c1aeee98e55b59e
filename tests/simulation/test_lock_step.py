"""Sums of steps against the event loop with a barrier after each step, and against the simulated schedules."""

import numpy as np
import pytest

from collectives.algorithms import build
from simulation.collective import Job, plan
from simulation.conditions import Conditions
from simulation.hashing import NextHops, Pairs, mixed, walk
from simulation.lock_step import different_steps, lock_step_s, streaming_s
from simulation.replay import Flows, replay
from simulation.run import simulate
from topologies import catalog

MIB = 1 << 20


def hashed(tables, seed, hosts=None):
    """A way over ``tables``: rank r on host r, or on ``hosts[r]``."""

    def way(src, dst, channel):
        there = np.arange(len(tables.fabric.hosts)) if hosts is None else hosts
        pairs = Pairs.of(there[src], there[dst], channel)
        return walk(tables, pairs, mixed(pairs, seed))

    return way


def with_barriers(schedule, way, rate_bps, nbytes):
    """Each flow waits for all of the step before."""
    rows = way(schedule.src.astype(int), schedule.dst.astype(int), schedule.channel.astype(int))
    needs = [np.flatnonzero(schedule.step == step - 1) for step in schedule.step]
    starts = np.cumsum([0, *map(len, needs)])
    amount = 8.0 * nbytes * schedule.count / schedule.num_chunks
    use, lags = np.where(rows < 0, 0.0, 1.0), np.zeros(len(rows))
    flows = Flows(rows.astype(np.int64), use, amount, lags, starts, np.concatenate(needs).astype(np.int64))
    return replay(flows, rate_bps)[1].max()


def simulated(schedule, way, tables, nbytes):
    keys = list(zip(schedule.src.tolist(), schedule.dst.tolist(), schedule.channel.tolist(), strict=True))
    ways = {
        key: [(tables.links.ports[link], 1.0) for link in way(*(np.array([part]) for part in key))[0] if link >= 0]
        for key in dict.fromkeys(keys)
    }
    made = plan(Job.of(schedule, nbytes, 1), ways, {}, tables.links, Conditions.ideal())
    return simulate([made], [schedule.num_ranks], tables.links)[0].completion_s


@pytest.mark.parametrize(
    "text", ["leaf-spine:leaves=4,spines=2,hosts=2,fabric_rate=40G", "fat-tree:k=4", "star:hosts=8"]
)
@pytest.mark.parametrize("algorithm", ["ring", "halving-doubling", "recursive-doubling", "double-binary-tree"])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_sum_is_the_event_loop_with_barriers(text, algorithm, seed):
    found = NextHops.of(catalog.from_short_form(text))
    schedule, way = build(algorithm, 8), hashed(found, seed)
    total = lock_step_s(different_steps(schedule), way, found.links.rate_bps, MIB)
    assert total == pytest.approx(with_barriers(schedule, way, found.links.rate_bps, MIB))
    with_latency = lock_step_s(different_steps(schedule), way, found.links.rate_bps, MIB, 1e-3)
    assert with_latency == pytest.approx(total + schedule.num_steps * 1e-3)


@pytest.mark.parametrize("algorithm", ["halving-doubling", "recursive-doubling"])
@pytest.mark.parametrize("text", ["star:hosts=8,latency=0s", "leaf-spine:leaves=4,spines=1,hosts=2,latency=0s"])
def test_where_links_are_equally_full_nobody_waits_at_barriers(text, algorithm):
    found = NextHops.of(catalog.from_short_form(text))
    schedule, way = build(algorithm, 8), hashed(found, 0)
    total = lock_step_s(different_steps(schedule), way, found.links.rate_bps, MIB)
    assert total == pytest.approx(simulated(schedule, way, found, MIB))


def test_halving_doubling_has_a_step_for_each_distance_and_a_ring_one():
    steps = different_steps(build("halving-doubling", 16))
    assert [(int(abs(step.dst - step.src)[0]), step.times, step.share[0]) for step in steps] == [
        (8, 2, 0.5),
        (4, 2, 0.25),
        (2, 2, 0.125),
        (1, 2, 0.0625),
    ]
    (step,) = different_steps(build("ring", 16))
    assert (step.times, step.share.tolist()) == (30, [1 / 16] * 16)


def test_halving_doubling_on_a_star_is_the_textbooks():
    found = NextHops.of(catalog.from_short_form("star:hosts=16,rate=100G"))
    steps = different_steps(build("halving-doubling", 16))
    total = lock_step_s(steps, hashed(found, 0), found.links.rate_bps, 64 * MIB, 4e-6)
    assert total == pytest.approx(2 * 15 / 16 * 8 * 64 * MIB / 100e9 + 8 * 4e-6)


@pytest.mark.parametrize("ranks", [8, 13, 16])
def test_streaming_trees_take_what_their_simulation_takes(ranks):
    """A simulated chunk comes in 64 pieces: a 64th of its time later at each of the tree's levels, up and down."""
    found = NextHops.of(catalog.from_short_form("leaf-spine:leaves=4,spines=2,hosts=4,latency=0s"))
    schedule, way = build("double-binary-tree", ranks), hashed(found, 3)
    closed = streaming_s(schedule, way, found.links.rate_bps, 64 * MIB)
    levels = 2 * int(np.ceil(np.log2(ranks)))
    exact = simulated(schedule, way, found, 64 * MIB)
    assert closed <= exact * (1 + 1e-9)
    assert closed == pytest.approx(exact, rel=levels / 64 + 0.03)
    assert streaming_s(schedule, way, found.links.rate_bps, 0, 1e-3) == pytest.approx(schedule.num_steps * 1e-3)
