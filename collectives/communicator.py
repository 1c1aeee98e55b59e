"""What a user calls: ``Communicator.all_reduce(array)`` and its like, among ranks that know each other's addresses.

    with Communicator(rank, ["10.0.0.1", "10.0.0.2"]) as communicator:
        communicator.all_reduce(array)

Every rank makes the same calls in the same order. The first call with a new number of elements, type or operation
compiles its program, and the ranks make sure by a tiny exchange that all of them call the same; later calls do not.
"""

from __future__ import annotations

import contextlib
import socket
from collections import Counter
from collections.abc import Mapping, Sequence
from contextvars import copy_context
from functools import lru_cache
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from collectives.algorithms import build
from collectives.algorithms.gossip import gossip
from collectives.choice import AUTO, TYPICAL, Choice, Network, choose
from collectives.chunks import chunk_bounds
from collectives.memory import OPS, Combine, Memory, combiner, divide
from collectives.network import measured
from collectives.operations import ALL_REDUCE, Operation, operation_names
from collectives.program import Program, compile_program
from collectives.progress import Progress, StepWatch
from collectives.schedule import Schedule
from collectives.transport.connections import Group
from collectives.transport.errors import MismatchError, TransportError
from collectives.transport.loop import Bound, Loop
from collectives.transport.rendezvous import Rendezvous

KEPT = 256
"""Programs kept: a job has few sizes; the oldest goes first."""

GIVEN = "of its own"
"""In place of an algorithm's name, where a schedule was given."""

