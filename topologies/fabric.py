"""Fabric: hosts, switches and the links between them, with ports, rates and latencies.

A fabric is data. It states the nominal thing (100 Gb/s, 1 us); an emulation may run it slower (time dilation),
a simulation may run it as it is. Everything else of ringlab reads this description.

Theory of operation. A *port* is a place on a node, numbered from 1 in the order in which cables were plugged in.
A *link* is a cable between two ports and carries its rate in each direction at once (full duplex). A *directed*
link is named by the port a packet leaves by, its egress port; so a path is a tuple of ports, the load of a fabric
is a mapping from port to bytes, and parallel links between two nodes need no special case.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import networkx as nx

MAX_LATENCY_S = 10.0


class FabricError(ValueError):
    """A fabric that can't be: says what is wrong, and where."""


@dataclass(frozen=True, slots=True, order=True)
class Port:
    """Port ``number`` (from 1) of ``node``; also the directed link that leaves by it."""

    node: str
    number: int

    def __str__(self) -> str:
        return f"{self.node}:{self.number}"


@dataclass(frozen=True, slots=True)
class Cable:
    """What a generator or a file says of a link, before ports are numbered."""

    a: str
    b: str
    rate_bps: int
    latency_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Link:
    """A full-duplex link between ports ``a`` and ``b``, ``rate_bps`` each way, ``latency_s`` one way."""

    name: str
    a: Port
    b: Port
    rate_bps: int
    latency_s: float

    def other(self, port: Port) -> Port:
        return self.b if port == self.a else self.a


@dataclass(frozen=True)
class Fabric:
    """Hosts, switches and links, validated; the order of each is part of the fabric (addresses follow it).

    Build one with a generator (``leaf_spine(...)``), with ``formats.load`` or with ``Fabric.cabled``.
    """

    name: str
    hosts: tuple[str, ...]
    switches: tuple[str, ...]
    links: tuple[Link, ...]

    def __post_init__(self) -> None:
        _check_nodes(self)
        _check_links(self)
        _check_reach(self)

    @classmethod
    def cabled(cls, name: str, hosts: Iterable[str], switches: Iterable[str], cables: Iterable[Cable]) -> Fabric:
        """A fabric from cables, ports numbered from 1 on each node in the order of ``cables``.

        Raises FabricError for unknown or doubled nodes, loops, rates or latencies out of range, a host without
        a link, and a fabric in several pieces.
        """
        used: dict[str, int] = {}
        seen: dict[frozenset[str], int] = {}

        def plug(node: str) -> Port:
            used[node] = used.get(node, 0) + 1
            return Port(node, used[node])

        links = []
        for cable in cables:
            pair = frozenset((cable.a, cable.b))
            seen[pair] = seen.get(pair, 0) + 1
            copy = f"#{seen[pair]}" if seen[pair] > 1 else ""
            links.append(
                Link(f"{cable.a}-{cable.b}{copy}", plug(cable.a), plug(cable.b), cable.rate_bps, cable.latency_s)
            )
        return cls(name, tuple(hosts), tuple(switches), tuple(links))

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """Hosts, then switches."""
        return self.hosts + self.switches

    @cached_property
    def _link_at(self) -> Mapping[Port, Link]:
        return {port: link for link in self.links for port in (link.a, link.b)}

    @cached_property
    def _ports_of(self) -> Mapping[str, tuple[Port, ...]]:
        ports: dict[str, list[Port]] = {node: [] for node in self.nodes}
        for port in self._link_at:
            ports[port.node].append(port)
        return {node: tuple(sorted(found)) for node, found in ports.items()}

    @cached_property
    def _switch_set(self) -> frozenset[str]:
        return frozenset(self.switches)

    @cached_property
    def graph(self) -> nx.MultiGraph[str]:
        """The undirected multigraph: node attribute ``kind``; edge key and attribute ``link``."""
        graph: nx.MultiGraph[str] = nx.MultiGraph(name=self.name)
        graph.add_nodes_from(self.hosts, kind="host")
        graph.add_nodes_from(self.switches, kind="switch")
        for link in self.links:
            graph.add_edge(link.a.node, link.b.node, key=link.name, link=link)
        return graph

    @cached_property
    def leaves(self) -> frozenset[str]:
        """The switches that hosts are plugged into."""
        return frozenset(self.peer(port).node for host in self.hosts for port in self._ports_of[host])

    def is_switch(self, node: str) -> bool:
        return node in self._switch_set

    def ports(self, node: str) -> tuple[Port, ...]:
        """The node's ports in order of their numbers."""
        return self._ports_of[node]

    def directed_links(self) -> Iterator[Port]:
        """Every egress port of the fabric, link by link, both directions."""
        for link in self.links:
            yield link.a
            yield link.b

    def link(self, port: Port) -> Link:
        return self._link_at[port]

    def peer(self, port: Port) -> Port:
        """The port at the other end of the cable."""
        return self._link_at[port].other(port)

    def rate_bps(self, port: Port) -> int:
        return self._link_at[port].rate_bps

    def direction(self, port: Port) -> str:
        """The directed link's name for people: ``leaf1->spine2`` (``leaf1->spine2#2`` where cables are parallel)."""
        name = self._link_at[port].name
        copy = name[name.index("#") :] if "#" in name else ""
        return f"{port.node}->{self.peer(port).node}{copy}"

    def rail(self, host: str, channel: int) -> int:
        """Which of the host's NICs (from 0) the flows of ``channel`` use: they take turns, as NCCL's channels do."""
        return channel % len(self._ports_of[host])

    def nic(self, host: str, channel: int = 0) -> Port:
        """The host's port that flows of ``channel`` leave by."""
        return self._ports_of[host][self.rail(host, channel)]

    def attachment(self, host: str, channel: int = 0) -> Port:
        """The switch port that the NIC of ``channel`` is plugged into."""
        return self.peer(self.nic(host, channel))


