"""One rank of the tests of the PyTorch backend, in a process of its own: ``python torch_rank.py CASE``.

Prints one JSON value a line. The operations compare what they get with torch's own arithmetic on all ranks' inputs.
"""

import json
import os
import sys
import threading
import time
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import collectives.torch_backend
from collectives.torch_backend import RinglabGroup
from collectives.transport.errors import MismatchError, TransportError

FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
INTEGERS = (torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64)
OPS = {
    dist.ReduceOp.SUM: lambda stack: stack.sum(0, dtype=stack.dtype),
    dist.ReduceOp.PRODUCT: lambda stack: stack.prod(0, dtype=stack.dtype),
    dist.ReduceOp.MIN: lambda stack: stack.amin(0),
    dist.ReduceOp.MAX: lambda stack: stack.amax(0),
}


def say(value):
    print(json.dumps(value), flush=True)


def start(timeout_s=20.0):
    dist.init_process_group("ringlab", timeout=timedelta(seconds=timeout_s))


def me():
    return dist.get_rank()


def everybody():
    return range(dist.get_world_size())


def data(rank, shape=(5, 4), dtype=torch.float32):
    """Small whole numbers: exact in every type, and in every order of adding."""
    count = torch.Size(shape).numel()
    return ((torch.arange(count) + 3 * rank) % 4 + 1).to(dtype).reshape(shape)


def stacked(**options):
    return torch.stack([data(rank, **options) for rank in everybody()])


def same(got, expected):
    assert got.dtype == expected.dtype, (got.dtype, expected.dtype)
    assert torch.equal(got, expected), f"{got} is not {expected}"


def raised(kind, call):
    try:
        call()
    except kind as error:
        return str(error)
    raise AssertionError(f"no {kind.__name__}")


# -- every operation --------------------------------------------------------------------
def check_all_reduce():
    for dtype in (*FLOATS, *INTEGERS):
        for op, combined in OPS.items():
            tensor = data(me(), dtype=dtype)
            dist.all_reduce(tensor, op)
            same(tensor, combined(stacked(dtype=dtype)))


def check_averages():
    for dtype in FLOATS:
        tensor = data(me(), dtype=dtype) * 6
        dist.all_reduce(tensor, dist.ReduceOp.AVG)
        same(tensor, (stacked(dtype=dtype).double().sum(0) * 6 / dist.get_world_size()).to(dtype))


def check_scaled_sum():
    op = dist._make_nccl_premul_sum(0.5)
    tensor = data(me())
    dist.all_reduce(tensor, op)
    same(tensor, stacked().sum(0) * 0.5)
    part = torch.empty(4)
    whole = data(me(), (dist.get_world_size(), 4))
    dist.reduce_scatter_single(part, whole, op) if hasattr(dist, "reduce_scatter_single") else (
        dist.reduce_scatter_tensor(part, whole, op)
    )
    same(part, stacked(shape=(dist.get_world_size(), 4)).sum(0)[me()] * 0.5)
    same(whole, data(me(), (dist.get_world_size(), 4)))


def check_truth_values():
    mine = torch.tensor([True, me() == 0, False])
    for op, expected in (("SUM", [True, True, False]), ("MAX", [True, True, False]), ("PRODUCT", [True, False, False])):
        tensor = mine.clone()
        dist.all_reduce(tensor, getattr(dist.ReduceOp, op))
        assert tensor.tolist() == expected
    said = raised(ValueError, lambda: dist.all_reduce(mine, dist.ReduceOp.AVG))
    assert said == "ringlab has no reduction of torch.bool by AVG"


def check_complex_numbers():
    tensor = torch.full((3,), complex(1, me()))
    dist.all_reduce(tensor)
    same(tensor, torch.full((3,), complex(dist.get_world_size(), sum(everybody()))))
    tensor = torch.full((3,), complex(1, me()))
    outs = [torch.empty(3, dtype=torch.complex64) for _ in everybody()]
    dist.all_gather(outs, tensor)
    for rank, out in enumerate(outs):
        same(out, torch.full((3,), complex(1, rank)))


