"""The simulated backend: a spec in, a result out, no root."""

import dataclasses
import json

import pytest

from collectives import algorithms
from collectives.job import demands
from emulation.errors import MachineError
from ringlab.cli import main
from ringlab.errors import UsageError
from ringlab.experiments import both, simulated, simulated_faults, simulated_figures, spec
from ringlab.experiments.result import dumps
from ringlab.experiments.simulated_faults import FAILOVER_S
from ringlab.experiments.simulated_job import route
from simulation.links import Links
from topologies.traffic import link_bytes

SPEC = """
name: small
fabric: leaf-spine:leaves=2,spines=2,hosts=2,rate=100G,latency=1us
placement: interleaved
algorithm: ring
sizes: [64K, 8M]
arms: [spanning-tree, pinned]
"""


def loads(text=SPEC, **changes):
    lines = [f"{name}: {value}" for name, value in changes.items()]
    kept = [line for line in text.strip().splitlines() if line.partition(":")[0] not in changes]
    return spec.loads("\n".join([*kept, *lines]))


def times(result):
    return {(arm.name, one.size_bytes): one.time_us for arm in result.arms for one in arm.results}


def test_pinning_takes_half_the_time_of_a_tree():
    found = times(simulated.run(loads()))
    assert found["spanning-tree", 8 << 20] / found["pinned", 8 << 20] == pytest.approx(2, rel=0.02)


def test_a_large_ring_fills_the_line_but_for_headers():
    result = simulated.run(loads(sizes="[1G]"))
    pinned = result.arms[1].results[0]
    assert (
        0.97 < pinned.line_share < 0.993
    )  # of a frame of 9,014 bytes 8,948 are payload, and there are acknowledgements
    assert result.certificate.verdict == "valid"


@pytest.mark.parametrize("algorithm", ["ring", "halving-doubling", "pairwise", "recursive-doubling"])
def test_the_closed_form_stands_beside_it(algorithm):
    for arm in simulated.run(loads(algorithm=algorithm)).arms:
        for one in arm.results:
            assert one.time_us == pytest.approx(one.predicted_us, rel=0.05)


def test_a_tree_streams_so_that_it_is_faster_than_step_after_step():
    for arm in simulated.run(loads(algorithm="double-binary-tree", sizes="[64M]")).arms:
        assert 0.5 < arm.results[0].time_us / arm.results[0].predicted_us < 0.9


def test_bytes_per_link_are_those_of_the_job():
    wanted = loads(sizes="[1000003]", dtype="int8", algorithm="halving-doubling")
    result = simulated.run(wanted)
    expected = demands(algorithms.build("halving-doubling", 4), wanted.placement, 1000003, 1)
    assert all(one.difference == 0 for one in result.links if one.bytes_predicted)
    for arm in wanted.arms:
        routed = route(wanted.fabric, arm.policy, expected)
        by_name = {wanted.fabric.direction(port): n for port, n in link_bytes(expected, routed.paths).items()}
        assert {
            one.name: one.bytes_counted for one in result.links if one.arm == arm.name and one.bytes_counted
        } == by_name


def test_the_same_spec_is_the_same_to_the_bit():
    one, other = (simulated.run(loads(arms="[{ecmp: {seeds: [1, 2, 3]}}, spray]")) for _ in range(2))
    assert dumps(dataclasses.replace(one, created="", id="")) == dumps(dataclasses.replace(other, created="", id=""))


def test_spraying_is_the_ideal_but_for_its_constant():
    found = times(simulated.run(loads(arms="[spray, pinned]", sizes="[1G]")))
    assert found["spray", 1 << 30] / found["pinned", 1 << 30] == pytest.approx(1.15, rel=0.01)


@pytest.mark.parametrize(
    ("algorithm", "slack"),
    [("pairwise", 0.001), ("recursive-doubling", 0.03), ("halving-doubling", 0.03), ("torus:4", 0.03)],
)
def test_moments_that_are_made_one_move_a_completion_by_less_than_a_thousandth(algorithm, slack, monkeypatch):
    wanted = loads(
        fabric="leaf-spine:leaves=4,spines=4,hosts=4", algorithm=algorithm, sizes="[256K]",
        arms="[{ecmp: {seeds: [1, 2, 3]}}]",
    )  # fmt: skip
    found = simulated.run(wanted)
    assert found.fingerprint["slack"] == slack
    for name in ("SLACK", "SLACK_BY_CHANCE"):
        monkeypatch.setattr(simulated_figures, name, 0.0)
    assert times(found) == pytest.approx(times(simulated.run(wanted)), rel=1e-3)


