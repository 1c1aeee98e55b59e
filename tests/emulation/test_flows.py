"""What a capture tells of its flows, on packets whose truth is known."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulation.flows import WRAP, Bursts, Places, Segment, flows, mean_rate_bps

MSS = 1000


def segment(time_s, seq, nbytes=MSS, syn=False, src_port=30000):
    return Segment(time_s, "tcp", "10.0.0.1", "10.0.0.2", src_port, 20000, nbytes, nbytes + 54, seq % WRAP, syn)


def stream(isn, packets, gap_s=0.01, first_s=0.0):
    """A connection without trouble: SYN, data."""
    yield segment(first_s, isn, 0, syn=True)
    for number in range(packets):
        yield segment(first_s + (number + 1) * gap_s, isn + 1 + number * MSS)


@pytest.mark.parametrize("isn", [0, 12345, WRAP - 1, WRAP - 1500, WRAP // 2])
def test_a_whole_stream_has_its_bytes_once_wherever_it_begins(isn):
    (flow,) = flows(stream(isn, 5000))
    assert (flow.new_bytes, flow.again_bytes, flow.again_packets, flow.late_packets) == (5_000_000, 0, 0, 0)
    assert flow.packets == 5001
    assert flow.goodput_bps == pytest.approx(5_000_000 * 8 / 50.0)
    assert flow.bursts == Bursts(5001, 1054, 1054)


def test_a_stream_longer_than_the_sequence_space_wraps_more_than_once():
    step = 1 << 20
    packets = [segment(float(n), n * step, step) for n in range(3 * WRAP // step)]
    (flow,) = flows(packets)
    assert (flow.new_bytes, flow.again_bytes) == (3 * WRAP, 0)


def test_bytes_seen_before_are_again_also_in_another_cut():
    sent = [segment(0, 1), segment(1, 1001, 4 * MSS), segment(2, 1001, 2 * MSS), segment(3, 4001, 2 * MSS)]
    (flow,) = flows(sent)
    assert flow.new_bytes == 6000
    assert flow.again_bytes == 2000 + 1000
    assert flow.again_packets == 2


def test_a_gap_that_is_filled_is_late_and_not_again():
    (flow,) = flows([segment(0, 1), segment(1, 2001), segment(2, 1001), segment(3, 3001)])
    assert (flow.new_bytes, flow.again_bytes, flow.late_packets) == (4000, 0, 1)


def test_a_super_frame_over_a_hole_counts_only_what_is_new():
    (flow,) = flows([segment(0, 1), segment(1, 2001), segment(2, 1, 3 * MSS)])
    assert (flow.new_bytes, flow.again_bytes, flow.late_packets) == (3000, 2000, 1)


def test_the_same_ports_one_connection_after_another_are_two_flows():
    again = [segment(0.005, 7, 0, syn=True)]  # a SYN that is sent again opens nothing
    first, second = flows([next(stream(7, 0)), *again, *stream(900_000, 10, first_s=5.0)])
    assert (first.packets, second.packets) == (2, 11)
    assert second.new_bytes == 10_000


def test_a_keep_alive_is_no_byte_sent_again():
    (flow,) = flows([segment(0, 1), segment(1, 1000, 1), segment(2, 1000, 0), segment(3, 1001)])
    assert (flow.new_bytes, flow.again_bytes) == (2000, 0)


def test_bursts_end_where_a_flow_pauses():
    times = [0.0, 0.0001, 0.0002, 0.5, 0.9, 0.9005]
    (flow,) = flows([segment(time_s, 1 + n * MSS) for n, time_s in enumerate(times)], gap_s=0.001)
    assert flow.bursts == Bursts(3, 2 * 1054, 3 * 1054)


def test_flows_beside_each_other_are_apart_and_udp_has_no_sequence():
    udp = [Segment(n / 10, "udp", "10.0.0.1", "10.0.0.2", 49152, 4791, 500, 542) for n in range(3)]
    found = flows([*stream(1, 3), *udp, segment(1, 5, src_port=30001)])
    assert [(flow.protocol, flow.src_port, flow.packets) for flow in found] == [
        ("tcp", 30000, 4), ("udp", 49152, 3), ("tcp", 30001, 1),
    ]  # fmt: skip
    assert found[1].new_bytes == 1500
    assert found[2].goodput_bps == 0.0
    assert mean_rate_bps(found) == pytest.approx(8 * (3 * 1054 + 54 + 3 * 542 + 1054) / 1.0)
    assert mean_rate_bps([]) == 0.0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 80), st.integers(1, 20)), max_size=40), st.integers(0, 2**32 - 1))
def test_places_count_as_a_set_does(spans, start):
    places, seen = Places(start), set()
    for low, size in spans:
        span = set(range(start + low, start + low + size))
        top = max((*seen, start - 1)) + 1
        low_at = places.unwrap((start + low) % WRAP)
        new, late = places.see(low_at, low_at + size)
        assert new == len(span - seen)
        assert late == len({place for place in span - seen if place < top})
        seen |= span


def test_random_loss_and_order_never_lose_count():
    rng = random.Random(3)
    order = [n for n in range(2000) for _ in range(rng.choice([1, 1, 1, 2]))]
    for place in range(0, len(order) - 8, 5):
        window = order[place : place + 8]
        rng.shuffle(window)
        order[place : place + 8] = window
    (flow,) = flows([segment(float(t), WRAP - 5000 + n * MSS) for t, n in enumerate([0, *order])])
    assert flow.new_bytes == 2000 * MSS
    assert flow.again_bytes == (len(order) + 1 - 2000) * MSS