def check_what_is_refused():
    """At once, in the caller's line, and the group goes on."""
    whole = torch.ones(3, dtype=torch.int32)
    assert "SUM, AVG, MIN" in raised(ValueError, lambda: dist.all_reduce(whole, dist.ReduceOp.BAND))
    sparse = torch.eye(3).to_sparse()
    assert "dense tensors" in raised(ValueError, lambda: dist.group.WORLD.allreduce([sparse]))
    assert "on meta" in raised(ValueError, lambda: dist.broadcast(torch.empty(3, device="meta"), 0))
    few = [torch.empty(3, dtype=torch.int32)]
    said = raised(ValueError, lambda: dist.all_gather(few, whole))
    assert said == f"all_gather among {dist.get_world_size()} ranks: a list of 1 tensors, one a rank is needed"
    said = raised(ValueError, lambda: dist.all_gather_into_tensor(torch.empty(2, dtype=torch.int32), whole))
    assert said == f"all_gather: output has 2 elements, all inputs together {3 * dist.get_world_size()}"
    eight_bits = torch.ones(3).to(torch.float8_e4m3fn)
    assert "no reduction of torch.float8" in raised(ValueError, lambda: dist.group.WORLD.allreduce([eight_bits]))
    check_barrier()


def check_broadcast():
    for root in everybody():
        for dtype in (*FLOATS, *INTEGERS, torch.complex64, torch.float8_e5m2):
            tensor = data(me()).to(dtype)
            dist.broadcast(tensor, root)
            assert tensor.dtype == dtype
            assert torch.equal(tensor.to(torch.complex64), data(root).to(torch.complex64))


def check_all_gather():
    for dtype in (*FLOATS, *INTEGERS, torch.bool):
        mine = data(me()).to(dtype)
        outs = [torch.empty(5, 4, dtype=dtype) for _ in everybody()]
        dist.all_gather(outs, mine)
        for rank, out in enumerate(outs):
            same(out, data(rank).to(dtype))
        out = torch.empty(5 * dist.get_world_size(), 4, dtype=dtype)
        dist.all_gather_into_tensor(out, mine)
        same(out, torch.cat([data(rank).to(dtype) for rank in everybody()]))
        same(mine, data(me()).to(dtype))


def check_all_gather_of_several_lengths():
    outs = [torch.empty(rank + 1) for rank in everybody()]
    dist.all_gather(outs, data(me(), (me() + 1,)))
    for rank, out in enumerate(outs):
        same(out, data(rank, (rank + 1,)))


def check_objects():
    outs = [None for _ in everybody()]
    dist.all_gather_object(outs, {"rank": me(), "text": "x" * (me() * 100)})
    assert outs == [{"rank": rank, "text": "x" * (rank * 100)} for rank in everybody()]
    told = [("from", me())]
    dist.broadcast_object_list(told, src=1)
    assert told == [("from", 1)]
    outs = [None for _ in everybody()] if me() == 0 else None
    dist.gather_object(me(), outs, dst=0)
    assert outs == (list(everybody()) if me() == 0 else None)
    got = [None]
    dist.scatter_object_list(got, [f"for {rank}" for rank in everybody()] if me() == 1 else None, src=1)
    assert got == [f"for {me()}"]


def check_reduce_scatter():
    for op, combined in OPS.items():
        mine = data(me(), (dist.get_world_size(), 6))
        expected = combined(stacked(shape=(dist.get_world_size(), 6)))[me()]
        out = torch.empty(6)
        dist.reduce_scatter(out, list(mine), op)
        same(out, expected)
        out = torch.empty(6)
        dist.reduce_scatter_tensor(out, mine, op)
        same(out, expected)
        same(mine, data(me(), (dist.get_world_size(), 6)))


def check_reduce_scatter_of_several_lengths():
    parts = [data(me() + rank, (rank + 2,)) for rank in everybody()]
    out = torch.empty(me() + 2)
    dist.reduce_scatter(out, parts)
    same(out, sum(data(rank + me(), (me() + 2,)) for rank in everybody()))


