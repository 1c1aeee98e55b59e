"""Max-min rates by their definition, and ends against the same loop in exact fractions.

Random networks are small (hypothesis shrinks them), and nothing of them is special: capacities differ, flows have
weights, some pass no link, some pass one twice.
"""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation import fair_share
from simulation.fair_share import ends, rates

NEAR = 1e-9
MANY = settings(max_examples=150, deadline=None)
CAPACITIES = st.integers(1, 60).map(lambda tenths: tenths / 10)
WEIGHTS = st.integers(1, 8).map(lambda halves: halves / 2)


def array(rows):
    width = max([1, *map(len, rows)])
    return np.array([[*row, *[-1] * (width - len(row))] for row in rows], dtype=np.int64).reshape(len(rows), width)


@st.composite
def networks(draw, most_flows=10):
    """(paths, capacity): up to 6 links, up to 4 hops, links in any order and any number of times."""
    links = draw(st.integers(1, 6))
    capacity = draw(st.lists(CAPACITIES, min_size=links, max_size=links))
    row = st.lists(st.integers(0, links - 1), max_size=4)
    return array(draw(st.lists(row, min_size=1, max_size=most_flows))), np.array(capacity)


def of_each(draw, values, paths):
    return np.array(draw(st.lists(values, min_size=len(paths), max_size=len(paths))), dtype=np.float64)


def check_max_min(paths, capacity, rate, weight, use):
    """No link is overfull, and every flow has a full link of its own where none has more for its weight."""
    there = paths >= 0
    flow = np.nonzero(there)[0]
    load = np.bincount(paths[there], (use * rate[:, None])[there], len(capacity))
    assert (load <= capacity * (1 + NEAR)).all()
    per_weight = rate / weight
    highest = np.zeros(len(capacity))
    np.maximum.at(highest, paths[there], per_weight[flow])
    for number, row in enumerate(paths):
        links = row[row >= 0]
        if not len(links):
            assert rate[number] == math.inf
            continue
        full = load[links] >= capacity[links] * (1 - NEAR)
        assert (full & (per_weight[number] >= highest[links] * (1 - NEAR))).any(), f"flow {number} has no bottleneck"


@MANY
@given(networks(), st.data())
def test_rates_are_max_min_fair_by_the_definition(network, data):
    paths, capacity = network
    weight = of_each(data.draw, WEIGHTS, paths)
    use = np.stack([of_each(data.draw, CAPACITIES, paths) for _ in range(paths.shape[1])], axis=1)
    one = np.ones_like(use)
    check_max_min(paths, capacity, rates(paths, capacity), np.ones(len(paths)), one)
    check_max_min(paths, capacity, rates(paths, capacity, weight), weight, one)
    check_max_min(paths, capacity, rates(paths, capacity, use=use), np.ones(len(paths)), use)
    check_max_min(paths, capacity, rates(paths, capacity, weight, use), weight, use)


@pytest.mark.parametrize("flows", [50, 1000])
def test_rates_are_max_min_fair_on_networks_with_hundreds_of_rounds(flows):
    random = np.random.default_rng(flows)
    paths = random.integers(-1, 200, (flows, 5))
    capacity = random.uniform(0.01, 1.0, 200) ** 3
    weight = random.uniform(0.1, 10.0, flows)
    check_max_min(paths, capacity, rates(paths, capacity, weight), weight, np.ones(paths.shape))


@MANY
@given(networks(), st.data())
def test_a_weight_of_k_is_k_flows(network, data):
    paths, capacity = network
    copies = np.array(data.draw(st.lists(st.integers(1, 4), min_size=len(paths), max_size=len(paths))))
    each = rates(np.repeat(paths, copies, axis=0), capacity)
    together = rates(paths, capacity, copies.astype(np.float64))
    assert np.repeat(together / copies, copies) == pytest.approx(each, rel=NEAR)


