"""The equal-cost next hops towards a switch, by number of hops: the map that the policies choose from.

A flow leaves and arrives by the NICs that its channel uses; every policy's path is the one's link, a walk over
switches, and the other's link. Links named in ``dead`` carry nothing and are left out everywhere.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from controller.routing.errors import RoutingError
from topologies.addressing import host_index
from topologies.fabric import Fabric, Port
from topologies.traffic import FlowKey, Path

Trunks = Mapping[str, tuple[tuple[Port, str], ...]]
"""For every switch: its ports to other switches with the switch at the other end, in order of port numbers."""


class NextHops:
    """Next hops of one fabric without its ``dead`` links, found once for each target switch and remembered."""

    def __init__(self, fabric: Fabric, dead: frozenset[str] = frozenset()) -> None:
        self.fabric = fabric
        self.dead = dead
        self._trunks = trunks(fabric, dead)
        self._towards: dict[str, Mapping[str, tuple[Port, ...]]] = {}

    def towards(self, target: str) -> Mapping[str, tuple[Port, ...]]:
        """For every switch but ``target``: its ports on shortest ways there, in order of their numbers."""
        if target not in self._towards:
            self._towards[target] = self._search(target)
        return self._towards[target]

    def _search(self, target: str) -> dict[str, tuple[Port, ...]]:
        hops = distances(self._trunks, [target])
        return {
            switch: tuple(port for port, peer in ports if hops.get(peer, hops[switch]) < hops[switch])
            for switch, ports in self._trunks.items()
            if switch != target and switch in hops
        }

    def choices(self, switch: str, target: str) -> tuple[Port, ...]:
        """The ports of ``switch`` on shortest ways to ``target``. RoutingError where there is no way."""
        ports = self.towards(target).get(switch)
        if not ports:
            raise no_way(switch, target, self.dead)
        return ports

    def walks(self, source: str, target: str, limit: int) -> list[tuple[Port, ...]]:
        """The first ``limit`` shortest ways from switch to switch, as the ports they leave by; [()] where equal."""
        return list(islice(self._walk(source, target), limit))

    def _walk(self, source: str, target: str) -> Iterator[tuple[Port, ...]]:
        """Depth first without recursion: the ways of a long ring are longer than Python's stack."""
        walk: list[Port] = []
        open_choices = [iter(self.choices(source, target))] if source != target else []
        if source == target:
            yield ()
        while open_choices:
            port = next(open_choices[-1], None)
            if port is None:
                open_choices.pop()
                del walk[-1:]
            elif (switch := self.fabric.peer(port).node) == target:
                yield (*walk, port)
            else:
                walk.append(port)
                open_choices.append(iter(self.choices(switch, target)))


def trunks(fabric: Fabric, dead: frozenset[str] = frozenset()) -> Trunks:
    return {
        switch: tuple(
            (port, fabric.peer(port).node)
            for port in fabric.ports(switch)
            if fabric.is_switch(fabric.peer(port).node) and fabric.link(port).name not in dead
        )
        for switch in fabric.switches
    }


def distances(trunks: Trunks, sources: Iterable[str]) -> dict[str, int]:
    """Links from the nearest of ``sources`` to each switch that can be reached."""
    hops = dict.fromkeys(sources, 0)
    queue = deque(hops)
    while queue:
        switch = queue.popleft()
        for _, peer in trunks[switch]:
            if peer not in hops:
                hops[peer] = hops[switch] + 1
                queue.append(peer)
    return hops


def ends(fabric: Fabric, key: FlowKey, dead: frozenset[str] = frozenset()) -> tuple[str, str]:
    """The switches that the flow's NICs are plugged into.

    RoutingError for a flow that never leaves its host, or whose NIC's link is dead: the addresses name the NICs, so
    no switch can send it by another one.
    """
    if key.src == key.dst:
        raise RoutingError(f"flow {key}: src and dst are both {key.src!r}; such a flow never leaves its host")
    for host in (key.src, key.dst):
        if host not in fabric.graph or fabric.is_switch(host):
            host_index(fabric, host)  # raises, and says which hosts there are
    for nic in (fabric.nic(key.src, key.channel), fabric.nic(key.dst, key.channel)):
        if fabric.link(nic).name in dead:
            raise RoutingError(
                f"flow {key}: {nic.node!r} is cut off while {fabric.link(nic).name} is dead: bring it up"
            )
    return fabric.attachment(key.src, key.channel).node, fabric.attachment(key.dst, key.channel).node


def no_way(source: str, target: str, dead: frozenset[str] = frozenset()) -> RoutingError:
    """The error for two switches that nothing joins; it names the dead links (the first ten), which may be why."""
    if not dead:
        return RoutingError(f"no way over switches from {source!r} to {target!r}: cable them")
    named = ", ".join(sorted(dead)[:10]) + (f" and {len(dead) - 10} more" if len(dead) > 10 else "")
    one = len(dead) == 1
    return RoutingError(
        f"no way over switches from {source!r} to {target!r} while {named} {'is' if one else 'are'} dead: "
        f"bring {'it' if one else 'one'} up"
    )


def host_to_host(fabric: Fabric, key: FlowKey, walk: Iterable[Port]) -> Path:
    """The flow's whole path, given the ports that it leaves switches by on the way to the last switch."""
    return Path((fabric.nic(key.src, key.channel), *walk, fabric.attachment(key.dst, key.channel)))