def check_all_to_all():
    size = dist.get_world_size()
    out = torch.empty(size, 3)
    dist.all_to_all_single(out, torch.stack([data(10 * me() + rank, (3,)) for rank in everybody()]))
    same(out, torch.stack([data(10 * rank + me(), (3,)) for rank in everybody()]))
    # rank s sends s + d rows of 2 to rank d, so that rank 0 gives none to itself
    rows = [me() + rank for rank in everybody()]
    parts = [data(10 * me() + rank, (me() + rank, 2)) for rank in everybody()]
    expected = [data(10 * rank + me(), (me() + rank, 2)) for rank in everybody()]
    out = torch.empty(sum(rows), 2)
    dist.all_to_all_single(out, torch.cat(parts), rows, rows)
    same(out, torch.cat(expected))
    outs = [torch.empty(count, 2) for count in rows]
    dist.all_to_all(outs, parts)
    for one, other in zip(outs, expected, strict=True):
        same(one, other)


def check_reduce():
    for root in everybody():
        tensor = data(me())
        dist.reduce(tensor, root, dist.ReduceOp.MAX)
        same(tensor, stacked().amax(0) if me() == root else data(me()))


def check_gather_and_scatter():
    for root in everybody():
        outs = [torch.empty(5, 4) for _ in everybody()] if me() == root else None
        dist.gather(data(me()), outs, root)
        for rank, out in enumerate(outs or ()):
            same(out, data(rank))
        out = torch.empty(5, 4)
        dist.scatter(out, [data(10 + rank) for rank in everybody()] if me() == root else None, root)
        same(out, data(10 + me()))


def check_barrier():
    dist.barrier()
    assert dist.barrier(async_op=True).wait()


def check_no_elements():
    size = dist.get_world_size()
    none = torch.empty(0)
    dist.all_reduce(none)
    dist.broadcast(none, 1)
    dist.reduce(none, 1)
    dist.all_gather([torch.empty(0) for _ in everybody()], none)
    dist.all_gather_into_tensor(none, none)
    dist.reduce_scatter_tensor(none, none)
    dist.reduce_scatter(none, [torch.empty(0) for _ in everybody()])
    dist.all_to_all_single(none, none)
    dist.all_to_all_single(none, none, [0] * size, [0] * size)
    dist.gather(none, [torch.empty(0) for _ in everybody()] if me() == 0 else None)
    dist.scatter(none, [torch.empty(0) for _ in everybody()] if me() == 0 else None)
    if me() == 0:
        dist.send(none, 1)
    elif me() == 1:
        dist.recv(none, 0)


def check_gaps_between_elements():
    """Tensors whose elements do not lie one after the other, on either side."""
    tensor = data(me()).t()
    dist.all_reduce(tensor)
    same(tensor, stacked().sum(0).t())
    wide = torch.zeros(5, 8)
    wide[:, ::2] = data(me())
    dist.broadcast(wide[:, ::2], 1)
    same(wide[:, ::2], data(1))
    assert not wide[:, 1::2].any()
    out = torch.empty(4, 5 * dist.get_world_size()).t()
    dist.all_gather_into_tensor(out, data(me()))
    same(out, torch.cat([data(rank) for rank in everybody()]))
    part = torch.zeros(4, 5).t()
    dist.reduce_scatter_tensor(part, torch.cat([data(me())] * dist.get_world_size()).t().contiguous().t())
    same(part, stacked().sum(0))
    if me() == 0:
        dist.send(data(7).t(), 1)
    elif me() == 1:
        got = torch.zeros(4, 10)[:, ::2]
        dist.recv(got, 0)
        same(got, data(7).t())


def check_many_at_once():
    tensors = [data(me(), (count + 1,)) for count in range(20)]
    works = [dist.all_reduce(tensor, async_op=True) for tensor in tensors]
    for count, (work, tensor) in enumerate(zip(works, tensors, strict=True)):
        assert work.wait()
        assert work.is_completed()
        same(tensor, stacked(shape=(count + 1,)).sum(0))
        assert work.get_future().wait()[0] is tensor
    doubled = dist.all_reduce(data(me()), async_op=True).get_future().then(lambda done: done.value()[0] * 2)
    same(doubled.wait(), stacked().sum(0) * 2)


