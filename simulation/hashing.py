"""ECMP as arrays: for all flows at once, at every switch, a seeded hash picks one of the equal-cost next hops.

Two hashes. ``mixed`` is the quick one: a switch's number and a flow's (source, destination, channel, queue) through a
64-bit mixer, keyed by the seed; picks are as good as independent and uniform. ``emulated`` is the hash of
``controller.routing.ecmp`` itself: the same seed gives the paths that the emulator's switches have, flow by flow.

A flow leaves and arrives by the NIC of its channel (``Fabric.rail``). *Queues* (queue pairs) of one channel are flows
of their own between the same NICs, hashed apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulation.next_hops import Index, NextHops
from topologies.ports import CONNECT_PORT, LISTEN_PORT, MAX_CHANNELS
from topologies.traffic import FlowKey

__all__ = ["Hash", "NextHops", "Pairs", "emulated", "mix", "mixed", "walk"]

Words = NDArray[np.uint64]

_HOST_BITS, _CHANNEL_BITS = 20, 12
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_TCP = 6
MAX_HOSTS, MAX_PARTS = 2**_HOST_BITS, 2**_CHANNEL_BITS
"""What a flow's word holds: hosts; channels and queues."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Flows: host numbers ``src`` and ``dst``, different in each, the ``channel`` and the ``queue``; equal lengths."""

    src: Index
    dst: Index
    channel: Index
    queue: Index

    @classmethod
    def of(cls, src: ArrayLike, dst: ArrayLike, channel: ArrayLike = 0, queue: ArrayLike = 0) -> Pairs:
        """``channel`` and ``queue`` may be one number for all. ValueError for a flow from a host to itself."""
        columns = np.broadcast_arrays(*(np.asarray(column, dtype=np.intp) for column in (src, dst, channel, queue)))
        made = cls(*(np.atleast_1d(column) for column in columns))
        if (made.src == made.dst).any():
            host = int(made.src[np.argmax(made.src == made.dst)])
            raise ValueError(f"a flow from host {host} to itself never leaves it: leave it out")
        return made

    @classmethod
    def of_keys(cls, tables: NextHops, keys: Sequence[FlowKey]) -> Pairs:
        """Of flows as the controller names them; their ports beyond the channel are for ``emulated`` to know."""
        numbers = {host: number for number, host in enumerate(tables.fabric.hosts)}
        src, dst = [numbers[key.src] for key in keys], [numbers[key.dst] for key in keys]
        return cls.of(src, dst, [key.channel for key in keys])

    def __len__(self) -> int:
        return len(self.src)


Hash = Callable[[NextHops, Pairs, Index, Index, Index], Index]
"""``pick(tables, pairs, which, switch, count)``: for each of the flows ``which`` of ``pairs``, at its ``switch``, a
number from 0 to below its ``count``."""


def walk(tables: NextHops, pairs: Pairs, pick: Hash) -> NDArray[np.int32]:
    """The flows' paths, ``rows[flow, hop]``, as link numbers filled up with -1, from NIC to NIC.

    RoutingError for a flow that has no way, or whose NIC's link is dead.
    """
    nic, last = _nic(tables, pairs.src, pairs.channel), _nic(tables, pairs.dst, pairs.channel)
    up, target = tables.up.reshape(-1).take(nic), tables.target.reshape(-1).take(last)
    down = tables.down.reshape(-1).take(last)
    tables.check_nics(up, down)
    at, goal = tables.head.take(up), tables.switch.take(target)
    columns, lengths = [up], np.ones(len(pairs), dtype=np.intp)
    width = tables.group.shape[1]
    while len(under_way := np.flatnonzero(at != goal)):
        everyone = len(under_way) == len(at)
        here, there = (at, target) if everyone else (at.take(under_way), target.take(under_way))
        group = tables.group.reshape(-1).take(here * width + there)
        link = tables.hops.take(tables.first.take(group) + _picks(tables, pairs, under_way, here, group, pick))
        if tables.dead and link.min() < 0:
            lost = int(np.argmin(link))
            tables.raise_no_way(int(here[lost]), int(there[lost]))
        if everyone:
            columns.append(link)
            at = tables.head.take(link)
        else:
            columns.append(np.full(len(pairs), -1, dtype=np.int32))
            columns[-1][under_way] = link
            at[under_way] = tables.head.take(link)
        lengths[under_way] += 1
    columns.append(np.full(len(pairs), -1, dtype=np.int32))
    rows = np.stack(columns)
    rows[lengths, np.arange(len(pairs))] = down
    return rows.T


def _nic(tables: NextHops, host: Index, channel: Index) -> Index:
    """Places in ``tables.up`` and the like, flat."""
    width = tables.up.shape[1]
    return host if width == 1 else host * width + channel % tables.nics.take(host)


