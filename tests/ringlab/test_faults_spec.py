# ruff: noqa: E501 - the table of bad faults reads best with a row a line
"""The field ``faults`` of a spec: what it means, and one clear line for every way to get it wrong."""

import pytest

from emulation import doctor
from emulation.errors import MachineError, PlanError
from emulation.faults import (
    At,
    AtStep,
    Degrade,
    Down,
    Fault,
    KillController,
    KillRank,
    KillSwitch,
    PauseHost,
    Restore,
)
from emulation.plan import Plan, Settings
from ringlab.experiments.faults_spec import check_machine, scaled
from ringlab.experiments.spec import SpecError, loads
from topologies.leaf_spine import leaf_spine

SPEC = """\
name: demo
fabric: leaf-spine:leaves=2,spines=2,hosts=2
algorithm: ring
sizes: [1M, 4M]
arms: [pinned]
iterations: 3
faults:
  - """


def faults(*entries):
    return loads(SPEC + "\n  - ".join(entries), "demo.yaml").faults


def error(entry):
    with pytest.raises(SpecError) as caught:
        faults(entry)
    (line,) = caught.value.errors
    return line


def test_every_fault_is_read():
    spec = loads(SPEC + "{at: 0, down: leaf1-spine1}", "demo.yaml")
    link = next(link for link in spec.fabric.links if link.name == "leaf1-spine1")
    found = faults(
        "{at: 1.5s, down: leaf1-spine1, for: 1s}",
        "{at: 2, down: spine1-leaf1}",
        "{at_step: 5, operation: 2, lose: leaf1->spine1, share: 10%, for: 500ms}",
        "{at: 1s, lose: leaf1-spine1}",
        "{at: 1s, flap: leaf1-spine1, period: 200ms, count: 5}",
        "{at: 1s, degrade: spine1->leaf1, rate: 10G, delay: 20us, jitter: 5us, loss: 1%}",
        "{at: 1s, kill: spine1, for: 1s}",
        "{at: 1s, kill: controller}",
        "{at_step: 0, kill: rank 3}",
        "{at: 1s, pause: h3, for: 300ms}",
        "{at_step: 4, restore: leaf1-spine1}",
        "{at_step: 4, restore: controller}",
        "{at_step: 4, restore: h3}",
    )
    assert found == (
        Fault(At(1.5), Down(link), 1.0),
        Fault(At(2.0), Down(link)),
        Fault(AtStep(5, 2), Degrade("leaf1->spine1", (link.a,), loss=0.1), 0.5),
        Fault(At(1.0), Degrade("leaf1-spine1", (link.a, link.b), loss=1.0)),
        Fault(At(1.0), Down(link), 0.1, 5, 0.2),
        Fault(At(1.0), Degrade("spine1->leaf1", (link.b,), 10**10, 20e-6, 5e-6, 0.01)),
        Fault(At(1.0), KillSwitch("spine1"), 1.0),
        Fault(At(1.0), KillController()),
        Fault(AtStep(0), KillRank(3)),
        Fault(At(1.0), PauseHost("h3"), 0.3),
        Fault(AtStep(4), Restore(("link leaf1-spine1", "link leaf1->spine1", "link spine1->leaf1"))),
        Fault(AtStep(4), Restore(("controller",))),
        Fault(AtStep(4), Restore(("host h3",))),
    )