def check_coalesced():
    tensors = [data(me(), (count,)) for count in (3, 5)]
    with dist.distributed_c10d._coalescing_manager():
        for tensor in tensors:
            dist.all_reduce(tensor)
    for tensor in tensors:
        same(tensor, stacked(shape=tensor.shape).sum(0))
    outs = [torch.empty(count * dist.get_world_size()) for count in (3, 5)]
    with dist.distributed_c10d._coalescing_manager():
        for count, out in zip((3, 5), outs, strict=True):
            dist.all_gather_into_tensor(out, data(me(), (count,)))
    for count, out in zip((3, 5), outs, strict=True):
        same(out, torch.cat([data(rank, (count,)) for rank in everybody()]))


def check_functional():
    """Torch's C++ calls the group."""
    from torch.distributed import _functional_collectives as functional

    same(functional.all_reduce(data(me()), "sum", dist.group.WORLD).clone(), stacked().sum(0))
    got = functional.all_gather_tensor(data(me()), 0, dist.group.WORLD).clone()
    same(got, torch.cat([data(rank) for rank in everybody()]))
    whole = data(me(), (dist.get_world_size(), 4))
    got = functional.reduce_scatter_tensor(whole, "sum", 0, dist.group.WORLD).clone()
    same(got[0], stacked(shape=whole.shape).sum(0)[me()])


LARGE = 1_500_000
"""Floats: 6 MB are more than all buffers between two ranks."""


def check_send_and_receive():
    for dtype in (*FLOATS, *INTEGERS, torch.bool):
        if me() == 0:
            dist.send(data(5).to(dtype), 1)
        elif me() == 1:
            got = torch.empty(5, 4, dtype=dtype)
            assert dist.recv(got, 0) == 0
            same(got, data(5).to(dtype))


def check_all_send_at_once():
    """Nobody receives before it has sent: all letters are under way together."""
    right, left = (me() + 1) % dist.get_world_size(), (me() - 1) % dist.get_world_size()
    sent = dist.isend(torch.full((LARGE,), float(me())), right)
    got = torch.empty(LARGE)
    dist.recv(got, left)
    sent.wait()
    same(got, torch.full((LARGE,), float(left)))
    got = torch.empty(LARGE)
    ops = [dist.P2POp(dist.isend, torch.full((LARGE,), me() + 0.5), right), dist.P2POp(dist.irecv, got, left)]
    for work in dist.batch_isend_irecv(ops):
        work.wait()
    same(got, torch.full((LARGE,), left + 0.5))


def check_tags():
    """The second letter is asked for first."""
    if me() == 0:
        works = [dist.isend(data(tag), 1, tag=tag) for tag in (1, 2, 3)]
        for work in works:
            work.wait()
    elif me() == 1:
        for tag in (3, 1, 2):
            got = torch.empty(5, 4)
            dist.recv(got, 0, tag=tag)
            same(got, data(tag))


def check_from_anybody():
    if me() == 0:
        found = set()
        for _ in range(dist.get_world_size() - 1):
            got = torch.empty(5, 4)
            source = dist.recv(got)
            same(got, data(source))
            found.add(source)
        assert found == set(everybody()) - {0}
    else:
        dist.send(data(me()), 0)


def check_letters_beside_collectives():
    """A receive that waits keeps nobody from a collective."""
    got = torch.empty(5, 4)
    waiting = dist.irecv(got, 1) if me() == 0 else None
    tensor = data(me())
    dist.all_reduce(tensor)
    if me() == 1:
        dist.send(data(9), 0)
    if waiting is not None:
        waiting.wait()
        same(got, data(9))


