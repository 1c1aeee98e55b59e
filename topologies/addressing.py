"""Names to addresses: pure functions of a node's place in its fabric, so that no part has to ask another.

Host i (from 0) is 10.x.y.z with x.y.z = i + 1, its MAC carries the same number; switch i has datapath id i + 1.
A host with several NICs (a rail) has the rail's number in the MAC's second byte; its IP address is one.
"""

from __future__ import annotations

from functools import lru_cache

from topologies.fabric import Fabric, FabricError

MAX_HOSTS = 2**24 - 2  # what 10.0.0.0/8 holds
PREFIX_LENGTH = 8


@lru_cache(maxsize=64)
def _indices(nodes: tuple[str, ...]) -> dict[str, int]:
    return {node: index for index, node in enumerate(nodes)}


def host_index(fabric: Fabric, host: str) -> int:
    """The host's place in ``fabric.hosts``, from 0. FabricError if there is no such host."""
    try:
        return _indices(fabric.hosts)[host]
    except KeyError:
        raise FabricError(f"no host {host!r} in fabric {fabric.name!r}: it has {_some(fabric.hosts)}") from None


def ip(fabric: Fabric, host: str) -> str:
    number = host_index(fabric, host) + 1
    if number > MAX_HOSTS:
        raise FabricError(f"fabric {fabric.name!r} has {len(fabric.hosts)} hosts: 10.0.0.0/8 holds {MAX_HOSTS}")
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def mac(fabric: Fabric, host: str, rail: int = 0) -> str:
    """A locally administered address: 02, the rail, and the host's number."""
    number = host_index(fabric, host) + 1
    return ":".join(f"{byte:02x}" for byte in (2, rail, *number.to_bytes(4, "big")))


def table(fabric: Fabric) -> tuple[tuple[str, str, str], ...]:
    """Every host with its IP address and its MAC address."""
    return tuple((host, ip(fabric, host), mac(fabric, host)) for host in fabric.hosts)


def dpid(fabric: Fabric, switch: str) -> int:
    """The OpenFlow datapath id. FabricError if there is no such switch."""
    try:
        return _indices(fabric.switches)[switch] + 1
    except KeyError:
        raise FabricError(f"no switch {switch!r} in fabric {fabric.name!r}: it has {_some(fabric.switches)}") from None


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:4]) + (f", ... {names[-1]}" if len(names) > 5 else "")
