"""The parts of the PyTorch backend that need no other rank."""
# ruff: noqa: E402 - torch is optional: what needs it is imported after the skip

import threading
from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.distributed import FileStore, HashStore, PrefixStore, ReduceOp

from collectives.torch_backend import fate as fate_module
from collectives.torch_backend.fate import Fate
from collectives.torch_backend.letters import HEADER_SIZE, Desk, Early, Header, Receive
from collectives.torch_backend.meeting import Meeting, Numbers, check, local_address, placed
from collectives.torch_backend.tensors import joined, read, reduction, spread, written
from collectives.torch_backend.work import GroupWork
from collectives.transport.connections import Group
from collectives.transport.errors import PeerLostError, PeerSilentError, RendezvousError, TransportError
from topologies.ports import MAX_SLOTS, connect_port


# -- tensors ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    "dtype",
    [
        *("float16", "float32", "float64", "bfloat16", "float8_e4m3fn", "complex64"),
        *("uint8", "int8", "int16", "int32", "int64", "bool"),
    ],
)
def test_arrays_share_the_memory_of_tensors(dtype):
    tensor = torch.zeros(6, dtype=torch.float32).to(getattr(torch, dtype)).requires_grad_(dtype.startswith("float3"))
    assert read(tensor).ctypes.data == tensor.data_ptr()
    with written(tensor) as flat:
        assert flat.ctypes.data == tensor.data_ptr()
        flat[:] = 1
    assert tensor.detach().view(torch.uint8 if tensor.element_size() == 1 else tensor.dtype).real.bool().all()


def test_bfloat16_keeps_its_values():
    assert read(torch.tensor([1.5, -2.0], dtype=torch.bfloat16)).astype(np.float32).tolist() == [1.5, -2.0]


def test_what_is_written_between_gaps_arrives():
    wide = torch.zeros(3, 4)
    with written(wide[:, ::2]) as flat:
        flat[:] = range(6)
    assert wide.tolist() == [[0, 0, 1, 0], [2, 0, 3, 0], [4, 0, 5, 0]]
    conjugate = torch.tensor([1 + 2j]).conj()
    assert read(conjugate).tolist() == [1, -2]


def test_join_and_spread_are_contrary():
    tensors = [torch.arange(3.0), torch.empty(0), torch.arange(4.0).reshape(2, 2).t()]
    together = joined(tensors)
    assert together.tolist() == [0, 1, 2, 0, 2, 1, 3]
    back = [torch.empty(3), torch.empty(0), torch.empty(2, 2).t()]
    spread(together, back)
    assert all(torch.equal(one, other) for one, other in zip(back, tensors, strict=True))


def test_reductions():
    assert reduction(ReduceOp.AVG, torch.ones(1)) == ("avg", None)
    assert reduction(ReduceOp.SUM, torch.ones(1, dtype=torch.bool)) == ("max", None)
    assert reduction(ReduceOp.SUM, torch.ones(1, dtype=torch.complex64)) == ("sum", None)
    with pytest.raises(ValueError, match=r"no reduction of torch\.complex64 by MAX"):
        reduction(ReduceOp.MAX, torch.ones(1, dtype=torch.complex64))
    with pytest.raises(ValueError, match="SUM, AVG, MIN, MAX, PRODUCT and PREMUL_SUM"):
        reduction(ReduceOp.BXOR, torch.ones(1, dtype=torch.int32))


# -- meeting ----------------------------------------------------------------------------
def test_slots_of_the_default_group_follow_from_the_addresses():
    found = placed(["10.0.0.1", "10.0.0.2", "10.0.0.1"], None, "t")
    assert found.slots == (0, 0, 1)
    assert found.mail_slots == (2, 1, 3)
    assert found.taken("10.0.0.1") == 4


def test_sub_groups_take_the_next_slots_of_an_address():
    world = Meeting(("10.0.0.1", "10.0.0.2"), (0, 0), (1, 1), "t")
    numbers = Numbers(HashStore(), world)
    assert [numbers.take(address) for address in ("10.0.0.1", "10.0.0.1", "10.0.0.2")] == [2, 4, 2]
    assert placed(world.peers, [2, 4], "u").mail_slots == (3, 5)
    assert Numbers(HashStore(), None).take("10.0.0.1") == 0


def test_an_address_has_only_so_many_slots():
    placed(["10.0.0.1"], [MAX_SLOTS - 2], "t")
    assert connect_port(MAX_SLOTS - 1, 63) < 65536 <= connect_port(MAX_SLOTS, 63)
    with pytest.raises(RendezvousError, match=r"10\.0\.0\.1 has ports for 277 ranks of all groups together"):
        placed(["10.0.0.1"], [MAX_SLOTS - 1], "t")


def test_a_loopback_address_among_others_is_refused():
    check(["127.0.0.1", "127.0.1.1"])
    check(["10.0.0.1", "h2"])
    with pytest.raises(RendezvousError, match=r"rank 1 has address 127\.0\.0\.1, which rank 0 .* can't reach: set"):
        check(["10.0.0.1", "127.0.0.1"])


def test_a_ranks_own_address(monkeypatch, tmp_path):
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    monkeypatch.delenv("RINGLAB_ADDRESS", raising=False)
    store = PrefixStore("a", FileStore(str(tmp_path / "store")))
    with pytest.raises(RendezvousError, match="set RINGLAB_ADDRESS to this host's address"):
        local_address(store)
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    assert local_address(store) == "127.0.0.1"
    monkeypatch.setenv("MASTER_ADDR", "no.such.host.invalid")
    with pytest.raises(RendezvousError, match=r"no way to the job's master 'no\.such\.host\.invalid'"):
        local_address(store)
    monkeypatch.setenv("RINGLAB_ADDRESS", "10.0.0.7+10.16.0.7")
    assert local_address(store) == "10.0.0.7+10.16.0.7"


