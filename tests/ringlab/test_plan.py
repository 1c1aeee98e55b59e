"""``ringlab plan``: closed forms against search and simulation, what a budget buys, and the command."""

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringlab.cli import main
from ringlab.errors import UsageError
from ringlab.planning.candidates import Budget, Prices, candidates
from ringlab.planning.contest import contest, screened
from ringlab.planning.ranking import rank
from ringlab.planning.report import Plan, plot
from ringlab.planning.workload import (
    Workload,
    bytes_at_balance,
    bytes_numerically,
    devices_at_balance,
    devices_numerically,
)
from topologies import catalog

EDGE = "edge-sites:leaves=2,spines=2,hosts=4,sites=2,site_hosts=4"

works = st.builds(
    Workload,
    tasks=st.floats(0.1, 1e4),
    task_s=st.floats(1e-5, 10),
    nbytes=st.floats(1, 1e12),
    rate_bps=st.floats(1e8, 1e13),
    step_s=st.one_of(st.just(0.0), st.floats(1e-7, 1e-2)),
    shared=st.booleans(),
    overlap=st.floats(0, 1),
)


@given(works)
def test_search_finds_the_closed_form_s_devices(work):
    closed, searched = devices_at_balance(work), devices_numerically(work)
    if closed is None or closed > 2**39:
        assert searched is None or searched > 2**38
    else:
        assert searched == pytest.approx(closed, rel=1e-6)
    if closed is not None and 1.01 < closed < 2**39:  # nearer to 1, n - 1 has too few digits
        assert work.efficiency(closed, work.communication_s(closed)) == pytest.approx(0.5, rel=1e-6)


@given(works, st.integers(2, 4096))
def test_search_finds_the_closed_form_s_bytes(work, devices):
    closed, searched = bytes_at_balance(work, devices), bytes_numerically(work, devices)
    if closed is None or closed < 1:
        assert searched is None or searched < 2
    elif closed < 2**59:
        assert searched == pytest.approx(closed, rel=1e-6)
        assert work.efficiency(devices, work.communication_s(devices, closed)) == pytest.approx(0.5, rel=1e-6)


def test_where_computation_is_always_longer_there_is_no_balance():
    work = Workload(1, 1.0, 1e6, 1e11, 0.0)  # 2 m / b is 0.16 ms, and nothing grows with n
    assert devices_at_balance(work) is None
    assert devices_numerically(work) is None
    slow = Workload(1, 1e-3, 1e6, 1e11, 1e-3)
    assert bytes_at_balance(slow, 64) is None
    assert bytes_numerically(slow, 64) is None


def test_overlap_hides():
    plain, hidden = (Workload(1, 1.0, 1e10, 1e11, 0.0, overlap=overlap) for overlap in (0.0, 0.5))
    time_s = plain.communication_s(8)
    assert time_s == pytest.approx(2 * 7 / 8 * 0.8)
    assert plain.efficiency(8, time_s) == pytest.approx(1 / (1 + time_s))
    assert hidden.efficiency(8, time_s) == pytest.approx(1 / (1 + time_s - 0.5))
    assert hidden.efficiency(8, 0.4) == 1.0


def test_a_star_s_simulated_ring_is_the_closed_form():
    work = Workload(1, 1.0, 2**26, 100e9, 5e-6)
    star = catalog.from_short_form("star:hosts=8,rate=100G,latency=0")
    (entry, _) = contest(star, 8, 2**26, "pinned", 5e-6, ["ring"])
    # chunks stream: the last step's latency shows, the others hide behind bytes
    assert work.communication_s(8) - 14 * 5e-6 <= entry.time_s <= work.communication_s(8)


SHAPES = ["leaf-spine:leaves=4,spines=2,hosts=2", "torus:x=2,y=4,hosts=1", "star:hosts=8", EDGE]


@pytest.mark.parametrize("form", SHAPES)
def test_screening_is_near_the_replay(form):
    """Steps in lock-step are within a third of what flows do that share links as they come and go. (No trees.)"""
    fabric = catalog.from_short_form(form)
    ranks = len(fabric.hosts)
    replayed = {(one.placement, one.algorithm): one.time_s for one in contest(fabric, ranks, 2**26, "pinned", 5e-6)}
    coarse = screened(fabric, ranks, 2**26, "pinned", 5e-6, ("contiguous", "interleaved"))
    assert len(coarse) == len(replayed) - 2
    for one in coarse:
        assert 0.75 < one.time_s / replayed[one.placement, one.algorithm] < 1.33, one


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([8, 12, 16, 27]), st.integers(1, 16), st.integers(3, 20), st.floats(10, 500))
def test_what_is_bought_is_within_the_budget(hosts, switches, ports, cost):
    budget = Budget(switches, ports, cost, Prices(5, 1, 1))
    for one in candidates(hosts, budget, "10G"):
        fabric = one.fabric
        assert len(fabric.hosts) >= hosts
        assert len(fabric.switches) <= switches
        assert max(len(fabric.ports(switch)) for switch in fabric.switches) <= ports
        used = sum(len(fabric.ports(switch)) for switch in fabric.switches)
        assert one.parts.cost == 5 * len(fabric.switches) + used + len(fabric.links) <= cost
        assert catalog.from_short_form(f"{one.form},rate=10G") == fabric