@MANY
@given(networks())
def test_a_link_that_is_there_twice_is_used_twice(network):
    """The same as one hop with ``use`` 2: what a flow takes of a link is the sum over its hops."""
    paths, capacity = network
    doubled = np.concatenate([paths, paths], axis=1)
    assert rates(doubled, capacity) == pytest.approx(rates(paths, capacity, use=np.full(paths.shape, 2.0)), rel=NEAR)
    assert rates(doubled, capacity) * 2 == pytest.approx(rates(paths, capacity), rel=NEAR)


@MANY
@given(networks(), CAPACITIES)
def test_rates_grow_with_the_unit_of_capacity(network, unit):
    paths, capacity = network
    assert rates(paths, capacity * unit) == pytest.approx(rates(paths, capacity) * unit, rel=NEAR)


# -- worked by hand ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "capacity", "expected"),
    [
        ([[0]], [10], [10]),
        ([[0], [0]], [10], [5, 5]),
        ([[0, 1], [0], [1]], [10, 4], [2, 8, 2]),  # link 1 gives 2 to each; flow 1 takes what is left of link 0
        ([[0, 1], [0], [1]], [4, 10], [2, 2, 8]),
        ([[0, 1, 2], [0], [1], [2]], [3, 4, 5], [1.5, 1.5, 2.5, 3.5]),  # the parking lot: the long flow is on all links
        ([[0], [0], [0, 1]], [9, 1], [4, 4, 1]),
        ([[0, 1], [1, 2], [2, 0]], [2, 2, 2], [1, 1, 1]),  # a triangle
        ([[0, 1], [1, 2], [2, 0]], [2, 4, 6], [1, 3, 1]),  # link 0 first: flows 0 and 2; then link 1 for flow 1
        ([[0], []], [10], [10, math.inf]),
        ([[0], [0]], [0], [0, 0]),  # a dead link
        ([[0, 1], [1]], [0, 6], [0, 6]),
    ],
)
def test_rates_by_hand(rows, capacity, expected):
    assert rates(array(rows), np.array(capacity, dtype=np.float64)).tolist() == pytest.approx(expected, abs=1e-12)


def test_weights_and_use_by_hand():
    paths, capacity = array([[0], [0], [0, 1]]), np.array([12.0, 1.0])
    assert rates(paths, capacity, np.array([1.0, 3.0, 2.0])) == pytest.approx([2.75, 8.25, 1.0])
    use = np.array([[2.0, 0.0], [1.0, 0.0], [1.0, 0.5]])  # flow 0 takes two of link 0; flow 2 half of link 1
    assert rates(paths, capacity, use=use) == pytest.approx([10 / 3, 10 / 3, 2.0])


def test_no_flows_have_no_rates():
    assert rates(np.zeros((0, 3), dtype=np.int64), np.ones(2)).shape == (0,)
    assert ends(np.zeros((0, 3), dtype=np.int64), np.ones(2), np.zeros(0)).shape == (0,)


@pytest.mark.parametrize(
    ("rows", "capacity", "amount", "start", "expected"),
    [
        # One link: 2 and 6 share; the first is through at 4 with half each, the other has 4 left alone.
        ([[0], [0]], [1], [2, 6], [0, 0], [4, 8]),
        # The second comes when the first has 4 of 6 left: both take half; 4 left takes 8 s, the other has 1 left then.
        ([[0], [0]], [1], [6, 5], [2, 4], [12, 13]),
        # The long flow of two links is held by link 1 until 4, then has 5 left, and all of it.
        ([[0, 1], [1], [0]], [3, 2], [9, 4, 8], [0, 0, 0], [6.5, 4, 4]),
        # Nobody there from 1 to 5.
        ([[0], [0]], [2], [2, 2], [0, 5], [1, 6]),
        # A flow without links takes no time; one with nothing to move neither.
        ([[0], [], [0]], [1], [3, 9, 0], [0, 1, 2], [3, 1, 2]),
        # A dead link: never.
        ([[0], [1]], [0, 1], [1, 2], [0, 0], [math.inf, 2]),
    ],
)
def test_ends_by_hand(rows, capacity, amount, start, expected):
    found = ends(
        array(rows),
        *(np.array(given, dtype=np.float64) for given in (capacity, amount, start)),
        tolerance=fair_share.EXACT,
    )
    assert found == pytest.approx(expected)


