"""A trace on a fabric as flows that wait for each other: what each rank sends when, and when it is through.

Theory of operation. Every operation of a rank has a *start* and an *end*, two moments. Moments, and what lies between
them, are *items*: a message (bytes on the way of its connection), a delay, or nothing at all, where only others are
waited for. A message begins when its send does; the send is over when it has come, and the receive when that is so and
the receive itself could begin: no rank waits for a receive to be posted. Sends meet receives by (source, destination,
tag), in the order in which they stand. A collective is the messages of an algorithm's schedule; each waits for the two
ranks it joins to have begun the collective, and for what the schedule says.

Items that are nothing are taken out where that does not make more to wait for, so that a replay counts messages and
delays, and hardly more. The bytes are those of the trace: no message is cut, or merged with another.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from collectives import algorithms
from collectives.interchange.trace import Calculation, Collective, Operation, Receive, Send, Trace, TraceError
from collectives.operations import ROOTED
from collectives.operations import Operation as Meaning
from collectives.schedule import Schedule, ScheduleError
from simulation.conditions import Conditions
from simulation.links import Links
from simulation.replay import Flows, replay
from topologies.fabric import Fabric, Port
from topologies.htsim_traffic import Matrix, flow_keys, waits
from topologies.ports import connect_port, listen_port, slots
from topologies.traffic import Demand, FlowKey, Paths, link_bytes
from topologies.waiting import in_order

MAX_ITEMS = 1 << 20
"""A replay of more takes hours and gigabytes."""

MOST_FOLDED = 8
"""An item that is nothing stays where it waits for more than so many: all that wait for it would wait for these."""

IDEAL = Conditions.ideal()

Nic = Callable[[str, str, int], int]
"""Source host, destination host and channel to the channel that the connection takes, which tells its NICs."""


@dataclass(frozen=True, eq=False)
class Work:
    """Items that wait for each other; item i for ``needs[starts[i]:starts[i + 1]]``.

    ``connection[i]`` is a place in ``keys``, or -1 where item i crosses no fabric. ``ends`` (pairs, 2): item and rank,
    where the rank is not through before the item is over.
    """

    keys: tuple[FlowKey, ...]
    connection: NDArray[np.int64]
    nbytes: NDArray[np.int64]
    lag_s: NDArray[np.float64]
    starts: NDArray[np.int64]
    needs: NDArray[np.int64]
    ends: NDArray[np.int64]
    num_ranks: int

    def __len__(self) -> int:
        return len(self.nbytes)

    def demands(self) -> list[Demand]:
        """Of each connection, all its bytes at once: when they cross is not known before."""
        crossing = self.connection >= 0
        nbytes = np.zeros(len(self.keys), dtype=np.int64)
        np.add.at(nbytes, self.connection[crossing], self.nbytes[crossing])
        return [Demand(key, (0,), (total,)) for key, total in zip(self.keys, nbytes.tolist(), strict=True)]


@dataclass(frozen=True, eq=False)
class Replayed:
    """When each item began and ended, when each rank was through (0 where it had nothing to do), bytes by link."""

    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    rank_s: NDArray[np.float64]
    link_bytes: Counter[Port]

    @property
    def completion_s(self) -> float:
        return float(self.end_s.max(initial=0.0))


def of_trace(
    trace: Trace, placement: Sequence[str], chosen: Mapping[str, str] | None = None, nic: Nic = lambda _a, _b, own: own
) -> Work:
    """The trace with rank r on host ``placement[r]``; ``chosen``: algorithms by operation, else the first of each.

    TraceError for a send or receive without the other, one that is too short, collectives that do not agree, an
    algorithm that can't serve, and operations that wait for each other: it names the place.
    """
    builder = _Builder(trace, placement, chosen or {}, nic)
    return builder.build()


def of_matrix(matrix: Matrix, fabric: Fabric) -> Work:
    """The connections of htsim's matrix; a rank is a host. DocumentError as ``htsim_traffic.waits``."""
    needs = waits(matrix)
    keys = flow_keys(matrix, fabric)
    count = len(needs)
    ends = [(place, host) for place, one in enumerate(matrix.connections) for host in (one.src, one.dst)]
    return Work(
        tuple(keys),
        np.arange(count),
        np.array([one.size for one in matrix.connections], dtype=np.int64),
        np.array([(one.start_ps or 0) * 1e-12 for one in matrix.connections]),
        *_rows(needs),
        np.array(ends, dtype=np.int64).reshape(-1, 2),
        matrix.nodes,
    )


def simulate(work: Work, paths: Paths, links: Links, conditions: Conditions = IDEAL) -> Replayed:
    """Run it on ``paths`` of all connections. A message takes its way's latency, and a turnaround, before it flows."""
    start_s, end_s = replay(flows(work, paths, links, conditions), links.rate_bps)
    rank_s = np.zeros(work.num_ranks)
    np.maximum.at(rank_s, work.ends[:, 1], end_s[work.ends[:, 0]])
    return Replayed(start_s, end_s, rank_s, link_bytes(work.demands(), paths))


