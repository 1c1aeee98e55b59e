"""Ranks of gloo, by torch.distributed: the arrays are numpy's own memory, nothing is copied on the way in or out.

Ranks meet by a TCPStore that listens on rank 0's address; gloo then binds to the interface that has this rank's
address, so that what is measured crosses the network that was meant. gloo reduces in place: of an operation out of
place, copying the input is part of the time. ``reduce`` leaves the other ranks' inputs spoilt (torch says so, too).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch._C._distributed_c10d import TCPStore  # mypy: torch.distributed has it, but does not say so

from collectives.operations import Operation
from collectives.transport.errors import PeerLostError, RendezvousError, TransportError

Array = NDArray[Any]

_OPS = {
    "sum": dist.ReduceOp.SUM,
    "prod": dist.ReduceOp.PRODUCT,
    "min": dist.ReduceOp.MIN,
    "max": dist.ReduceOp.MAX,
}

SIOCGIFADDR = 0x8915
"""linux/sockios.h"""

# torch 2.13 renamed them, and warns of the old names.
_all_gather: Callable[..., object] = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor
_reduce_scatter: Callable[..., object] = getattr(dist, "reduce_scatter_single", None) or dist.reduce_scatter_tensor


def version() -> str:
    """A gloo has no version of its own."""
    return f"gloo of torch {torch.__version__}"


class Gloo:
    """One rank; a ``Ranks``."""

    def __init__(
        self, rank: int, peers: Sequence[str], *, store_port: int, timeout_s: float, rendezvous_timeout_s: float
    ) -> None:
        self.rank = rank
        self.num_ranks = len(peers)
        self.operations: Counter[int] = Counter()
        self._addresses = [peer.partition("+")[0] for peer in peers]
        self._store_port = store_port
        self._timeout = timedelta(seconds=timeout_s)
        self._patience = timedelta(seconds=rendezvous_timeout_s)
        self._moves: Mapping[str, Callable[[Operation, Array, Array], None]] = {
            "broadcast": self._broadcast,
            "all_gather": self._all_gather,
            "gather": self._gather,
            "scatter": self._scatter,
            "all_to_all": self._all_to_all,
            "sendrecv": self._sendrecv,
        }

    def __enter__(self) -> Self:
        torch.set_num_threads(1)
        os.environ["GLOO_SOCKET_IFNAME"] = interface_of(self._addresses[self.rank])
        try:
            store = self._store()
            dist.init_process_group(
                "gloo", store=store, rank=self.rank, world_size=self.num_ranks, timeout=self._timeout
            )
        except (RuntimeError, OSError) as error:
            raise RendezvousError(f"{self._me} did not meet the others: {_first_line(error)}") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.barrier()
        dist.destroy_process_group()

    def all_reduce(self, array: Array) -> None:
        with self._told():
            dist.all_reduce(_tensor(array))

    def barrier(self) -> None:
        with self._told():
            dist.barrier()

    def collective(self, operation: Operation, count: int, source: Array, target: Array, op: str = "sum") -> Array:  # noqa: ARG002 - gloo sees it by the arrays
        if not source.size and not target.size:  # gloo refuses what moves nothing
            return target
        with self._told():
            if operation.reduces:
                self._reduce(operation, source, target, op)
            else:
                self._moves[operation.name](operation, _bytes(source), _bytes(target))
        return target

    def _reduce(self, operation: Operation, source: Array, target: Array, op: str) -> None:
        if operation.name == "reduce_scatter":
            _reduce_scatter(_tensor(target), _tensor(source), _OPS[op])
            return
        if target.size and source is not target:
            target[:] = source
        reduced = _tensor(target if target.size else source)
        if operation.name == "reduce":
            dist.reduce(reduced, operation.root, _OPS[op])
        else:
            dist.all_reduce(reduced, _OPS[op])

    def _broadcast(self, operation: Operation, source: Array, target: Array) -> None:
        if self.rank == operation.root and not _same(source, target):
            target[:] = source
        dist.broadcast(torch.from_numpy(target), operation.root)

    def _all_gather(self, _: Operation, source: Array, target: Array) -> None:
        _all_gather(torch.from_numpy(target), torch.from_numpy(source))

    def _gather(self, operation: Operation, source: Array, target: Array) -> None:
        parts = list(torch.from_numpy(target).chunk(self.num_ranks)) if self.rank == operation.root else None
        dist.gather(torch.from_numpy(source), parts, operation.root)

    def _scatter(self, operation: Operation, source: Array, target: Array) -> None:
        parts = list(torch.from_numpy(source).chunk(self.num_ranks)) if self.rank == operation.root else None
        dist.scatter(torch.from_numpy(target), parts, operation.root)

    def _all_to_all(self, _: Operation, source: Array, target: Array) -> None:
        dist.all_to_all_single(torch.from_numpy(target), torch.from_numpy(source))

    def _sendrecv(self, _: Operation, source: Array, target: Array) -> None:
        if self.num_ranks == 1:  # gloo sends nothing to itself
            target[:] = source
            return
        onward, back = (self.rank + 1) % self.num_ranks, (self.rank - 1) % self.num_ranks
        pending = [
            dist.isend(torch.from_numpy(source), onward),
            dist.irecv(torch.from_numpy(target), back),
        ]
        for one in pending:
            assert one is not None  # this rank is in the group
            one.wait()

    def _store(self) -> TCPStore:
        """Rank 0 listens on its own address alone, and not on all of the machine's."""
        listening = None
        if self.rank == 0:
            listening = socket.create_server((self._addresses[0], self._store_port)).detach()
        return TCPStore(
            self._addresses[0], self._store_port, self.num_ranks, self.rank == 0, self._patience,
            master_listen_fd=listening,
        )  # fmt: skip

    @property
    def _me(self) -> str:
        return f"rank {self.rank} ({self._addresses[self.rank]})"

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """What torch raises, in one line."""
        try:
            yield
        except RuntimeError as error:
            raise self._explained(_first_line(error)) from None

    def _explained(self, said: str) -> TransportError:
        lost = re.search(r" ?\[([\d.]+)\]:\d+", said)
        if not lost or self._addresses.count(lost[1]) != 1:  # ranks of one address cannot be told apart
            return TransportError(f"{self._me}: gloo: {said}")
        peer = f"rank {self._addresses.index(lost[1])} ({lost[1]})"
        return PeerLostError(f"{self._me} lost {peer}: gloo: {said.replace(lost[0], '')}")


connect = Gloo
"""What ``collectives.peers`` calls."""


def interface_of(address: str) -> str:
    """The name of the network interface that has the IPv4 ``address``. OSError if none has."""
    if address.startswith("127."):
        return "lo"  # all of 127.0.0.0/8 is its
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            with contextlib.suppress(OSError):  # an interface without an address
                answer = fcntl.ioctl(asking, SIOCGIFADDR, struct.pack("256s", name.encode()))
                if socket.inet_ntoa(answer[20:24]) == address:
                    return name
    raise OSError(f"no interface here has the address {address}")


def _tensor(array: Array) -> torch.Tensor:
    """The same memory; torch knows no numpy type for bfloat16."""
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def _bytes(array: Array) -> NDArray[np.uint8]:
    return array.view(np.uint8)


def _same(one: Array, other: Array) -> bool:
    return one.ctypes.data == other.ctypes.data


def _first_line(error: Exception) -> str:
    """Its first sentence, without the place in gloo's source."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return re.sub(r"^\[[^\]]*\]\s*", "", lines[0]).partition(". ")[0]