def check_sub_groups():
    size = dist.get_world_size()
    pairs = [dist.new_group([rank, rank + 1]) for rank in range(size - 1)]
    whole = dist.new_group()
    works = []
    for first, pair in enumerate(pairs):
        if me() in (first, first + 1):
            tensor = torch.full((50_000,), float(me() + 1))
            works.append((dist.all_reduce(tensor, group=pair, async_op=True), tensor, 2.0 * first + 3))
    tensor = torch.full((50_000,), float(me() + 1))
    works.append((dist.all_reduce(tensor, group=whole, async_op=True), tensor, size * (size + 1) / 2))
    tensor = data(me())
    dist.all_reduce(tensor)  # the default group meanwhile
    same(tensor, stacked().sum(0))
    for work, tensor, expected in works:
        work.wait()
        same(tensor, torch.full((50_000,), expected))
    last = size - 2
    if me() == last:  # by ranks of the job; the group has its own numbers
        dist.send(data(3), last + 1, group=pairs[last])
    elif me() == last + 1:
        got = torch.empty(5, 4)
        assert dist.recv(got, last, group=pairs[last]) == last
        same(got, data(3))
    dist.destroy_process_group(whole)
    check_barrier()


CHECKS = {name.removeprefix("check_"): call for name, call in list(globals().items()) if name.startswith("check_")}


def operations():
    start()
    for name, check in CHECKS.items():
        try:
            check()
        except Exception as error:
            say([name, f"{type(error).__name__}: {error}"])
            raise
        say([name, "ok"])
    threads = {thread.name for thread in threading.enumerate() if thread.name.startswith("ringlab")}
    assert threads
    dist.destroy_process_group()
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith("ringlab")]
    say(["the end", f"threads are left: {left}" if left else "ok"])


# -- DDP --------------------------------------------------------------------------------
def small_model():
    torch.manual_seed(100 + me())  # ranks begin apart
    hidden = [layer for _ in range(3) for layer in (nn.Linear(50, 50), nn.Tanh())]
    return nn.Sequential(nn.Linear(20, 50), nn.Tanh(), *hidden, nn.Linear(50, 1))


def weights(model):
    return torch.cat([weight.detach().reshape(-1) for weight in model.parameters()]).tolist()


