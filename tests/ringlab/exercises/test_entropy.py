"""Queue pairs on spines: what a hash can tell apart."""

from collections import Counter

from ringlab.exercises.entropy import LOWEST_PORT, loads_of, ring_of_hosts


def _same(_pair, queues):
    return [LOWEST_PORT] * queues


def _apart(pair, queues):
    return [LOWEST_PORT + pair * queues + queue for queue in range(queues)]


def test_the_ring_has_a_connection_from_and_to_each_host():
    pairs = ring_of_hosts()
    assert len(pairs) == 16
    assert set(Counter(src for src, _ in pairs).values()) == set(Counter(dst for _, dst in pairs).values()) == {1}


def test_with_one_port_for_all_more_queue_pairs_change_nothing():
    for seed in range(5):
        assert sorted(loads_of(_same, 1, seed)) == sorted(loads_of(_same, 16, seed))


def test_loads_add_up_to_four_links_a_connection():
    assert abs(sum(loads_of(_apart, 8, 1)) - 16 * 4) < 1e-9


def test_with_ports_apart_the_fullest_link_is_less_full():
    one, many = (sum(max(loads_of(_apart, queues, seed)) for seed in range(20)) for queues in (1, 16))
    assert many < 0.7 * one
