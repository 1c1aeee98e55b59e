"""Faults: when they begin and end, and what every port is like while they are on."""

import pytest

from emulation import fault_commands
from emulation.delay import Impairment
from emulation.fault_commands import commands, loss_program
from emulation.faults import (
    WHOLE,
    At,
    AtStep,
    Condition,
    Degrade,
    Down,
    Fault,
    KillController,
    KillRank,
    KillSwitch,
    PauseHost,
    Restore,
    Scenario,
    condition,
    conditions,
    touches,
)
from emulation.plan import Plan, Settings
from topologies.leaf_spine import leaf_spine

FABRIC = leaf_spine(2, 2, 1)
LINK = next(link for link in FABRIC.links if link.name == "leaf1-spine1")
PLAN = Plan(FABRIC, "rtest", Settings(scale=1000))


def told(scenario, now):
    return [str(change) for change in scenario.due(now)]


# When


def test_a_fault_begins_after_work_began_and_ends_in_its_own_time():
    scenario = Scenario([Fault(At(1.5), Down(LINK), lasts_s=1.0)])
    assert scenario.next_at() is None
    scenario.work_begins(100.0)
    scenario.work_begins(105.0)  # said again: nothing
    assert scenario.next_at() == 101.5
    assert told(scenario, 101.4) == []
    assert told(scenario, 101.5) == ["link leaf1-spine1 down"]
    assert [(str(fault), since_s) for fault, since_s in scenario.on] == [
        ("link leaf1-spine1 down for 1 s at 1.5 s", pytest.approx(1.5))
    ]
    assert told(scenario, 110.0) == ["link leaf1-spine1 up again"]
    assert (scenario.on, scenario.next_at(), scenario.never_came) == ((), None, ())


def test_a_fault_that_nobody_planned_begins_when_it_is_asked_for_and_can_be_restored():
    scenario = Scenario([])
    scenario.work_begins(10.0)
    scenario.ask(Fault(At(0.0), Down(LINK)), 12.0)
    assert told(scenario, 12.0) == ["link leaf1-spine1 down"]
    scenario.ask(Fault(At(0.0), Restore((f"link {LINK.name}",))), 13.5)
    assert told(scenario, 13.5) == ["link leaf1-spine1 up again"]
    assert scenario.on == ()


def test_a_step_begins_a_fault_once_whoever_comes_first():
    scenario = Scenario([Fault(AtStep(5, 2), PauseHost("h1"), 0.5), Fault(AtStep(5), KillRank(1))])
    assert scenario.steps == ((1, 5), (2, 5))
    scenario.work_begins(0.0)
    scenario.step_begins(2, 5, 7.0)
    scenario.step_begins(2, 5, 7.1)
    assert told(scenario, 7.2) == ["host h1 paused"]
    assert told(scenario, 7.5) == ["host h1 resumed"]
    assert [str(fault) for fault in scenario.never_came] == ["rank 1 killed at step 5 of operation 1"]


def test_a_flap_is_down_for_half_of_each_period():
    scenario = Scenario([Fault(At(1), Down(LINK), 0.1, repeats=3, period_s=0.2)])
    scenario.work_begins(0.0)
    moments = []
    while (at := scenario.next_at()) is not None:
        moments += [(round(at, 3), change.on) for change in scenario.due(at)]
    assert moments == [(1.0, True), (1.1, False), (1.2, True), (1.3, False), (1.4, True), (1.5, False)]


def test_what_is_restored_ends_early_and_only_it():
    faults = [
        Fault(At(1), Down(LINK), 9),
        Fault(At(1), KillSwitch("spine2")),
        Fault(At(2), Restore(("link leaf1-spine1", "link leaf1->spine1"))),
    ]
    scenario = Scenario(faults)
    scenario.work_begins(0.0)
    assert len(scenario.due(1)) == 2
    assert told(scenario, 2) == ["link leaf1-spine1 up again"]
    assert told(scenario, 20) == [], "its own end has nothing left to end"
    assert [str(change) for change in scenario.end()] == ["switch spine2 restarted"]
    assert scenario.on == ()


def test_a_turn_that_ends_ends_the_last_fault_first():
    scenario = Scenario([Fault(At(0), KillController()), Fault(At(0), PauseHost("h1")), Fault(At(60), Down(LINK))])
    scenario.work_begins(0.0)
    assert len(scenario.due(0.0)) == 2
    assert [str(fault) for fault in scenario.never_came] == ["link leaf1-spine1 down at 60 s"]
    assert [str(change) for change in scenario.end()] == ["host h1 resumed", "controller restarted"]


def test_equal_faults_are_two():
    twice = Fault(At(0), Down(LINK), 1), Fault(At(0), Down(LINK), 2)
    scenario = Scenario(twice)
    scenario.work_begins(0.0)
    assert len(scenario.due(0.0)) == 2
    assert len(scenario.due(1.0)) == 1
    assert len(scenario.on) == 1


