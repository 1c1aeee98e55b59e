"""Two tiers: recognises a leaf-spine by its cables, whatever its switches are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from controller.routing.next_hops import trunks
from topologies.fabric import Fabric, Port


@dataclass(frozen=True, slots=True)
class TwoTier:
    """``uplinks[leaf][colour]``: the leaf's port to spine number ``colour // parallel``, one of its parallel links."""

    uplinks: Mapping[str, tuple[Port, ...]]

    @property
    def width(self) -> int:
        """Uplinks of a leaf."""
        return len(next(iter(self.uplinks.values())))


def two_tier(fabric: Fabric) -> TwoTier | None:
    """The fabric as a leaf-spine, or None.

    It is one if every switch link joins a switch with hosts (leaf) and one without (spine), every leaf has the same
    number of links to every spine, and all of them have the same rate.
    """
    neighbours = trunks(fabric)
    leaves = [switch for switch in fabric.switches if switch in fabric.leaves]
    spines = [switch for switch in fabric.switches if switch not in set(leaves)]
    rates = {fabric.rate_bps(port) for ports in neighbours.values() for port, _ in ports}
    parallel = len(neighbours[leaves[0]]) // len(spines) if spines else 0
    wanted = sorted(spines * parallel)
    if not parallel or len(rates) != 1 or any(sorted(p for _, p in neighbours[leaf]) != wanted for leaf in leaves):
        return None
    if any(peer not in leaves for spine in spines for _, peer in neighbours[spine]):
        return None
    order = {spine: place for place, spine in enumerate(spines)}
    return TwoTier({leaf: tuple(p for p, _ in sorted(neighbours[leaf], key=lambda e: order[e[1]])) for leaf in leaves})