def test_every_generator_has_its_chance():
    kinds = {one.form.partition(":")[0] for one in candidates(16, Budget(), "10G")}
    assert kinds == set(catalog.GENERATORS) - {"edge-sites"}


def test_the_cheaper_of_equals_is_first():
    """A contiguous ring crosses each leaf's uplinks once each way: more uplinks are money for nothing."""
    work = Workload(1, 0.1, 2**26, 100e9, 5.5e-6)
    ranking = rank(work, 8, Budget(switches=4, ports=8), "100G", "pinned", 20)
    costs = {one.candidate.form: one.candidate.parts.cost for one in ranking.ranked}
    single = [one for one in ranking.ranked if len(one.candidate.fabric.ports("h1")) == 1]
    assert single[0].candidate.form == "star:hosts=8"
    assert costs["star:hosts=8"] == min(costs.values())
    steps = [one.step_s for one in ranking.ranked]
    assert all(later > earlier * 0.98 for earlier, later in pairwise(steps))


def test_scattered_hosts_need_uplinks():
    """Interleaved, every step of a ring crosses: what has as many uplinks as hosts beats what has fewer."""
    work = Workload(1, 0.1, 2**26, 100e9, 5.5e-6)
    half, full = (
        screened(catalog.from_short_form(form), 16, 2**26, "pinned", 5.5e-6, ("interleaved",))
        for form in ("leaf-spine:leaves=4,spines=1,hosts=4", "leaf-spine:leaves=4,spines=2,hosts=4,links=2")
    )
    assert full[0].time_s < 0.7 * half[0].time_s
    ranking = rank(work, 16, Budget(switches=6, ports=16), "100G", "pinned", 1, ("interleaved",))
    assert len(ranking.ranked) == 1 < ranking.found
    assert ranking.ranked[0].best.time_s < 0.7 * half[0].time_s


def test_no_fabric_for_the_money():
    with pytest.raises(UsageError, match="no fabric of the catalog has 64 hosts within the budget"):
        rank(Workload(1, 0.1, 1e6, 1e11, 0.0), 64, Budget(switches=1, ports=8), "100G", "pinned", 5)


def test_hierarchical_beats_flat_over_thin_uplinks():
    """Two sites behind 1 Gb/s and 10 ms: with ranks of a site beside each other, and far more so without."""
    entries = contest(catalog.from_short_form(EDGE), 16, 2**26, "pinned", 5.5e-6, ["ring", "hierarchical:4"])
    times = {(one.algorithm, one.placement): one.time_s for one in entries}
    assert entries[0].algorithm == "hierarchical:4"
    assert times["hierarchical:4", "contiguous"] < times["ring", "contiguous"]
    bytes_s = 8 * 2**26 / 1e9  # the whole message over an uplink once
    assert 2 * 3 / 4 * bytes_s < times["hierarchical:4", "contiguous"] < 2 * 3 / 4 * bytes_s + 6 * 0.0225
    assert 2 * 15 / 16 * bytes_s < times["ring", "contiguous"] < 2 * 15 / 16 * bytes_s + 0.01
    assert times["ring", "interleaved"] > 3 * times["ring", "contiguous"]


def test_the_plot_shows_efficiency_and_balance():
    plan = Plan(Workload(1, 0.1, 1e9, 1e11, 1e-5), 64)
    assert b"<svg" in plot(plan, "e.svg")
    assert plot(plan, "e.png").startswith(b"\x89PNG")
    assert plan.points() == [2, 4, 8, 16, 32, 64]
    assert Plan(plan.work, 48).points()[-2:] == [32, 48]


