"""ecmp: at every switch a hash picks among the equal-cost next hops, as a data-centre switch without tuning does.

The hash is keyed BLAKE2b of the switch's datapath id and the 5-tuple, the key is the seed: independent between
switches (no polarisation) and uniform, so that the collisions seen are those of honest random choice. Open vSwitch's
own select hash is neither (its symmetric hash XORs addresses and ports, and is the same on every switch).
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

from controller.routing.errors import RoutingError
from controller.routing.next_hops import NextHops, ends, host_to_host
from topologies import addressing
from topologies.addressing import dpid
from topologies.fabric import Fabric, Port
from topologies.traffic import Demand, FlowKey, Path

_TUPLE = struct.Struct("!4s4sBHH")  # source, destination, protocol, source port, destination port
TCP, UDP = 6, 17


def seed(text: str) -> int:
    """The seed that ``text`` spells. RoutingError unless it is a whole number from 0 to 2^64 - 1."""
    if not (text.isascii() and text.isdigit() and int(text) < 2**64):
        raise RoutingError(f"policy 'ecmp': seed {text!r} must be a whole number from 0 to 2^64 - 1")
    return int(text)


def route(fabric: Fabric, demands: Sequence[Demand], seed: int = 0, protocol: int = TCP) -> dict[FlowKey, Path]:
    hops = NextHops(fabric)
    secret = seed.to_bytes(8, "big")
    numbers = {switch: dpid(fabric, switch).to_bytes(8, "big") for switch in fabric.switches}

    def walk(key: FlowKey) -> list[Port]:
        switch, target = ends(fabric, key)
        source_ip, target_ip = map(_packed, addressing.ends(fabric, key))
        five_tuple = _TUPLE.pack(source_ip, target_ip, protocol, key.src_port, key.dst_port)
        ports: list[Port] = []
        while switch != target:
            choices = hops.choices(switch, target)
            ports.append(choices[_draw(secret, numbers[switch] + five_tuple) % len(choices)])
            switch = fabric.peer(ports[-1]).node
        return ports

    return {demand.key: host_to_host(fabric, demand.key, walk(demand.key)) for demand in demands}


@lru_cache(maxsize=4096)
def _packed(address: str) -> bytes:
    return ipaddress.IPv4Address(address).packed


def _draw(secret: bytes, message: bytes) -> int:
    return int.from_bytes(blake2b(message, digest_size=8, key=secret).digest(), "big")
