"""A simulated operation at any moment: what it carries adds up to what it moves."""

from dataclasses import replace
from itertools import pairwise

import pytest

from controller.routing import RoutingError
from ringlab.experiments import simulated
from ringlab.experiments import spec as specs
from ringlab.web.operation import Operation, Scene, World

TEXT = """
name: small
fabric: leaf-spine:leaves=2,spines=2,hosts=2,rate=100G,latency=1us
placement: interleaved
collective: all_reduce
algorithm: {algorithm}
sizes: [4M]
arms: [pinned]
repeats: 1
"""
SIZE = 4 << 20


def scene(algorithm="ring"):
    return Scene(specs.loads(TEXT.format(algorithm=algorithm)))


@pytest.mark.parametrize("algorithm", ["ring", "halving-doubling", "double-binary-tree", "rooted"])
@pytest.mark.parametrize("policy", ["pinned", "ecmp:seed=3", "spanning-tree"])
def test_it_takes_as_long_as_a_simulated_run(algorithm, policy):
    made = scene(algorithm)
    arm = replace(made.spec.arms[0], policy=policy)
    result = simulated.run(replace(made.spec, arms=(arm,)))
    found = Operation(made, SIZE, [(0.0, World(policy))]).completion_s
    assert found * 1e6 == pytest.approx(result.arms[0].results[0].time_us, rel=0.01), "a run's moments have a slack"


@pytest.mark.parametrize("algorithm", ["ring", "halving-doubling"])
def test_what_hosts_send_adds_up_to_the_bytes_of_the_collective(algorithm):
    made = scene(algorithm)
    operation = Operation(made, SIZE, [(0.0, World("pinned"))])
    moments, total = 4000, 0.0
    for number in range(moments):
        loads = operation.loads((number + 0.5) / moments * operation.completion_s)
        total += sum(bps for port, bps in loads.items() if port.node.startswith("h")) / 8
    moved = total * operation.completion_s / moments
    payload = 4 * 2 * 3 / 4 * SIZE
    assert moved == pytest.approx(payload, rel=0.02), "with headers and acknowledgements 1.2 %"
    assert moved > payload


@pytest.mark.parametrize("algorithm", ["ring", "halving-doubling", "double-binary-tree"])
def test_steps_only_rise_from_the_first_to_the_last(algorithm):
    made = scene(algorithm)
    operation = Operation(made, SIZE, [(0.0, World("pinned"))])
    seen = [operation.steps(share / 50 * operation.completion_s) for share in range(51)]
    assert all(a <= b for before, now in pairwise(seen) for a, b in zip(before, now, strict=True))
    assert max(seen[0]) <= 1
    assert max(seen[-1]) == made.schedule.num_steps - 1


def test_a_cut_link_carries_nothing_and_flows_go_round_it_once_it_is_known():
    made = scene()
    half = Operation(made, SIZE, [(0.0, World("pinned"))]).completion_s / 2
    cut = frozenset({"leaf1-spine1"})
    worlds = [(0.0, World("pinned")), (half, World("pinned", cut)), (half * 1.2, World("pinned", cut, cut))]
    operation = Operation(made, SIZE, worlds)
    port = next(port for port in made.links.ports if made.spec.fabric.direction(port) == "leaf1->spine1")
    other = next(port for port in made.links.ports if made.spec.fabric.direction(port) == "leaf1->spine2")
    before = operation.loads(half * 0.9)
    assert before[port] > 1e9
    assert operation.loads(half * 1.1).get(port, 0.0) < 1e3
    after = operation.loads(half * 1.3)
    assert after.get(port, 0.0) < 1e3
    assert after[other] > before[other] * 0.99
    assert operation.completion_s > 2.5 * half, "one way has to carry what two did"
    assert operation.steps(half * 0.9) == Operation(made, SIZE, worlds[:1]).steps(half * 0.9), "the past stays"


def test_what_is_caught_on_a_hosts_cut_link_waits_and_goes_on_when_it_is_restored():
    made = scene()
    whole = Operation(made, SIZE, [(0.0, World("pinned"))]).completion_s
    cut = frozenset({"h1-leaf1"})
    stuck = World("pinned", cut, cut)
    assert not made.has_way(stuck)
    worlds = [(0.0, World("pinned")), (whole * 0.5, stuck), (whole * 3.5, World("pinned"))]
    assert Operation(made, SIZE, worlds).completion_s == pytest.approx(whole * 4, rel=0.01)
    assert Operation(made, SIZE, worlds[:2]).completion_s > 1000 * whole


def test_a_policy_that_has_no_way_on_the_whole_fabric_is_an_error():
    with pytest.raises(RoutingError):
        scene().routed(World("teleport"))
