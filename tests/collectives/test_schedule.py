from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectives.algorithms import build
from collectives.algorithms.ring import ring, ring_all_gather, ring_reduce_scatter
from collectives.schedule import Op, Schedule, ScheduleError, Transfer, union


@st.composite
def schedules(draw) -> Schedule:
    """Any schedule that writes no chunk twice in a step."""
    num_ranks, num_chunks = draw(st.integers(2, 5)), draw(st.integers(1, 4))
    transfers, taken = [], set()
    for _ in range(draw(st.integers(0, 10))):
        src, dst = draw(st.permutations(range(num_ranks)))[:2]
        chunk = draw(st.integers(0, num_chunks - 1))
        count = draw(st.integers(1, num_chunks - chunk))
        step, channel = draw(st.integers(0, 4)), draw(st.integers(0, 2))
        places = {(step, dst, c) for c in range(chunk, chunk + count)}
        if not places & taken:
            taken |= places
            transfers.append(Transfer(step, src, dst, chunk, draw(st.sampled_from(Op)), channel, count))
    return Schedule.from_transfers(num_ranks, num_chunks, transfers)


def test_a_large_ring_is_held_in_columns():
    schedule = ring(1024)
    assert len(schedule) == 2 * 1023 * 1024
    assert schedule.num_steps == 2046
    assert len(ring(256).flows()) == 256


@settings(max_examples=30, deadline=None)
@given(schedule=schedules())
def test_transfers_round_trip(schedule):
    again = Schedule.from_transfers(schedule.num_ranks, schedule.num_chunks, schedule.transfers())
    assert list(again.transfers()) == list(schedule.transfers())
    assert again.fingerprint == schedule.fingerprint


def test_fingerprint_tells_schedules_apart():
    found = {build(name, 4, channels).fingerprint for name in ("ring", "halving-doubling") for channels in (1, 2)}
    assert len(found) == 4
    assert ring(4).fingerprint == ring(4).fingerprint != ring(5).fingerprint


def test_then_comes_after():
    both = ring_reduce_scatter(3).then(ring_all_gather(3))
    assert both.num_steps == 4
    assert [t.step for t in both.transfers() if t.op is Op.COPY] == [2, 2, 2, 3, 3, 3]


