"""What faults mean for an error and for the certificate."""

import pytest

from emulation.faults import At, AtStep, Degrade, Down, Fault, KillController, KillRank, PauseHost
from emulation.fidelity import Check, Observation, Verdict
from emulation.hosts import Failure, RanksError
from emulation.plan import Plan, Settings
from ringlab.experiments.faults_blame import explain, failed, missed, notes, of_the_machine, patience_s, unjudged
from topologies.leaf_spine import leaf_spine
from topologies.traffic import FlowKey, Path

FABRIC = leaf_spine(2, 2, 1)
LINKS = {link.name: link for link in FABRIC.links}
UP, ACROSS = LINKS["leaf1-spine1"], LINKS["leaf2-spine1"]
PATH = Path((LINKS["h1-leaf1"].a, UP.a, ACROSS.b, LINKS["h2-leaf2"].b))
PATHS = {FlowKey("h1", "h2", 30000, 20000): PATH}
PLACEMENT = ("h1", "h2", "h1")
SILENT = Failure(1, "h2", said="rank 1 (h2) heard nothing from rank 0 (h1) at step 5 for 10 s")
OTHER = Failure(2, "h1", said="rank 2 (h1) heard nothing from rank 2 (h1) at step 5 for 10 s")
DOWN = Fault(At(1), Down(UP)), 1.523
ELSEWHERE = Fault(At(1), Down(LINKS["leaf1-spine2"])), 1.0


def said(failures, broken):
    return explain(RanksError(failures), broken, PATHS, PLACEMENT)


def test_the_error_names_the_fault_on_the_way_and_no_other():
    assert said([SILENT], [ELSEWHERE, DOWN]) == f"{SILENT}; link leaf1-spine1 is down since 1.52 s"


def test_the_rank_whose_way_was_broken_speaks_though_another_gave_up_first():
    assert said([OTHER, SILENT], [DOWN]).startswith("rank 1 (h2) heard nothing from rank 0 (h1)")


def test_a_paused_host_is_a_reason():
    assert said([SILENT], [(Fault(At(1), PauseHost("h1")), 2.0)]).endswith("; host h1 is paused since 2.00 s")


def test_where_no_way_was_broken_everything_broken_is_told():
    assert said([SILENT], [ELSEWHERE]).endswith("; link leaf1-spine2 is down since 1.00 s")
    assert said([SILENT], []) == str(SILENT)
    dead = Fault(At(1), KillController()), 0.5
    assert said([SILENT], [dead]).endswith("; controller is dead since 0.50 s, as the spec says")


def test_a_killed_rank_is_the_reason_for_what_its_neighbours_say():
    killed, lost = Failure(0, "h1", signal="SIGKILL"), Failure(1, "h2", said="rank 1 (h2) lost rank 0 (h1) at step 3")
    text = said([lost, killed], [(Fault(AtStep(3), KillRank(0)), 0.75), DOWN])
    assert text == f"rank 0 (h1) was ended by SIGKILL; {lost}; rank 0 was killed at 0.75 s, as the spec says"


def check(name, verdict=Verdict.INVALID):
    return Check(name, 1.0, "share", 0.1, verdict, f"{name} is bad")


def test_what_faults_bring_about_invalidates_nothing_and_all_else_does():
    checks = [
        check(name) for name in ("reach", "laggard", "retransmissions", "cpu_idle", "too_fast", "checksum_errors")
    ]
    judged = unjudged(checks, [DOWN[0]])
    assert [one.name for one in judged if one.verdict] == ["cpu_idle", "too_fast", "checksum_errors"]
    assert judged[0].detail == "reach is bad (not judged: faults)"
    assert unjudged(checks, []) == checks
    assert list(notes([])) == []
    assert len(list(notes([DOWN[0]]))) == 1


def test_the_switches_complaints_of_ports_that_are_down_are_no_trouble():
    lines = (
        "dpif_netdev|ERR|error receiving data from r-leaf1-3: Network is down",
        "dpif_netdev|ERR|Dropped 23 log messages in last 74 seconds",
        "netdev_linux|ERR|something else",
    )
    seen = Observation(
        cpu_idle=0.5, switch_lag=0.0, lost_in_switch=0, retransmitted=0, segments_sent=1, checksum_errors=0,
        log_lines=lines,
    )  # fmt: skip
    assert of_the_machine(seen, [DOWN[0]]).log_lines == lines[2:]
    assert of_the_machine(seen, []) is seen


def test_a_failed_turn_is_invalid_and_a_fault_that_never_came_doubtful():
    assert [(one.verdict, one.detail) for one in failed("block 1, pinned: no")] == [
        (Verdict.INVALID, "the run failed: block 1, pinned: no")
    ]
    assert list(failed(None)) == []
    (one,) = missed([("block 1, pinned", DOWN[0]), ("block 2, pinned", DOWN[0])])
    assert one.verdict is Verdict.DOUBTFUL
    assert "block 1, pinned was over before 'link leaf1-spine1 down at 1 s', and 1 more" in one.detail
    assert list(missed([])) == []


def test_a_turn_may_take_longer_by_what_faults_cost():
    plan = Plan(FABRIC, "rtest", Settings(scale=1))
    assert patience_s([], 10.0, plan, timeout_s=5) == 20.0
    slow = Fault(At(2), Degrade("leaf1->spine1", (UP.a,), rate_bps=UP.rate_bps // 4), 3.0)
    assert patience_s([slow], 10.0, plan, timeout_s=5) == pytest.approx(4 * 10 + 2 + 2 * 3 + 10)
