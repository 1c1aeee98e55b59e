"""When frames are due, whatever the clock and the dice say."""

import random

import pytest

from emulation.delay import Held, Impairment, Line
from emulation.errors import PlanError
from emulation.plan import Plan, Settings, tc_lines
from topologies.fabric import Port
from topologies.leaf_spine import leaf_spine


def dice(*numbers):
    return iter(numbers).__next__


def plan(delays: str, scale: float = 500, **impairments) -> Plan:
    return Plan(leaf_spine(2, 1, 1), "rtest", Settings(scale=scale, delays=delays), **impairments)


def test_a_frame_is_due_after_the_delay_less_what_the_machine_takes_itself():
    assert Line(Impairment(1e-3)).due_s(5.0, dice()) == pytest.approx(5.001)
    assert Line(Impairment(1e-3), own_s=2e-4).due_s(5.0, dice()) == pytest.approx(5.0008)
    assert Line(Impairment(1e-3), own_s=2e-3).due_s(5.0, dice()) == 5.0


def test_jitter_goes_both_ways_and_never_reorders():
    line = Line(Impairment(1e-3, jitter_s=5e-4))
    assert line.due_s(0.0, dice(1.0)) == pytest.approx(1.5e-3)
    assert line.due_s(1e-4, dice(0.0)) == pytest.approx(1.5e-3)  # 0.6 ms by the dice: it waits for the one ahead
    assert line.due_s(2e-3, dice(0.5)) == pytest.approx(3e-3)


def test_the_share_of_lost_frames_is_the_one_asked_for():
    line, draw = Line(Impairment(loss=0.1)), random.Random(1).random
    arrived = [line.due_s(0.0, draw) is not None for _ in range(10_000)]
    assert line.lost == arrived.count(False)
    assert 0.09 < line.lost / 10_000 < 0.11


def test_held_frames_leave_in_the_order_in_which_they_are_due_and_not_before():
    held: Held[str, str] = Held()
    assert held.wait_s(0.0) is None
    for due_s, frame in ((3.0, "c"), (1.0, "a"), (1.0, "b")):
        held.hold(due_s, "exit", frame)
    assert held.wait_s(0.25) == 0.75
    assert held.due(0.9) == []
    assert held.due(2.0) == [("exit", "a"), ("exit", "b")]
    assert held.wait_s(5.0) == 0.0
    assert held.due(5.0) == [("exit", "c")]


@pytest.mark.parametrize(
    "wrong", [{"delay_s": -1}, {"loss": 1.1}, {"loss": -0.1}, {"delay_s": 1e-3, "jitter_s": 2e-3}, {"jitter_s": -1}]
)
def test_what_no_link_can_do_is_refused(wrong):
    with pytest.raises(PlanError):
        Impairment(**wrong)


def test_netem_is_told_delay_jitter_and_loss():
    assert Impairment(1e-3, 2e-4, 0.01).netem(100) == "netem delay 1000us 200us loss 1% limit 100"


def test_a_direction_can_be_unlike_the_other():
    bad = Impairment(2e-3, 1e-3, 0.05)
    made = plan("netem", impairments={Port("h1", 1): bad})
    assert made.interfaces[Port("h1", 1)].shape.impairment == bad
    assert made.interfaces[Port("leaf1", 1)].shape.impairment == Impairment(500e-6)
    assert any("loss 5%" in line for line in tc_lines(made.interfaces[Port("h1", 1)], 9000))


def test_every_delayed_direction_is_relayed_and_has_a_wire_of_its_own():
    made = plan("relay")
    assert set(made.relayed) == set(made.fabric.directed_links())
    on_machine = [made.wire(port) for port in made.relayed if made.fabric.is_switch(port.node)]
    assert len(set(on_machine)) == len(on_machine)
    assert all(name.startswith("rtest.") for name in on_machine)
    assert made.wire(Port("h1", 1)) == "eth1w"
    assert "netem" not in made.switch_tc()


def test_delays_shorter_than_the_machines_own_are_left_to_it():
    assert plan("relay", scale=50).relayed == ()
    assert plan("none").relayed == ()
    assert all(end.shape.impairment == Impairment() for end in plan("none").interfaces.values())
