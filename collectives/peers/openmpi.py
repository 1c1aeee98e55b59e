"""Ranks of Open MPI, by mpi4py: the arrays are numpy's own memory. mpirun starts them (``launch``), and numbers them.

What is reduced has MPI's type; what is only moved goes as bytes, so of every type. In place is MPI's own in place, but
for reduce_scatter: MPI leaves the result at the buffer's start, from where it is copied to this rank's place.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import mpi4py
import numpy as np
from numpy.typing import NDArray

from collectives.operations import Operation
from collectives.transport.errors import RendezvousError, TransportError

# Before MPI is imported, which starts it: one thread calls it, as in the programs it is compared with; and a rank that
# fails must end, and not wait in MPI's farewell for ranks that won't come.
mpi4py.rc.thread_level = "single"
mpi4py.rc.finalize = False

from mpi4py import MPI  # noqa: E402 - so it is meant

Array = NDArray[Any]

_OPS = {"sum": MPI.SUM, "prod": MPI.PROD, "min": MPI.MIN, "max": MPI.MAX}


def version() -> str:
    return MPI.Get_library_version().partition(",")[0]


class OpenMpi:
    """One rank; a ``Ranks``. ``peers`` are the addresses in the order of ranks, as mpirun was told them."""

    def __init__(self, rank: int, peers: Sequence[str]) -> None:
        self.rank = rank
        self.num_ranks = len(peers)
        self.operations: Counter[int] = Counter()
        self._me = f"rank {rank} ({peers[rank]})"
        self._comm: MPI.Comm = MPI.COMM_WORLD
        if self._comm.size != len(peers):
            raise RendezvousError(f"{self._me}: mpirun started {self._comm.size} ranks, but --ranks says {len(peers)}")
        self._moves: Mapping[str, Callable[[Operation, Array, Array], None]] = {
            "broadcast": self._broadcast,
            "all_gather": self._all_gather,
            "gather": self._gather,
            "scatter": self._scatter,
            "all_to_all": self._all_to_all,
            "sendrecv": self._sendrecv,
        }

    def __enter__(self) -> Self:
        with self._told():
            self._comm = MPI.COMM_WORLD.Split(0, self.rank)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            MPI.Finalize()

    def all_reduce(self, array: Array) -> None:
        with self._told():
            self._comm.Allreduce(MPI.IN_PLACE, array)

    def barrier(self) -> None:
        with self._told():
            self._comm.Barrier()

    def collective(self, operation: Operation, count: int, source: Array, target: Array, op: str = "sum") -> Array:  # noqa: ARG002 - MPI sees it by the arrays
        if not source.size and not target.size:  # to MPI two empty buffers are one, which it refuses
            return target
        with self._told():
            if operation.reduces:
                self._reduce(operation, source, target, op)
            else:
                self._moves[operation.name](operation, source.view(np.uint8), target.view(np.uint8))
        return target

    def _reduce(self, operation: Operation, source: Array, target: Array, op: str) -> None:
        given = MPI.IN_PLACE if source is target else source
        if operation.name == "all_reduce":
            self._comm.Allreduce(given, target, _OPS[op])
        elif operation.name == "reduce":
            self._comm.Reduce(given, target if self.rank == operation.root else None, _OPS[op], operation.root)
        elif np.may_share_memory(source, target):
            self._comm.Reduce_scatter_block(MPI.IN_PLACE, source, _OPS[op])
            target[:] = source[: len(target)]
        else:
            self._comm.Reduce_scatter_block(source, target, _OPS[op])

    def _broadcast(self, operation: Operation, source: Array, target: Array) -> None:
        if self.rank == operation.root and not np.may_share_memory(source, target):
            target[:] = source
        self._comm.Bcast(target, operation.root)

    def _all_gather(self, _: Operation, source: Array, target: Array) -> None:
        self._comm.Allgather(MPI.IN_PLACE if np.may_share_memory(source, target) else source, target)

    def _gather(self, operation: Operation, source: Array, target: Array) -> None:
        if self.rank != operation.root:
            self._comm.Gather(source, None, operation.root)
        else:
            self._comm.Gather(MPI.IN_PLACE if np.may_share_memory(source, target) else source, target, operation.root)

    def _scatter(self, operation: Operation, source: Array, target: Array) -> None:
        if self.rank != operation.root:
            self._comm.Scatter(None, target, operation.root)
        else:
            self._comm.Scatter(source, MPI.IN_PLACE if np.may_share_memory(source, target) else target, operation.root)

    def _all_to_all(self, _: Operation, source: Array, target: Array) -> None:
        self._comm.Alltoall(source, target)

    def _sendrecv(self, _: Operation, source: Array, target: Array) -> None:
        onward, back = (self.rank + 1) % self.num_ranks, (self.rank - 1) % self.num_ranks
        self._comm.Sendrecv(source, onward, recvbuf=target, source=back)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """MPI's errors in one line."""
        try:
            yield
        except MPI.Exception as error:
            raise TransportError(f"{self._me}: Open MPI: {error.Get_error_string()}") from None


def connect(rank: int, peers: Sequence[str], **_unknown: float) -> OpenMpi:
    """One rank; mpirun has no use for the ports and time-outs of other libraries."""
    return OpenMpi(rank, peers)