_DTYPES = (
    *("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
    *("float16", "float32", "float64", "bfloat16"),
)
_OPS = (*OPS, "mean of two")
_NO_CALL = "something else"

Array = NDArray[Any]


class _Call(NamedTuple):
    """What the ranks must agree on. ``elements`` are those of the largest buffer of a rank."""

    operation: Operation
    elements: int
    dtype: np.dtype[Any]
    op: str
    seed: int = 0
    """Of gossip, and its rounds."""

    rounds: int = 0

    def numbers(self) -> list[int]:
        operation, dtype = self.operation, _DTYPES.index(self.dtype.name)
        what = operation_names().index(operation.name), operation.root, operation.peer
        return [*what, self.elements, dtype, _OPS.index(self.op), self.seed, self.rounds]

    @staticmethod
    def said(numbers: Sequence[int]) -> str:
        """In words, also if it is no call at all (the peer was in the middle of another collective)."""
        what, root, peer, count, dtype, op = numbers[:6]
        if not (0 <= what < len(operation_names()) and 0 <= dtype < len(_DTYPES) and 0 <= op < len(_OPS)):
            return _NO_CALL
        operation = Operation(operation_names()[what], root, peer)
        combined = f" {_OPS[op]}" if operation.reduces else ""
        return f"{operation} of {count} {_DTYPES[dtype]}{combined}"


class Communicator:
    """One rank of a group. ``peers[rank]`` is each rank's IP address, or those of all its NICs with + between.

    Ranks of one address have ports of their own; channels take a host's NICs in turn.

    ``algorithm`` is all_reduce's, ``algorithms`` those of other operations, by name; ``auto`` (theirs if not given)
    takes the cheapest for each size on ``network`` (which ``tune`` measures). ``schedule`` does its own operation.
    ``token`` tells jobs apart that share addresses; ``settings`` are further words (name to value) that all ranks must
    have in common. Connections open on entry (those of other operations at their first use) and end on exit.
    ``operations`` counts the runs of ``schedule``, those of our own included, by their bytes: what they moved follows.
    ``watch`` is told of chosen steps as they begin. ``slots`` are the ranks' numbers on their hosts, where other groups
    have ranks there too. ``compare_always``: the ranks make sure at every call that all call the same.
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
        algorithms: Mapping[str, str] | None = None,
        network: Network = TYPICAL,
        token: str = "",
        settings: Mapping[str, str] | None = None,
        timeout_s: float = 10.0,
        rendezvous_timeout_s: float = 30.0,
        watch: StepWatch | None = None,
        slots: Sequence[int] | None = None,
        compare_always: bool = False,
    ) -> None:
        if not 0 <= rank < len(peers):
            raise ValueError(f"rank {rank} of {len(peers)} peers: ranks are 0 to {len(peers) - 1}")
        self.rank = rank
        self.num_ranks = len(peers)
        if schedule is not None and schedule.num_ranks != len(peers):
            raise ValueError(f"a schedule of {schedule.num_ranks} ranks for {len(peers)} peers")
        if schedule is None or schedule.operation != ALL_REDUCE:
            self.schedule = build("recursive-doubling" if algorithm == AUTO else algorithm, len(peers), channels)
        else:
            self.schedule = schedule
        self._algorithms = {"all_reduce": algorithm, **(algorithms or {})}
        self._channels = channels
        self.network = network
        self._group = Group.of(rank, peers, slots)
        self._compare_always = compare_always
        self._token = token
        self._settings = {
            "ranks": str(len(peers)),
            "algorithm": algorithm if schedule is None else GIVEN,
            "other algorithms": ",".join(f"{what}:{name}" for what, name in sorted((algorithms or {}).items())),
            "channels": str(self.schedule.num_channels),
            "schedule": (self.schedule if schedule is None else schedule).fingerprint,
            **(settings or {}),
        }
        self._timeout_s = timeout_s
        self._rendezvous_timeout_s = rendezvous_timeout_s
        self._watch = watch
        self._loop: Loop | None = None
        self._bound: dict[_Call, _Ready] = {}
        self._bound_of_two: dict[_Call, _Ready] = {}  # of two ranks: what all agreed on, all forget at once
        self._schedules: dict[tuple[Operation, str], Schedule] = {}
        if schedule is not None and schedule.operation != ALL_REDUCE:
            self._algorithms[schedule.operation.name] = GIVEN
            self._schedules[schedule.operation, GIVEN] = schedule
        self._scratch = np.empty(0, dtype=np.uint8)
        self._nothing = np.zeros(1, dtype=np.int8)
        # A sum may overflow on the way: the warning would come on some ranks only. Entering this costs a tenth of
        # np.errstate.
        context = copy_context()
        context.run(np.seterr, all="ignore")
        self._quietly = context.run
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
        self._loop = Loop(self._group, [], self._timeout_s)
        try:
            self._connect(self.schedule)
        except BaseException:
            self.abort()
            raise

    def _connect(self, schedule: Schedule) -> None:
        """Open what ``schedule`` needs and is not there yet; all ranks that it needs are in the same call."""
        loop = self._opened()
        flows = [(flow.src, flow.dst, flow.channel) for flow in schedule.flows()]
        outgoing = [(dst, ch) for src, dst, ch in flows if src == self.rank and not loop.has(dst, ch, outgoing=True)]
        incoming = [(src, ch) for src, dst, ch in flows if dst == self.rank and not loop.has(src, ch, outgoing=False)]
        if not outgoing and not incoming:
            return
        present = loop.connections()
        meeting = Rendezvous(
            self._group,
            outgoing,
            incoming,
            token=self._token,
            settings=self._settings,
            timeout_s=self._timeout_s if present else self._rendezvous_timeout_s,
            present=present,
        )
        with meeting:
            loop.add(meeting.meet())

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

    def interrupt(self) -> None:
        """From any thread: end the connections, so that the thread in a collective gets PeerLostError at once."""
        loop = self._loop
        for connection in list(loop.connections()) if loop else ():
            with contextlib.suppress(OSError):  # closed meanwhile by that thread
                connection.sock.shutdown(socket.SHUT_RDWR)

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

        ``array``: any shape, C-contiguous, of a signed or unsigned integer or floating type of 1 to 8 bytes, as long on
        every rank. The result is in ``out`` (as ``array`` in shape and type; ``array`` is then left alone), or in
        ``array`` if ``out`` is not given, and is returned. ``op``: sum, prod, min, max, avg (integers round towards
        zero). Floating results may differ from another order of adding, but not between the ranks. float16 and
        ml_dtypes' bfloat16 are widened for adding. Raises ValueError for other arrays or operations, MismatchError if
        the ranks call different things, and TransportError; after the latter the communicator is of no more use.
        """
        result = array if out is None else out
        _check(array, result, op)
        if array.size:
            source, target = array.reshape(-1), result.reshape(-1)
            self._run(_Call(ALL_REDUCE, array.size, array.dtype, op), target if result is array else source, target)
        return result

    def reduce(self, array: Array, out: Array | None = None, op: str = "sum", root: int = 0) -> Array | None:
        """As ``all_reduce``, for the ``root`` alone: it gets the result, the others None and keep their arrays."""
        result = (array if out is None else out) if self.rank == root else array
        _check(array, result, op)
        self._check_rank("root", root)
        target = result.reshape(-1) if self.rank == root else array.reshape(-1)[:0]
        source = target if self.rank == root and result is array else array.reshape(-1)
        self._run(_Call(Operation("reduce", root), array.size, array.dtype, op), source, target)
        return result if self.rank == root else None

    def broadcast(self, array: Array, root: int = 0) -> Array:
        """The root's ``array`` replaces that of every rank, and is returned."""
        _check(array, array)
        self._check_rank("root", root)
        flat = array.reshape(-1)
        source = flat if self.rank == root else flat[:0]
        self._run(_Call(Operation("broadcast", root), array.size, array.dtype, "sum"), source, flat)
        return array

    def reduce_scatter(self, array: Array, out: Array | None = None, op: str = "sum") -> Array:
        """Combine the ranks' arrays; rank r gets part r of the result, of n nearly equal ones (``chunk_bounds``).

        It is in ``out`` (flat, of the part's length), or else in its place within ``array``, and is returned.
        """
        _check(array, array, op)
        flat = array.reshape(-1)
        bounds = chunk_bounds(array.size, self.num_ranks)
        mine = flat[bounds[self.rank] : bounds[self.rank + 1]]
        result = mine if out is None else out
        _check(mine, result)
        self._run(_Call(Operation("reduce_scatter"), array.size, array.dtype, op), flat, result.reshape(-1))
        return result

    def all_gather(self, array: Array, out: Array | None = None) -> Array:
        """Every rank's ``array`` one after the other, on every rank, in ``out`` (flat), which is returned.

        Without ``out`` all are of one length, and the result is a new array. With it, rank r's is part r of n nearly
        equal ones (``chunk_bounds``), and may be that part of ``out`` itself.
        """
        target = self._gathered(array, out)
        self._run(_Call(Operation("all_gather"), target.size, array.dtype, "sum"), array.reshape(-1), target)
        return target

    def gather(self, array: Array, out: Array | None = None, root: int = 0) -> Array | None:
        """As ``all_gather``, for the ``root`` alone; the others get None and give no ``out``.

        Their arrays are all of one length.
        """
        self._check_rank("root", root)
        here = self.rank == root
        target = self._gathered(array, out) if here else array.reshape(-1)[:0]
        total = target.size if here else array.size * self.num_ranks
        self._run(_Call(Operation("gather", root), total, array.dtype, "sum"), array.reshape(-1), target)
        return target if here else None

    def scatter(self, array: Array | None, out: Array, root: int = 0) -> Array:
        """Rank r gets part r of the root's ``array``, n times as long as ``out``, in ``out``, which is returned."""
        self._check_rank("root", root)
        _check(out, out)
        source = out.reshape(-1)[:0]
        if self.rank == root:
            if array is None or array.size != out.size * self.num_ranks:
                raise ValueError(f"the root scatters {self.num_ranks} times the {out.size} elements of out")
            _check(array, array)
            source = array.reshape(-1)
        total = out.size * self.num_ranks
        self._run(_Call(Operation("scatter", root), total, out.dtype, "sum"), source, out.reshape(-1))
        return out

    def all_to_all(self, array: Array, out: Array | None = None) -> Array:
        """Rank r gets part r of every rank's ``array`` (n equal parts), in the order of ranks.

        In ``out`` (as long), or else in ``array`` itself (by way of a copy), which is returned.
        """
        result = array if out is None else out
        _check(array, result)
        if array.size % self.num_ranks:
            raise ValueError(f"all_to_all of {array.size} elements: {self.num_ranks} equal parts are needed")
        source = array.reshape(-1).copy() if result is array else array.reshape(-1)
        self._run(_Call(Operation("all_to_all"), array.size, array.dtype, "sum"), source, result.reshape(-1))
        return result

    def all_to_all_v(self, array: Array, counts: Sequence[int]) -> tuple[Array, list[int]]:
        """``counts[d]`` elements of ``array``, one part after the other, to each rank d.

        Returns what came, in the order of ranks, and how much from each. The ranks tell each other the counts first.
        """
        _check(array, array)
        if len(counts) != self.num_ranks or min(counts) < 0 or sum(counts) != array.size:
            raise ValueError(f"counts {list(counts)}: {self.num_ranks} that sum to the {array.size} elements")
        sizes = np.zeros((self.num_ranks, self.num_ranks), dtype=np.int64)
        sizes[self.rank] = counts
        self.all_reduce(sizes)
        came = sizes[:, self.rank]
        out = np.empty(int(came.sum()), dtype=array.dtype)
        busiest = int(max(sizes.sum(axis=0).max(), sizes.sum(axis=1).max(), self.num_ranks))  # the same on all ranks
        schedule = self._schedule(_Call(Operation("all_to_all"), busiest, array.dtype, "sum"))
        self._connect(schedule)
        program = compile_program(schedule, self.rank, 0, array.itemsize, sizes.reshape(-1))
        bound = Bound(Progress(program), self._opened(), array.dtype)
        self._opened().run(bound, Memory(array.reshape(-1), out, OPS["sum"], self._room(program, array.dtype)))
        return out, came.tolist()

    def send(self, array: Array, to: int) -> None:
        """To rank ``to``, which calls ``receive``. No other rank takes part."""
        _check(array, array)
        self._between(self.rank, to, array)

    def receive(self, out: Array, source: int) -> Array:
        """What rank ``source`` sends, in ``out``, which is returned. MismatchError for another length or type."""
        _check(out, out)
        self._between(source, self.rank, out)
        return out

    def gossip(self, array: Array, rounds: int, seed: int = 0) -> Array:
        """``rounds`` of averaging in random pairs (``algorithms/gossip.py``), in place, of a floating array."""
        _check(array, array)
        if array.dtype.kind != "f":
            raise ValueError(f"gossip of {array.dtype}: averages are floats")
        flat = array.reshape(-1)
        self._run(_Call(ALL_REDUCE, array.size, array.dtype, "mean of two", seed, rounds), flat, flat)
        return array

    def choice(self, operation: str, nbytes: int) -> Choice:
        """What ``auto`` takes for a message of ``nbytes``, and what the others would cost."""
        return choose(Operation(operation), self.num_ranks, nbytes, self.network)

    def tune(self) -> Network:
        """Measure what this network costs (some milliseconds); all ranks call it, and ``auto`` goes by it from then."""
        if self.num_ranks > 1:
            self.network = measured(self)
            self._bound.clear()
        return self.network

    def collective(self, operation: Operation, count: int, source: Array, target: Array, op: str = "sum") -> Array:
        """Any operation: ``source`` holds the blocks that start here, ``target``, returned, those that end here.

        Both flat; ``count`` is the elements of the largest buffer of any rank. They may share memory where what a
        rank keeps stays in its place.
        """
        _check(source, source, op)
        _check(target, target)
        if (source.size, target.size) != (lengths := _lengths(operation, self.num_ranks, self.rank, count)):
            raise ValueError(
                f"{operation} of {count} elements: rank {self.rank} puts in {lengths[0]} and gets out {lengths[1]}, "
                f"not {source.size} and {target.size}"
            )
        self._run(_Call(operation, count, source.dtype, op if operation.reduces else "sum"), source, target)
        return target

    def barrier(self) -> None:
        """Return when every rank has called it."""
        self._meet(leaving=False)

    def _meet(self, *, leaving: bool) -> None:
        if self.num_ranks > 1:
            bound = self._agreement(1, self._nothing.dtype, "max")
            self._opened().run(bound, Memory(self._nothing, self._nothing, np.maximum), leaving=leaving)

    # -- programs -----------------------------------------------------------------------
    def _opened(self) -> Loop:
        if self._loop is None:
            raise ValueError("the communicator is closed: use it inside its `with` block")
        return self._loop

    def _run(self, call: _Call, source: Array, target: Array) -> None:
        loop = self._opened()
        ready = (None if self._compare_always else self._bound.get(call)) or self._agreed(call)
        if ready.counted:
            self.operations[target.nbytes] += 1
        scratch = self._scratch[: ready.scratch_bytes].view(call.dtype) if ready.scratch_bytes else None
        memory = Memory(source, target, ready.combine, scratch)
        self._quietly(loop.run, ready.bound, memory)
        if call.op == "avg" and target.size:
            divide(target, self.num_ranks)

    def _agreed(self, call: _Call) -> _Ready:
        """The call's program, if all ranks make this call. MismatchError names a rank that does not."""
        mine = call.numbers()
        if self.num_ranks > 1:
            calls = np.zeros((self.num_ranks, len(mine)), dtype=np.int64)
            calls[self.rank] = mine
            flat = calls.reshape(-1)
            self._opened().run(self._agreement(flat.size, flat.dtype, "sum"), Memory(flat, flat, np.add))
            told = calls.tolist()
            if any(other != mine for other in told):
                raise self._mismatch(mine, told)
        return self._ready(call, self._bound)

    def _mismatch(self, mine: list[int], told: list[list[int]]) -> MismatchError:
        """Nobody leaves before all know it; but one that made no call would not come to the farewell."""
        rank, other = next((rank, other) for rank, other in enumerate(told) if other != mine)
        if _NO_CALL not in map(_Call.said, told):
            with contextlib.suppress(TransportError):
                self.close()
        return MismatchError(
            f"{self._group.me} calls {_Call.said(mine)}, "
            f"but {self._group.name(rank)} {_Call.said(other)}: all ranks must call the same"
        )

    def _agreement(self, count: int, dtype: np.dtype[Any], op: str) -> Bound:
        """The all_reduce of our own, by the schedule whose connections are always open."""
        call = _Call(ALL_REDUCE, count, dtype, op, seed=-1)
        self.operations[count * dtype.itemsize] += 1
        return (self._bound.get(call) or self._keep(call, self.schedule, self._bound)).bound

    def _ready(self, call: _Call, kept: dict[_Call, _Ready]) -> _Ready:
        """The call's program, as it is ``kept`` or made now."""
        if call in kept:
            return kept[call]
        schedule = self._schedule(call)
        self._connect(schedule)
        return self._keep(call, schedule, kept)

    def _keep(self, call: _Call, schedule: Schedule, kept: dict[_Call, _Ready]) -> _Ready:
        if len(kept) >= KEPT:
            del kept[next(iter(kept))]
        program = compile_program(schedule, self.rank, call.elements, call.dtype.itemsize)
        self._room(program, call.dtype)
        combine = _mean_of_two if call.op == "mean of two" else combiner(call.op, call.dtype)
        bound = Bound(Progress(program, self._watch), self._opened(), call.dtype)
        kept[call] = _Ready(bound, combine, program.scratch_bytes, schedule is self.schedule)
        return kept[call]

    def _room(self, program: Program, dtype: np.dtype[Any]) -> Array:
        """Scratch for the program; the largest that was needed is kept."""
        if program.scratch_bytes > len(self._scratch):
            self._scratch = np.empty(program.scratch_bytes, dtype=np.uint8)
        return self._scratch[: program.scratch_bytes].view(dtype)

    def _schedule(self, call: _Call) -> Schedule:
        """By the algorithm chosen for the operation, or the cheapest."""
        if call.op == "mean of two":
            return gossip(self.num_ranks, call.rounds, call.seed)
        name = self._algorithms.get(call.operation.name, AUTO)
        if name == AUTO:
            nbytes = call.elements * call.dtype.itemsize
            name = choose(call.operation, self.num_ranks, nbytes, self.network).algorithm
        elif call.operation == ALL_REDUCE:
            return self.schedule
        key = call.operation, name
        if key not in self._schedules:
            self._schedules[key] = build(name, self.num_ranks, self._channels, operation=call.operation)
        return self._schedules[key]

    def _between(self, source: int, to: int, array: Array) -> None:
        """A header of count and type first, so that a mismatch is seen at once."""
        peer = to if source == self.rank else source
        self._check_rank("peer", peer)
        if peer == self.rank:
            raise ValueError(f"rank {peer} can't send to itself")
        operation = Operation("send", source, to)
        header = np.array([array.size, _DTYPES.index(array.dtype.name)], dtype=np.int64)
        told = header.copy()
        nothing = slice(0, 0)
        for flat in (told, array.reshape(-1)):
            call = _Call(operation, flat.size, flat.dtype, "sum")
            ready = self._ready(call, self._bound_of_two)
            mine, theirs = (flat, flat[nothing]) if source == self.rank else (flat[nothing], flat)
            self._opened().run(ready.bound, Memory(mine, theirs, OPS["sum"]))
            if flat is told and not np.array_equal(told, header):
                count, dtype = told.tolist()
                what = f"{count} {_DTYPES[dtype]}" if 0 <= dtype < len(_DTYPES) else "something else"
                raise MismatchError(
                    f"{self._group.me} waits for {array.size} {array.dtype}, but {self._group.name(peer)} sends {what}"
                )

    def _gathered(self, array: Array, out: Array | None) -> Array:
        """The array that all are gathered in."""
        _check(array, array)
        target: Array = np.empty(array.size * self.num_ranks, array.dtype) if out is None else out.reshape(-1)
        bounds = chunk_bounds(target.size, self.num_ranks)
        _check(array.reshape(-1), target[bounds[self.rank] : bounds[self.rank + 1]])
        return target

    def _check_rank(self, what: str, rank: int) -> None:
        if not 0 <= rank < self.num_ranks:
            raise ValueError(f"{what} {rank}: ranks are 0 to {self.num_ranks - 1}")


class _Ready(NamedTuple):
    """A call's program, and what its memory needs. ``counted``: it runs the communicator's own schedule."""

    bound: Bound
    combine: Combine
    scratch_bytes: int
    counted: bool


@lru_cache(KEPT)
def _lengths(operation: Operation, num_ranks: int, rank: int, count: int) -> tuple[int, int]:
    return operation.lengths(num_ranks, rank, count)


def _mean_of_two(one: Array, other: Array, *, out: Array) -> None:
    np.add(one, other, out=out)
    np.multiply(out, 0.5, out=out)


def _check(array: Array, result: Array, op: str = "sum") -> None:
    if op not in OPS:
        raise ValueError(f"no operation {op!r}: there are {', '.join(OPS)}")
    if not _known(array.dtype):
        raise ValueError(f"no collective of {array.dtype}: integers and floats of 1 to 8 bytes, native byte order")
    if not _fits(array, result):
        raise ValueError(
            f"array {array.dtype}{list(array.shape)} and out {result.dtype}{list(result.shape)} "
            "must be contiguous, alike in type and shape, and out writable"
        )


@lru_cache
def _known(dtype: np.dtype[Any]) -> bool:
    """Asked at every call, and numpy takes 3 us for a type's name."""
    return dtype.name in _DTYPES and dtype.isnative


def _fits(array: Array, result: Array) -> bool:
    flags = result.flags
    return flags.c_contiguous and flags.writeable and (
        result is array
        or (array.flags.c_contiguous and result.shape == array.shape and result.dtype == array.dtype)
    )  # fmt: skip