def test_small_messages_are_doubtful():
    result = simulated.run(loads(sizes="[1K]"))
    assert result.certificate.verdict == "doubtful"
    assert "turnaround" in result.certificate.reasons[0]


def test_channels_share_the_links():
    for channels in (1, 2, 4):
        found = times(simulated.run(loads(channels=channels, arms="[pinned]", sizes="[64M]")))
        assert found["pinned", 64 << 20] == pytest.approx(8055, rel=0.03)


FAULTY = SPEC.replace("sizes: [64K, 8M]", "sizes: [8M]") + "scale: 1000\niterations: 3\n"


def test_a_cut_link_halves_what_is_left():
    result = simulated.run(loads(FAULTY, faults="[{at_step: 0, operation: 2, down: leaf1-spine1}]"))
    (samples,) = (arm.results[0].samples_us for arm in result.arms if arm.name == "pinned")
    before, during, after = samples[0]
    assert after / before == pytest.approx(2, rel=0.01)
    assert during == pytest.approx(after + FAILOVER_S * 1e6, rel=0.01)


def test_a_link_that_comes_back():
    result = simulated.run(loads(FAULTY, faults="[{at: 100ms, down: leaf1-spine1, for: 500ms}]"))
    (samples,) = (arm.results[0].samples_us for arm in result.arms if arm.name == "pinned")
    first, _, third = samples[0]
    whole = times(simulated.run(loads(FAULTY)))["pinned", 8 << 20]
    assert first > 1.2 * whole
    assert third == pytest.approx(whole)


def epochs_of(faults, text=SPEC):
    wanted = loads(text, faults=faults)
    links = Links.of(wanted.fabric)
    cut = [
        links.number[port] for link in wanted.fabric.links if link.name == "leaf1-spine1" for port in (link.a, link.b)
    ]
    return [
        (one.at_s, bool(one.capacity[cut].any()), sorted(one.situation.dead))
        for one in simulated_faults.epochs(wanted.faults, {}, wanted.fabric, links)
    ]


def test_faults_close_to_each_other_do_not_undo_each_other():
    one, other = "leaf1-spine1", "leaf2-spine2"
    found = epochs_of(f"[{{at: 4ms, down: {one}}}, {{at: 1ms, down: {other}}}]")
    assert [at_s for at_s, *_ in found] == pytest.approx([0, 1e-3, 4e-3, 1e-3 + FAILOVER_S, 4e-3 + FAILOVER_S])
    assert [carries for _, carries, _ in found] == [True, True, False, False, False]
    assert [dead for *_, dead in found] == [[], [], [], [other], [one, other]]


def test_a_link_that_is_back_before_routing_knows_carries_again():
    found = epochs_of("[{at: 1ms, down: leaf1-spine1, for: 5ms}]")
    assert [carries for _, carries, _ in found] == [True, False, True, True, True]
    assert [dead for *_, dead in found] == [[], [], [], ["leaf1-spine1"], []]


def test_a_fault_after_the_end_is_named_and_fails_nothing():
    whole = times(simulated.run(loads()))
    for what in ("kill: leaf1", "down: leaf1-spine1"):  # without, and with ways that are left
        result = simulated.run(loads(faults=f"[{{at: 2s, {what}}}]"))
        assert result.failure is None
        assert times(result) == pytest.approx(whole)
        assert result.certificate.verdict == "doubtful"
        (check,) = (check for check in result.certificate.checks if check.name == "faults")
        assert check.value == 2, "one an arm"
        assert "a fault never came: spanning-tree was over before" in result.certificate.reasons[0]


def test_a_fault_that_came_is_not_named():
    result = simulated.run(
        loads(FAULTY, faults="[{at: 0s, down: leaf1-spine1}, {at_step: 1, degrade: leaf1-spine2, rate: 50G, for: 1ms}]")
    )
    assert [check.name for check in result.certificate.checks] == ["schedule", "latency_share"]


