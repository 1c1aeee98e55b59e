"""What is said of arms that another library ran."""

from dataclasses import replace

from ringlab.experiments.libraries import notes, pair_demands, told
from topologies.traffic import FlowKey


def test_all_pairs_of_hosts_are_announced_alike():
    demands = pair_demands(("h1", "h3", "h1", "h2"), 64)
    assert len(demands) == 6
    assert {demand.nbytes for demand in demands} == {64}
    assert demands[0].key == FlowKey.any_port("h1", "h3")


def test_arms_are_told_by_library(make_result):
    one, two, three, *_ = make_result().arms
    arms = [one, replace(two, library="gloo of torch 2"), replace(three, library="gloo of torch 2")]
    assert list(told(arms)) == [f"{two.name}, {three.name}: gloo of torch 2"]
    said = list(notes(arms, polled=["pinned+openmpi"]))
    assert "nothing is predicted" in said[0]
    assert said[1].startswith("pinned+openmpi: ranks poll")
    assert list(notes([one], polled=[])) == []
