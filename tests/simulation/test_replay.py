"""Flows that wait for each other: ends worked by hand, closed forms, and ``ends`` where nobody waits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation import fair_share
from simulation.replay import Change, Flows, StalledError, replay

ONE = np.array([1.0])
MANY = settings(max_examples=80, deadline=None)


def flows(rows, amount, needs=None, lag_s=None, use=None):
    """``needs[i]``: those that flow i waits for."""
    width = max([1, *map(len, rows)])
    row_of = np.array([[*row, *[-1] * (width - len(row))] for row in rows], dtype=np.int64).reshape(len(rows), width)
    waits = needs or [[] for _ in rows]
    return Flows(
        row_of,
        np.ones(row_of.shape) if use is None else np.array(use, dtype=np.float64),
        np.array(amount, dtype=np.float64),
        np.zeros(len(rows)) if lag_s is None else np.array(lag_s, dtype=np.float64),
        np.concatenate([[0], np.cumsum([len(wait) for wait in waits])]).astype(np.int64),
        np.array([flow for wait in waits for flow in wait], dtype=np.int64),
    )


def chains(number, length, lag_s, amount):
    """``number`` chains, each on a link of its own: flow c * length + i is the i-th of chain c."""
    needs = [[flow - 1] if flow % length else [] for flow in range(number * length)]
    rows = [[flow // length] for flow in range(number * length)]
    return flows(rows, [amount] * len(rows), needs, [lag_s] * len(rows))


# -- by hand -----------------------------------------------------------------------------


def test_a_chain_on_one_link():
    begun, ended = replay(flows([[0]] * 3, [2, 3, 4], [[], [0], [1]], [0.5, 1, 0]), np.array([2.0]))
    assert begun == pytest.approx([0.5, 2.5, 4.0])
    assert ended == pytest.approx([1.5, 4.0, 6.0])


def test_a_join_begins_with_the_last_of_those_it_waits_for():
    begun, ended = replay(flows([[0], [1], [2]], [3, 5, 1], [[], [], [0, 1]], [0, 0, 2]), np.ones(3))
    assert begun.tolist() == [0, 0, 7]
    assert ended.tolist() == [3, 5, 8]


def test_a_fork_shares_and_its_parts_then_go_on_alone():
    # 0 ends at 2; 1 and 2 share the link: 1 is through at 2 + 2, 2 then has 3 of 4 left alone, and 3 comes after 1.
    made = flows([[0], [0], [0], [1]], [2, 1, 4, 1], [[], [0], [0], [1]])
    assert replay(made, np.ones(2))[1].tolist() == [2, 4, 7, 5]


def test_who_comes_in_mid_flow_takes_its_share():
    # 0 alone until 3 (3 of 5 moved), then half each: 2 left take 4 s; 1 has moved 2 of 3 by then.
    _, ended = replay(flows([[0], [0]], [5, 3], lag_s=[0, 3]), ONE)
    assert ended == pytest.approx([7, 8])


def test_nothing_to_move_takes_no_time_and_a_flow_without_links_neither():
    begun, ended = replay(flows([[0], [], [0]], [0, 7, 1], [[], [0], [1]], [1, 1, 1]), ONE)
    assert begun.tolist() == [1, 2, 3]
    assert ended.tolist() == [1, 2, 4]


def test_use_is_what_a_flow_takes_of_each_link():
    # Half of the flow on each of two links: 6 at 2 * 1.5 alone.
    _, ended = replay(flows([[0, 1]], [6], use=[[0.5, 0.5]]), np.array([1.5, 9.0]))
    assert ended.tolist() == [2]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([(2, 2.0)], 6),  # 2 of 10 moved, 8 left at 2
        ([(2, 0.5)], 18),
        ([(2, 0.0), (5, 1.0)], 13),  # nothing moves from 2 to 5
        ([(2, 3.0), (4, 1.0)], 6),  # 2, then 6, then 2 left at 1
        ([(0, 2.0)], 5),
        ([(10, 0.0)], 10),  # just in time
        ([(99, 0.0)], 10),
    ],
)
def test_a_link_that_changes_in_mid_flow(changes, expected):
    made = [Change(at_s, np.array([capacity])) for at_s, capacity in changes]
    assert replay(flows([[0]], [10]), ONE, made)[1] == pytest.approx([expected])


def test_a_change_of_ways_moves_what_is_left():
    # Both on link 0 at half each until 2; then flow 1 has link 1, twice as wide, for the 5 that it has left.
    made = flows([[0], [0]], [6, 6])
    ended = replay(made, np.array([1.0, 2.0]), [Change(2.0, np.array([1.0, 2.0]), np.array([[0], [1]]))])[1]
    assert ended == pytest.approx([2 + 5, 2 + 5 / 2])


def test_changed_ways_hold_for_flows_that_begin_later_and_through_later_changes():
    made = flows([[0], [0]], [2, 2], [[], [0]])
    wide = np.array([1.0, 4.0])
    changes = [Change(1.0, np.array([1.0, 2.0]), np.array([[1], [1]])), Change(1.25, wide)]
    assert replay(made, np.array([1.0, 1.0]), changes)[1] == pytest.approx([1.25 + 0.5 / 4, 1.375 + 0.5])


# -- those that can't end --------------------------------------------------------------


def test_a_flow_on_a_dead_link_stalls_and_is_named():
    with pytest.raises(StalledError, match="1 flows can never end, among them number 1") as raised:
        replay(flows([[0], [1]], [1, 1]), np.array([1.0, 0.0]))
    assert raised.value.flows == (1,)


def test_flows_that_wait_for_each_other_stall():
    with pytest.raises(StalledError) as raised:
        replay(flows([[0]] * 3, [1, 1, 1], [[], [2], [1]]), ONE)
    assert raised.value.flows == (1, 2)


def test_a_link_that_dies_for_good_in_mid_flow_stalls_its_flow():
    with pytest.raises(StalledError):
        replay(flows([[0]], [10]), ONE, [Change(5.0, np.array([0.0]))])


def test_a_dead_link_is_no_stall_where_it_comes_back():
    assert replay(flows([[0]], [1]), np.array([0.0]), [Change(4.0, ONE)])[1] == pytest.approx([5])


# -- closed forms ----------------------------------------------------------------------


@MANY
@given(st.integers(1, 6), st.integers(1, 12), st.floats(0, 3), st.floats(0.01, 5), st.floats(0.1, 10))
def test_chains_of_n_steps_in_closed_form(number, length, lag_s, amount, rate):
    _, ended = replay(chains(number, length, lag_s, amount), np.full(number, rate))
    step_s = lag_s + amount / rate
    assert ended.reshape(number, length) == pytest.approx(np.tile(step_s * np.arange(1, length + 1), (number, 1)))


@pytest.mark.parametrize("ranks", [2, 3, 8, 16])
def test_a_ring_of_chains_in_closed_form(ranks):
    """Chain c starts at rank c and goes round twice: at every moment one flow on each edge."""
    length = 2 * ranks - 1
    made = chains(ranks, length, 0.25, 2.0)
    edge = (np.arange(ranks)[:, None] + np.arange(length)) % ranks
    made = Flows(edge.reshape(-1, 1), made.use, made.amount, made.lag_s, made.starts, made.needs)
    _, ended = replay(made, np.full(ranks, 4.0))
    assert ended.max() == pytest.approx(length * (0.25 + 2.0 / 4.0))


@st.composite
def networks(draw):
    links = draw(st.integers(1, 5))
    rows = draw(st.lists(st.lists(st.integers(0, links - 1), min_size=1, max_size=3), min_size=1, max_size=8))
    numbers = st.integers(1, 12).map(float)
    each = st.lists(numbers, min_size=len(rows), max_size=len(rows))
    return rows, draw(each), draw(each), np.array(draw(st.lists(numbers, min_size=links, max_size=links)))


@MANY
@given(networks())
def test_without_dependencies_it_equals_ends(network):
    rows, amount, start, capacity = network
    made = flows(rows, amount, lag_s=start)
    begun, ended = replay(made, capacity)
    assert begun.tolist() == start
    assert ended == pytest.approx(fair_share.ends(made.rows, capacity, made.amount, np.array(start), tolerance=0.0))


@MANY
@given(networks(), st.floats(0, 3))
def test_a_change_to_the_same_changes_nothing(network, at_s):
    rows, amount, start, capacity = network
    made = flows(rows, amount, lag_s=start)
    assert replay(made, capacity, [Change(at_s, capacity, made.rows, made.use)])[1] == pytest.approx(
        replay(made, capacity)[1]
    )


@MANY
@given(networks(), st.floats(0.1, 10))
def test_time_and_amounts_scale_together(network, scale):
    rows, amount, start, capacity = network
    one = replay(flows(rows, amount, lag_s=start), capacity)[1]
    other = replay(flows(rows, np.array(amount) * scale, lag_s=np.array(start) * scale), capacity)[1]
    assert other == pytest.approx(one * scale)


# -- slack -----------------------------------------------------------------------------


@MANY
@given(networks(), st.floats(0.001, 0.5))
def test_slack_moves_ends_on_one_link_by_little(network, slack_s):
    """What is given back or taken too late is made up for, so that it does not add up."""
    _, amount, start, _ = network
    made = flows([[0]] * len(amount), amount, lag_s=start)
    exact, (begun, near) = replay(made, ONE)[1], replay(made, ONE, slack_s=slack_s)
    assert begun.tolist() == start
    assert (near >= begun).all()
    assert np.abs(near - exact).max() <= 2 * slack_s


@MANY
@given(st.integers(1, 5), st.integers(1, 30), st.floats(0, 0.3), st.floats(0.01, 0.3))
def test_chains_of_flows_shorter_than_the_slack_are_no_later_for_it(number, length, lag_s, amount):
    exact = replay(chains(number, length, lag_s, amount), np.ones(number))
    near = replay(chains(number, length, lag_s, amount), np.ones(number), slack_s=1.0)
    assert near[0] == pytest.approx(exact[0])
    assert near[1] == pytest.approx(exact[1])


def test_links_change_in_time_whatever_the_slack():
    made = [Change(2.0, np.array([0.5])), Change(2.1, np.array([2.0]))]
    exact, near = (replay(flows([[0]], [10]), ONE, made, slack_s)[1] for slack_s in (0.0, 5.0))
    assert exact == pytest.approx([2.1 + (8 - 0.05) / 2])
    assert near == pytest.approx(exact)


def test_slack_makes_fewer_moments_and_keeps_the_completion(monkeypatch):
    """Trees of chunks on leaf-spine links that several of them share."""
    calls = []
    solve = fair_share.rates
    monkeypatch.setattr("simulation.replay.rates", lambda *given, **named: calls.append(1) or solve(*given, **named))
    random = np.random.default_rng(3)
    made = chains(40, 10, 0.05, 1.0)
    amount = random.uniform(0.5, 1.5, len(made))
    rows = np.repeat(np.stack([random.integers(0, 8, 40), random.integers(8, 16, 40)], axis=1), 10, axis=0)
    made = Flows(rows, np.ones(rows.shape), amount, made.lag_s, made.starts, made.needs)
    capacity = random.uniform(5.0, 10.0, 16)
    exact = replay(made, capacity)[1]
    moments = len(calls)
    near = replay(made, capacity, slack_s=0.1)[1]
    assert len(calls) - moments < moments / 2
    assert near.max() == pytest.approx(exact.max(), rel=0.01)