def plan_json(capsys, *words):
    assert main(["plan", *words, "--json", "-"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_command_s_figures(capsys, tmp_path):
    drawn = tmp_path / "e.svg"
    found = plan_json(capsys, "-n", "64", "--size", "1G", "--task-time", "100ms", "--plot", str(drawn))
    assert found["balance"]["devices"] == pytest.approx(found["balance"]["devices_numerically"])
    last = found["curve"][-1]
    assert last["ring_s"] == pytest.approx(2 * 63 * (5.5e-6 + 8 * 2**30 / 64 / 100e9))
    assert last["efficiency"] == pytest.approx(0.1 / (0.1 + last["ring_s"]))
    assert drawn.read_text().startswith("<?xml")


def test_a_fabric_s_rate_is_its_own(capsys):
    """At its rate a ring takes in closed form what it takes simulated."""
    form = "leaf-spine:leaves=2,spines=2,hosts=2,rate=400G,latency=0"
    found = plan_json(capsys, "--fabric", form, "--size", "1G", "--task-time", "1s", "--algorithm", "ring")
    assert found["workload"]["rate_bps"] == 400e9
    assert found["curve"][-1]["ring_s"] == pytest.approx(found["entries"][0]["time_s"], rel=0.01)
    assert main(["plan", "--fabric", EDGE, "--size", "1M", "--task-time", "1s", "--algorithm", "ring"]) == 0
    assert "an all_reduce of 1 MiB at a line rate of 1 Gb/s, 5.500 us" in capsys.readouterr().out


def test_what_is_left_out_is_said():
    star, heard = catalog.from_short_form("star:hosts=8"), []
    contest(star, 8, 2**20, "pinned", 5e-6, (), heard.append)
    assert heard == []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ringlab.planning.contest.MOST_TRANSFERS", 47)  # halving-doubling: 8 ranks, 6 steps
        entries = contest(star, 8, 2**20, "pinned", 5e-6, (), heard.append)
    (said,) = heard
    assert said.startswith("left out, more than 47 transfers: halving-doubling")
    assert "halving-doubling" not in {entry.algorithm for entry in entries}


def test_a_plot_s_folder_is_made(tmp_path, capsys):
    drawn = tmp_path / "made" / "e.svg"
    assert main(["plan", "--task-time", "1s", "--plot", str(drawn)]) == 0
    assert b"<svg" in drawn.read_bytes()


def test_a_task_s_time_follows_from_the_device(capsys):
    found = plan_json(capsys, "--size", "2G", "--device", "h100", "--tasks", "3")
    assert found["workload"]["task_s"] == pytest.approx(6 * 2048 * 2**30 / (989e12 * 0.602))
    shared = plan_json(capsys, "--size", "2G", "--total-tasks", "640", "--task-time", "1ms")
    assert shared["curve"][-1]["computation_s"] == pytest.approx(0.01)


def test_the_command_ranks_and_compares(capsys):
    assert main(["plan", "-n", "8", "--size", "64M", "--task-time", "50ms", "--switches", "4", "--ports", "8"]) == 0
    printed = capsys.readouterr().out
    assert "fabrics fit the budget" in printed
    assert "star:hosts=8" in printed
    assert main(["plan", "--fabric", EDGE, "--size", "64M", "--task-time", "1s", "--algorithm", "ring"]) == 0
    printed = capsys.readouterr().out
    assert "all_reduce on edge-sites-2x2x4-2x4, simulated:" in printed
    assert "hierarchical" not in printed


WRONG = {
    "size": (["--size", "1X"], "--size: '1X' is no size"),
    "rate": (["--rate", "fast"], "--rate: 'fast' is not a rate"),
    "latency": (["--latency", "5"], "--latency: '5' is not a latency"),
    "task time": (["--task-time", "0"], "--task-time 0: above 0, like 50ms"),
    "tasks": (["--tasks", "0"], "--tasks 0: above 0"),
    "device": (["--device", "a10"], "--device: no device 'a10'; did you mean 'a100'?"),
    "policy": (["--policy", "pined"], "--policy: no routing policy 'pined'"),
    "overlap": (["--overlap", "nan"], "--overlap nan: is no finite number"),
    "budget": (["--budget", "inf"], "--budget inf: is no finite number"),
    "plot": (["--plot", "e.pdf"], "--plot e.pdf: neither SVG nor PNG"),
    "both": (["--fabric", EDGE, "--ports", "8"], "--fabric: is built already"),
    "algorithm": (["--algorithm", "ring"], "--algorithm: needs --fabric"),
    "many": (["-n", "17", "--fabric", EDGE], "--devices 17: edge-sites-2x2x4-2x4 has 16 hosts"),
    "no algorithm": (
        ["--fabric", EDGE, "--algorithm", "hierarchical:5"],
        "--algorithm: hierarchical:5 does not divide 16",
    ),
    "a typo": (["--fabric", EDGE, "--algorithm", "ring", "--algorithm", "rign"], "--algorithm: no algorithm 'rign'"),
    "too large": (["--fabric", "star:hosts=200", "--algorithm", "pairwise"], "--algorithm pairwise: 79,600 transfers"),
    "rate of a fabric": (["--fabric", EDGE, "--rate", "100G"], "--rate: a fabric has its own"),
    "too many": (["-n", "2000", "--ports", "64"], "--devices 2000: within a budget at most 1024"),
    "fabric": (["--fabric", "edge-site:leaves=2"], "no generator 'edge-site'; did you mean 'edge-sites'?"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_one_line(wrong, capsys):
    words, said = WRONG[wrong]
    assert main(["plan", *words]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith(f"ringlab: {said}"), lines
    assert len(lines) == 1