def test_latencies_that_the_job_does_not_cross_decide_nothing():
    sites = "edge-sites:leaves=2,spines=2,hosts=2,sites=2,site_hosts=1"
    result = simulated.run(loads(fabric=sites, placement="[h1, h3, h2, h4]", sizes="[64M]"))
    (check,) = (check for check in result.certificate.checks if check.name == "latency_share")
    assert check.value < 0.1
    assert result.certificate.verdict == "valid"


def test_a_slow_link_slows_the_ring():
    slow = times(simulated.run(loads(FAULTY, faults="[{at: 0s, degrade: leaf1-spine1, rate: 50G}]")))
    whole = times(simulated.run(loads(FAULTY)))
    assert slow["pinned", 8 << 20] / whole["pinned", 8 << 20] == pytest.approx(2, rel=0.02)


def test_a_fabric_cut_in_two_is_a_failure_that_keeps_what_was_done():
    text = SPEC.replace("spines=2", "spines=1") + "scale: 1000\n"
    result = simulated.run(loads(text, faults="[{at_step: 1, down: leaf1-spine1}]", arms="[pinned]"))
    assert result.failure.startswith("pinned: ")


@pytest.mark.parametrize(
    "entry", ["{at: 1s, pause: h1, for: 1s}", "{at: 1s, kill: rank 1}", "{at: 1s, lose: leaf1-spine1, share: 10%}"]
)
def test_what_flows_cannot_have_is_refused_by_name(entry):
    with pytest.raises(UsageError, match="can't be simulated"):
        simulated.run(loads(faults=f"[{entry}]"))


def test_other_libraries_are_not_simulated():
    with pytest.raises(UsageError, match="pinned\\+gloo"):
        simulated.run(loads(arms="[pinned, pinned+gloo]"))


def test_auto_is_settled_by_the_fabrics_own_costs():
    small, large = (simulated.run(loads(algorithm="auto", sizes=f"[{size}]")) for size in ("1K", "1G"))
    assert small.algorithm != large.algorithm
    assert any(reason.startswith("auto is") for reason in large.certificate.reasons)


def test_beside_an_emulated_run():
    base = simulated.run(loads())
    emulated = dataclasses.replace(base, scale=1000.0, fingerprint={"alpha_us": 400.0})
    found = both.simulated_beside(loads(), emulated)
    assert found.scale == 1000
    slowed = {key: time_us * 1000 for key, time_us in times(base).items()}
    assert times(found)["pinned", 8 << 20] == pytest.approx(slowed["pinned", 8 << 20], rel=0.02)
    assert [row.ratio for row in both.rows(found, found)] == [1.0] * 4


def test_the_command_needs_no_root_and_keeps_the_run(tmp_path, capsys):
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC)
    assert main(["run", str(file), "--backend", "simulated", "--out", str(tmp_path / "runs")]) == 0
    said = capsys.readouterr().out
    assert "closed form" in said
    assert "#wrong" not in said
    assert "no packet was sent" in said
    (folder,) = (tmp_path / "runs").iterdir()
    kept = json.loads((folder / "result.json").read_text())
    assert kept["fingerprint"]["backend"] == "simulated"
    assert (folder / "busbw.png").stat().st_size > 1000


def test_where_nothing_can_be_emulated_auto_simulates_and_says_so(tmp_path, capsys, monkeypatch):
    def refuse():
        raise MachineError("building a fabric needs root: run it with sudo")

    monkeypatch.setattr("ringlab.experiments.session.require_machine", refuse)
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC)
    assert main(["run", str(file), "--backend", "auto", "--out", str(tmp_path / "runs")]) == 0
    said = capsys.readouterr()
    assert "simulated, as nothing can be emulated here: building a fabric needs root" in said.err
    assert "no packet was sent" in said.out


def test_spray_cannot_be_emulated(tmp_path, capsys):
    file = tmp_path / "spec.yaml"
    file.write_text(SPEC.replace("[spanning-tree, pinned]", "[spray]"))
    assert main(["run", str(file), "--out", str(tmp_path)]) == 2
    assert "--backend simulated" in capsys.readouterr().err
