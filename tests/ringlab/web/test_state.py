"""Events to a view, a view to a snapshot, and snapshots to what changed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringlab.web.events import (
    FabricUp,
    Flow,
    FlowsMoved,
    LinkState,
    Loads,
    OperationBegan,
    PhaseChanged,
    PolicyChanged,
    Ranks,
    Row,
    RowDone,
    Said,
    TurnBegan,
)
from ringlab.web.state import LOG_LINES, SHOWN_FLOWS, View, advance, delta, merged, snapshot
from topologies.fabric import Port
from topologies.leaf_spine import leaf_spine

FABRIC = leaf_spine(2, 2, 1, host_rate_bps=100 * 10**9, fabric_rate_bps=100 * 10**9)
PORTS = list(FABRIC.directed_links())
LEAF = next(port for port in PORTS if FABRIC.direction(port) == "leaf1->spine1")
START = View(FABRIC, "small", "emulated", "all_reduce", "ring", ("h1", "h2"))
ROW = Row("pinned", 1, 1 << 20, 150_000.0, 0.0105, 0.84, 0)


def after(*events, view=START):
    for now_s, event in enumerate(events):
        view = advance(view, event, float(now_s))
    return view


def test_a_turn_is_shown_with_its_arm_and_its_ranks_steps():
    view = after(
        FabricUp(500.0),
        TurnBegan("pinned", "pinned", 2, 2, (Flow("rank 0 to 1", (LEAF,)),)),
        OperationBegan(1 << 20),
        Ranks(((3, 0), (3, 1))),
    )
    shown = snapshot(view)
    assert shown["about"]["scale"] == 500.0
    assert shown["run"] == {
        "phase": "running", "text": "", "verdict": "", "arm": "pinned", "policy": "pinned", "block": 2,
        "size_bytes": 1 << 20, "steps": 2,
    }  # fmt: skip
    assert shown["ranks"] == [
        {"host": "h1", "operation": 3, "step": 0},
        {"host": "h2", "operation": 3, "step": 1},
    ]
    assert shown["flows"] == {"count": 1, "shown": [{"name": "rank 0 to 1", "hops": [str(LEAF)]}]}


def test_a_new_turn_forgets_the_ranks_and_the_size_of_the_last_one():
    view = after(TurnBegan("a", "a", 1, 2), OperationBegan(4), Ranks(((1, 1), (1, 1))), TurnBegan("b", "b", 1, 2))
    assert (view.arm, view.ranks, view.size_bytes) == ("b", (), None)


def test_loads_are_shares_of_the_slowed_down_rate_and_gbps_of_the_real_fabric():
    view = after(FabricUp(1000.0), Loads({LEAF: 50e6}))
    assert snapshot(view)["links"][str(LEAF)] == [0.5, 50.0]
    assert snapshot(view)["links"][str(FABRIC.peer(LEAF))] == [0.0, 0.0]


def test_hot_links_are_the_fullest_first_and_idle_ones_are_none():
    view = after(Loads({LEAF: 40e9, PORTS[0]: 90e9, PORTS[1]: 1e6}))
    assert [(one["port"], one["share"]) for one in snapshot(view)["hot"]] == [(str(PORTS[0]), 0.9), (str(LEAF), 0.4)]


def test_a_link_that_is_cut_is_told_once_and_gone_when_it_is_up():
    view = after(LinkState("leaf1-spine1", "down"), LinkState("leaf1-spine1", "down"))
    assert snapshot(view)["down"] == {"leaf1-spine1": "down"}
    assert view.log == ((0.0, "link leaf1-spine1: down"),)
    view = after(LinkState("leaf1-spine1", "up"), view=view)
    assert snapshot(view)["down"] == {}
    assert view.log[-1][1] == "link leaf1-spine1: up"
    assert after(LinkState("leaf1-spine1", "up")) == START, "it was up before"


def test_the_end_of_a_run_leaves_its_table_and_its_verdict_but_no_load():
    view = after(Loads({LEAF: 1e9}), RowDone(ROW), Ranks(((1, 1),)), PhaseChanged("ended", "all is well", "valid"))
    assert (view.phase, view.verdict, view.bps, view.ranks) == ("ended", "valid", {}, ())
    assert snapshot(view)["rows"][0]["busbw_GBps"] == 0.0105
    assert view.log == ((3.0, "all is well"),)


def test_the_log_and_the_list_of_flows_have_an_end():
    flows = tuple(Flow(str(number), ()) for number in range(SHOWN_FLOWS + 5))
    view = after(*(Said(str(number)) for number in range(LOG_LINES + 5)), FlowsMoved(flows))
    assert len(view.log) == LOG_LINES
    assert view.log[-1][1] == str(LOG_LINES + 4)
    shown = snapshot(view)["flows"]
    assert (shown["count"], len(shown["shown"])) == (SHOWN_FLOWS + 5, SHOWN_FLOWS)


def test_another_policy_is_shown_and_logged():
    view = after(TurnBegan("pinned", "pinned", 1, 2), PolicyChanged("ecmp:seed=2"))
    assert (view.arm, view.policy, view.log[-1][1]) == ("pinned", "ecmp:seed=2", "policy: ecmp:seed=2")


def test_of_links_a_delta_has_only_those_that_changed():
    before, now = snapshot(START), snapshot(after(Loads({LEAF: 50e9})))
    change = delta(before, now)
    assert change["links"] == {str(LEAF): [0.5, 50.0]}
    assert set(change) == {"links", "hot"}
    assert delta(now, now) == {}


EVENTS = st.one_of(
    st.builds(Said, st.text(max_size=5)),
    st.builds(PhaseChanged, st.sampled_from(["starting", "running", "ended", "failed"]), st.text(max_size=3)),
    st.builds(FabricUp, st.floats(1, 1e6)),
    st.builds(TurnBegan, st.text(max_size=3), st.just("pinned"), st.integers(1, 5), st.none() | st.integers(1, 9)),
    st.builds(OperationBegan, st.integers(4, 1 << 30)),
    st.builds(FlowsMoved, st.lists(st.builds(Flow, st.text(max_size=3), st.just((LEAF,))), max_size=3).map(tuple)),
    st.builds(Loads, st.dictionaries(st.sampled_from(PORTS), st.floats(0, 2e11))),
    st.builds(Ranks, st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=2).map(tuple)),
    st.builds(LinkState, st.sampled_from([link.name for link in FABRIC.links]), st.sampled_from(["up", "down"])),
    st.builds(RowDone, st.just(ROW)),
)


@given(st.lists(EVENTS, max_size=12))
def test_who_adds_up_the_changes_has_the_whole(events):
    seen, view = snapshot(START), START
    for event in events:
        view = advance(view, event, 1.0)
        now = snapshot(view)
        change = json.loads(json.dumps(delta(seen, now), allow_nan=False))
        seen = merged(seen, change)
        assert seen == json.loads(json.dumps(now))


def test_a_port_of_another_fabric_is_an_error_and_no_silence():
    with pytest.raises(KeyError):
        snapshot(after(Loads({Port("nowhere", 1): 1e9})))
