"""The equal-cost next hops of a whole fabric as arrays, so that a hundred thousand flows walk it at once.

Theory of operation. A *target* is a switch that hosts are plugged into. For every switch and target the next hops are
the links to switches that are a hop nearer, in the order of port numbers: those of ``controller.routing.next_hops``,
found breadth first. Most switches have few different sets of them (a leaf: all its spines, or none), so each set, a
*group*, is kept once, and ``group[switch, target]`` tells which. Groups 0 and 1 are empty: there already, and no way.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from controller.routing.errors import RoutingError
from controller.routing.layout import once_a_fabric
from controller.routing.next_hops import no_way
from simulation.links import Links
from topologies.fabric import Fabric, FabricError

Index = NDArray[np.intp]

ARRIVED, NO_WAY = 0, 1
MAX_PAIRS = 2**27
"""Of a switch and a target: half a gigabyte. (A fat-tree of 10,000 hosts has 835,000, a torus of 10,000 has 2^26.6.)"""

_TARGETS_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class NextHops:
    """Hosts and switches have the numbers of their places in ``fabric.hosts`` and ``fabric.switches``.

    ``up[host, nic]`` and ``down[host, nic]`` are the links to and from the NIC's switch, which is target
    ``target[host, nic]``; ``nics[host]`` is how many there are. ``switch[target]`` is that target's switch. Group g's
    next hops are ``hops[first[g]:first[g] + count[g]]``, link numbers; ``head[link]`` is the switch that a link leads
    to (-1: a host). Equal cost is an equal number of hops: latencies and rates have no part in it.
    """

    fabric: Fabric
    dead: frozenset[str]
    links: Links
    nics: Index
    up: NDArray[np.int32]
    down: NDArray[np.int32]
    target: Index
    switch: Index
    group: NDArray[np.int32]
    first: Index
    count: Index
    hops: NDArray[np.int32]
    head: Index

    @classmethod
    def of(cls, fabric: Fabric, dead: frozenset[str] = frozenset()) -> NextHops:
        """Of ``fabric`` without its ``dead`` links (names); found once a fabric where none is dead.

        FabricError where switches times leaves are more than ``MAX_PAIRS``.
        """
        return _whole(fabric) if not dead else _tables(fabric, dead)

    @cached_property
    def of_hosts(self) -> Index:
        """The links to and from hosts."""
        return np.unique(np.concatenate([self.up[self.up >= 0], self.down[self.down >= 0]])).astype(np.intp)

    @cached_property
    def _dead_of_hosts(self) -> list[int]:
        return [link for link in self.of_hosts.tolist() if self.fabric.link(self.links.ports[link]).name in self.dead]

    def check_nics(self, *links: NDArray[np.int32]) -> None:
        """RoutingError where one of ``links``, which flows leave and reach their hosts by, is dead."""
        for some in links if self.dead and self._dead_of_hosts else ():
            lost = np.isin(some, self._dead_of_hosts)
            if lost.any():
                name = self.fabric.link(self.links.ports[int(some[np.argmax(lost)])]).name
                raise RoutingError(f"a flow leaves or arrives by {name}, which is dead: bring it up")

    def raise_no_way(self, switch: int, target: int) -> None:
        """RoutingError: nothing joins the two any more."""
        names = self.fabric.switches
        raise no_way(names[switch], names[self.switch[target]], self.dead)


@once_a_fabric
def _whole(fabric: Fabric) -> NextHops:
    return _tables(fabric, frozenset())


def _tables(fabric: Fabric, dead: frozenset[str]) -> NextHops:
    links = Links.of(fabric)
    switches = {name: number for number, name in enumerate(fabric.switches)}
    head = np.array([switches.get(fabric.peer(port).node, -1) for port in links.ports], dtype=np.intp)
    nics = np.array([len(fabric.ports(host)) for host in fabric.hosts], dtype=np.intp)
    up = np.full((len(nics), nics.max()), -1, dtype=np.int32)
    for host, row in zip(fabric.hosts, up, strict=True):
        ports = fabric.ports(host)
        row[: len(ports)] = [links.number[port] for port in ports]
    switch, target = np.unique(head[up], return_inverse=True)
    target = target.reshape(up.shape)
    if up.min() < 0:  # hosts with fewer NICs than others: what fills their rows is no target
        switch, target[up >= 0] = np.unique(head[up[up >= 0]], return_inverse=True)
        target[up < 0] = -1
    if len(switches) * len(switch) > MAX_PAIRS:
        raise FabricError(
            f"fabric {fabric.name!r}: next hops of {len(switches)} switches to {len(switch)} leaves are more than "
            f"{MAX_PAIRS} sets: take a smaller fabric"
        )
    group, first, count, hops = _groups(*_trunks(fabric, links, switches, dead), head, switch, len(switches))
    down = np.where(up >= 0, up ^ 1, -1).astype(np.int32)
    return NextHops(fabric, dead, links, nics, up, down, target, switch, group, first, count, hops, head)


def _trunks(fabric: Fabric, links: Links, switches: dict[str, int], dead: frozenset[str]) -> tuple[Index, Index]:
    """Links between switches, switch by switch in the order of ports, and the switch that each leaves."""
    found = [
        (links.number[port], tail)
        for name, tail in switches.items()
        for port in fabric.ports(name)
        if fabric.peer(port).node in switches and fabric.link(port).name not in dead
    ]
    numbers, tails = np.array(found, dtype=np.intp).reshape(-1, 2).T
    return numbers, tails


def _groups(
    numbers: Index, tails: Index, head: Index, switch: Index, num_switches: int
) -> tuple[NDArray[np.int32], Index, Index, NDArray[np.int32]]:
    heads = head[numbers]
    far = _distances(tails, heads, switch, num_switches)
    bounds = np.searchsorted(tails, np.arange(num_switches + 1))
    group = np.full((num_switches, len(switch)), NO_WAY, dtype=np.int32)
    count, hops, next_group = [np.zeros(2, dtype=np.intp)], [], 2
    for number in range(num_switches):
        mine = slice(bounds[number], bounds[number + 1])
        sets, which = _different(far[:, heads[mine]] < far[:, [number]])
        count.append(sets.sum(axis=1))
        hops.append(numbers[mine][np.nonzero(sets)[1]])
        names = np.where(count[-1] > 0, next_group + np.arange(len(sets)), NO_WAY)
        group[number] = names[which]
        next_group += len(sets)
    group[switch, np.arange(len(switch))] = ARRIVED
    counts = np.concatenate(count)
    flat = np.concatenate([*hops, np.full(1, -1)]).astype(np.int32)  # one more, for those that have arrived
    first = np.cumsum(counts) - counts
    first[[ARRIVED, NO_WAY]] = len(flat) - 1
    return group, first, counts, flat


def _distances(tails: Index, heads: Index, switch: Index, num_switches: int) -> NDArray[np.signedinteger[Any]]:
    """``far[target, switch]``: hops; more than there are switches where there is no way."""
    shape = num_switches, num_switches
    graph = csr_array((np.ones(len(tails)), (heads, tails)), shape=shape)  # towards the target, so from their heads
    small = np.int16 if num_switches < np.iinfo(np.int16).max else np.int32
    far = np.full((len(switch), num_switches), num_switches + 1, dtype=small)
    for start in range(0, len(switch), _TARGETS_AT_ONCE):
        some = slice(start, start + _TARGETS_AT_ONCE)
        found = dijkstra(graph, unweighted=True, indices=switch[some])
        np.copyto(far[some], found, where=np.isfinite(found), casting="unsafe")
    return far


def _different(rows: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], Index]:
    """The different rows, and which of them each row is."""
    packed = np.packbits(rows, axis=1)
    code = np.zeros(len(rows), dtype=np.int64)
    for byte in range(packed.shape[1]):
        code = np.unique(code << 8 | packed[:, byte], return_inverse=True)[1]
    _, first, which = np.unique(code, return_index=True, return_inverse=True)
    return rows[first], which
