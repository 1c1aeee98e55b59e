"""Closed forms against the solver and the replay that they stand for."""

import numpy as np
import pytest

from collectives.algorithms import build
from simulation import closed_form
from simulation.collective import Job, plan
from simulation.conditions import Conditions
from simulation.fair_share import ends
from simulation.links import Links
from simulation.run import simulate
from topologies.leaf_spine import leaf_spine
from topologies.traffic import Path


@pytest.mark.parametrize("seed", range(10))
def test_a_phase_ends_with_the_last_of_its_flows(seed):
    random = np.random.default_rng(seed)
    paths, capacity = random.integers(-1, 9, (30, 4)), random.uniform(0.1, 1.0, 9)
    assert closed_form.phase_s(paths, capacity, 3.0) == pytest.approx(ends(paths, capacity, np.full(30, 3.0)).max())
    weights = random.uniform(0.5, 2.0, 30)
    last = ends(paths, capacity, 3.0 * weights, weights=weights).max()
    assert 3.0 * closed_form.fullest_s(paths, capacity, weights) == pytest.approx(last)


def test_no_links_take_no_time_and_dead_ones_for_ever():
    assert closed_form.phase_s(np.full((2, 3), -1), np.ones(1), 5.0) == 0
    assert closed_form.phase_s(np.array([[0]]), np.array([0.0, 1.0]), 5.0) == np.inf
    assert closed_form.phase_s(np.array([[1]]), np.array([0.0, 2.0]), 5.0) == 2.5


@pytest.mark.parametrize("nbytes", [16, 16 << 20])
@pytest.mark.parametrize("step_s", [0.0, 20e-6])
def test_a_ring_of_any_size_is_what_the_simulation_of_its_schedule_says(nbytes, step_s):
    """Neighbours on other leaves, all over the first spine: two flows on every link between switches."""
    fabric = leaf_spine(4, 2, 2, host_latency_s=0.0, fabric_latency_s=0.0)
    hosts = fabric.hosts[::2] + fabric.hosts[1::2]
    links, schedule = Links.of(fabric), build("ring", 8)
    paths = {}
    for rank, host in enumerate(hosts):
        target = hosts[(rank + 1) % 8]
        up, down = fabric.attachment(host), fabric.attachment(target)
        over = next(port for port in fabric.ports(up.node) if fabric.peer(port).node == "spine1")
        to = next(port for port in fabric.ports("spine1") if fabric.peer(port).node == down.node)
        paths[rank, (rank + 1) % 8, 0] = Path((fabric.nic(host), over, to, down))
    ways = {key: [(port, 1.0) for port in path.hops] for key, path in paths.items()}
    made = plan(Job.of(schedule, nbytes, 1), ways, {}, links, Conditions(step_s, 1.0, 0.0, 1.0))
    simulated = simulate([made], [8], links)[0].completion_s
    rows = links.rows(paths.values())
    assert closed_form.relay_s(rows, links.rate_bps, 8 * nbytes / 8, 14, step_s) == pytest.approx(simulated)
