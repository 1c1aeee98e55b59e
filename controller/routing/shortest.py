"""shortest: each flow by a way with the fewest hops, always the one of the lowest ports: no load balancing.

What a shortest-path routing protocol with a single next hop does. On a ring of switches each pair has its own
shorter side, so both directions are used; on a leaf-spine everything crosses the first spine.
"""

from __future__ import annotations

from collections.abc import Sequence

from controller.routing.next_hops import NextHops, ends, host_to_host
from controller.routing.situation import CLEAR, Situation
from topologies.fabric import Fabric
from topologies.traffic import Demand, FlowKey, Path


def route(fabric: Fabric, demands: Sequence[Demand], situation: Situation = CLEAR) -> dict[FlowKey, Path]:
    hops = NextHops(fabric, situation.dead)
    return {
        demand.key: host_to_host(fabric, demand.key, hops.walks(*ends(fabric, demand.key, hops.dead), limit=1)[0])
        for demand in demands
    }
