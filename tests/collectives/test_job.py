import pytest

from collectives.algorithms import build
from collectives.chunks import chunk_bounds
from collectives.job import demands
from topologies.traffic import FlowKey


def test_chunks_are_nearly_equal():
    assert chunk_bounds(10, 4).tolist() == [0, 3, 6, 8, 10]
    assert chunk_bounds(2, 4).tolist() == [0, 1, 2, 2, 2]
    assert chunk_bounds(0, 3).tolist() == [0, 0, 0, 0]
    with pytest.raises(ValueError, match="0 elements or more"):
        chunk_bounds(-1, 3)


def test_a_ring_of_two_hosts():
    found = demands(build("ring", 2), ["a", "b"], 3, 4)
    assert [d.key for d in found] == [FlowKey("a", "b", 30000, 20000), FlowKey("b", "a", 30000, 20000)]
    assert [(d.steps, d.step_bytes) for d in found] == [((0, 1), (8, 4)), ((0, 1), (4, 8))]


def test_ranks_of_a_host_have_slots_and_stay_inside():
    found = demands(build("ring", 4), ["a", "a", "b", "b"], 4, 1)
    assert [d.key for d in found] == [FlowKey("a", "b", 30064, 20000), FlowKey("b", "a", 30064, 20000)]
    assert demands(build("ring", 3), ["a", "a", "a"], 3, 4) == []


def test_channels_have_source_ports():
    found = demands(build("ring", 2, channels=3), ["a", "b"], 600, 4)
    assert [d.key.src_port for d in found if d.key.src == "a"] == [30000, 30001, 30002]


def test_empty_steps_are_left_out_and_connections_kept():
    found = demands(build("ring", 4), ["a", "b", "c", "d"], 1, 4)
    assert len(found) == 4
    assert sum(d.nbytes for d in found) == 6 * 4  # one element: three times added on, three times copied on
    assert all(size > 0 for d in found for size in d.step_bytes)
    assert [d.steps for d in demands(build("ring", 2), ["a", "b"], 0, 4)] == [(), ()]


def test_a_placement_is_one_host_a_rank():
    with pytest.raises(ValueError, match="placement of 2 ranks for a schedule of 3"):
        demands(build("ring", 3), ["a", "b"], 4, 4)
