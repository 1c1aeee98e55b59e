"""Jobs at the same time: alone where they share no link, half as fast where they share all; routed together."""

from dataclasses import replace

import pytest

from ringlab.errors import UsageError
from ringlab.experiments import runner, simulated
from ringlab.experiments import spec as specs
from ringlab.experiments.result import Result
from ringlab.experiments.spec import SpecError

ALONE = """\
name: two-jobs
fabric: {fabric}
placement: [h1, h3]
algorithm: ring
sizes: [64M]
arms: [{arms}]
"""
NEIGHBOUR = "neighbours: [{name: other, hosts: [h2, h4]}]\n"
ONE_SPINE = "leaf-spine:leaves=2,spines=1,hosts=2"
TWO_SPINES = "leaf-spine:leaves=2,spines=2,hosts=2"


def _run(fabric: str, arms: str, more: str = "") -> Result:
    return simulated.run(specs.loads(ALONE.format(fabric=fabric, arms=arms) + more))


def _times(result: Result) -> dict[str, float]:
    return {arm.name: arm.results[0].time_us for arm in result.arms}


def test_jobs_that_share_no_link_are_as_fast_as_alone() -> None:
    alone, both = _times(_run("star:hosts=4", "pinned")), _times(_run("star:hosts=4", "pinned", NEIGHBOUR))
    assert both == {"pinned": alone["pinned"], "pinned @ other": alone["pinned"]}


def test_jobs_that_share_every_uplink_are_half_as_fast() -> None:
    alone, both = _times(_run(ONE_SPINE, "pinned")), _times(_run(ONE_SPINE, "pinned", NEIGHBOUR))
    assert both["pinned"] == pytest.approx(2 * alone["pinned"], rel=0.02)
    assert both["pinned @ other"] == pytest.approx(both["pinned"], rel=1e-6)


def test_pinned_knows_both_jobs_and_gives_each_a_spine_of_its_own() -> None:
    alone, both = _times(_run(TWO_SPINES, "pinned")), _times(_run(TWO_SPINES, "pinned, spanning-tree", NEIGHBOUR))
    assert both["pinned"] == pytest.approx(alone["pinned"], rel=1e-6)
    assert both["spanning-tree"] == pytest.approx(2 * alone["pinned"], rel=0.02)


@pytest.mark.parametrize("seed", range(6))
def test_a_hash_sends_a_flow_where_it_does_without_neighbours(seed: int) -> None:
    """Its ways do not depend on other jobs; two walks of the hash (by arrays, by flows) agree, bytes too."""
    alone, both = _run(TWO_SPINES, f"ecmp:seed={seed}"), _run(TWO_SPINES, f"ecmp:seed={seed}", NEIGHBOUR)
    for one, two in zip(alone.links, both.links, strict=True):
        assert two.bytes_counted >= one.bytes_counted
        assert two.bytes_counted == two.bytes_predicted
    assert sum(link.bytes_counted for link in both.links) == 2 * sum(link.bytes_counted for link in alone.links)


def test_a_neighbour_may_have_another_algorithm_and_is_compared_with_itself() -> None:
    other = "neighbours: [{name: big, hosts: [h2, h4, h5, h6], algorithm: halving-doubling, channels: 2}]\n"
    found = _run("leaf-spine:leaves=4,spines=2,hosts=2", "spanning-tree, pinned", other)
    assert [arm.name for arm in found.arms] == ["spanning-tree", "spanning-tree @ big", "pinned", "pinned @ big"]
    pairs = {frozenset((one.better, one.than)) for one in found.comparisons}
    assert pairs == {frozenset(("pinned", "spanning-tree")), frozenset(("pinned @ big", "spanning-tree @ big"))}
    big = next(arm.results[0] for arm in found.arms if arm.name == "pinned @ big")
    assert big.busbw_GBps == pytest.approx(big.algbw_GBps * 1.5)


def test_a_fault_meets_all_jobs() -> None:
    fault = "iterations: 1\nfaults: [{at: 1ms, degrade: leaf1-spine1, rate: 10G, for: 100s}]\n"
    whole, broken = _times(_run(ONE_SPINE, "pinned", NEIGHBOUR)), _times(_run(ONE_SPINE, "pinned", NEIGHBOUR + fault))
    assert broken["pinned"] > 3 * whole["pinned"]
    assert broken["pinned @ other"] > 3 * whole["pinned @ other"]


@pytest.mark.parametrize(
    ("neighbours", "said"),
    [
        ("[{name: a, hosts: [h2, h1]}]", "neighbours[0].hosts[1]: h1 has a rank of the spec's own job already"),
        ("[{name: a, hosts: [h2, h9]}]", "neighbours[0].hosts[1]: no host 'h9' in this fabric"),
        ("[{name: a, hosts: [h2, h2]}]", "neighbours[0].hosts[1]: h2 is there twice"),
        ("[{name: a, hosts: [h2, h4], algorithm: rings}]", "neighbours[0].algorithm: no algorithm 'rings'"),
        ("[{name: a, hosts: [h2, h4], algorithm: auto}]", "auto is chosen for one job alone"),
        ("[{name: a, hosts: [h2]}]", "neighbours[0].hosts: has 1 of at least 2 items"),
        ("[{name: a}]", "neighbours[0].hosts: is missing; name the hosts of its ranks"),
    ],
)
def test_what_can_not_be_is_told_with_its_place(neighbours: str, said: str) -> None:
    with pytest.raises(SpecError) as error:
        specs.loads(ALONE.format(fabric=TWO_SPINES, arms="pinned") + f"neighbours: {neighbours}\n")
    assert said in str(error.value)


def test_two_neighbours_of_one_name_are_told_apart() -> None:
    text = ALONE.format(fabric="star:hosts=6", arms="pinned")
    with pytest.raises(SpecError, match="'a' is there twice"):
        specs.loads(text + "neighbours: [{name: a, hosts: [h2, h4]}, {name: a, hosts: [h5, h6]}]\n")


def test_emulation_says_that_it_can_not() -> None:
    spec = specs.loads(ALONE.format(fabric=TWO_SPINES, arms="pinned") + NEIGHBOUR)
    with pytest.raises(UsageError, match="several jobs at once can only be simulated"):
        runner.run(replace(spec, scale=100.0), lambda _: None, lambda _: None)