def flows(work: Work, paths: Paths, links: Links, conditions: Conditions = IDEAL) -> Flows:
    """The items as ``replay`` takes them."""
    rows = links.rows([paths[key] for key in work.keys]).astype(np.int64)
    row = np.vstack([rows, np.full((1, rows.shape[1]), -1)])[work.connection]
    row[work.nbytes == 0] = -1
    latency_s = np.array(
        [sum(float(links.latency_s[links.number[port]]) for port in paths[key].hops) for key in work.keys]
    )
    lag_s = work.lag_s + np.append(latency_s + conditions.turnaround_s, 0.0)[work.connection]
    use = np.where(row < 0, 0.0, 1 / conditions.payload_share)
    amount = np.where(work.connection < 0, 0.0, 8.0 * work.nbytes)
    return Flows(row, use, amount, lag_s, work.starts, work.needs)


@dataclass(slots=True)
class _Item:
    place: str
    needs: list[int] = field(default_factory=list)
    connection: int = -1
    nbytes: int = 0
    lag_s: float = 0.0

    @property
    def is_nothing(self) -> bool:
        return self.connection < 0 and self.lag_s == 0.0


class _Builder:
    def __init__(self, trace: Trace, placement: Sequence[str], chosen: Mapping[str, str], nic: Nic) -> None:
        self.trace, self.placement, self.chosen, self.nic = trace, placement, chosen, nic
        self.slot = slots(placement)
        self.keys: dict[FlowKey, int] = {}
        self.items: list[_Item] = []
        self.begin: list[list[int]] = []
        self.end: list[list[int]] = []
        self.schedules: dict[tuple[str, int, int], Schedule] = {}

    def build(self) -> Work:
        for operations in self.trace.ranks:
            self.begin.append([self._add(one.place) for one in operations])
            self.end.append([self._add(one.place) for one in operations])
        for rank, operations in enumerate(self.trace.ranks):
            for place, one in enumerate(operations):
                self._order(rank, place, one)
        self._messages()
        self._collectives()
        return self._folded(_in_order(self.items))

    def _add(self, place: str) -> int:
        if len(self.items) == MAX_ITEMS:
            raise TraceError(f"{place}: more than {MAX_ITEMS} messages and operations; take fewer ranks or steps")
        self.items.append(_Item(place))
        return len(self.items) - 1

    def _order(self, rank: int, place: int, one: Operation) -> None:
        begin, end = self.begin[rank], self.end[rank]
        self.items[begin[place]].needs += [end[other] for other in one.after] + [begin[other] for other in one.beside]
        self.items[end[place]].needs.append(begin[place])
        if isinstance(one, Calculation):
            self.items[end[place]].lag_s = one.duration_s

    def _carry(self, item: int, src: int, dst: int, nbytes: int, channel: int = 0) -> None:
        """Item is a message from rank to rank; within a host it crosses nothing."""
        a, b = self.placement[src], self.placement[dst]
        if a != b:
            taken = self.nic(a, b, channel)
            key = FlowKey(a, b, connect_port(self.slot[src], taken), listen_port(self.slot[dst]))
            self.items[item].connection = self.keys.setdefault(key, len(self.keys))
            self.items[item].nbytes = nbytes

    def _messages(self) -> None:
        """Sends meet receives of the same source, destination and tag, in their order."""
        waiting: defaultdict[tuple[int, int, int], list[tuple[int, Receive]]] = defaultdict(list)
        sends: list[tuple[int, int, Send]] = []
        for rank, operations in enumerate(self.trace.ranks):
            for place, one in enumerate(operations):
                if isinstance(one, Receive):
                    waiting[one.peer, rank, one.tag].append((self.end[rank][place], one))
                elif isinstance(one, Send):
                    sends.append((rank, self.end[rank][place], one))
        met: Counter[tuple[int, int, int]] = Counter()
        for rank, item, send in sends:
            lane = rank, send.peer, send.tag
            there = waiting[lane]
            if met[lane] == len(there):
                what = f"rank {rank} sends to rank {send.peer} with tag {send.tag}, which has no receive left for it"
                raise TraceError(f"{send.place}: {what}; write one there")
            received, receive = there[met[lane]]
            met[lane] += 1
            if receive.nbytes < send.nbytes:
                what = f"rank {send.peer} takes {receive.nbytes} bytes of a message of {send.nbytes} ({send.place})"
                raise TraceError(f"{receive.place}: {what}; make them one size")
            self.items[received].needs.append(item)
            self._carry(item, rank, send.peer, send.nbytes)
        for (src, dst, tag), there in waiting.items():
            for _, receive in there[met[src, dst, tag] :]:
                what = f"rank {dst} waits for a message from rank {src} with tag {tag} that nobody sends"
                raise TraceError(f"{receive.place}: {what}; write the send there")

    def _collectives(self) -> None:
        """The k-th collective of a group on each of its ranks is one."""
        of_group: dict[tuple[int, ...], dict[int, list[tuple[int, Collective]]]] = {}
        for rank, operations in enumerate(self.trace.ranks):
            for place, one in enumerate(operations):
                if isinstance(one, Collective):
                    group = of_group.setdefault(one.ranks, {member: [] for member in one.ranks})
                    group[rank].append((place, one))
        for ranks, its in of_group.items():
            longest = max(its.values(), key=len)
            for number, (_, first) in enumerate(longest):
                for rank in ranks:
                    if number >= len(its[rank]):
                        what = f"rank {rank} has no {first.operation} number {number + 1} of this group"
                        raise TraceError(f"{first.place}: {what}; write it there")
                    self._check_alike(first, rank, its[rank][number][1])
                self._expand(first, [its[rank][number][0] for rank in ranks])

    def _check_alike(self, first: Collective, rank: int, other: Collective) -> None:
        for name in ("operation", "nbytes", "root"):
            if getattr(first, name) != getattr(other, name):
                what = f"rank {rank} has {name} {getattr(other, name)}, and {first.place} has {getattr(first, name)}"
                raise TraceError(f"{other.place}: {what}; ranks of a collective must agree")

    def _expand(self, one: Collective, places: Sequence[int]) -> None:
        """The messages of a collective's algorithm between its ranks' begins and ends."""
        begin = [self.begin[rank][place] for rank, place in zip(one.ranks, places, strict=True)]
        end = [self.end[rank][place] for rank, place in zip(one.ranks, places, strict=True)]
        if one.operation == "barrier":
            for item in end:
                self.items[item].needs += begin
            return
        if len(one.ranks) == 1:
            return
        schedule = self._schedule(one)
        bounds = np.concatenate([[0], np.cumsum(schedule.chunk_sizes(one.nbytes))])
        nbytes = (bounds[schedule.chunk + schedule.count] - bounds[schedule.chunk]).tolist()
        dependencies = schedule.dependencies()
        starts, needs = dependencies.starts.tolist(), dependencies.needs.tolist()
        first = len(self.items)
        for number, (transfer, size) in enumerate(zip(schedule.transfers(), nbytes, strict=True)):
            item = self._add(one.place)
            before = [first + other for other in needs[starts[number] : starts[number + 1]]]
            self.items[item].needs = [*before, begin[transfer.src], begin[transfer.dst]]
            self._carry(item, one.ranks[transfer.src], one.ranks[transfer.dst], size, transfer.channel)
            self.items[end[transfer.src]].needs.append(item)
            self.items[end[transfer.dst]].needs.append(item)

    def _schedule(self, one: Collective) -> Schedule:
        known = one.operation, len(one.ranks), one.root
        if known not in self.schedules:
            name = self.chosen.get(one.operation, next(iter(algorithms.OPERATIONS[one.operation])))
            root = one.root if one.operation in ROOTED else 0
            try:
                meaning = Meaning(one.operation, root)
                self.schedules[known] = algorithms.build(name, len(one.ranks), operation=meaning, root=root)
            except ScheduleError as error:
                raise TraceError(f"{one.place}: {error}") from None
        return self.schedules[known]

    def _folded(self, order: Iterable[int]) -> Work:
        """Without the items that are nothing, where that does not make more to wait for."""
        means: list[tuple[int, ...]] = [()] * len(self.items)  # for each item, those kept that it stands for
        kept: list[_Item] = []
        for item in order:
            one = self.items[item]
            needs = tuple(dict.fromkeys(other for need in one.needs for other in means[need]))
            if one.is_nothing and len(needs) <= MOST_FOLDED:
                means[item] = needs
            else:
                means[item] = (len(kept),)
                kept.append(_Item(one.place, list(needs), one.connection, one.nbytes, one.lag_s))
        ends = {(item, rank) for rank, its in enumerate(self.end) for end in its for item in means[end]}
        return Work(
            tuple(self.keys),
            np.array([one.connection for one in kept], dtype=np.int64),
            np.array([one.nbytes for one in kept], dtype=np.int64),
            np.array([one.lag_s for one in kept], dtype=np.float64),
            *_rows([one.needs for one in kept]),
            np.array(sorted(ends), dtype=np.int64).reshape(-1, 2),
            len(self.trace.ranks),
        )


def _rows(needs: Sequence[Sequence[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each item's needs start, with an end, and all of them."""
    starts = np.cumsum([0, *map(len, needs)], dtype=np.int64)
    return starts, np.array([other for one in needs for other in one], dtype=np.int64)


def _in_order(items: Sequence[_Item]) -> list[int]:
    """Each item after all it needs. TraceError where some wait for each other."""
    order, stuck = in_order([one.needs for one in items])
    if stuck is not None:
        raise TraceError(f"{items[stuck].place}: waits for its own end; break the circle")
    return order
