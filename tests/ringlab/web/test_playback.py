"""A film: what it tells as time goes by, and what a hand does to it."""

import pytest

from ringlab.experiments import spec as specs
from ringlab.web.events import (
    FabricUp,
    FlowsMoved,
    LinkState,
    Loads,
    OperationBegan,
    PhaseChanged,
    PolicyChanged,
    Ranks,
    RowDone,
    Said,
    TurnBegan,
)
from ringlab.web.playback import Film, Turn

SPEC = specs.loads(
    """
name: small
fabric: leaf-spine:leaves=2,spines=2,hosts=2,rate=100G,latency=1us
placement: interleaved
collective: all_reduce
algorithm: ring
sizes: [1M, 4M]
arms: [spanning-tree, pinned]
repeats: 1
"""
)
PROGRAM = [Turn(arm, 1, size) for arm in SPEC.arms for size in SPEC.sizes]
END = PhaseChanged("ended", "done")


def film(program=PROGRAM, length_s=40.0):
    return Film(SPEC, program, length_s, END)


def kinds(events):
    return [type(event) for event in events]


def all_of(it, until_s=1000.0, step_s=0.25, begin_s=0.0):
    now_s, found = begin_s, []
    while not it.is_over and now_s < until_s:
        found += it.events(now_s)
        now_s += step_s
    return found, now_s


def test_it_begins_with_the_fabric_and_the_first_turn():
    events = list(film().events(0.0))
    assert kinds(events) == [FabricUp, TurnBegan, OperationBegan, Loads, Ranks]
    assert (events[1].arm, events[1].steps, len(events[1].flows)) == ("spanning-tree", 6, 4)
    assert events[0].scale == pytest.approx(film().scale)


def test_it_lasts_as_long_as_was_asked_and_fills_the_table_in_order():
    events, ended_s = all_of(film())
    assert ended_s == pytest.approx(40.0, abs=0.6)
    rows = [event.row for event in events if isinstance(event, RowDone)]
    assert [(row.arm, row.size_bytes) for row in rows] == [(turn.arm.name, turn.size_bytes) for turn in PROGRAM]
    assert events[-1] == END
    assert kinds(events).count(TurnBegan) == 2
    assert rows[3].line_share > 1.5 * rows[1].line_share, "a spanning tree has half the ways"


def test_a_long_wait_between_two_looks_loses_no_row():
    it = film()
    list(it.events(0.0))
    events = list(it.events(1e4))
    assert kinds(events).count(RowDone) == 4
    assert it.is_over
    assert list(it.events(2e4)) == []


def test_loads_are_those_of_the_slowed_down_fabric():
    it = film()
    events = [event for now_s in range(1, 39) for event in it.events(float(now_s)) if isinstance(event, Loads)]
    shares = [max(event.bps.values(), default=0.0) * it.scale / 100e9 for event in events]
    assert max(shares) == pytest.approx(1.0, abs=0.01)
    assert max(shares) <= 1.0001


def test_a_cut_moves_flows_and_makes_the_turn_longer_and_stays_for_the_next():
    it, whole = film(PROGRAM[2:]), film(PROGRAM[2:])
    list(it.events(1.0))
    assert list(it.cut("leaf1-spine1", 1.0)) == [LinkState("leaf1-spine1", "down")]
    events = list(it.events(1.5))
    moved = next(event for event in events if isinstance(event, FlowsMoved))
    names = {SPEC.fabric.link(port).name for flow in moved.flows for port in flow.hops}
    assert "leaf1-spine1" not in names
    late, ended_s = all_of(it, begin_s=1.75)
    assert ended_s > 1.5 * all_of(whole)[1]
    used = {port for event in late if isinstance(event, Loads) for port, bps in event.bps.items() if bps > 1}
    assert "leaf1-spine1" not in {SPEC.fabric.link(port).name for port in used}


def test_a_restored_link_is_used_again():
    it = film(PROGRAM[3:], 20.0)
    list(it.events(1.0))
    list(it.cut("leaf1-spine1", 1.0))
    list(it.events(2.0))
    assert list(it.restore("leaf1-spine1", 2.0)) == [LinkState("leaf1-spine1", "up")]
    moved = next(event for event in it.events(2.5) if isinstance(event, FlowsMoved))
    assert "leaf1-spine1" in {SPEC.fabric.link(port).name for flow in moved.flows for port in flow.hops}


def test_a_hosts_link_has_no_way_round_and_it_is_said():
    it = film(PROGRAM[3:])
    list(it.events(1.0))
    events = list(it.cut("h1-leaf1", 1.0))
    assert isinstance(events[-1], Said)
    assert "no way round h1-leaf1" in events[-1].text
    list(it.events(1e5))
    assert not it.is_over
    list(it.restore("h1-leaf1", 1e5))
    list(it.events(1e5 + 100))
    assert it.is_over


def test_another_policy_holds_for_the_arms_turn_and_the_next_arm_has_its_own():
    it, whole = film(), film()
    list(it.events(1.0))
    assert list(it.switch("pinned", 1.0)) == [PolicyChanged("pinned")]
    assert FlowsMoved in kinds(it.events(1.5))
    rows = [event.row for event in all_of(it, begin_s=1.75)[0] if isinstance(event, RowDone)]
    usual = [event.row for event in all_of(whole)[0] if isinstance(event, RowDone)]
    assert rows[1].time_us < 0.6 * usual[1].time_us, "4M of the spanning tree's turn, by pinned paths"
    assert rows[2:] == usual[2:]
    with pytest.raises(ValueError, match="no routing policy"):
        list(film().switch("teleport", 0.0))


def test_a_recorded_turn_lasts_as_long_as_it_was_measured():
    fast, slow = Turn(SPEC.arms[1], 1, 1 << 20, 500.0, 0), Turn(SPEC.arms[1], 2, 1 << 20, 1500.0, 3)
    events, _ = all_of(film([fast, slow], 40.0), step_s=0.1)
    rows = [event.row for event in events if isinstance(event, RowDone)]
    assert [(row.block, row.time_us, row.wrong) for row in rows] == [(1, 500.0, 0), (2, 1500.0, 3)]
    first = next(place for place, event in enumerate(events) if isinstance(event, RowDone))
    assert kinds(events[:first]).count(Loads) == pytest.approx(100, abs=3), "a quarter of 40 s, ten looks a second"
    peaks = [max(event.bps.values()) for event in events if isinstance(event, Loads) and event.bps]
    assert max(peaks[:50]) > 2.5 * max(peaks[-50:]), "the same bytes in three times the time"
