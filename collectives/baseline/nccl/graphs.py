"""The graphs that NCCL's search would find on a machine, from what its GPUs, NVLinks and NICs carry.

Theory of operation. NCCL tries the speeds of a ladder, from fast to slow, and keeps the most channels x speed. Across
nodes each ring needs a NIC's speed on the way in and out and passes all GPUs of a node; so channels x speed is bound by
the NICs and by what one GPU's NVLinks carry. Rings of 25 GB/s or more inside a node are then doubled at half the speed.
Trees are tried with more speed inside the node than between nodes, up to twice: two nodes gain by that.

This is the search's outcome for regular machines, not its walk over PCI switches. It gives the graphs that are known:
8 A100 12 x 20, 8 H100 12 x 30 in one node and 8 x 45 with 8 NICs of 400 Gb/s, a node of 4 GPUs with 4 Slingshot NICs
4 x 24, with 2 NICs 2 x 24 with 48 inside for trees, 10GbE 1 x 1.2.
"""
# ruff: noqa: N815 - GBps and Gbps are not the same

from __future__ import annotations

from dataclasses import dataclass

from collectives.baseline.nccl.system import Graph, NcclError, System

OLD_INSIDE = (40.0, 30.0, 20.0, 18.0, 15.0, 12.0, 10.0, 9.0, 7.0, 6.0, 5.0, 4.0, 3.0)
OLD_BETWEEN = (48.0, 30.0, 28.0, 24.0, 20.0, 18.0, 15.0, 12.0, 10.0, 9.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.4, 1.2, 0.24, 0.12)
HOPPER_INSIDE = (60.0, 50.0, 40.0, 30.0, 24.0, 20.0, 15.0, 12.0, 11.0, 6.0, 3.0)
HOPPER_BETWEEN = (
    48.0, 45.0, 42.0, 40.0, 30.0, 24.0, 22.0, 20.0, 17.5, 15.0, 12.0, 6.0, 3.0, 2.4, 1.2, 0.24, 0.12
)  # fmt: skip
BLACKWELL_INSIDE = (90.0, 80.0, 70.0, *HOPPER_INSIDE[:-1])
BLACKWELL_BETWEEN = (96.0, 86.0, 80.0, 48.0, 45.1, *HOPPER_BETWEEN[2:])
MOST_CHANNELS = 16
"""Of a search; doubling comes after it."""

PCI_GBPS = 12.0
"""NCCL's figure for PCIe 3 x16, which it also takes for GPUs without NVLink."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """A machine of equal nodes, whose NICs are ``nics`` a node at ``nic_GBps``.

    ``nvlink_GBps`` is what one GPU's NVLinks carry one way by NCCL's own figures: 20 a link on V100 and A100, 20.6 on
    H100, 40.1 on B200; 0 where there are none.
    """

    name: str
    arch: str
    nodes: int
    gpus_per_node: int
    nvlink_GBps: float
    nics: int = 0
    nic_GBps: float = 0.0
    nvswitch: bool = False
    gpu_direct: bool = True
    cpu: str = "intel"
    net_latency_us: float = 0.0


def system_of(hardware: Hardware) -> System:
    """The system with the graphs that NCCL's search finds. NcclError if nodes have no NICs."""
    if hardware.nodes > 1 and (hardware.nics < 1 or hardware.nic_GBps <= 0):
        raise NcclError(f"system {hardware.name}: {hardware.nodes} nodes need NICs; say how many and how fast")
    ring = _inside(hardware) if hardware.nodes == 1 else _between(hardware)
    nvlink = hardware.nvlink_GBps > 0
    return System(
        name=hardware.name,
        arch=hardware.arch,
        nodes=hardware.nodes,
        gpus_per_node=hardware.gpus_per_node,
        ring=ring,
        tree=_tree(hardware, ring) if hardware.nodes > 1 else ring,
        nvls=_nvls(hardware, ring),
        intra="NVLINK" if nvlink else "PCI",
        ll128=nvlink and (hardware.gpu_direct or hardware.nodes == 1),
        cpu=hardware.cpu,
        net_latency_us=hardware.net_latency_us,
        plain_tree=hardware.gpus_per_node == 1,
    )


def _inside(hardware: Hardware) -> Graph:
    """One node: rings over NVLink, or one through PCI."""
    if hardware.nvlink_GBps <= 0:
        return Graph(1, PCI_GBPS, PCI_GBPS)
    best = (0, 0.0)
    for speed in _ladders(hardware.arch)[0]:
        channels = min(MOST_CHANNELS, int(hardware.nvlink_GBps / speed + 1e-9))
        if channels * speed > best[0] * best[1]:
            best = (channels, speed)
    channels, speed = best
    if channels == 0:
        raise NcclError(f"system {hardware.name}: {hardware.nvlink_GBps:g} GB/s of NVLink is too little for a channel")
    if speed >= 25:
        channels, speed = 2 * channels, speed / 2
    return Graph(channels, speed, speed)


def _between(hardware: Hardware) -> Graph:
    """Several nodes: so many rings a NIC as its speed allows, bound by one GPU's links too."""
    best = (0, 0.0)
    for speed in _ladders(hardware.arch)[1]:
        channels = min(MOST_CHANNELS, hardware.nics * min(2, int(hardware.nic_GBps / speed + 1e-9)))
        fits = channels * speed <= _links_GBps(hardware) + 1e-9
        if fits and channels * speed > best[0] * best[1]:
            best = (channels, speed)
    if best[0] == 0:
        raise NcclError(f"system {hardware.name}: NICs of {hardware.nic_GBps:g} GB/s are too slow for a channel")
    return Graph(best[0], best[1], best[1])


def _tree(hardware: Hardware, ring: Graph) -> Graph:
    """The ring's channels, with the speed inside raised step by step while it is below twice that between nodes."""
    inside = ring.bw_inter_GBps
    for speed in sorted(_ladders(hardware.arch)[1]):
        if inside < 2 * ring.bw_inter_GBps and speed > inside and ring.channels * speed <= _links_GBps(hardware) + 1e-9:
            inside = speed
    return Graph(ring.channels, inside, ring.bw_inter_GBps)


def _nvls(hardware: Hardware, ring: Graph) -> Graph | None:
    """A channel a GPU through the NVSwitch, from Hopper on."""
    if not hardware.nvswitch or hardware.arch not in {"hopper", "blackwell"}:
        return None
    each = hardware.nvlink_GBps / hardware.gpus_per_node
    inside = max((speed for speed in _ladders(hardware.arch)[0] if speed <= each), default=0.0)
    if inside == 0 or hardware.gpus_per_node < 2:
        return None
    # In one node the search raises the speed "between nodes" to 60 (seen on 8 H100), above all that bounds NVLS.
    between = 1.5 * inside if hardware.nodes == 1 else ring.bw_inter_GBps * ring.channels / hardware.gpus_per_node
    return Graph(hardware.gpus_per_node, inside, between)


def _links_GBps(hardware: Hardware) -> float:  # noqa: N802 - likewise
    """What one GPU passes on: its NVLinks, or PCI; a lone GPU passes all that its NIC brings."""
    if hardware.gpus_per_node == 1:
        return float("inf")
    return hardware.nvlink_GBps or PCI_GBPS


def _ladders(arch: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if arch == "hopper":
        return HOPPER_INSIDE, HOPPER_BETWEEN
    if arch == "blackwell":
        return BLACKWELL_INSIDE, BLACKWELL_BETWEEN
    return OLD_INSIDE, OLD_BETWEEN