# -- letters ----------------------------------------------------------------------------
def receive(source, tag):
    return Receive(GroupWork("receive", []), source, Header(tag, 4, 1, "float32"), memoryview(bytearray(4)), int, 0.0)


def test_headers_survive_the_wire():
    header = Header.of(torch.empty(3, 5, dtype=torch.bfloat16), 7)
    assert header == (7, 30, 15, "bfloat16")
    assert len(header.encoded()) == HEADER_SIZE
    assert Header.decoded(header.encoded()) == header


def test_letters_go_to_the_first_who_waits_for_them():
    desk = Desk()
    anybody, first, second, tagged = receive(None, 1), receive(2, 0), receive(2, 0), receive(2, 9)
    desk.waiting += [anybody, first, second, tagged]
    assert desk.claim(2, 0) is first
    assert desk.claim(2, 9) is tagged
    assert desk.claim(3, 0) is None
    assert desk.claim(3, 1) is anybody
    assert desk.is_awaited(2)
    assert not desk.is_awaited(3)


def test_early_letters_wait_in_their_order():
    desk = Desk()
    letters = [Early(1, Header(tag, 0, 0, "int8"), bytearray()) for tag in (5, 6, 5)]
    for letter in letters:
        desk.keep(letter)
    assert desk.early(receive(0, 5)) is None
    assert desk.early(receive(1, 5)) is letters[0]
    assert desk.early(receive(None, 5)) is letters[2]
    assert desk.early(receive(1, 6)) is letters[1]
    assert desk.early(receive(1, 6)) is None


# -- works ------------------------------------------------------------------------------
def test_a_work_that_succeeds():
    tensor = torch.ones(2)
    work = GroupWork("all_reduce", [tensor])
    before = work.get_future()
    assert not work.is_completed()
    with pytest.raises(PeerSilentError, match=r"all_reduce is not done after 0\.01 s, and goes on"):
        work.wait(timedelta(milliseconds=10))
    threading.Timer(0.01, work.fulfil, [3]).start()
    assert work.wait()
    assert work.is_success()
    assert work.exception() is None
    assert work.source_rank() == 3
    assert work.result()[0] is before.wait()[0] is work.get_future().wait()[0] is tensor


@pytest.mark.parametrize("asked", ["before", "after"])
def test_a_work_that_fails(asked):
    work = GroupWork("all_reduce", [])
    if asked == "before":
        work.get_future()
    work.fail(PeerLostError("rank 0 lost rank 1"))
    work.fulfil()  # it has ended
    with pytest.raises(PeerLostError, match=r"^rank 0 lost rank 1$"):
        work.wait()
    assert not work.is_success()
    with pytest.raises(RuntimeError, match="PeerLostError: rank 0 lost rank 1"):
        work.get_future().wait()


# -- fate -------------------------------------------------------------------------------
def fates(num_ranks, store):
    return [Fate(Group.of(rank, ["10.0.0.1"] * num_ranks), store, "failure") for rank in range(num_ranks)]


def test_the_first_failure_is_what_all_repeat():
    first, second = fates(2, HashStore())
    told = []
    first.on_failure(lambda: told.append("first"))
    assert str(first.fail(PeerLostError("rank 0 lost rank 7"))) == "rank 0 lost rank 7"
    assert told == ["first"]
    assert first.failing
    assert str(first.fail(TransportError("another"))) == "rank 0 lost rank 7"
    found = second.fail(PeerLostError("rank 1 lost rank 0"))
    assert str(found) == "rank 1 lost rank 0; first of all: rank 0 lost rank 7"
    later = second.later("barrier")
    assert isinstance(later, PeerLostError)
    assert str(later).startswith("barrier can't run, as the group has failed before: rank 1 lost rank 0; first of all")


def test_who_says_nothing_is_named(monkeypatch):
    """Rank 0 waits for rank 1, which waits for rank 2, which is stuck: rank 0 is the first to lose patience."""
    monkeypatch.setattr(fate_module, "WORDS_S", 0.3)
    first, second, _ = fates(3, HashStore())
    found = {}
    threads = [
        threading.Thread(target=lambda: found.update(a=first.fail(PeerSilentError("rank 0 heard nothing of rank 1")))),
        threading.Thread(target=lambda: found.update(b=second.fail(PeerSilentError("rank 1 heard nothing of rank 2")))),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert {str(error).partition("; ")[2] for error in found.values()} == {
        "no word of rank 2 (10.0.0.1): stuck, cut off, or busy with something else?"
    }


def test_a_store_that_is_gone():
    def gone(*_):
        raise RuntimeError("Broken pipe")

    (fate,) = fates(1, SimpleNamespace(compare_set=gone))
    found = fate.fail(PeerLostError("rank 0 lost rank 1"))
    assert str(found) == (
        "rank 0 lost rank 1; the job's store does not answer: has the process that holds it ended (rank 0, as a rule)?"
    )


def test_a_store_that_does_not_answer(monkeypatch):
    monkeypatch.setattr(fate_module, "ANSWER_S", 0.05)
    enough = threading.Event()

    def waits(*_):
        enough.wait(5)
        raise RuntimeError("at last")

    (fate,) = fates(1, SimpleNamespace(compare_set=waits))
    assert "does not answer" in str(fate.fail(PeerLostError("rank 0 lost rank 1")))
    enough.set()