def test_beside_has_its_own_chunks_and_channels():
    both = ring(3).beside(ring(3)).beside(ring(3))
    assert (both.num_chunks, both.num_channels, both.num_steps) == (9, 3, 4)
    assert {(t.channel, t.chunk // 3) for t in both.transfers()} == {(0, 0), (1, 1), (2, 2)}


def test_relabel_moves_ranks_only():
    moved = ring(3).relabel([4, 0, 2], 5)
    assert moved.num_ranks == 5
    assert {(t.src, t.dst) for t in moved.transfers()} == {(4, 0), (0, 2), (2, 4)}
    with pytest.raises(ScheduleError, match="3 different ranks"):
        ring(3).relabel([1, 1, 2], 5)


def test_reversed_sends_every_chunk_back():
    forth = ring_reduce_scatter(4)
    back = forth.reversed()
    assert {(2 - t.step, t.dst, t.src, t.chunk) for t in back.transfers()} == {
        (t.step, t.src, t.dst, t.chunk) for t in forth.transfers()
    }
    assert all(t.op is Op.COPY for t in back.transfers())
    assert list(back.step) == sorted(back.step)


def test_refine_cuts_chunks_and_keeps_messages():
    fine = ring(3).refine(4)
    assert (len(fine), fine.num_chunks) == (len(ring(3)), 12)
    assert {(t.chunk, t.count) for t in fine.transfers()} == {(0, 4), (4, 4), (8, 4)}


def test_union_of_ranks_apart():
    both = union(ring(2).relabel([0, 1], 4), ring(2).relabel([2, 3], 4))
    assert {(t.src, t.dst) for t in both.transfers()} == {(0, 1), (1, 0), (2, 3), (3, 2)}
    with pytest.raises(ScheduleError, match=r"4 ranks and 2 chunks .* 3 ranks"):
        union(ring(2).relabel([0, 1], 4), ring(3))


@settings(max_examples=30, deadline=None)
@given(schedule=schedules())
def test_program_holds_each_transfer_at_both_ends(schedule):
    sent, received = [], []
    for rank in range(schedule.num_ranks):
        stages = schedule.program(rank)
        assert [stage.step for stage in stages] == sorted({stage.step for stage in stages})
        for stage in stages:
            assert all(t.step == stage.step for t in (*stage.sends, *stage.receives))
            assert all(t.src == rank for t in stage.sends)
            assert all(t.dst == rank for t in stage.receives)
            sent += stage.sends
            received += stage.receives
    key = repr
    assert sorted(sent, key=key) == sorted(received, key=key) == sorted(schedule.transfers(), key=key)


@settings(max_examples=30, deadline=None)
@given(schedule=schedules())
def test_flows_gather_what_each_connection_carries(schedule):
    expected = defaultdict(lambda: defaultdict(int))
    for t in schedule.transfers():
        expected[t.src, t.dst, t.channel][t.step] += t.count
    found = {(f.src, f.dst, f.channel): dict(zip(f.steps, f.loads, strict=True)) for f in schedule.flows()}
    assert found == expected
    assert list(found) == sorted(found)


def test_flows_keep_connections_without_load():
    weights = np.zeros(len(ring(3)), dtype=np.int64)
    weights[0] = 5
    loads = {(f.src, f.dst): (f.steps, f.loads) for f in ring(3).flows(weights)}
    assert loads == {(0, 1): ((0,), (5,)), (1, 2): ((), ()), (2, 0): ((), ())}


def accessed(t: Transfer) -> list[tuple[int, int, bool]]:
    return [(t.src, c, False) for c in t.chunks] + [(t.dst, c, True) for c in t.chunks]


@settings(max_examples=30, deadline=None)
@given(schedule=schedules())
def test_dependencies_follow_from_chunks_and_from_the_order_of_sends(schedule):
    """Against every pair of transfers: the transitive closure of what is listed is that of what must be."""
    transfers = list(schedule.transfers())
    listed = schedule.dependencies()
    must = []
    for after in transfers:
        needs = set()
        for index, before in enumerate(transfers):
            if before.step >= after.step:
                continue
            meets = any(
                place[:2] == other[:2] and (place[2] or other[2])
                for place in accessed(before)
                for other in accessed(after)
            )
            if meets or (before.src, before.channel) == (after.src, after.channel):
                needs.add(index)
        must.append(needs)
    order = sorted(range(len(transfers)), key=lambda index: transfers[index].step)
    assert closure(order, listed) == closure(order, must)
    assert len(listed) == len(transfers)


def closure(order, needs):
    reached = {}
    for index in order:
        reached[index] = set(needs[index]).union(*(reached[before] for before in needs[index]))
    return reached


def test_dependencies_of_a_ring():
    schedule = ring(3)
    listed = schedule.dependencies()
    assert listed[:3] == [[], [], []]
    # Rank 0's second send waits for its first one, and for what it received meanwhile from rank 2.
    assert listed[3] == [0, 2]
    assert listed[-1] == listed[11]
    with pytest.raises(IndexError):
        listed[12]


@pytest.mark.parametrize(
    "bad",
    [
        Transfer(0, 0, 3, 0, Op.COPY),
        Transfer(0, 1, 1, 0, Op.COPY),
        Transfer(0, -1, 1, 0, Op.COPY),
        Transfer(-1, 0, 1, 0, Op.COPY),
        Transfer(0, 0, 1, 2, Op.COPY),
        Transfer(0, 0, 1, 1, Op.COPY, count=2),
        Transfer(0, 0, 1, 0, Op.COPY, count=0),
        Transfer(0, 0, 1, 0, Op.COPY, channel=-1),
    ],
)
def test_a_transfer_that_cannot_be_is_named(bad):
    good = Transfer(0, 0, 1, 0, Op.COPY)
    with pytest.raises(ScheduleError, match=r"transfer 1 .*can't be"):
        Schedule.from_transfers(3, 2, [good, bad])


def test_empty_schedules():
    empty = Schedule.from_transfers(1, 1, [])
    assert (empty.num_steps, empty.num_channels, empty.flows(), empty.program(0)) == (0, 1, (), ())
    assert list(empty.dependencies()) == []
    with pytest.raises(ScheduleError, match="at least 1"):
        Schedule.from_transfers(0, 1, [])


@pytest.mark.parametrize(
    ("algorithm", "relays"),
    [("ring", True), ("bidirectional-ring", True), ("halving-doubling", False), ("recursive-doubling", False)],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_only_rings_pass_on_just_what_came(algorithm, relays, channels):
    assert build(algorithm, 8, channels).relays is relays
