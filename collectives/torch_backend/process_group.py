"""torch.distributed's process group: each of its calls becomes a job of the group's thread, and a work to wait for.

Arguments are checked here, in the caller's thread, so that a mistake is raised where it was made.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch._C._distributed_c10d import DebugLevel, Store, get_debug_level

from collectives.communicator import Communicator
from collectives.schedule import ScheduleError
from collectives.torch_backend import calls
from collectives.torch_backend.fate import Fate
from collectives.torch_backend.mail import Mail
from collectives.torch_backend.meeting import Meeting, Numbers, meet
from collectives.torch_backend.tensors import check, reduction
from collectives.torch_backend.work import GroupWork
from collectives.torch_backend.worker import Worker
from collectives.transport.connections import Group
from collectives.transport.errors import TransportError

NAME = "ringlab"

ALGORITHM, CHANNELS = "RINGLAB_ALGORITHM", "RINGLAB_CHANNELS"

Tensors = Sequence[Tensor]

_KEPT = 256 if tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 7) else 0
"""Works held here: before 2.7 torch's C++ does not keep the Python half of a work that it waits for."""


_Base: Any = dist.ProcessGroup
"""torch's stubs ask for more forms of each method than torch itself calls."""


class RinglabGroup(_Base):
    """The ranks of a group over ringlab's collectives. ``numbers`` is None for the default group."""

    def __init__(self, store: Store, rank: int, size: int, timeout: timedelta, numbers: Numbers | None) -> None:
        super().__init__(rank, size)
        self._rank, self._size = rank, size
        self._name = self._description = ""
        self._kept: deque[GroupWork] = deque(maxlen=_KEPT)
        timeout_s = timeout.total_seconds()
        self.meeting = meet(store, rank, size, numbers)
        mail_group = Group.of(rank, self.meeting.peers, self.meeting.mail_slots)
        self._fate = Fate(mail_group, store, f"ringlab/{self.meeting.token}/failure")
        self._me = mail_group.me
        self._mail = Mail(mail_group, self.meeting.token, timeout_s, self._fate)
        try:
            self._communicator = _opened(rank, self.meeting, timeout_s)
        except BaseException:
            self._mail.close()
            raise
        self._worker = Worker(self._communicator, self._fate, self._me)

    # -- who this is --------------------------------------------------------------------
    def getBackendName(self) -> str:  # noqa: N802 - torch's names, here and below
        return NAME

    def getRank(self) -> int:  # noqa: N802
        return self._rank

    def getSize(self) -> int:  # noqa: N802
        return self._size

    def setGroupName(self, name: str) -> None:  # noqa: N802
        self._name = name

    def getGroupName(self) -> str:  # noqa: N802
        return self._name

    def setGroupDesc(self, description: str) -> None:  # noqa: N802
        self._description = description

    def getGroupDesc(self) -> str:  # noqa: N802
        return self._description

    # -- reductions ---------------------------------------------------------------------
    def allreduce(self, tensors: Tensors, opts: Any = None) -> GroupWork:
        check(*tensors)
        opts = opts or dist.AllreduceOptions()
        hows = [reduction(opts.reduceOp, tensor) for tensor in tensors]

        def run(communicator: Communicator) -> None:
            for tensor, how in zip(tensors, hows, strict=True):
                calls.all_reduce(communicator, tensor, how)

        return self._submit("all_reduce", tensors, run)

    def allreduce_coalesced(self, tensors: Tensors, opts: Any = None) -> GroupWork:
        return self.allreduce(tensors, opts)

    def reduce(self, tensors: Tensors, opts: Any) -> GroupWork:
        (tensor,) = tensors
        check(tensor)
        how = reduction(opts.reduceOp, tensor)
        return self._submit("reduce", tensors, lambda comm: calls.reduce(comm, tensor, how, opts.rootRank))

    def reduce_scatter(self, outs: Tensors, parts: Sequence[Tensors], opts: Any) -> GroupWork:
        (out,), (mine,) = outs, parts
        check(out, *mine)
        self._check_list("reduce_scatter", mine)
        _same_size("reduce_scatter", out.numel(), "output", mine[self._rank].numel(), "this rank's part of the input")
        how = reduction(opts.reduceOp, out)
        return self._submit("reduce_scatter", outs, lambda comm: calls.reduce_scatter(comm, out, mine, how))

    def reduce_scatter_single(self, out: Tensor, tensor: Tensor, opts: Any = None) -> GroupWork:
        return self.reduce_scatter_single_coalesced([out], [tensor], opts)

    def reduce_scatter_single_coalesced(self, outs: Tensors, tensors: Tensors, opts: Any = None) -> GroupWork:
        check(*outs, *tensors)
        opts = opts or dist.ReduceScatterOptions()
        hows = [reduction(opts.reduceOp, tensor) for tensor in tensors]
        for out, tensor in zip(outs, tensors, strict=True):
            _same_size("reduce_scatter", tensor.numel(), "input", self._size * out.numel(), "all outputs together")

        def run(communicator: Communicator) -> None:
            for out, tensor, how in zip(outs, tensors, hows, strict=True):
                calls.reduce_scatter_single(communicator, out, tensor, how)

        return self._submit("reduce_scatter", outs, run)

    # -- what moves as it is ------------------------------------------------------------
    def broadcast(self, tensors: Tensors, opts: Any) -> GroupWork:
        (tensor,) = tensors
        check(tensor)
        return self._submit("broadcast", tensors, lambda comm: calls.broadcast(comm, tensor, opts.rootRank))

    def allgather(self, outs: Sequence[Tensors], tensors: Tensors, opts: Any = None) -> GroupWork:
        return self.allgather_coalesced(outs, tensors, opts)

    def allgather_coalesced(self, outs: Sequence[Tensors], tensors: Tensors, opts: Any = None) -> GroupWork:  # noqa: ARG002 - nothing in it
        for out, tensor in zip(outs, tensors, strict=True):
            check(tensor, *out)
            self._check_list("all_gather", out)
            _same_size("all_gather", tensor.numel(), "input", out[self._rank].numel(), "this rank's output")

        def run(communicator: Communicator) -> None:
            for out, tensor in zip(outs, tensors, strict=True):
                calls.all_gather(communicator, out, tensor)

        return self._submit("all_gather", [one for out in outs for one in out], run)

    def all_gather_single(self, out: Tensor, tensor: Tensor, opts: Any = None) -> GroupWork:
        return self.all_gather_single_coalesced([out], [tensor], opts)

    def all_gather_single_coalesced(self, outs: Tensors, tensors: Tensors, opts: Any = None) -> GroupWork:  # noqa: ARG002
        check(*outs, *tensors)
        for out, tensor in zip(outs, tensors, strict=True):
            _same_size("all_gather", out.numel(), "output", self._size * tensor.numel(), "all inputs together")

        def run(communicator: Communicator) -> None:
            for out, tensor in zip(outs, tensors, strict=True):
                calls.all_gather_single(communicator, out, tensor)

        return self._submit("all_gather", outs, run)

    def gather(self, outs: Sequence[Tensors], tensors: Tensors, opts: Any) -> GroupWork:
        (tensor,) = tensors
        mine = outs[0] if self._rank == opts.rootRank else []
        check(tensor, *mine)
        if self._rank == opts.rootRank:
            self._check_list("gather", mine)
        for out in mine:
            _same_size("gather", out.numel(), "an output", tensor.numel(), "the input")
        return self._submit("gather", mine, lambda comm: calls.gather(comm, mine, tensor, opts.rootRank))

    def scatter(self, outs: Tensors, parts: Sequence[Tensors], opts: Any) -> GroupWork:
        (out,) = outs
        mine = parts[0] if self._rank == opts.rootRank else []
        check(out, *mine)
        if self._rank == opts.rootRank:
            self._check_list("scatter", mine)
        for part in mine:
            _same_size("scatter", part.numel(), "a part", out.numel(), "the output")
        return self._submit("scatter", outs, lambda comm: calls.scatter(comm, out, mine, opts.rootRank))

    def alltoall(self, outs: Tensors, parts: Tensors, opts: Any = None) -> GroupWork:  # noqa: ARG002
        check(*outs, *parts)
        self._check_list("all_to_all", outs)
        self._check_list("all_to_all", parts)
        return self._submit("all_to_all", outs, lambda comm: calls.all_to_all(comm, outs, parts))

    def all_to_all_single(
        self, out: Tensor, tensor: Tensor, out_splits: Sequence[int], splits: Sequence[int], opts: Any = None
    ) -> GroupWork:
        """Where a rank gives no splits at all, all ranks are to give none."""
        if out_splits or splits:
            return self.alltoall(self._split(out, out_splits), self._split(tensor, splits), opts)
        check(out, tensor)
        _same_size("all_to_all", out.numel(), "output", tensor.numel(), "input")
        _same_size("all_to_all", tensor.numel() % self._size, "what is left of equal parts", 0, "all")
        return self._submit("all_to_all", [out], lambda comm: calls.all_to_all_single(comm, out, tensor))

    def barrier(self, opts: Any = None) -> GroupWork:  # noqa: ARG002 - devices mean nothing here
        return self._submit("barrier", [], Communicator.barrier)

    # torch's older names
    _allgather_base = all_gather_single
    _reduce_scatter_base = reduce_scatter_single
    alltoall_base = all_to_all_single
    allgather_into_tensor_coalesced = all_gather_single_coalesced
    reduce_scatter_tensor_coalesced = reduce_scatter_single_coalesced

    # -- between two ranks --------------------------------------------------------------
    def send(self, tensors: Tensors, to: int, tag: int = 0) -> GroupWork:
        (tensor,) = tensors
        check(tensor)
        return self._keep(self._mail.send(tensor, to, tag))

    def recv(self, tensors: Tensors, source: int, tag: int = 0) -> GroupWork:
        (tensor,) = tensors
        check(tensor)
        return self._keep(self._mail.receive(tensor, source, tag))

    def recv_anysource(self, tensors: Tensors, tag: int = 0) -> GroupWork:
        (tensor,) = tensors
        check(tensor)
        return self._keep(self._mail.receive(tensor, None, tag))

    # -- the end ------------------------------------------------------------------------
    def shutdown(self) -> None:
        """Finish what is under way, then part from the other ranks, who do the same, and end threads and connections.

        It waits for them for as long as the time-out allows, and raises nothing: results are there or have failed.
        """
        self._worker.close()
        self._mail.close()

    def abort(self) -> None:
        """End everything at once; what is under way fails, here and on the other ranks."""
        self._fate.fail(TransportError(f"{self._me} aborted the process group"))
        self.shutdown()

    # -- all of them --------------------------------------------------------------------
    def _submit(self, what: str, results: Tensors, run: Callable[[Communicator], object]) -> GroupWork:
        return self._keep(self._worker.submit(what, results, lambda: run(self._communicator)))

    def _keep(self, work: GroupWork) -> GroupWork:
        self._kept.append(work)
        return work

    def _check_list(self, what: str, tensors: Tensors) -> None:
        if len(tensors) != self._size:
            raise ValueError(f"{what} among {self._size} ranks: a list of {len(tensors)} tensors, one a rank is needed")

    def _split(self, tensor: Tensor, splits: Sequence[int]) -> list[Tensor]:
        """Along the first dimension; without splits, in equal parts."""
        rows = tensor.shape[0] if tensor.dim() else 0
        if splits:
            if sum(splits) != rows or len(splits) != self._size:
                raise ValueError(f"all_to_all: splits {list(splits)} must be {self._size} that sum to the {rows} rows")
            return list(tensor.detach().split(list(splits)))
        if rows % self._size:
            raise ValueError(f"all_to_all: {rows} rows make no {self._size} equal parts: give split sizes")
        return list(tensor.detach().split([rows // self._size] * self._size))


def _same_size(what: str, size: int, name: str, other: int, other_name: str) -> None:
    if size != other:
        raise ValueError(f"{what}: {name} has {size} elements, {other_name} {other}")


def _opened(rank: int, meeting: Meeting, timeout_s: float) -> Communicator:
    """After which all ranks have a mailbox open too. ValueError for options of the environment that are none."""
    channels = os.environ.get(CHANNELS, "1")
    if not channels.isdecimal() or not int(channels):
        raise ValueError(f"{CHANNELS}={channels}: a number of channels, such as 2")
    algorithm = os.environ.get(ALGORITHM, "auto")
    try:
        communicator = Communicator(
            rank,
            meeting.peers,
            algorithm=algorithm,
            channels=int(channels),
            token=meeting.token,
            timeout_s=timeout_s,
            rendezvous_timeout_s=timeout_s,
            slots=meeting.slots,
            compare_always=get_debug_level() == DebugLevel.DETAIL,
        )
    except ScheduleError as error:
        raise ScheduleError(f"{ALGORITHM}={algorithm}, {CHANNELS}={channels}: {error}") from None
    communicator.open()
    communicator.barrier()
    return communicator


def create(options: Any, _: object = None) -> RinglabGroup:
    """What torch calls: ``options`` are those of ``register_backend``'s extended interface."""
    return RinglabGroup(
        options.store,
        options.group_rank,
        options.group_size,
        options.timeout,
        # The list of ranks is empty for the default group.
        _numbers() if options.global_ranks_in_group else None,
    )


def _numbers() -> Numbers:
    world = dist.group.WORLD
    store = dist.distributed_c10d._get_default_store()  # noqa: SLF001 - the only way to it, in every version
    return Numbers(store, world.meeting if isinstance(world, RinglabGroup) else None)
