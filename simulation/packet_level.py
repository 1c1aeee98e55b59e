"""Figures of packet-level simulators, and the constants with which the flow model says the same.

The figures were made with htsim: ``htsim_roce`` of csg-htsim (RoCEv2 with PFC) and ``htsim_uec`` of uet-htsim (UEC with
NSCC), on leaf-spine fabrics of n leaves x n spines x n hosts a leaf, every link 100 Gb/s and 1 us. They are numbers
only; no code of theirs is here. A 256-host ring took 443 and 650 seconds of a processor to make.

Theory of operation. Two constants a transport. Packets are of one size on these simulators' wires, so a message is
padded to whole ones. And a message is through when its sender has the acknowledgement: that costs ``hop_s`` for each
link of its way, which is 2 us there and back and about one packet that a switch takes in whole before it sends it on
(0.72 us of 9,000 bytes). Fitted to nothing but the sorted rings, where no two flows meet; with them the model says

    ring of N hosts, sorted:  max over chains of the sum over its 2N - 1 sends of (padded chunk / rate + hops * hop_s)
    permutation:              load of the fullest link * padded message / rate + 4 * hop_s

The ring is htsim's ``gen_allreduce.py``: N *chains* of 2N - 1 sends (one more than needed), each send a new flow that
begins when the one before is acknowledged. It is not how NCCL or our sockets run a ring: theirs is a relay, whose
latency hides behind the bytes (``collective.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from simulation.replay import Flows

RATE_BPS = 100e9
CROSSING_HOPS, LOCAL_HOPS = 4, 2
"""Links from host to host over a spine, and under one leaf."""


@dataclass(frozen=True, slots=True)
class Transport:
    """``packet_nbytes`` of payload in each packet, the last one padded; ``hop_s`` a link, there and back."""

    name: str
    packet_nbytes: int
    hop_s: float

    def padded(self, nbytes: int) -> int:
        return -(-nbytes // self.packet_nbytes) * self.packet_nbytes

    def moved_s(self, nbytes: int) -> float:
        """Time of a message alone, without its acknowledgement."""
        return 8 * self.padded(nbytes) / RATE_BPS


ROCE = Transport("RoCE", 9000, 2.75e-6)
UEC = Transport("UEC", 4086, 2.5e-6)


@dataclass(frozen=True, slots=True)
class Ring:
    """All-reduce of 64 MiB over a sorted ring. ``packet_s`` is htsim's answer, None where it would take it a day.

    ``flow_s`` is what an earlier prototype of the flow model answered: ours must be the same.
    """

    hosts: int
    transport: Transport
    packet_s: float | None
    flow_s: float

    @property
    def side(self) -> int:
        """Leaves, spines, and hosts a leaf."""
        return isqrt(self.hosts)

    @property
    def chunk_nbytes(self) -> int:
        return RING_NBYTES // self.hosts


RING_NBYTES = 64 << 20
RINGS = (
    Ring(16, ROCE, 10_774e-6, 10_638e-6),
    Ring(16, UEC, 10_784e-6, 10_602e-6),
    Ring(64, ROCE, 11_594e-6, 11_485e-6),
    Ring(64, UEC, 11_508e-6, 11_384e-6),
    Ring(256, ROCE, 14_076e-6, 14_024e-6),
    Ring(256, UEC, 13_378e-6, 13_572e-6),
    Ring(1024, ROCE, None, 23_401e-6),
    Ring(1024, UEC, None, 21_930e-6),
)


@dataclass(frozen=True, slots=True)
class Shuffled:
    """The same all-reduce, neighbours on leaves at random, each send hashed anew.

    ``packet_s`` is the least and the most of some runs.
    """

    hosts: int
    transport: Transport
    packet_s: tuple[float, float]


SHUFFLED_RINGS = (
    Shuffled(16, ROCE, (27_220e-6, 27_535e-6)),
    Shuffled(16, UEC, (26_413e-6, 26_413e-6)),
    Shuffled(64, ROCE, (29_909e-6, 32_123e-6)),
    Shuffled(64, UEC, (29_328e-6, 29_328e-6)),
)


@dataclass(frozen=True, slots=True)
class Permutation:
    """Each host sends ``nbytes`` to another, none to itself: the last flow's end, hashed and sprayed.

    ``spray_s`` of UEC: oblivious and mixed; none for RoCE, which can't.
    """

    hosts: int
    transport: Transport
    nbytes: int
    ecmp_s: float
    spray_s: tuple[float, ...] = ()


PERMUTATION_NBYTES = 16 << 20
PERMUTATIONS = (
    Permutation(16, ROCE, PERMUTATION_NBYTES, 4_067e-6),
    Permutation(16, UEC, PERMUTATION_NBYTES, 4_120e-6, (1_664e-6, 1_537e-6)),
    Permutation(64, ROCE, PERMUTATION_NBYTES, 5_593e-6),
    Permutation(64, UEC, PERMUTATION_NBYTES, 5_470e-6, (1_584e-6, 1_565e-6)),
    Permutation(256, ROCE, PERMUTATION_NBYTES, 7_479e-6),
    Permutation(256, UEC, PERMUTATION_NBYTES, 6_828e-6, (1_606e-6, 1_579e-6)),
    Permutation(1024, ROCE, PERMUTATION_NBYTES, 7_956e-6),
    Permutation(1024, UEC, PERMUTATION_NBYTES, 9_574e-6, (1_597e-6, 1_546e-6)),
)

ERRORS: dict[str, tuple[float, float]] = {"RoCE": (-0.165, -0.007), "UEC": (-0.062, -0.015)}
"""Of the flow model's completion against htsim's on the same ways: 9 permutations each, of 16, 64 and 256 hosts."""


def ring_chains(order: NDArray[np.int64], spine: NDArray[np.int64], chunk_nbytes: int, transport: Transport) -> Flows:
    """The ring of htsim over ``order`` (hosts, side * side of them): chain c begins at its c-th host.

    ``spine[c, send]`` is the spine that a send crosses, if it must. Links as ``ring_capacity`` counts them.
    """
    hosts, side = len(order), isqrt(len(order))
    sends = 2 * hosts - 1
    edge = (np.arange(hosts)[:, None] + np.arange(sends)) % hosts
    src, dst = order[edge], order[(edge + 1) % hosts]
    leaf, other = src // side, dst // side
    crosses = leaf != other
    up, down = 2 * hosts + leaf * side + spine, 2 * hosts + side * side + other * side + spine
    rows = np.stack([src, np.where(crosses, up, -1), np.where(crosses, down, -1), hosts + dst], axis=-1).reshape(-1, 4)
    lag_s = transport.hop_s * np.where(crosses, CROSSING_HOPS, LOCAL_HOPS).reshape(-1)
    first = np.zeros(hosts * sends, dtype=np.bool_)
    first[::sends] = True
    return Flows(
        rows,
        np.ones(rows.shape),
        np.full(hosts * sends, 8.0 * transport.padded(chunk_nbytes)),
        lag_s,
        np.concatenate([[0], np.cumsum(~first)]),
        np.flatnonzero(~first) - 1,
    )


def ring_capacity(hosts: int) -> NDArray[np.float64]:
    """Hosts up, hosts down, leaves up (by leaf and spine), leaves down (by leaf and spine)."""
    return np.full(4 * hosts, RATE_BPS)


def sorted_ring_s(ring: Ring) -> float:
    """The ring in closed form: no two of its flows meet, and one edge of ``side`` crosses."""
    sends = 2 * ring.hosts - 1
    crossings = -(-sends // ring.side)
    hops = LOCAL_HOPS * (sends - crossings) + CROSSING_HOPS * crossings
    return sends * ring.transport.moved_s(ring.chunk_nbytes) + hops * ring.transport.hop_s


def permutation_s(nbytes: int, transport: Transport, load: float = 1.0) -> float:
    """The last flow's end, where the fullest link has ``load`` flows: all have one size, so one count is enough."""
    return load * transport.moved_s(nbytes) + CROSSING_HOPS * transport.hop_s
