"""rail: static pinning by destination, as large training clusters wire and configure it.

Models: Meta's first routing for RoCE (SIGCOMM'24, "RDMA over Ethernet for Distributed AI Training at Meta Scale"):
the rack switch picks the uplink by the destination's downlink index, without looking at the flow; that is d-mod-k
routing (Zahavi, 2010). Here: at a switch t links above the nearest leaf, the flow to host number d takes next hop
floor(d / n^t) mod n of its n equal-cost ones. On a fabric with a leaf for each rail a channel stays on its rail: both
NICs of a flow are of the same rail, and a shortest way between them never leaves it.

Perfect where every host sends one flow at a time and racks are full: all destinations of a rack have uplinks of their
own. It fails with jobs that are scattered (destinations with the same remainder meet on an uplink, others stay empty;
Meta saw up to 30 % lost) and with dead links (the remainders of fewer next hops fall together). Links that other jobs
use make no difference to it. Acknowledgements are routed by their own destination.
"""

from __future__ import annotations

from collections.abc import Sequence

from controller.routing.next_hops import NextHops, distances, ends, host_to_host, trunks
from controller.routing.situation import CLEAR, Situation
from topologies.fabric import Fabric, Port
from topologies.traffic import Demand, FlowKey, Path


def route(fabric: Fabric, demands: Sequence[Demand], situation: Situation = CLEAR) -> dict[FlowKey, Path]:
    hops = NextHops(fabric, situation.dead)
    tiers = distances(trunks(fabric), fabric.leaves)  # as built: a switch stays in its tier when a link dies
    numbers = {host: number for number, host in enumerate(fabric.hosts)}

    def walk(key: FlowKey) -> list[Port]:
        switch, target = ends(fabric, key, hops.dead)
        ports: list[Port] = []
        while switch != target:
            choices = hops.choices(switch, target)
            ports.append(choices[numbers[key.dst] // len(choices) ** tiers[switch] % len(choices)])
            switch = fabric.peer(ports[-1]).node
        return ports

    return {demand.key: host_to_host(fabric, demand.key, walk(demand.key)) for demand in demands}