def test_rates_and_delays_follow_the_scale_and_times_do_not():
    (fault,) = scaled(faults("{at: 1s, degrade: leaf1-spine1, rate: 10G, delay: 20us, for: 1s}"), 500)
    assert (fault.trigger, fault.lasts_s) == (At(1.0), 1.0)
    assert fault.action.rate_bps == 20_000_000
    assert fault.action.delay_s == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("down", "demo.yaml:8: faults[0]: is text; write a fault like {at: 1.5s, down: leaf1-spine1, for: 1s}"),
        ("{at: 1s}", "demo.yaml:8: faults[0]: does nothing; there are down, flap, degrade, lose, kill, pause, restore"),
        ("{at: 1s, dwon: leaf1-spine1}", "faults[0]: does nothing; did you mean 'down'?"),
        ("{down: leaf1-spine1}", "faults[0]: write when: either at: 1.5s, or at_step: 5"),
        ("{at: 1s, at_step: 1, down: leaf1-spine1}", "faults[0]: write when"),
        ("{at: 1s, operation: 2, down: leaf1-spine1}", "faults[0].operation: goes with at_step"),
        ("{at: soon, down: leaf1-spine1}", "faults[0].at: 'soon' is not a latency"),
        ("{at: -1, down: leaf1-spine1}", "faults[0].at: -1 is out of range"),
        ("{at: [1], down: leaf1-spine1}", "faults[0].at: is a list; write a time like 1.5s or 200ms"),
        ("{at_step: 6, down: leaf1-spine1}", "faults[0].at_step: 6 is out of range; write 0 to 5"),
        ("{at_step: x, down: leaf1-spine1}", "faults[0].at_step: is text; write a whole number"),
        ("{at_step: 1, operation: 7, down: leaf1-spine1}", "faults[0].operation: 7 is out of range; write 1 to 6"),
        ("{at: 1s, down: leaf1-spine3}", "faults[0].down: no link 'leaf1-spine3' in this fabric; did you mean 'leaf1-spine"),
        ("{at: 1s, down: leaf1->spine1}", "faults[0].down: 'leaf1->spine1' is one direction, and a cable has two; write leaf1-spine1, or lose"),
        ("{at: 1s, down: leaf1-spine1, for: 0}", "faults[0].for: 0 is out of range"),
        ("{at: 1s, down: leaf1-spine1, share: 1}", "faults[0].share: there is no such field beside down"),
        ("{at: 1s, down: leaf1-spine1, kill: spine1}", "faults[0].kill: stands beside down"),
        ("{at: 1s, flap: leaf1-spine1, period: 1s}", "faults[0]: a flap needs both"),
        ("{at: 1s, flap: leaf1-spine1, period: 1ms, count: 2}", "faults[0].period: 0.001 s is too short; write at least 50ms"),
        ("{at: 1s, flap: leaf1-spine1, period: 1s, count: 0}", "faults[0].count: 0 is out of range"),
        ("{at: 1s, degrade: leaf1-spine1}", "faults[0].degrade: says nothing of how"),
        ("{at: 1s, degrade: leaf1-spine1, rate: 200G}", "faults[0].rate: 200G is more than the link has, 100G; write less"),
        ("{at: 1s, degrade: leaf1-spine1, rate: fast}", "faults[0].rate: 'fast' is not a rate"),
        ("{at: 1s, degrade: leaf1-spine1, jitter: 1us}", "faults[0].jitter: 1us is longer than the delay"),
        ("{at: 1s, lose: leaf1-spine1, share: 120%}", "faults[0].share: '120%' is no share of frames"),
        ("{at: 1s, kill: spine9}", "faults[0].kill: no 'spine9' to kill; write a switch (did you mean 'spine"),
        ("{at: 1s, kill: rank 4}", "faults[0].kill: no rank 4; ranks are 0 to 3"),
        ("{at: 1s, kill: rank 1, for: 1s}", "faults[0].for: a killed rank does not come back"),
        ("{at: 1s, pause: h9}", "faults[0].pause: no rank runs on 'h9'; there are h1, h2, h3, h4"),
        ("{at: 1s, restore: leaf1-spine1}", "faults[0].restore: nothing else in faults breaks link leaf1-spine1"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(entry, says):
    assert says in error(entry)


def test_steps_are_those_of_the_schedule_and_each_wrong_entry_has_its_line():
    with pytest.raises(SpecError) as caught:
        faults("{at: 1s, down: nowhere}", "{at: 1s, pause: h1}", "{at_step: 99, pause: h1}")
    assert [line.split(": ")[0] for line in caught.value.errors] == ["demo.yaml:8", "demo.yaml:10"]


def test_a_delay_is_refused_where_nothing_can_delay(monkeypatch):
    monkeypatch.setattr(doctor, "netem", lambda: False)
    found = faults("{at: 1s, degrade: leaf1-spine1, delay: 20us}")
    fabric = loads(SPEC + "{at: 0, pause: h1}", "demo.yaml").fabric
    with pytest.raises(MachineError, match="this kernel has no netem to delay packets"):
        check_machine(found, Plan(fabric, "rtest", Settings(delays="none")))
    check_machine(found, Plan(fabric, "rtest", Settings(delays="netem")))
    check_machine(faults("{at: 1s, lose: leaf1-spine1}"), Plan(fabric, "rtest", Settings(delays="none")))


def test_a_delay_is_refused_where_the_spec_lets_nothing_delay(monkeypatch):
    monkeypatch.setattr(doctor, "netem", lambda: True)
    found = faults("{at: 1s, degrade: leaf1-spine1, delay: 20us}")
    fabric = loads(SPEC + "{at: 0, pause: h1}", "demo.yaml").fabric
    with pytest.raises(PlanError, match=r"transport: \{delays: none\} leaves nothing to delay packets"):
        check_machine(found, Plan(fabric, "rtest", Settings(delays="none")))
    with pytest.raises(PlanError, match=r"transport: \{delays: relay\} delays links with a latency alone"):
        check_machine(found, Plan(fabric, "rtest", Settings(delays="relay")))


def test_a_fabric_with_switch_daemons_of_its_own_is_refused():
    found = faults("{at: 1s, down: leaf1-spine1}")
    with pytest.raises(PlanError, match="switch daemons of its own, which faults can't reach"):
        check_machine(found, Plan(leaf_spine(64, 32, 8), "rtest"))
