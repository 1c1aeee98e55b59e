"""What tiers a fabric has, read off its links: leaf-spines and fat-trees as htsim builds them, and nothing else.

Tier 0 are the leaves, tier 1 the switches above them in their pod, tier 2 the cores. A *pod* is what hangs together
without the cores; a *plane* is the switches at the same place of every pod, and the cores that join them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise, product

import networkx as nx

from topologies.fabric import Fabric, FabricError, Link
from topologies.rates import format_latency, format_rate

MOST_TIERS = 3
GIGA = 10**9


@dataclass(frozen=True, slots=True)
class Tier:
    """Links down from a tier: their rate and latency, how many a switch has, how many go to the same switch or host."""

    rate_bps: int
    latency_ns: Decimal
    radix_down: int
    radix_up: int
    bundle: int


@dataclass(frozen=True, slots=True)
class Shape:
    nodes: int
    podsize: int
    tiers: tuple[Tier, ...]

    @property
    def pods(self) -> int:
        return self.nodes // self.podsize

    @property
    def leaves_per_pod(self) -> int:
        return self.podsize // self.tiers[0].radix_down

    @property
    def uppers_per_pod(self) -> int:
        return self.tiers[0].radix_up // self.tiers[1].bundle

    @property
    def num_links(self) -> int:
        first, second = (tier.radix_up for tier in self.tiers[:2])
        return self.nodes + self.pods * (self.leaves_per_pod * first + self.uppers_per_pod * second)

    @property
    def cores_per_plane(self) -> int:
        return self.tiers[1].radix_up // self.tiers[2].bundle if len(self.tiers) == MOST_TIERS else 0


def read_off(fabric: Fabric) -> Shape:
    """What the tiers of ``fabric`` are. FabricError where it has none that htsim could build."""
    leaf_of = [_leaf(fabric, host) for host in fabric.hosts]
    leaves = list(dict.fromkeys(leaf_of))
    radix = len(fabric.hosts) // len(leaves)
    if len(fabric.hosts) % len(leaves):
        raise _unlike(f"{len(fabric.hosts)} hosts on {len(leaves)} leaves are not as many on each")
    for number, host in enumerate(fabric.hosts):
        if leaf_of[number] != leaves[number // radix]:
            raise _unlike(f"host {host} breaks the order; hosts must be listed leaf by leaf, as many on each")
    tiers = _tiers(fabric, leaves)
    links = _links_by_tier(fabric, tiers)
    found = [_common(between, number) for number, between in enumerate(links)]
    bundles = [1, *(_bundle(between) for between in links[1:])]
    pods = _pods(fabric, tiers)
    _check_pods(fabric, pods, tiers, links[1])
    radix_down = [radix, *(_equal_degree(between, above) for between, above in zip(links[1:], tiers[1:], strict=True))]
    radix_up = [*(_equal_degree(between, below) for between, below in zip(links[1:], tiers, strict=False)), 0]
    rows = zip(found, radix_down, radix_up, bundles, strict=True)
    made = tuple(Tier(*common, down, up, bundle) for common, down, up, bundle in rows)
    for number, (tier, above) in enumerate(pairwise(made)):
        _check_oversubscription(number, tier, above)
    return Shape(len(fabric.hosts), len(fabric.hosts) // len(pods), made)


def _unlike(what: str) -> FabricError:
    return FabricError(f"htsim describes leaf-spines and fat-trees alone: {what}; choose another format")


def _leaf(fabric: Fabric, host: str) -> str:
    ports = fabric.ports(host)
    if len(ports) > 1:
        raise _unlike(f"host {host} has {len(ports)} links, and its hosts have one")
    return fabric.peer(ports[0]).node


def _tiers(fabric: Fabric, leaves: Sequence[str]) -> list[list[str]]:
    """Switches by their distance from the hosts, each tier in the order of the fabric."""
    graph = nx.Graph(fabric.graph)
    far = nx.multi_source_dijkstra_path_length(graph, set(leaves), weight=None)
    tiers: list[list[str]] = [list(leaves), *([] for _ in range(max(int(far[switch]) for switch in fabric.switches)))]
    for switch in fabric.switches:
        if far[switch]:
            tiers[int(far[switch])].append(switch)
    if not 2 <= len(tiers) <= MOST_TIERS:
        raise _unlike(f"this one has {len(tiers)} tiers of switches, and it builds 2 or 3")
    return tiers


def _links_by_tier(fabric: Fabric, tiers: Sequence[Sequence[str]]) -> list[list[Link]]:
    """Links down from each tier."""
    tier_of = dict.fromkeys(fabric.hosts, -1) | {
        switch: number for number, switches in enumerate(tiers) for switch in switches
    }
    links: list[list[Link]] = [[] for _ in tiers]
    for link in fabric.links:
        low, high = sorted((tier_of[link.a.node], tier_of[link.b.node]))
        if high != low + 1:
            raise _unlike(f"link {link.name} joins two switches of one tier")
        links[high].append(link)
    return links


def _common(links: Sequence[Link], tier: int) -> tuple[int, Decimal]:
    """The rate and latency, in ns, of all ``links``."""
    first = links[0]
    for link in links:
        if (link.rate_bps, link.latency_s) != (first.rate_bps, first.latency_s):
            raise _unlike(
                f"links down from tier {tier} differ: {first.name} has {format_rate(first.rate_bps)} and "
                f"{format_latency(first.latency_s)}, {link.name} {format_rate(link.rate_bps)} and "
                f"{format_latency(link.latency_s)}"
            )
    if first.rate_bps % GIGA:
        raise _unlike(f"link {first.name} has {format_rate(first.rate_bps)}b/s, and rates are whole Gb/s there")
    latency_ns = Decimal(str(round(first.latency_s * 1e9, 6)))  # 3 * 1e-9 is 3 ns
    if latency_ns < 1 or latency_ns != int(latency_ns):
        raise _unlike(
            f"link {first.name} has {format_latency(first.latency_s)}, and latencies are whole ns above 0 there"
        )
    return first.rate_bps, latency_ns


def _bundle(links: Sequence[Link]) -> int:
    """How many links join two switches, the same for all that are joined."""
    counts = Counter(frozenset((link.a.node, link.b.node)) for link in links)
    (pair, most), (other, least) = max(counts.items(), key=_count), min(counts.items(), key=_count)
    if most != least:
        raise _unlike(f"{' and '.join(sorted(pair))} have {most} links, {' and '.join(sorted(other))} {least}")
    return most


def _count(item: tuple[frozenset[str], int]) -> int:
    return item[1]


def _equal_degree(links: Sequence[Link], switches: Iterable[str]) -> int:
    """How many of ``links`` each of ``switches`` has."""
    degree = Counter(port.node for link in links for port in (link.a, link.b))
    counts = {degree[switch]: switch for switch in switches}
    if len(counts) > 1:
        (least, one), *_, (most, other) = sorted(counts.items())
        raise _unlike(f"{one} has {least} links to the next tier, {other} has {most}")
    return next(iter(counts))


def _pods(fabric: Fabric, tiers: Sequence[Sequence[str]]) -> list[tuple[list[str], list[str]]]:
    """Leaves and uppers that hang together without the cores, pod by pod."""
    graph = nx.Graph(fabric.graph).subgraph([*tiers[0], *tiers[1]])
    pods = []
    for part in nx.connected_components(graph):
        low, up = ([switch for switch in tier if switch in part] for tier in tiers[:2])
        pods.append((low, up))
    return sorted(pods, key=lambda pod: tiers[0].index(pod[0][0]))


def _check_pods(
    fabric: Fabric, pods: Sequence[tuple[list[str], list[str]]], tiers: Sequence[Sequence[str]], links: Sequence[Link]
) -> None:
    """Pods of one size, one after the other, each leaf joined to each upper; cores in planes."""
    joined = {frozenset((link.a.node, link.b.node)) for link in links}
    in_order = [leaf for low, _ in pods for leaf in low]
    for low, up in pods:
        if (len(low), len(up)) != (len(pods[0][0]), len(pods[0][1])):
            raise _unlike(f"the pods of {pods[0][0][0]} and {low[0]} differ in their number of switches")
        for leaf, upper in product(low, up):
            if frozenset((leaf, upper)) not in joined:
                raise _unlike(f"{leaf} and {upper} are not joined, and a pod's leaves are joined to all above them")
    if in_order != list(tiers[0]):
        raise _unlike("hosts of two pods alternate; list them pod by pod")
    if len(tiers) == MOST_TIERS:
        _check_planes(fabric, pods, tiers[2])


def _check_planes(fabric: Fabric, pods: Sequence[tuple[list[str], list[str]]], cores: Sequence[str]) -> None:
    """Each core has one switch of every pod, and cores that share one share all."""
    pod_of = {switch: number for number, (_, up) in enumerate(pods) for switch in up}
    plane: dict[str, frozenset[str]] = {}
    for core in cores:
        peers = frozenset(fabric.peer(port).node for port in fabric.ports(core))
        if sorted(pod_of[peer] for peer in peers) != list(range(len(pods))):
            raise _unlike(f"{core} is not joined to one switch of every pod")
        for peer in peers:
            if plane.setdefault(peer, peers) != peers:
                raise _unlike(f"{peer} and the cores above it are in no plane: {core} has other switches below")


def _check_oversubscription(number: int, tier: Tier, above: Tier) -> None:
    """It takes a whole ratio, and works it out from the radices and from the speeds: the two must agree."""
    ratio, rest = divmod(tier.radix_down, tier.radix_up)
    if rest or tier.rate_bps * tier.radix_down != above.rate_bps * tier.radix_up * ratio:
        raise _unlike(
            f"tier {number} has {tier.radix_down} x {format_rate(tier.rate_bps)} down and "
            f"{tier.radix_up} x {format_rate(above.rate_bps)} up, and oversubscription there is a whole number, "
            "at equal speeds"
        )