def _check_nodes(fabric: Fabric) -> None:
    if not fabric.hosts:
        raise FabricError(f"fabric {fabric.name!r} has no hosts: give it at least two")
    seen: set[str] = set()
    for node in fabric.nodes:
        if node in seen:
            raise FabricError(f"node {node!r} is named twice: every host and switch needs a name of its own")
        if not (node.isascii() and node.replace("-", "").replace("_", "").isalnum() and node[0].isalpha()):
            raise FabricError(f"node name {node!r}: use ASCII letters, digits, - and _, a letter first")
        seen.add(node)


def _check_links(fabric: Fabric) -> None:
    known = set(fabric.nodes)
    at: set[Port] = set()
    for link in fabric.links:
        for port in (link.a, link.b):
            if port.node not in known:
                raise FabricError(f"link {link.name}: {port.node!r} is neither a host nor a switch of this fabric")
            if port in at:
                raise FabricError(f"link {link.name}: port {port} already has a cable")
            at.add(port)
        _check_figures(link)


def _check_figures(link: Link) -> None:
    if link.a.node == link.b.node:
        raise FabricError(f"link {link.name}: joins {link.a.node!r} with itself")
    if link.rate_bps <= 0:
        raise FabricError(f"link {link.name}: rate {link.rate_bps} b/s must be above 0")
    if not 0 <= link.latency_s < MAX_LATENCY_S:
        raise FabricError(f"link {link.name}: latency {link.latency_s} s must be from 0 to {MAX_LATENCY_S:g} s")


def _check_reach(fabric: Fabric) -> None:
    for host in fabric.hosts:
        if not fabric.ports(host):
            raise FabricError(f"host {host!r} has no link: plug it into a switch")
        for port in fabric.ports(host):
            if not fabric.is_switch(fabric.peer(port).node):
                raise FabricError(f"link {fabric.link(port).name}: joins two hosts; hosts plug into switches")
    if not nx.is_connected(fabric.graph):
        pieces = sorted(sorted(piece) for piece in nx.connected_components(fabric.graph))
        raise FabricError(
            f"fabric {fabric.name!r} is in {len(pieces)} pieces: {pieces[1][0]!r} cannot reach {pieces[0][0]!r}"
        )
