"""Real loopback sockets, ranks as threads."""

import threading
from pathlib import Path

import numpy as np
import pytest

from collectives.algorithms import build
from collectives.communicator import Communicator
from collectives.schedule import Schedule
from collectives.transport.errors import MismatchError, PeerLostError, PeerSilentError, RendezvousError

pytestmark = pytest.mark.process


def communicator(rank, num_ranks, address, **options):
    options = {"timeout_s": 5, "rendezvous_timeout_s": 5, **options}
    return Communicator(rank, [address] * num_ranks, **options)


def in_group(group, address, num_ranks, call, **options):
    """``call(communicator)`` on every rank; the results, none of them an error."""

    def one(rank):
        with communicator(rank, num_ranks, address, **options) as ready:
            return call(ready)

    results = group(num_ranks, one)
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results


def data(rank, count, dtype):
    return (np.arange(count) % 5 + rank + 1).astype(dtype)


NUMPY_OPS = {"sum": np.sum, "prod": np.prod, "min": np.min, "max": np.max}


@pytest.mark.parametrize(
    ("algorithm", "num_ranks", "channels"),
    [
        ("ring", 1, 1),
        ("ring", 2, 1),
        ("ring", 3, 2),
        ("ring", 5, 1),
        ("bidirectional-ring", 4, 1),
        ("halving-doubling", 4, 2),
        ("recursive-doubling", 4, 1),
    ],
)
def test_every_count_in_and_out_of_place(group, address, algorithm, num_ranks, channels):
    def sums(ready):
        for count in (0, 1, 3, 1000, 300_007):
            mine = data(ready.rank, count, np.float32)
            expected = sum(data(rank, count, np.float32) for rank in range(num_ranks))
            out = np.full_like(mine, -1)
            assert ready.all_reduce(mine, out) is out
            assert np.array_equal(out, expected)
            assert np.array_equal(mine, data(ready.rank, count, np.float32))
            assert ready.all_reduce(mine) is mine
            assert np.array_equal(mine, expected)
            ready.barrier()

    in_group(group, address, num_ranks, sums, algorithm=algorithm, channels=channels)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32", "int64", "uint8"])
def test_every_operation(group, address, dtype):
    def all_ops(ready):
        inputs = np.array([data(rank, 50, dtype) for rank in range(3)])
        for op, numpy_op in NUMPY_OPS.items():
            got = ready.all_reduce(inputs[ready.rank].copy(), op=op)
            assert np.array_equal(got, numpy_op(inputs, axis=0).astype(dtype))
        averages = ready.all_reduce(inputs[ready.rank].copy(), op="avg")
        total = inputs.sum(axis=0, dtype=dtype)
        assert np.array_equal(averages, (total / np.array(3, dtype)).astype(dtype))

    in_group(group, address, 3, all_ops)


def test_integer_averages_round_towards_zero(group, address):
    def average(ready):
        return ready.all_reduce(np.array([-7, -1, 7, 8, 0], dtype=np.int32) * (ready.rank == 0), op="avg").tolist()

    assert in_group(group, address, 2, average) == [[-3, 0, 3, 4, 0]] * 2


def test_elements_that_straddle_segments(group, address):
    """An odd number of 8-byte elements, larger than all buffers: pieces of elements arrive."""

    def sums(ready):
        got = ready.all_reduce(data(ready.rank, 1_000_003, np.float64))
        assert np.array_equal(got, sum(data(rank, 1_000_003, np.float64) for rank in range(3)))

    in_group(group, address, 3, sums)


def test_shapes_are_kept(group, address):
    def sums(ready):
        return ready.all_reduce(np.ones((3, 4, 5), dtype=np.int64)).shape

    assert in_group(group, address, 2, sums) == [(3, 4, 5)] * 2


def test_overflow_is_silent(group, address):
    def sums(ready):
        return float(ready.all_reduce(np.full(1, 3e38, dtype=np.float32))[0])

    assert in_group(group, address, 2, sums) == [float("inf")] * 2


def test_a_schedule_of_ones_own(group, address):
    """An all-to-one-to-all that no algorithm here has: several peers at a step, several lanes."""
    star = Schedule.of(4, 1, step=[0, 1, 2], src=[1, 2, 3], dst=0, chunk=0, op=1).then(
        Schedule.of(4, 1, step=0, src=0, dst=[1, 2, 3], chunk=0, op=0)
    )

    def sums(ready):
        return ready.all_reduce(np.full(70_000, ready.rank + 1)).tolist() == [10] * 70_000

    assert in_group(group, address, 4, sums, schedule=star) == [True] * 4


def test_hosts_with_several_nics(group, address):
    second = address.replace("127.", "127.1", 1)

    def total(ready):
        mine = np.full(1000, ready.rank + 1.0)
        ready.all_reduce(mine)
        return mine

    for result in in_group(group, f"{address}+{second}", 3, total, channels=3):
        assert (result == 6).all()


def test_the_same_addresses_at_once_again(group, address):
    """No connection is left in TIME_WAIT: the same ports serve job after job."""
    for _ in range(5):
        in_group(group, address, 3, lambda ready: ready.barrier())
    with Path("/proc/net/tcp").open() as sockets:
        mine = "".join(f"{int(byte):02X}" for byte in reversed(address.split(".")))
        assert [line for line in sockets if line.split()[1].startswith(mine)] == []


def test_operations_are_counted_by_their_bytes(group, address):
    """With ``demands`` of each size they give every byte that crossed: those of our own exchanges too."""

    def count(ready):
        for _ in range(3):
            ready.all_reduce(np.ones(100, dtype=np.float32))
        ready.barrier()
        return dict(ready.operations)

    agreement = 2 * 8 * 8  # the first call of its kind: eight int64 a rank
    assert in_group(group, address, 2, count) == [{400: 3, agreement: 1, 1: 1}] * 2