def _picks(tables: NextHops, pairs: Pairs, which: Index, switch: Index, group: Index, pick: Hash) -> Index | int:
    """0 where there is no choice; hashing is what costs, so only those that choose are hashed."""
    count = tables.count.take(group)
    choosing = np.flatnonzero(count > 1)
    if len(choosing) == len(count):
        return pick(tables, pairs, which, switch, count)
    if not len(choosing):
        return 0
    picks = np.zeros(len(count), dtype=np.intp)
    picks[choosing] = pick(tables, pairs, which.take(choosing), switch.take(choosing), count.take(choosing))
    return picks


def mix(words: Words) -> Words:
    """Every bit of the answer depends on every bit of the word; one to one.

    The finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
    """
    words = (words ^ words >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ words >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return words ^ words >> np.uint64(31)


def seed_words(seed: ArrayLike) -> Words:
    """A word for each seed (0 and up), not to be told from chance."""
    return mix(mix(np.atleast_1d(np.asarray(seed, dtype=np.uint64)) * _GOLDEN + _GOLDEN) + _GOLDEN)


def below(words: Words, count: ArrayLike) -> Index:
    """Of uniform words, uniform numbers from 0 to below ``count`` (less than 2^31, and even to 1 part in 2^32)."""
    return ((words >> np.uint64(32)) * np.asarray(count, dtype=np.uint64) >> np.uint64(32)).astype(np.intp)


def mixed(pairs: Pairs, seed: ArrayLike = 0) -> Hash:
    """The quick hash; ``seed`` is one for all flows, or one for each (many draws at once, side by side).

    ValueError for more hosts, channels or queues than a flow's word holds.
    """
    if max(int(pairs.src.max(initial=0)), int(pairs.dst.max(initial=0))) >= MAX_HOSTS:
        raise ValueError(f"host numbers must be below {MAX_HOSTS}: a flow's word holds no more")
    if max(int(pairs.channel.max(initial=0)), int(pairs.queue.max(initial=0))) >= MAX_PARTS:
        raise ValueError(f"channels and queues must be below {MAX_PARTS}: a flow's word holds no more")
    word = (pairs.src << _HOST_BITS | pairs.dst) << _CHANNEL_BITS | pairs.channel
    flow = mix((word << _CHANNEL_BITS | pairs.queue).astype(np.uint64) ^ seed_words(seed))

    def pick(_: NextHops, __: Pairs, which: Index, switch: Index, count: Index) -> Index:
        chosen = flow if len(which) == len(flow) else flow.take(which)
        return below(mix(chosen ^ (switch + 1).astype(np.uint64) * _GOLDEN), count)

    return pick


def emulated(seed: int, src_port: ArrayLike | None = None, dst_port: ArrayLike | None = None) -> Hash:
    """The hash of ``policy("ecmp:seed=...")``: keyed BLAKE2b of datapath id and 5-tuple, as ``routing.ecmp`` has it.

    TCP ports are those of hosts with one rank each if not given; a queue is no part of a 5-tuple and makes no
    difference. Some 1 us a flow and choice: fifty times as slow as ``mixed``.
    """
    again = blake2b(digest_size=8, key=seed.to_bytes(8, "big")).copy

    def pick(tables: NextHops, pairs: Pairs, which: Index, switch: Index, count: Index) -> Index:
        connect = CONNECT_PORT + pairs.channel % MAX_CHANNELS if src_port is None else np.asarray(src_port)
        listen = np.full(len(pairs), LISTEN_PORT) if dst_port is None else np.asarray(dst_port)
        messages = np.empty((len(which), 21), dtype=np.uint8)
        messages[:, :8] = _big_endian(switch + 1, ">u8")
        messages[:, 8:12] = _addresses(tables, pairs.src[which], pairs.channel[which])
        messages[:, 12:16] = _addresses(tables, pairs.dst[which], pairs.channel[which])
        messages[:, 16] = _TCP
        messages[:, 17:19] = _big_endian(connect[which], ">u2")
        messages[:, 19:21] = _big_endian(listen[which], ">u2")
        drawn = []
        for message in messages.view("V21").reshape(-1).tolist():
            hashed = again()
            hashed.update(message)
            drawn.append(hashed.digest())
        numbers = np.frombuffer(b"".join(drawn), dtype=">u8").astype(np.uint64)
        return (numbers % count.astype(np.uint64)).astype(np.intp)

    return pick


def _addresses(tables: NextHops, host: Index, channel: Index) -> NDArray[np.uint8]:
    """As ``topologies.addressing`` has them: 10, NIC times 16 and the host's number, which counts from 1."""
    nic = channel % tables.nics.take(host)
    return _big_endian((10 << 24) + (nic << 20) + host + 1, ">u4")


def _big_endian(values: Index, kind: str) -> NDArray[np.uint8]:
    wide = np.ascontiguousarray(values.astype(kind))
    return wide.view(np.uint8).reshape(len(values), wide.itemsize)
