"""What NCCL's model needs to know of a machine: the graphs that its search found, and a few facts beside them.

A graph is a number of channels, and what one channel carries inside a node and between nodes. Up to two nodes NCCL
computes with the speed inside (``bw_intra``), beyond with the speed between (``bw_inter``). GB/s: 1e9 bytes a second.
"""
# ruff: noqa: N815 - GBps and Gbps are not the same

from __future__ import annotations

from dataclasses import dataclass

ARCHITECTURES = ("volta", "ampere", "hopper", "blackwell")
"""NCCL's rows of constants. Turing (T4, RTX 20) and all before Volta count as Volta, Ada (RTX 40, L4) as Ampere."""

CPUS = ("intel", "amd", "other")


class NcclError(ValueError):
    """A system, collective or version that makes no sense to NCCL's model: says what and what to do."""


@dataclass(frozen=True, slots=True)
class Graph:
    """Channels, and GB/s of one channel inside a node and between nodes."""

    channels: int
    bw_intra_GBps: float
    bw_inter_GBps: float

    def __post_init__(self) -> None:
        if self.channels < 1 or self.bw_intra_GBps <= 0 or self.bw_inter_GBps <= 0:
            raise NcclError(f"graph {self}: channels and both bandwidths must be above 0")


@dataclass(frozen=True, slots=True)
class System:
    """A machine as NCCL sees it.

    ``intra`` is ``NVLINK`` or ``PCI``. ``ll128`` says whether the hardware lets NCCL use LL128 by default: NVLink in a
    node, and a NIC that reaches the GPU's memory through PCIe switches only. ``net_latency_us`` is what the network's
    plugin tells NCCL (0 for sockets and InfiniBand, 75 for EFA). ``same_channels``: all channels use the same order of
    GPUs. ``plain_tree``: the tree graph has no balanced pattern, as on one GPU a node. ``comm_channels`` is what the
    communicator uses after doubling; without it, twice the ring's, at most 32.
    """

    name: str
    arch: str
    nodes: int
    gpus_per_node: int
    ring: Graph
    tree: Graph
    nvls: Graph | None = None
    intra: str = "NVLINK"
    ll128: bool = True
    cpu: str = "intel"
    net_latency_us: float = 0.0
    same_channels: bool = True
    plain_tree: bool = False
    collnet: bool = False
    comm_channels: int | None = None

    def __post_init__(self) -> None:
        if self.arch not in ARCHITECTURES:
            raise NcclError(f"system {self.name}: no architecture {self.arch!r}; one of {', '.join(ARCHITECTURES)}")
        if self.cpu not in CPUS:
            raise NcclError(f"system {self.name}: no CPU {self.cpu!r}; one of {', '.join(CPUS)}")
        if self.intra not in {"NVLINK", "PCI"}:
            raise NcclError(f"system {self.name}: inside a node there is NVLINK or PCI, not {self.intra!r}")
        if self.nodes < 1 or self.gpus_per_node < 1 or self.ranks < 2:
            raise NcclError(f"system {self.name}: {self.nodes} nodes x {self.gpus_per_node} GPUs; NCCL needs 2 or more")

    @property
    def ranks(self) -> int:
        return self.nodes * self.gpus_per_node

    @property
    def channels(self) -> int:
        """What the communicator uses: the search's channels doubled."""
        return self.comm_channels or min(32, 2 * max(self.ring.channels, self.tree.channels))