# What


def test_overlapping_faults_end_each_in_its_own_time():
    slow = Degrade("leaf1-spine1", (LINK.a, LINK.b), rate_bps=50, delay_s=0.1, loss=0.5)
    lossy = Degrade("leaf1->spine1", (LINK.a,), rate_bps=70, loss=0.5)
    assert condition(LINK.a, []) == WHOLE
    assert condition(LINK.a, [slow, lossy]) == Condition(True, 50, 0.1, 0.0, 0.75)
    assert condition(LINK.b, [slow, lossy]) == Condition(True, 50, 0.1, 0.0, 0.5)
    assert condition(LINK.a, [lossy, Down(LINK)]) == Condition(False, 70, 0.0, 0.0, 0.5)


def test_a_dead_switch_has_no_carrier_at_any_port():
    broken = conditions(PLAN.interfaces, [KillSwitch("spine1")])
    assert {port.node for port in broken} == {"spine1"}
    assert len(broken) == len(FABRIC.ports("spine1"))
    assert not any(one.up for one in broken.values())


def test_what_lies_on_a_path():
    assert touches(Down(LINK), [LINK.b])
    assert touches(KillSwitch("leaf1"), [LINK.a])
    assert touches(Degrade("leaf1->spine1", (LINK.a,), loss=1.0), [LINK.a])
    assert not touches(Degrade("leaf1->spine1", (LINK.a,), loss=1.0), [LINK.b])
    assert not touches(KillController(), [LINK.a])


# The commands


def lines(after, before=WHOLE, settings=PLAN.settings):
    return commands(PLAN.interfaces[LINK.a], settings, before, after)


def test_nothing_is_done_where_nothing_changes():
    assert lines(WHOLE) == []
    assert lines(Condition(False, 7, 0, 0, 0.5), before=Condition(False, 7, 0, 0, 0.5)) == []


def test_every_change_has_its_way_back():
    name = PLAN.interfaces[LINK.a].name
    assert lines(Condition(up=False)) == [f"ip link set {name} down"]
    assert lines(WHOLE, before=Condition(up=False)) == [f"ip link set {name} up"]
    (slower,) = lines(Condition(rate_bps=1_000_000))
    assert f"class change dev {name} parent 1: classid 1:1 htb rate 1000000bit ceil 1000000bit" in slower
    (back,) = lines(WHOLE, before=Condition(rate_bps=1_000_000))
    shape = PLAN.interfaces[LINK.a].shape
    assert f"rate {shape.rate_bps}bit" in back
    assert f"burst {shape.burst_bytes}b" in back
    assert lines(WHOLE, before=Condition(loss=0.5)) == [f"tc filter del dev {name} egress pref 7"]


def test_delay_is_the_kernels_and_goes_back_to_a_plain_queue():
    (delayed,) = lines(Condition(delay_s=0.01, jitter_s=0.002))
    assert "netem delay 10000us 2000us limit" in delayed
    (back,) = lines(WHOLE, before=Condition(delay_s=0.01, jitter_s=0.002))
    assert back.endswith(f"handle 10: bfifo limit {PLAN.interfaces[LINK.a].shape.queue_bytes}")


def test_of_a_relayed_direction_the_wire_is_shaped_and_the_relay_does_the_rest():
    end = PLAN.interfaces[LINK.a]
    found = commands(end, PLAN.settings, WHOLE, Condition(False, 1000, 0.1, 0.0, 0.5), wire="rtest.7")
    assert [line.split()[:5] for line in found] == [
        ["ip", "link", "set", end.name, "down"], ["tc", "class", "change", "dev", "rtest.7"],
    ]  # fmt: skip
    assert fault_commands.impairment(end, Condition(delay_s=0.1, loss=0.5)) == Impairment(0.1, 0.0, 0.5)


def run_bpf(program: str, word: int) -> int:
    """Classic BPF, as much of it as the loss program uses; ``word`` is what the dice show."""
    code = [tuple(map(int, line.split())) for line in program.split(",")[1:-1]]
    accumulator = at = 0
    while True:
        opcode, if_true, if_false, k = code[at]
        at += 1
        if opcode == 0x20:
            accumulator = word
        elif opcode == 0x35:
            at += if_true if accumulator >= k else if_false
        else:
            assert opcode == 0x06
            return k


@pytest.mark.parametrize("loss", [0.01, 0.5, 0.999])
def test_the_dice_lose_the_share_that_was_asked_for(loss):
    threshold = (1 - loss) * 2**32
    stolen, go_on = 4, 0xFFFFFFFF
    assert run_bpf(loss_program(loss), int(threshold - 2)) == go_on
    assert run_bpf(loss_program(loss), int(threshold + 2)) == stolen
    assert run_bpf(loss_program(1.0), 0) == stolen