def test_ends_with_weights_by_hand():
    # 2 against 1 on a link of 3: the first is through at 2, the other then has 4 of 6 left at rate 3.
    found = ends(array([[0], [0]]), np.array([3.0]), np.array([4.0, 6.0]), weights=np.array([2.0, 1.0]), tolerance=0.0)
    assert found == pytest.approx([2.0, 2.0 + 4 / 3])


# -- one solve is enough -----------------------------------------------------------------


@MANY
@given(networks(), st.data())
def test_flows_of_one_size_that_start_together_need_one_solve(network, data):
    """The theorem: no rate changes before its flow has ended; also with sizes that go by the weights."""
    paths, capacity = network
    for weight in (np.ones(len(paths)), of_each(data.draw, WEIGHTS, paths)):
        amount, begin = 3.7 * weight, np.full(len(paths), 2.0)
        at_once = ends(paths, capacity, amount, begin, weight)
        assert at_once == pytest.approx(2.0 + amount / rates(paths, capacity, weight), rel=1e-15)
        for tolerance in (0.0, NEAR):
            loop = fair_share._event_by_event(paths, capacity, amount, begin, weight, tolerance)
            assert loop == pytest.approx(at_once, rel=2 * NEAR)


@MANY
@given(networks(), st.data())
def test_the_last_of_them_ends_when_the_fullest_link_is_through(network, data):
    """The corollary: a phase ends after size times the largest load over capacity; one count does."""
    paths, capacity = network
    weight = of_each(data.draw, WEIGHTS, paths)
    there = paths >= 0
    load = np.bincount(paths[there], np.repeat(weight, there.sum(axis=1)), len(capacity))
    assert ends(paths, capacity, weight, weights=weight).max() == pytest.approx((load / capacity).max(), rel=NEAR)


def test_one_solve_is_not_enough_for_different_sizes():
    """So that the theorem's condition is seen to be needed."""
    paths, capacity, amount = array([[0], [0]]), np.ones(1), np.array([1.0, 3.0])
    assert ends(paths, capacity, amount, tolerance=0.0).tolist() == [2.0, 4.0]
    assert (amount / rates(paths, capacity)).tolist() == [2.0, 6.0]


# -- the loop against the same in fractions --------------------------------------------------


def exact_rates(rows, capacity, weight):
    """Textbook progressive filling, one bottleneck after the other, in fractions."""
    rate, left = {}, dict(enumerate(capacity))
    todo = {flow for flow, row in enumerate(rows) if row}
    while todo:
        load = {link: sum(weight[flow] * rows[flow].count(link) for flow in todo) for link in left}
        tightest = min((link for link in left if load[link]), key=lambda link: left[link] / load[link])
        share = left[tightest] / load[tightest]
        for flow in [flow for flow in todo if tightest in rows[flow]]:
            rate[flow] = share * weight[flow]
            todo.remove(flow)
            for link in rows[flow]:
                left[link] -= rate[flow]
    return rate


def exact_ends(rows, capacity, amount, begin, weight):
    found, left, now = {}, dict(enumerate(amount)), Fraction(0)
    while len(found) < len(rows):
        for flow, row in enumerate(rows):
            if flow not in found and begin[flow] <= now and (not row or left[flow] == 0):
                found[flow] = now
        active = [flow for flow in range(len(rows)) if flow not in found and begin[flow] <= now]
        rate = exact_rates([rows[flow] for flow in active], capacity, [weight[flow] for flow in active])
        moments = [now + left[flow] / rate[number] for number, flow in enumerate(active)]
        moments += [begin[flow] for flow in range(len(rows)) if begin[flow] > now]
        if not moments:
            break
        for number, flow in enumerate(active):
            left[flow] -= rate[number] * (min(moments) - now)
        now = min(moments)
    return [float(found[flow]) for flow in range(len(rows))]


