"""ecmp: at every switch a hash picks among the equal-cost next hops, as a data-centre switch without tuning does.

The hash is of the switch's datapath id and the 5-tuple (``seeds.draw``): independent between switches (no
polarisation) and uniform, so that the collisions seen are those of honest random choice. Open vSwitch's own select
hash is neither (its symmetric hash XORs addresses and ports, and is the same on every switch). A dead link leaves
fewer next hops, and the hash is taken modulo these: flows that did not use it may move too, as with most switches.
What other jobs use makes no difference to it.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Sequence
from functools import lru_cache

from controller.routing.next_hops import NextHops, ends, host_to_host
from controller.routing.seeds import draw
from controller.routing.situation import CLEAR, Situation
from topologies import addressing
from topologies.addressing import dpid
from topologies.fabric import Fabric, Port
from topologies.traffic import Demand, FlowKey, Path

_TUPLE = struct.Struct("!4s4sBHH")  # source, destination, protocol, source port, destination port
_PROTOCOL_NUMBERS = {"tcp": 6, "udp": 17}


def route(
    fabric: Fabric, demands: Sequence[Demand], seed: int = 0, situation: Situation = CLEAR
) -> dict[FlowKey, Path]:
    hops = NextHops(fabric, situation.dead)
    numbers = {switch: dpid(fabric, switch).to_bytes(8, "big") for switch in fabric.switches}

    def walk(key: FlowKey) -> list[Port]:
        switch, target = ends(fabric, key, hops.dead)
        five_tuple = _five_tuple(fabric, key)
        ports: list[Port] = []
        while switch != target:
            choices = hops.choices(switch, target)
            ports.append(choices[draw(seed, numbers[switch] + five_tuple) % len(choices)])
            switch = fabric.peer(ports[-1]).node
        return ports

    return {demand.key: host_to_host(fabric, demand.key, walk(demand.key)) for demand in demands}


def _five_tuple(fabric: Fabric, key: FlowKey) -> bytes:
    source, target = map(_packed, addressing.ends(fabric, key))
    return _TUPLE.pack(source, target, _PROTOCOL_NUMBERS[key.protocol], key.src_port, key.dst_port)


@lru_cache(maxsize=4096)
def _packed(address: str) -> bytes:
    return ipaddress.IPv4Address(address).packed
