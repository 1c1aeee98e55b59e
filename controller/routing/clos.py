"""Clos: recognises folded Clos fabrics of two tiers (leaf-spine) and of three (fat tree) by their cables alone.

Theory of operation. Leaves have hosts, and as many links to each switch above them, of one rate. In two tiers the
switches above are the spines. In three, a *pod* is the leaves and aggregation switches that hang together, and a
*plane* the aggregation switches, one of each pod, that hang together by cores; every aggregation switch has as many
links to each core of its plane, of one rate. A flow's *colour* is its uplink at the leaf, numbered alike on all
leaves: it fixes the spine, or the plane. A *core colour* is the uplink at the aggregation switch, and fixes the core.
The way down is the same links' other directions, so two numbers fix a path.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from controller.routing.layout import layout, once_a_fabric
from controller.routing.next_hops import Trunks, distances, trunks
from topologies.fabric import Fabric

Uplinks = Mapping[int, tuple[int, ...]]
"""By switch number: the numbers of its links up, in the order of colours."""


@dataclass(frozen=True, slots=True)
class Clos:
    """``leaf_uplinks[leaf][colour]`` and ``core_uplinks[pod, plane][core colour]`` are link numbers; the link down is
    the number ``^ 1``. ``pod[leaf]``; ``parallel`` leaf links go to each switch above. Two tiers are one pod.
    """

    leaf_uplinks: Uplinks
    core_uplinks: Mapping[tuple[int, int], tuple[int, ...]]
    pod: Mapping[int, int]
    parallel: int

    @property
    def width(self) -> int:
        """Uplinks of a leaf."""
        return len(next(iter(self.leaf_uplinks.values())))

    @property
    def core_width(self) -> int:
        """Uplinks of an aggregation switch; 0 in two tiers."""
        return len(next(iter(self.core_uplinks.values()), ()))

    def walks(
        self, ends: Sequence[tuple[int, int]], colours: Sequence[int], core_colours: Sequence[int]
    ) -> list[tuple[int, ...]]:
        """The links from leaf to leaf for each pair ``ends``; core colours count only between pods."""
        ups, pod = self.leaf_uplinks, self.pod
        return [
            (ups[source][colour], ups[target][colour] ^ 1)
            if pod[source] == pod[target]
            else (ups[source][colour], *self._over_core(pod[source], pod[target], colour, top), ups[target][colour] ^ 1)
            for (source, target), colour, top in zip(ends, colours, core_colours, strict=True)
        ]

    def _over_core(self, source: int, target: int, colour: int, core_colour: int) -> tuple[int, int]:
        plane = colour // self.parallel
        return self.core_uplinks[source, plane][core_colour], self.core_uplinks[target, plane][core_colour] ^ 1


@once_a_fabric
def clos(fabric: Fabric) -> Clos | None:
    """The fabric as a Clos of two or three tiers, or None if it is none."""
    neighbours = trunks(fabric)
    leaves = [switch for switch in fabric.switches if switch in fabric.leaves]
    tier = distances(neighbours, leaves)
    if max(tier.values()) not in (1, 2) or any(_same_tier(tier, neighbours)):
        return None
    if max(tier.values()) == 1:
        return _two_tiers(fabric, leaves, neighbours)
    pods = _pieces([switch for switch in fabric.switches if tier[switch] < 2], neighbours)
    planes = _pieces([switch for switch in fabric.switches if tier[switch] > 0], neighbours)
    return _three_tiers(fabric, tier, pods, planes, neighbours)


def _two_tiers(fabric: Fabric, leaves: list[str], neighbours: Trunks) -> Clos | None:
    spines = [switch for switch in fabric.switches if switch not in set(leaves)]
    uplinks = _uplinks(fabric, leaves, spines, neighbours)
    if uplinks is None or not _one_rate(fabric, uplinks):
        return None
    numbers = layout(fabric).switches
    by_leaf = {numbers[leaf]: links for leaf, links in zip(leaves, uplinks, strict=True)}
    return Clos(by_leaf, {}, dict.fromkeys(by_leaf, 0), len(uplinks[0]) // len(spines))


def _three_tiers(
    fabric: Fabric, tier: Mapping[str, int], pods: list[list[str]], planes: list[list[str]], neighbours: Trunks
) -> Clos | None:
    plane_of = {switch: place for place, plane in enumerate(planes) for switch in plane}
    numbers = layout(fabric).switches
    leaf_uplinks: dict[int, tuple[int, ...]] = {}
    core_uplinks: dict[tuple[int, int], tuple[int, ...]] = {}
    pod_of: dict[int, int] = {}
    for place, pod in enumerate(pods):
        leaves = [switch for switch in pod if tier[switch] == 0]
        above = sorted((switch for switch in pod if tier[switch] == 1), key=lambda switch: plane_of[switch])
        if [plane_of[switch] for switch in above] != list(range(len(planes))):
            return None  # not one of each plane
        uplinks = _uplinks(fabric, leaves, above, neighbours)
        if uplinks is None:
            return None
        leaf_uplinks.update({numbers[leaf]: links for leaf, links in zip(leaves, uplinks, strict=True)})
        pod_of.update({numbers[leaf]: place for leaf in leaves})
        for number, switch in enumerate(above):
            cores = [core for core in planes[number] if tier[core] == 2]
            tops = _uplinks(fabric, [switch], cores, neighbours)
            if tops is None:
                return None
            core_uplinks[place, number] = tops[0]
    if not (_one_rate(fabric, leaf_uplinks.values()) and _one_rate(fabric, core_uplinks.values())):
        return None
    return Clos(leaf_uplinks, core_uplinks, pod_of, len(next(iter(leaf_uplinks.values()))) // len(planes))


def _same_tier(tier: Mapping[str, int], neighbours: Trunks) -> Iterable[bool]:
    """For each link whether it joins two switches of one tier, or skips one."""
    return (abs(tier[a] - tier[b]) != 1 for a, ports in neighbours.items() for _, b in ports)


def _uplinks(
    fabric: Fabric, below: Collection[str], above: list[str], neighbours: Trunks
) -> list[tuple[int, ...]] | None:
    """The link numbers up from each of ``below``, in the order of ``above``; None unless all have as many to each."""
    order = {switch: place for place, switch in enumerate(above)}
    number = layout(fabric).number
    found = []
    for switch in below:
        ups = [(order[peer], port) for port, peer in neighbours[switch] if peer in order]
        found.append(tuple(number[port] for _, port in sorted(ups)))
        counts: dict[int, int] = defaultdict(int)
        for place, _ in ups:
            counts[place] += 1
        if len(counts) != len(above) or len(set(counts.values())) != 1:
            return None
    return found if len({len(links) for links in found}) == 1 else None


def _one_rate(fabric: Fabric, uplinks: Iterable[tuple[int, ...]]) -> bool:
    """Whether all these links have one rate, and each switch as many."""
    rates = layout(fabric).rate_bps
    links = list(uplinks)
    return len({len(ups) for ups in links}) == 1 and len({rates[up] for ups in links for up in ups}) == 1


def _pieces(switches: list[str], neighbours: Trunks) -> list[list[str]]:
    """The sets that hang together without other switches, in the order of their first."""
    inside = set(switches)
    among = {s: tuple(entry for entry in neighbours[s] if entry[1] in inside) for s in switches}
    pieces: list[list[str]] = []
    seen: set[str] = set()
    for switch in switches:
        if switch not in seen:
            reached = distances(among, [switch])
            seen.update(reached)
            pieces.append([other for other in switches if other in reached])
    return pieces
