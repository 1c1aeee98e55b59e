"""Situation: what is the matter with a fabric just now: links that carry nothing, links that other jobs use.

A ``Fabric`` is how the network was built. What changes while it runs, cables pulled, links drained for repair and
bandwidth taken by other jobs, is kept apart from it, so that every policy is a pure function of (fabric, demands,
situation) and the way back to normal is the empty situation, ``CLEAR``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.routing.errors import RoutingError
from topologies.fabric import Fabric, Port
from topologies.spelling import did_you_mean


@dataclass(frozen=True, slots=True)
class Situation:
    """``dead``: names of links that carry nothing, down or drained. ``busy``: by directed link, what others use of it.

    A busy figure is the share of the link's time for which other jobs' flows use it, 0 or more. Links are shared
    fairly, so beside a share ``busy`` the own flows get rate / (1 + busy): half of a link that others would fill.
    RoutingError for a busy figure below 0.
    """

    dead: frozenset[str] = frozenset()
    busy: Mapping[Port, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for port, share in self.busy.items():
            if not share >= 0:
                raise RoutingError(f"busy share {share} of {port} must be 0 or more")

    def check(self, fabric: Fabric) -> None:
        """RoutingError where a dead link is none of the fabric's: a misspelt name would leave the link in use."""
        if not self.dead:
            return
        names = [link.name for link in fabric.links]
        for name in sorted(self.dead.difference(names)):
            raise RoutingError(f"no link {name!r} in fabric {fabric.name!r}: {did_you_mean(name, names)}")

    def alive(self, fabric: Fabric, port: Port) -> bool:
        """Whether the directed link that leaves by ``port`` carries anything."""
        return fabric.link(port).name not in self.dead

    def residual_rate_bps(self, fabric: Fabric, port: Port) -> float:
        """What the link's share for own flows is, in b/s; 0 where it is dead."""
        return fabric.rate_bps(port) / (1.0 + self.busy.get(port, 0.0)) if self.alive(fabric, port) else 0.0


CLEAR = Situation()
"""Nothing is the matter: every link lives and is the job's alone."""
