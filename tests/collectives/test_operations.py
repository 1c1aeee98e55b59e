"""Every operation of a Communicator over real sockets, against numpy."""

from contextlib import suppress

import ml_dtypes
import numpy as np
import pytest

from collectives.communicator import Communicator
from collectives.transport.errors import MismatchError, TransportError

pytestmark = pytest.mark.process

DTYPES = (np.int64, np.float32, np.float16, ml_dtypes.bfloat16)


def data(rank: int, count: int, dtype) -> np.ndarray:
    return ((np.arange(count) + rank) % 7).astype(dtype)


def same(found: np.ndarray, wanted: np.ndarray) -> bool:
    return np.array_equal(found.astype(np.int64), wanted.astype(np.int64))


def check_all(comm: Communicator, count: int, dtype) -> None:
    n, rank, last = comm.num_ranks, comm.rank, comm.num_ranks - 1
    mine, ours = data(rank, count, dtype), [data(other, count, dtype) for other in range(n)]
    total, joined = sum(array.astype(np.int64) for array in ours), np.concatenate(ours)
    assert same(comm.all_reduce(mine.copy()), total)
    reduced, gathered = comm.reduce(mine.copy(), root=last), comm.gather(mine, root=0)
    assert reduced is None if rank != last else same(reduced, total)
    assert gathered is None if rank != 0 else same(gathered, joined)
    assert same(comm.broadcast(mine.copy(), root=last), ours[last])
    assert same(comm.reduce_scatter(mine.copy()), np.array_split(total, n)[rank])
    assert same(comm.all_gather(mine), joined)
    assert same(comm.scatter(joined if rank == 0 else None, np.empty_like(mine)), mine)
    assert same(comm.all_to_all(np.concatenate([mine] * n)), joined)
    parts, counts = comm.all_to_all_v(mine, [count if other == last else 0 for other in range(n)])
    assert counts == ([count] * n if rank == last else [0] * n)
    assert same(parts, joined if rank == last else joined[:0])


@pytest.mark.parametrize("num_ranks", [1, 2, 3, 5, 8])
def test_every_operation(group, address, num_ranks):
    def call(rank):
        with Communicator(rank, [address] * num_ranks) as comm:
            for dtype in DTYPES:
                for count in (0, 1, 5, 1000, 20_000):
                    check_all(comm, count, dtype)

    assert group(num_ranks, call) == [None] * num_ranks


def test_the_straight_way_hands_over_when_a_peer_does_not_take_all(group, address, monkeypatch):
    monkeypatch.setattr("collectives.transport.loop.SEGMENT", 1 << 25)
    count = 4_000_000

    def call(rank):
        with Communicator(rank, [address] * 3, algorithm="pairwise") as comm:
            for _ in range(2):
                assert same(
                    comm.all_reduce(data(rank, count, np.float32)), sum(data(r, count, np.int64) for r in range(3))
                )

    monkeypatch.setattr("collectives.transport.connections.SEGMENT", 1 << 25)  # a straight receive is one whole piece
    assert group(3, call) == [None] * 3


def test_messages_between_two(group, address):
    def call(rank):
        with suppress(TransportError), Communicator(rank, [address] * 3, timeout_s=2) as comm:  # a mismatch ends it
            if rank == 0:
                comm.send(np.arange(5.0), 2)
                comm.send(np.arange(3), 2)
            elif rank == 2:
                assert comm.receive(np.empty(5), 0).tolist() == [0, 1, 2, 3, 4]
                with pytest.raises(MismatchError, match=r"waits for 7 float64, but rank 0 \(.*\) sends 3 int64"):
                    comm.receive(np.empty(7), 0)
                comm.abort()

    assert group(3, call) == [None] * 3


def test_gossip_averages(group, address):
    def call(rank):
        with Communicator(rank, [address] * 5) as comm:
            return comm.gossip(np.full(10, float(rank)), rounds=60)

    assert np.allclose(group(5, call), 2.0, atol=0.02)


def test_calls_that_differ_are_named(group, address):
    def call(rank):
        with Communicator(rank, [address] * 2) as comm:
            comm.broadcast(np.zeros(4), root=rank)

    errors = group(2, call)
    assert all(isinstance(error, MismatchError) for error in errors)
    assert "calls broadcast at root 0 of 4 float64, but rank 1" in str(errors[0])


def test_bad_arguments_are_refused(group, address):
    def call(rank):
        with Communicator(0, [address]) as comm:
            for wrong, said in (
                (lambda: comm.broadcast(np.zeros(2), root=1), "root 1: ranks are 0 to 0"),
                (lambda: comm.send(np.zeros(2), 0), "can't send to itself"),
                (lambda: comm.scatter(np.zeros(3), np.zeros(2)), "scatters 1 times the 2 elements"),
                (lambda: comm.all_gather(np.zeros(2), np.zeros(3)), "must be contiguous, alike"),
                (lambda: comm.all_to_all_v(np.zeros(2), [1]), "that sum to the 2 elements"),
                (lambda: comm.gossip(np.zeros(2, int), 1), "averages are floats"),
                (lambda: comm.reduce(np.zeros(2, complex)), "no collective of complex128"),
            ):
                with pytest.raises(ValueError, match=said):
                    wrong()

    assert group(1, call) == [None]


def test_auto_takes_few_steps_for_small_messages_and_few_bytes_for_large_ones(group, address):
    def call(rank):
        with Communicator(rank, [address] * 4, algorithm="auto") as comm:
            assert same(comm.all_reduce(data(rank, 10**6, np.float32)), sum(data(r, 10**6, np.int64) for r in range(4)))
            return comm.choice("all_reduce", 8), comm.choice("all_reduce", 1 << 26)

    small, large = group(4, call)[0]
    assert small.algorithm == "recursive-doubling"
    assert dict(large.costs)[large.algorithm] < dict(large.costs)["recursive-doubling"]
    assert small.explain().startswith("recursive-doubling ")


@pytest.mark.parametrize(("algorithm", "in_step"), [("ring", True), ("double-binary-tree", False)])
def test_ranks_move_large_messages_in_step_only_where_all_send_while_they_receive(group, address, algorithm, in_step):
    def call(rank):
        with Communicator(rank, [address] * 4, algorithm=algorithm) as comm:
            comm.all_reduce(np.zeros(10, dtype=np.float32))
            assert all(ready.bound.straight is not None for ready in comm._bound.values())
            comm._bound.clear()
            comm.all_reduce(np.zeros(2_000_000, dtype=np.float32))
            (large,) = [ready for call, ready in comm._bound.items() if call.elements == 2_000_000]
            return large.bound.straight is not None

    assert group(4, call) == [in_step] * 4
