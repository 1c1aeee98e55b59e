"""Names to addresses: pure functions of a node's place in its fabric, so that no part has to ask another.

Host i (from 0) has number i + 1. Its NIC r (a rail; most hosts have only rail 0) has an IP address in a subnet of its
own, 10.(16 r).0.0/12 plus the host's number, so that a host's routing table alone decides which NIC a connection
leaves by. The MAC address is 02:00 and the four bytes of the IP address: who knows one knows the other. Switch i has
datapath id i + 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from topologies.fabric import Fabric, FabricError, Port
from topologies.traffic import FlowKey

PREFIX_LENGTH = 12
MAX_HOSTS = 2**20 - 2  # what a rail's /12 holds
MAX_RAILS = 16  # how often a /12 fits into 10.0.0.0/8
MAX_LISTED_HOSTS = 128
"""Up to so many hosts hold a list of all others' MAC addresses; in a larger fabric switches answer ARP.

A list takes 15 us and 0.7 kB an entry: a quarter of a second for 128 hosts, 16 s and 0.7 GB for 1024.
"""


@dataclass(frozen=True, slots=True)
class Nic:
    """A host's NIC number ``rail`` (from 0), at the host's ``port``."""

    host: str
    rail: int
    port: Port
    ip: str
    mac: str


@lru_cache(maxsize=64)
def _indices(nodes: tuple[str, ...]) -> dict[str, int]:
    return {node: index for index, node in enumerate(nodes)}


def host_index(fabric: Fabric, host: str) -> int:
    """The host's place in ``fabric.hosts``, from 0. FabricError if there is no such host."""
    try:
        return _indices(fabric.hosts)[host]
    except KeyError:
        raise FabricError(f"no host {host!r} in fabric {fabric.name!r}: it has {_some(fabric.hosts)}") from None


def ip(fabric: Fabric, host: str, rail: int = 0) -> str:
    """The address of one of the host's NICs. FabricError where the fabric has more than 10.0.0.0/8 holds."""
    return ".".join(map(str, _address(fabric, host, rail)))


def mac(fabric: Fabric, host: str, rail: int = 0) -> str:
    """A locally administered address: 02:00, and the IP address."""
    return ":".join(f"{byte:02x}" for byte in (2, 0, *_address(fabric, host, rail)))


def nics(fabric: Fabric) -> tuple[Nic, ...]:
    """Every NIC of every host."""
    return tuple(
        Nic(host, rail, port, ip(fabric, host, rail), mac(fabric, host, rail))
        for host in fabric.hosts
        for rail, port in enumerate(fabric.ports(host))
    )


def ends(fabric: Fabric, key: FlowKey) -> tuple[str, str]:
    """The flow's source and destination IP address: those of the NICs that its channel uses."""
    return (
        ip(fabric, key.src, fabric.rail(key.src, key.channel)),
        ip(fabric, key.dst, fabric.rail(key.dst, key.channel)),
    )


def dpid(fabric: Fabric, switch: str) -> int:
    """The OpenFlow datapath id. FabricError if there is no such switch."""
    try:
        return _indices(fabric.switches)[switch] + 1
    except KeyError:
        raise FabricError(f"no switch {switch!r} in fabric {fabric.name!r}: it has {_some(fabric.switches)}") from None


def _address(fabric: Fabric, host: str, rail: int) -> tuple[int, int, int, int]:
    number = host_index(fabric, host) + 1
    if number > MAX_HOSTS:
        raise FabricError(f"fabric {fabric.name!r} has {len(fabric.hosts)} hosts: a rail's subnet holds {MAX_HOSTS}")
    if not 0 <= rail < MAX_RAILS:
        raise FabricError(f"host {host!r}, rail {rail}: 10.0.0.0/8 holds {MAX_RAILS} rails")
    return 10, rail << 4 | number >> 16, number >> 8 & 255, number & 255


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:4]) + (f", ... {names[-1]}" if len(names) > 5 else "")
