"""A spec's collective on its ways: by arrays those that the controller would install, and what is remembered."""

import pytest

from collectives import algorithms
from controller.routing import Situation
from ringlab.experiments import simulated_job
from ringlab.experiments.simulated_job import SimulatedJob
from topologies.catalog import from_short_form
from topologies.leaf_spine import leaf_spine

FABRICS = [
    "leaf-spine:leaves=4,spines=3,hosts=3", "leaf-spine:leaves=3,spines=2,hosts=2,links=2", "fat-tree:k=4",
    "torus:x=3,y=4,hosts=1", "ring:switches=6,hosts=2", "rail:groups=3,hosts=2,rails=4,spines=2",
    "dragonfly:a=2,p=2,h=1",
]  # fmt: skip


def ways(job, policy):
    """Of each connection, as plain lists."""
    found = job.ways(policy, 1 << 20)
    return [
        [[(link, part) for link, part in zip(*row, strict=True) if link >= 0] for row in zip(*columns, strict=True)]
        for columns in ((one.rows.tolist(), one.share.tolist()) for one in (found.there, found.back))
    ]


@pytest.mark.parametrize("algorithm", ["ring", "halving-doubling", "pairwise"])
@pytest.mark.parametrize("text", FABRICS)
def test_ecmp_by_arrays_is_the_controllers(text, algorithm, monkeypatch):
    """Two ranks of some hosts, some of them neighbours: slots make other ports, and some connections leave no host."""
    fabric = from_short_form(text)
    hosts = (fabric.hosts[0], *fabric.hosts[:5], fabric.hosts[2], fabric.hosts[-1])
    for channels in (1, 3):
        job = SimulatedJob(fabric, hosts, algorithms.build(algorithm, 8, channels), 4)
        found = {policy: ways(job, policy) for policy in ("ecmp", "ecmp:seed=7", f"ecmp:seed={2**64 - 1}")}
        assert found["ecmp"] == ways(job, "ecmp:seed=0")
        with monkeypatch.context() as patch:
            patch.setattr(simulated_job, "MAX_CELLS", 0)
            by_policy = SimulatedJob(fabric, hosts, job.schedule, 4)
            for policy, one in found.items():
                assert ways(by_policy, policy) == one


def test_dead_links_are_gone_round():
    fabric = from_short_form("leaf-spine:leaves=2,spines=2,hosts=2")
    job = SimulatedJob(fabric, fabric.hosts, algorithms.build("pairwise", 4), 4)
    dead = job.ways("ecmp", 1024, Situation(frozenset(["leaf1-spine1"]))).there.rows
    names = [port.node for port in fabric.directed_links()]
    assert any(names[link] == "spine1" for link in job.ways("ecmp", 1024).there.rows.ravel() if link >= 0)
    assert not any(names[link] == "spine1" for link in dead.ravel() if link >= 0)


def test_equal_scenarios_share_a_job_and_the_ways_that_nobody_draws():
    fabric = from_short_form("leaf-spine:leaves=2,spines=2,hosts=2")
    job = SimulatedJob.of(fabric, fabric.hosts, "ring", 1, 4)
    assert SimulatedJob.of(fabric, fabric.hosts, "ring", 1, 4) is job
    assert SimulatedJob.of(leaf_spine(2, 2, 2), fabric.hosts, "ring", 1, 4) is not job
    assert job.ways("pinned", 1024) is job.ways("pinned", 1024)
    assert job.ways("pinned", 1024) is not job.ways("pinned", 2048)
    assert job.moves(1024) is job.moves(1024)


def test_a_policy_of_ones_own_is_asked_again(monkeypatch):
    """Its file may have changed meanwhile."""
    fabric = from_short_form("leaf-spine:leaves=2,spines=2,hosts=2")
    job, asked, real = SimulatedJob(fabric, fabric.hosts, algorithms.build("ring", 4), 4), [], simulated_job.route

    def route(fabric, policy, *more):
        asked.append(policy)
        return real(fabric, "shortest", *more)

    monkeypatch.setattr(simulated_job, "route", route)
    for policy in ("mine.py:route", "mine.py:route", "shortest", "shortest"):
        job.ways(policy, 1024)
    assert asked == ["mine.py:route", "mine.py:route", "shortest"]