@settings(max_examples=120, deadline=None)
@given(networks(most_flows=6), st.data())
def test_ends_of_different_sizes_and_starts_equal_the_loop_in_fractions(network, data):
    paths, capacity = network
    amount = of_each(data.draw, st.integers(0, 12), paths)
    start = of_each(data.draw, st.integers(0, 6), paths)
    weight = of_each(data.draw, WEIGHTS, paths)
    found = ends(paths, capacity, amount, start, weight, tolerance=0.0)
    rows = [[int(link) for link in row if link >= 0] for row in paths]
    fractions = (
        [Fraction(value).limit_denominator(100) for value in given] for given in (capacity, amount, start, weight)
    )
    assert found == pytest.approx(exact_ends(rows, *fractions), rel=NEAR, abs=NEAR)


# -- windows ---------------------------------------------------------------------------

SIZES = {
    "half to whole": lambda random, flows: random.uniform(1, 2, flows),
    "any": lambda random, flows: random.uniform(0, 1, flows),
    "log-normal": lambda random, flows: random.lognormal(0, 1.5, flows),
    "nearly one": lambda random, flows: random.lognormal(0, 0.01, flows),
}


def off(exact, near):
    return np.abs(near / exact - 1).max()


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("links", [1, 6, 40])
@pytest.mark.parametrize("tolerance", [0.01, 0.1])
def test_windows_keep_to_what_is_said_of_them(sizes, links, tolerance):
    for seed in range(6):
        random = np.random.default_rng(seed)
        paths = random.integers(0, links, (5 * links + 20, 3 if links > 1 else 1))
        capacity, amount = random.uniform(0.1, 1.0, links), sizes(random, len(paths))
        exact = ends(paths, capacity, amount, tolerance=0.0)
        assert off(exact, ends(paths, capacity, amount, tolerance=tolerance)) <= 1.2 * tolerance


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_sizes_chosen_against_windows_lose_nothing_on_one_link(share):
    """``share`` of the flows end as a window begins, in every window: all that they free would lie idle to its end."""
    tolerance, there, moved, now = 0.01, 1000, 1.0, 1000.0
    amount = [moved]
    there -= 1
    while there > 1:
        leaving = max(1, int(there * share))
        amount += [moved + 1e-9 * now / there] * leaving
        moved += tolerance * now / there
        now *= 1 + tolerance
        there -= leaving
    amount = np.array([*amount, 1.5 * moved])
    paths, capacity = np.zeros((len(amount), 1), dtype=np.int64), np.ones(1)
    exact, near = (ends(paths, capacity, amount, tolerance=each) for each in (0.0, tolerance))
    assert near.max() == pytest.approx(exact.max(), rel=NEAR) == amount.sum()
    assert off(exact, near) <= 1.2 * tolerance


def test_windows_with_starts_in_them_keep_to_it_too():
    for seed in range(10):
        random = np.random.default_rng(seed)
        paths, capacity = random.integers(0, 8, (60, 2)), random.uniform(0.1, 1.0, 8)
        amount, start = random.lognormal(0, 1, 60), random.uniform(0, 20, 60)
        exact, near = (ends(paths, capacity, amount, start, tolerance=each) for each in (0.0, 0.02))
        assert (near >= start).all()
        assert off(exact, near) <= 1.2 * 0.02


def test_windows_are_fewer_than_ends(monkeypatch):
    calls = []
    solve = fair_share._rates
    monkeypatch.setattr(fair_share, "_rates", lambda *given: calls.append(1) or solve(*given))
    paths, amount = np.zeros((500, 1), dtype=np.int64), np.linspace(1, 2, 500)
    ends(paths, np.ones(1), amount, tolerance=0.0)
    exact = len(calls)
    ends(paths, np.ones(1), amount)
    assert exact == 500
    assert len(calls) - exact < 100
