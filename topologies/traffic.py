"""Demand and Path: the two small types that the controller and the collectives share.

The collectives say who sends how many bytes to whom, and when (demands); the controller answers with the way each
flow takes (paths). Neither knows the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from topologies.fabric import Fabric, Port
from topologies.ports import ANY_PORT, channel

Protocol = Literal["tcp", "udp"]
"""What carries a flow over IPv4; RoCEv2 is UDP to port 4791."""


@dataclass(frozen=True, slots=True, order=True)
class FlowKey:
    """One connection in one direction: host names, and ports and protocol of the 5-tuple.

    With ANY_PORT for both ports it is every connection of that protocol between these hosts (by their first NICs).
    """

    src: str
    dst: str
    src_port: int
    dst_port: int
    protocol: Protocol = "tcp"

    @classmethod
    def any_port(cls, src: str, dst: str) -> FlowKey:
        """Every TCP connection from one host to another: what routes programs whose ports nobody knows beforehand."""
        return cls(src, dst, ANY_PORT, ANY_PORT)

    @property
    def is_any_port(self) -> bool:
        return self.src_port == self.dst_port == ANY_PORT

    @property
    def channel(self) -> int:
        """The channel that the ports tell, the same in both directions; 0 for a connection that is no rank's."""
        return channel(self.src_port, self.dst_port)

    def reversed(self) -> FlowKey:
        """The way back, where the acknowledgements travel."""
        return FlowKey(self.dst, self.src, self.dst_port, self.src_port, self.protocol)

    def __str__(self) -> str:
        udp = "/udp" if self.protocol == "udp" else ""
        if self.is_any_port:
            return f"{self.src}->{self.dst}{udp}"
        return f"{self.src}:{self.src_port}->{self.dst}:{self.dst_port}{udp}"


@dataclass(frozen=True, slots=True)
class Demand:
    """What one flow carries: ``step_bytes[i]`` payload bytes at step ``steps[i]`` of the collective.

    Two demands that share no step never meet in time, and may share a link without harm.
    """

    key: FlowKey
    steps: tuple[int, ...]
    step_bytes: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """All payload bytes of the flow."""
        return sum(self.step_bytes)


@dataclass(frozen=True, slots=True)
class Path:
    """The ports a flow leaves by: its source host's first, the last switch's last."""

    hops: tuple[Port, ...]

    def nodes(self, fabric: Fabric) -> tuple[str, ...]:
        """The nodes passed, both hosts included."""
        return (*(port.node for port in self.hops), fabric.peer(self.hops[-1]).node)

    def reversed(self, fabric: Fabric) -> Path:
        """The same cables the other way."""
        return Path(tuple(fabric.peer(port) for port in reversed(self.hops)))

    def __str__(self) -> str:
        return " ".join(map(str, self.hops))


Paths = Mapping[FlowKey, Path]
"""What a routing policy answers: a path for every demand's flow."""


def link_bytes(demands: Iterable[Demand], paths: Paths) -> Counter[Port]:
    """Payload bytes that ``demands`` put on each directed link when they take ``paths``."""
    load: Counter[Port] = Counter()
    for demand in demands:
        for port in paths[demand.key].hops:
            load[port] += demand.nbytes
    return load