def train(group, steps=5):
    """Losses of the rank, and its weights before DDP had them, before the first step and in the end."""
    model = small_model()
    own = weights(model)
    model = DistributedDataParallel(model, bucket_cap_mb=0.005, process_group=group)
    before = weights(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    generator = torch.Generator().manual_seed(me())
    losses = []
    for _ in range(steps):
        inputs = torch.randn(16, 20, generator=generator)
        loss = (model(inputs) - inputs.sum(1, keepdim=True)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return {"losses": losses, "own": own, "before": before, "after": weights(model)}


def ddp():
    start()
    say({"ringlab": train(None), "gloo": train(dist.new_group(backend="gloo"))})
    dist.destroy_process_group()


def overlap():
    """What happened in the second step, in order (in the first, DDP still learns the order of the gradients)."""
    events = []
    original = RinglabGroup.allreduce

    def allreduce(self, tensors, opts=None):
        events.append("bucket")
        return original(self, tensors, opts)

    RinglabGroup.allreduce = allreduce
    start()
    model = small_model()
    next(model.parameters()).register_hook(lambda _: events.append("last gradient"))
    wrapped = DistributedDataParallel(model, bucket_cap_mb=0.005)
    for _ in range(2):
        events.clear()
        wrapped(torch.ones(4, 20)).sum().backward()
        events.append("backward returned")
    say(events)
    # Two collectives are queued before the other rank begins its own: the caller is never kept.
    store = dist.distributed_c10d._get_default_store()
    if me() == 0:
        works = [dist.all_reduce(torch.ones(3), async_op=True) for _ in range(2)]
        say([work.is_completed() for work in works])
        store.set("both are queued", "yes")
    else:
        store.get("both are queued")
        works = [dist.all_reduce(torch.ones(3), async_op=True) for _ in range(2)]
    for work in works:
        work.wait()
    dist.destroy_process_group()


# -- failures ---------------------------------------------------------------------------
def until_it_fails():
    """Steps for ever; what is raised, and what the next call raises, and how long each took."""
    start(timeout_s=float(os.environ["TIMEOUT_S"]))
    model = DistributedDataParallel(small_model()) if os.environ.get("WITH_DDP") else None
    step = 0
    try:
        while True:
            began = time.monotonic()
            if model:
                model(torch.ones(4, 20)).sum().backward()
            else:
                dist.all_reduce(torch.ones(10_000))
            step += 1
            say(step)
    except RuntimeError as error:
        took_s = time.monotonic() - began
        said = str(error)
    began = time.monotonic()
    later = raised(TransportError, lambda: dist.all_reduce(torch.ones(1)))
    letter = raised(TransportError, lambda: dist.send(torch.ones(1), (me() + 1) % dist.get_world_size()))
    later_s = time.monotonic() - began
    dist.destroy_process_group()
    say({"said": said, "took_s": took_s, "later": later, "letter": letter, "later_s": later_s})


def waiting_for_a_letter():
    """Rank 1 sends one and no more."""
    start(timeout_s=float(os.environ["TIMEOUT_S"]))
    if me() == 1:
        dist.send(torch.ones(3), 0)
        say("sent")
        time.sleep(60)
    dist.recv(torch.empty(3), 1)
    say("received")
    began = time.monotonic()
    said = raised(TransportError, lambda: dist.recv(torch.empty(3), 1))
    say({"said": said, "took_s": time.monotonic() - began})
    say({"said": raised(TransportError, dist.barrier)})
    dist.destroy_process_group()


def mismatch():
    start()
    dist.all_reduce(torch.ones(5))
    say(raised(MismatchError, lambda: dist.all_reduce(torch.ones(6 + me()))))
    say(raised(TransportError, lambda: dist.all_reduce(torch.ones(5))))
    dist.destroy_process_group()


def mismatch_of_known_calls():
    """Both have run before, so that only torch's debug level makes the ranks compare them."""
    start()
    for count in (5, 6):
        dist.all_reduce(torch.ones(count))
    say(raised(MismatchError, lambda: dist.all_reduce(torch.ones(5 + me()))))
    dist.destroy_process_group()


def mismatch_of_letters():
    start()
    if me() == 0:
        dist.send(torch.ones(5), 1)
        said = raised(TransportError, lambda: dist.recv(torch.ones(1), 1))
    else:
        said = raised(MismatchError, lambda: dist.recv(torch.ones(4, dtype=torch.float64), 0))
    say(said)
    dist.destroy_process_group()


def abort():
    """Rank 0 aborts while it waits for a letter, and rank 1 waits in a collective."""
    start()
    dist.barrier()
    if me() == 0:
        pending = dist.irecv(torch.empty(3), 1)
        dist.distributed_c10d._abort_process_group()
        say(raised(TransportError, pending.wait))
    else:
        say(raised(TransportError, dist.barrier))
        dist.destroy_process_group()


def abort_the_other_way_round():
    start()
    dist.barrier()
    if me() == 0:
        pending = dist.all_reduce(torch.ones(3), async_op=True)
        dist.distributed_c10d._abort_process_group()
        say(raised(TransportError, pending.wait))
    else:
        say(raised(TransportError, lambda: dist.recv(torch.empty(3), 0)))
        dist.destroy_process_group()


def twice():
    """The store outlives the first group."""
    for _ in range(2):
        start()
        tensor = data(me())
        dist.all_reduce(tensor)
        same(tensor, stacked().sum(0))
        dist.new_group([0, 1])
        dist.destroy_process_group()
    say("ok")


def refused():
    """What ``init_process_group`` raises."""
    say(raised(Exception, lambda: start(timeout_s=float(os.environ["TIMEOUT_S"]))))


def ports():
    """The default group's flows are known beforehand; those of another group differ in every port."""
    start()
    dist.barrier()
    dist.all_reduce(torch.ones(3))
    dist.new_group()
    meetings = [group.meeting for group in dist.distributed_c10d._world.pg_map]
    say([[meeting.slots, meeting.mail_slots] for meeting in meetings])
    dist.destroy_process_group()


if __name__ == "__main__":
    assert collectives.torch_backend
    globals()[sys.argv[1]]()
