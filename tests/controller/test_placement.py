"""Step groups, loads and bounds, worked out by hand."""

from __future__ import annotations

import pytest

from controller.routing import shortest, spanning_tree
from controller.routing.placement import StepGroup, assess, group_load_s, step_groups
from topologies.fabric import Port
from topologies.leaf_spine import leaf_spine
from topologies.ring import ring
from topologies.traffic import Demand, FlowKey


def demand(src, dst, steps, nbytes, port=30000):
    return Demand(FlowKey(src, dst, port, 20000), steps, nbytes)


def test_steps_with_the_same_flows_are_one_group():
    demands = [
        demand("h1", "h2", (0, 1, 2), (1, 2, 4)),
        demand("h2", "h3", (0, 1), (8, 16)),
        demand("h3", "h1", (5,), (32,)),
    ]
    assert step_groups(demands) == [
        StepGroup((0, 1), {0: 3, 1: 24}),
        StepGroup((2,), {0: 4}),
        StepGroup((5,), {2: 32}),
    ]
    assert step_groups([]) == []


def test_loads_are_seconds_and_groups_add_up():
    fabric = leaf_spine(2, 2, 2, host_rate_bps=8_000, fabric_rate_bps=16_000)
    demands = [demand("h1", "h3", (0,), (1000,)), demand("h2", "h4", (0,), (1000,)), demand("h1", "h4", (1,), (500,))]
    paths = spanning_tree.route(fabric, demands)
    loads = group_load_s(fabric, demands, paths, step_groups(demands)[0])
    assert loads[Port("h1", 1)] == 1.0
    assert loads[Port("leaf1", 3)] == 1.0  # two flows at twice the rate
    assert assess(fabric, demands, paths).objective_s == pytest.approx(1.0 + 0.5)
    assert assess(fabric, demands, paths).optimal


def test_bounds():
    fabric = leaf_spine(2, 2, 3, host_rate_bps=8_000_000, fabric_rate_bps=8_000)
    three = [demand(f"h{i}", f"h{i + 3}", (0,), (1000,)) for i in (1, 2, 3)]
    assessment = assess(fabric, three, spanning_tree.route(fabric, three))
    assert assessment.lower_bound_s == pytest.approx(2.0)  # three flows over two links: some link has two
    assert assessment.objective_s == pytest.approx(3.0)
    assert assessment.gap == pytest.approx(0.5)
    circle = ring(4, 1, host_rate_bps=8_000_000, fabric_rate_bps=8_000)
    across = [demand(f"h{i}", f"h{(i + 1) % 4 + 1}", (0,), (1000,), 30000 + i) for i in (1, 2, 3, 4)]
    both = [*across, *(Demand(d.key.reversed(), (0,), (1000,)) for d in across)]
    # 8 flows of 2 hops over 8 directed links: 2 on some link
    assert assess(circle, both, shortest.route(circle, both)).lower_bound_s == pytest.approx(2.0)


def test_a_job_without_flows_takes_no_time():
    assessment = assess(ring(3, 1), [], {})
    assert (assessment.objective_s, assessment.lower_bound_s, assessment.gap) == (0.0, 0.0, 0.0)
