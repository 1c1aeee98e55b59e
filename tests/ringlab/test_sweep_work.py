"""A worker's records: the figures of ``ringlab run --backend simulated`` to the bit, whatever was worked on before."""

import json
import random

import pytest
import yaml

from ringlab.experiments import simulated
from ringlab.experiments import spec as specs
from ringlab.experiments.result import to_data
from ringlab.sweeps import work
from ringlab.sweeps.scenario import Scenario
from topologies import formats
from topologies.catalog import from_short_form

FABRICS = [
    "leaf-spine:leaves=4,spines=3,hosts=2", "fat-tree:k=4,latency=3us", "ring:switches=4,hosts=2",
    "rail:groups=2,hosts=2,rails=2,spines=2", "torus:x=3,y=3,hosts=1",
]  # fmt: skip
ARMS = [
    "ecmp:seed=$seed", {"ecmp": {"seeds": [1, 2, "$seed"]}}, "spanning-tree", "pinned", "least-loaded",
    "spray-channels:seed=$seed", "spray",
]  # fmt: skip
MORE = [
    {"algorithm": "ring"}, {"algorithm": "ring", "channels": 2, "placement": "interleaved"},
    {"algorithm": "halving-doubling", "sizes": ["100003"], "dtype": "int8"},
    {"algorithm": "double-binary-tree", "sizes": ["40K"]},
    {"algorithm": "auto"}, {"algorithm": "pairwise", "scale": 100, "transport": {"mtu": 1500}, "compare": []},
]  # fmt: skip


def spec(fabric, **more):
    return {"name": "same", "fabric": fabric, "ranks": 8, "sizes": ["1K", "256K"], "arms": [ARMS[0], *ARMS[2:]], **more}


def scenarios():
    found = [Scenario.of(spec(fabric, **more), "simulated", 3, {}) for fabric in FABRICS for more in MORE]
    return [*found, Scenario.of(spec(FABRICS[0], algorithm="ring", arms=ARMS[1:2]), "simulated", 3, {})]


def run_figures(data):
    """What a record should say, from the result of a run; the spec is read from YAML, as a user writes it."""
    result = json.loads(json.dumps(to_data(simulated.run(specs.loads(yaml.safe_dump(data["spec"]))))))
    names = ("name", "collective", "algorithm", "channels", "ranks", "scale", "line_rate_bps", "nominal_line_rate_bps")
    sizes = ("size_bytes", "time_us", "algbw_GBps", "busbw_GBps", "line_share", "predicted_us")
    arms = [
        {name: arm[name] for name in ("name", "group", "library", "objective", "lower_bound")}
        | {"results": [{name: one[name] for name in sizes} for one in arm["results"]]}
        for arm in result["arms"]
    ]
    return {name: result[name] for name in names} | {"verdict": result["certificate"]["verdict"], "arms": arms}


def figures(data):
    record = work.run(data)
    assert record["ok"], record
    return json.loads(json.dumps(record["result"]))


@pytest.mark.parametrize("fabric", FABRICS)
def test_a_record_has_the_figures_of_a_run(fabric):
    for one in scenarios():
        if one.data["spec"]["fabric"] == fabric:
            assert figures(one.data) == run_figures(one.data)


def test_what_was_worked_on_before_makes_no_difference():
    found = scenarios()[::4]
    before = [figures(one.data) for one in found]
    mixed = list(range(len(found)))
    random.Random(1).shuffle(mixed)
    again = {place: figures(found[place].data) for place in mixed}
    assert [again[place] for place in range(len(found))] == before


def test_faults_have_the_figures_of_a_run_too():
    faulty = spec(FABRICS[0], algorithm="ring", sizes=["8M"], scale=1000, iterations=3, arms=[ARMS[0], "pinned"])
    faulty["faults"] = [{"at_step": 1, "operation": 2, "down": "leaf1-spine1"}]
    data = Scenario.of(faulty, "simulated", 3, {}).data
    assert figures(data) == run_figures(data)


def test_a_fabric_in_place_is_that_of_its_short_form():
    """And is made once: what is known of it is known in the next scenario."""
    plain = json.loads(json.dumps(formats.to_data(from_short_form(FABRICS[1]))))
    one, other = (Scenario.of(spec(plain, algorithm="ring"), "simulated", seed, {}).data for seed in (1, 2))
    short = Scenario.of(spec(FABRICS[1], algorithm="ring"), "simulated", 1, {}).data
    assert one["spec"]["fabric"] is other["spec"]["fabric"]  # sent once
    assert specs.from_data(one["spec"]).fabric is specs.from_data(other["spec"]).fabric
    seeded = {**one, "spec": {**short["spec"], "fabric": plain, "arms": one["spec"]["arms"]}}
    same = {**short, "spec": {**short["spec"], "arms": one["spec"]["arms"]}}
    assert figures(seeded) == figures(same)


def test_errors_of_a_fabric_in_place_name_the_scenario():
    broken = formats.to_data(from_short_form("star:hosts=4"))
    broken["links"] = broken["links"][:-1]
    record = work.run(Scenario.of(spec(broken, algorithm="ring"), "simulated", 1, {}).data)
    assert record["exit_code"] == 2
    assert record["error"].startswith(f"scenario {record['id']}: ")