def test_many_sizes_forget_the_oldest_program(group, address, monkeypatch):
    monkeypatch.setattr("collectives.communicator.KEPT", 3)

    def sums(ready):
        return [int(ready.all_reduce(np.ones(count, dtype=np.int32)).sum()) for count in (1, 2, 3, 4, 5, 1)]

    assert in_group(group, address, 2, sums) == [[2, 4, 6, 8, 10, 2]] * 2


def test_what_two_ranks_send_makes_nobody_forget_what_all_agreed_on(group, address, monkeypatch):
    monkeypatch.setattr("collectives.communicator.KEPT", 3)

    def sums(ready):
        first = int(ready.all_reduce(np.ones(1000, dtype=np.int32)).sum())
        for count in range(1, 7):
            if ready.rank == 0:
                ready.send(np.ones(count), to=1)
            elif ready.rank == 1:
                assert ready.receive(np.zeros(count), source=0).sum() == count
        return first, int(ready.all_reduce(np.ones(1000, dtype=np.int32)).sum())

    assert in_group(group, address, 3, sums) == [(3000, 3000)] * 3


# -- what goes wrong --------------------------------------------------------------------
def test_ranks_that_call_different_things_are_told(group, address):
    def one(rank):
        with communicator(rank, 3, address) as ready:
            ready.all_reduce(np.ones(7 if rank == 1 else 5, dtype=np.float32))

    errors = group(3, one)
    assert any(isinstance(error, MismatchError) for error in errors)
    assert all(isinstance(error, MismatchError | PeerLostError) for error in errors)
    said = next(str(error) for error in errors if isinstance(error, MismatchError))
    assert "5 float32 sum" in said
    assert "7 float32 sum" in said
    assert "all ranks must call the same" in said


def test_another_algorithm_is_refused_on_both_sides(group, address):
    def one(rank):
        with communicator(rank, 2, address, algorithm="ring" if rank else "halving-doubling"):
            pass

    errors = group(2, one)
    assert all(isinstance(error, RendezvousError) for error in errors)
    assert any("do not run the same job: algorithm is" in str(error) for error in errors)


def test_another_setting_is_named(group, address):
    def one(rank):
        with communicator(rank, 2, address, settings={"sizes": f"{rank + 1}M"}):
            pass

    errors = group(2, one)
    assert any(
        "do not run the same job: sizes is 1M here and 2M there" in str(error)
        or "do not run the same job: sizes is 2M here and 1M there" in str(error)
        for error in errors
    )


def test_silence_names_rank_peer_and_step(group, address):
    """Rank 1 stays away from the second collective: everybody ends, and the one behind it says so."""
    ended = threading.Event()

    def one(rank):
        with communicator(rank, 3, address, timeout_s=0.3 if rank == 2 else 5) as ready:
            array = np.ones(30, dtype=np.float32)
            ready.all_reduce(array)
            if rank == 1:
                ended.wait(5)
                ready.abort()
                return
            try:
                ready.all_reduce(array)
            finally:
                if rank == 2:
                    ended.set()

    errors = group(3, one)
    assert isinstance(errors[2], PeerSilentError)
    assert str(errors[2]) == f"rank 2 ({address}) heard nothing from rank 1 ({address}) at step 0 for 0.3 s"
    assert isinstance(errors[0], PeerLostError)


def test_a_rank_that_fails_takes_the_others_along_at_once(group, address):
    def one(rank):
        with communicator(rank, 4, address, timeout_s=20) as ready:
            ready.all_reduce(np.ones(4))
            if rank == 2:
                raise KeyError("mine")
            ready.all_reduce(np.ones(4))

    errors = group(4, one)
    assert isinstance(errors[2], KeyError)
    assert all(isinstance(errors[rank], PeerLostError) for rank in (0, 1, 3))
    # Its neighbours name it; the others may first hear of those who left because of it.
    assert any(f"lost rank 2 ({address})" in str(errors[rank]) for rank in (1, 3))


def test_bad_arguments(address):
    with pytest.raises(ValueError, match="rank 2 of 2 peers"):
        communicator(2, 2, address)
    with pytest.raises(ValueError, match="rank 1's address 'h1' is no IPv4 address"):
        Communicator(0, [address, "h1"])
    with pytest.raises(ValueError, match="a schedule of 3 ranks for 2 peers"):
        communicator(0, 2, address, schedule=build("ring", 3))
    closed = communicator(0, 2, address)
    with pytest.raises(ValueError, match="closed: use it inside"):
        closed.barrier()


@pytest.mark.parametrize(
    ("array", "out", "op", "message"),
    [
        (np.ones(3), None, "median", "no operation 'median': there are sum"),
        (np.ones(3, dtype=complex), None, "sum", "no collective of complex128"),
        (np.ones(3, dtype=">f4"), None, "sum", "native byte order"),
        (np.ones((4, 4)).T[:2], None, "sum", "must be contiguous"),
        (np.ones(3), np.ones(4), "sum", "alike in type and shape"),
        (np.ones(3), np.ones(3, dtype=np.float32), "sum", "alike in type and shape"),
    ],
)
def test_arrays_that_cannot_be_reduced(address, array, out, op, message):
    with communicator(0, 1, address) as alone, pytest.raises(ValueError, match=message):
        alone.all_reduce(array, out, op)


def test_closing_twice_does_nothing(address):
    alone = communicator(0, 1, address)
    alone.open()
    alone.close()
    alone.close()
