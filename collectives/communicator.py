"""What a user calls: ``Communicator.all_reduce(array)`` among ranks that know each other's addresses.

    with Communicator(rank, ["10.0.0.1", "10.0.0.2"]) as communicator:
        communicator.all_reduce(array)

Every rank makes the same calls in the same order. The first call with a new number of elements, type or operation
compiles its program, and the ranks make sure by a tiny exchange that all of them call the same; later calls do not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from collectives.algorithms import build
from collectives.memory import OPS, Memory, divide
from collectives.program import compile_program
from collectives.progress import Progress, StepWatch
from collectives.schedule import Schedule
from collectives.transport.connections import Group
from collectives.transport.errors import MismatchError
from collectives.transport.loop import Bound, Loop
from collectives.transport.rendezvous import Rendezvous

KEPT = 256
"""Programs kept: a job has few sizes; the oldest goes first."""

_DTYPES = (
    *map(np.dtype, ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")),
    *map(np.dtype, ("float16", "float32", "float64")),
)
_OPS = tuple(OPS)

_Call = tuple[int, np.dtype[Any], str]
"""What the ranks must agree on: elements, type, operation."""


class Communicator:
    """One rank of a group. ``peers[rank]`` is each rank's IP address, or those of all its NICs with + between.

    Ranks of one address have ports of their own; channels take a host's NICs in turn.

    ``schedule`` replaces the ``algorithm`` by name. ``token`` tells jobs apart that share addresses; ``settings`` are
    further words (name to value) that all ranks must have in common. Connections open on entry and end on exit.
    ``operations`` counts the collectives run, those of our own included, by their bytes: what they moved follows.
    ``watch`` is told of chosen steps as they begin.
    Errors: ScheduleError (no such schedule), ValueError (bad arguments), TransportError (peers).
    """

    def __init__(
        self,
        rank: int,
        peers: Sequence[str],
        *,
        algorithm: str = "ring",
        channels: int = 1,
        schedule: Schedule | None = None,
        token: str = "",
        settings: Mapping[str, str] | None = None,
        timeout_s: float = 10.0,
        rendezvous_timeout_s: float = 30.0,
        watch: StepWatch | None = None,
    ) -> None:
        if not 0 <= rank < len(peers):
            raise ValueError(f"rank {rank} of {len(peers)} peers: ranks are 0 to {len(peers) - 1}")
        self.rank = rank
        self.num_ranks = len(peers)
        self.schedule = build(algorithm, len(peers), channels) if schedule is None else schedule
        if self.schedule.num_ranks != len(peers):
            raise ValueError(f"a schedule of {self.schedule.num_ranks} ranks for {len(peers)} peers")
        self._group = Group.of(rank, peers)
        self._token = token
        self._settings = {
            "ranks": str(len(peers)),
            "algorithm": algorithm if schedule is None else "of its own",
            "channels": str(self.schedule.num_channels),
            "schedule": self.schedule.fingerprint,
            **(settings or {}),
        }
        self._timeout_s = timeout_s
        self._rendezvous_timeout_s = rendezvous_timeout_s
        self._watch = watch
        self._loop: Loop | None = None
        self._bound: dict[_Call, Bound] = {}
        self._nothing = np.zeros(1, dtype=np.int8)
        self.operations: Counter[int] = Counter()

    # -- opening and closing ------------------------------------------------------------
    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abort()

    def open(self) -> None:
        """Meet the other ranks. RendezvousError if they do not come, or run another job."""
        flows = [(flow.src, flow.dst, flow.channel) for flow in self.schedule.flows()]
        outgoing = [(dst, channel) for src, dst, channel in flows if src == self.rank]
        incoming = [(src, channel) for src, dst, channel in flows if dst == self.rank]
        if self.num_ranks == 1:
            self._loop = Loop(self._group, [], self._timeout_s)
            return
        meeting = Rendezvous(
            self._group,
            outgoing,
            incoming,
            token=self._token,
            settings=self._settings,
            timeout_s=self._rendezvous_timeout_s,
        )
        with meeting:
            self._loop = Loop(self._group, meeting.meet(), self._timeout_s)

    def close(self) -> None:
        """Wait for all ranks to come here, then end the connections. Does nothing when closed already."""
        if self._loop is None:
            return
        loop = self._loop
        try:
            self._meet(leaving=True)
            loop.leave()
        finally:
            self.abort()

    def abort(self) -> None:
        """End the connections at once; the other ranks will notice."""
        if self._loop is not None:
            self._loop.abort()
            self._loop = None

    # -- collectives --------------------------------------------------------------------
    def all_reduce(
        self, array: NDArray[np.generic], out: NDArray[np.generic] | None = None, op: str = "sum"
    ) -> NDArray[np.generic]:
        """Combine the ranks' arrays element by element; every rank gets the result.

        ``array``: any shape, C-contiguous, of a signed or unsigned integer or floating type of 1 to 8 bytes, as long
        on every rank. The result is in ``out`` (as ``array`` in shape and type; ``array`` is then left alone), or in
        ``array`` if ``out`` is not given, and is returned. ``op``: sum, prod, min, max, avg (integers round towards
        zero). Floating results may differ from another order of adding, but not between the ranks.
        Raises ValueError for other arrays or operations, MismatchError if the ranks call different things, and
        TransportError; after the latter the communicator is of no more use.
        """
        result = array if out is None else out
        if array.size == 0 or self.num_ranks == 1:
            self._check(array, result, op)
            if result is not array:
                np.copyto(result, array)
            return result
        bound = self._bound.get((array.size, array.dtype, op))
        if bound is None:
            self._check(array, result, op)
            bound = self._agreed((array.size, array.dtype, op))
        elif not _fits(array, result):
            self._check(array, result, op)
        target = result.reshape(-1)
        source = target if result is array else array.reshape(-1)
        with np.errstate(all="ignore"):  # a sum may overflow on the way; numpy's warning would come on some ranks only
            self.operations[target.nbytes] += 1
            self._opened().run(bound, Memory(source, target, OPS[op]))
            if op == "avg":
                divide(target, self.num_ranks)
        return result

    def barrier(self) -> None:
        """Return when every rank has called it."""
        self._meet(leaving=False)

    def _meet(self, *, leaving: bool) -> None:
        if self.num_ranks > 1:
            bound = self._bind((1, self._nothing.dtype, "max"))
            self.operations[self._nothing.nbytes] += 1
            self._opened().run(bound, Memory(self._nothing, self._nothing, np.maximum), leaving=leaving)

    # -- programs -----------------------------------------------------------------------
    def _opened(self) -> Loop:
        if self._loop is None:
            raise ValueError("the communicator is closed: use it inside its `with` block")
        return self._loop

    def _bind(self, call: _Call) -> Bound:
        """The call's program, compiled at its first use."""
        if call not in self._bound:
            if len(self._bound) >= KEPT:
                del self._bound[next(iter(self._bound))]
            count, dtype, _ = call
            program = compile_program(self.schedule, self.rank, count, dtype.itemsize)
            self._bound[call] = Bound(Progress(program, self._watch), self._opened(), dtype)
        return self._bound[call]

    def _agreed(self, call: _Call) -> Bound:
        """The call's program, if all ranks make this call. MismatchError names a rank that does not."""
        count, dtype, op = call
        calls = np.zeros((self.num_ranks, 3), dtype=np.int64)
        calls[self.rank] = count, _DTYPES.index(dtype), _OPS.index(op)
        flat = calls.reshape(-1)
        self.operations[flat.nbytes] += 1
        self._opened().run(self._bind((flat.size, flat.dtype, "sum")), Memory(flat, flat, np.add))
        for rank, other in enumerate(calls.tolist()):
            if other != calls[self.rank].tolist():
                raise MismatchError(
                    f"{self._group.me} calls all_reduce of {_said(calls[self.rank].tolist())}, "
                    f"but {self._group.name(rank)} of {_said(other)}: all ranks must call the same"
                )
        return self._bind(call)

    def _check(self, array: NDArray[np.generic], result: NDArray[np.generic], op: str) -> None:
        if op not in OPS:
            raise ValueError(f"no operation {op!r}: there are {', '.join(OPS)}")
        if array.dtype not in _DTYPES or not array.dtype.isnative:
            raise ValueError(f"no all_reduce of {array.dtype}: integers and floats of 1 to 8 bytes, native byte order")
        if not _fits(array, result):
            raise ValueError(
                f"array {array.dtype}{list(array.shape)} and out {result.dtype}{list(result.shape)} "
                "must be contiguous, alike in type and shape, and out writable"
            )


def _fits(array: NDArray[np.generic], result: NDArray[np.generic]) -> bool:
    flags = result.flags
    return flags.c_contiguous and flags.writeable and (
        result is array
        or (array.flags.c_contiguous and result.shape == array.shape and result.dtype == array.dtype)
    )  # fmt: skip


def _said(call: list[int]) -> str:
    """A call in words, also if it is no call at all (the peer was in the middle of another collective)."""
    count, dtype, op = call
    if not (0 <= dtype < len(_DTYPES) and 0 <= op < len(_OPS)):
        return "something else"
    return f"{count} {_DTYPES[dtype]} {_OPS[op]}"
