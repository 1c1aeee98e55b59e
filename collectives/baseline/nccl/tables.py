"""NCCL's constants by version, as its source has them (src/graph/tuning.cc), and ``find``, which picks a version's.

Six sets cover 2.6 to today; the constants changed at the versions that name them. A latency is (LL, LL128, Simple) in
us; a bandwidth row is (one node, two nodes, more) in GB/s. Where a version has no set of its own, the nearest older set
is used, and ``Found.note`` says so.

Sources: 2.8 from NVIDIA/nccl at commit 01afd20, 2.18 at b647562 (2.21); 2.12, 2.23 and 2.28 from the sources that first
have NVLS (2.17), Blackwell (2.25 to 2.27) and the tuner's own constants (2.29 and later). 2.6 has its own latencies
and is otherwise computed as 2.8. Not modelled: NVLS in 2.17, and what a tuner plugin or an environment changes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from collectives.baseline.nccl.system import NcclError

ALGORITHMS = ("Tree", "Ring", "CollNetDirect", "CollNetChain", "NVLS", "NVLSTree", "PAT")
PROTOCOLS = ("LL", "LL128", "Simple")

Protocols = tuple[float, float, float]
Nodes = tuple[float, float, float]
Latencies = Mapping[str, Protocols]
ByArch = Mapping[str, Nodes]

LL_CORRECTION = (1, 1, 1, 1, 0.9, 0.8, 0.7, 0.7, 0.7, 0.7, 0.6, 0.5, 0.4, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1, 1, 1)
LL128_CORRECTION = (
    1, 1, 1, 1, 1, 0.9, 0.8, 0.8, 0.8, 0.7, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.8, 0.9, 0.9, 0.9, 0.9, 1, 1
)  # fmt: skip
SIMPLE_CORRECTION = (
    0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.8, 0.7, 0.6, 0.6, 0.5, 0.5, 0.5, 0.5, 0.6, 0.7, 0.8, 0.7, 0.7, 0.8, 0.9, 0.9
)  # fmt: skip
OLD_LL128_CORRECTION = (
    1, 1, 1, 1, 1, 0.9, 0.8, 0.8, 0.8, 0.7, 0.6, 0.6, 0.6, 0.5, 0.6, 0.6, 0.7, 0.7, 0.8, 0.9, 0.9, 1
)  # fmt: skip
OLD_SIMPLE_CORRECTION = (
    0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.8, 0.7, 0.6, 0.6, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.6, 0.6, 0.7, 0.8, 0.9
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)  # by identity: the sets are few, and hashed often
class Tables:
    """One version's constants and rules. A field's comment says what it is where its name does not."""

    version: tuple[int, int]
    until: str
    base: Latencies
    nvlink: Latencies
    pci: Latencies
    net: Latencies
    ll_max: ByArch | None  # most busbw of LL; one node: by GPU, more: by CPU (Intel: Volta's row, AMD: Ampere's)
    ring_ll128: ByArch  # most of one channel
    tree_ll128: ByArch
    tree_max: ByArch | None  # most of one channel of a tree; before 2.12 there were totals
    tree_share: float  # of busbw that a tree reaches
    nvls_tree_max: ByArch | None
    nvls_efficiency: Mapping[str, float]
    correction: tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]
    bus_max: Mapping[str, float]  # most busbw at all, by architecture
    ring_ll_share: float | None  # None: a quarter, a third for copies within a node
    lone_gpu_ll128_share: float  # of busbw, where a node has one GPU
    tree_ll128_share: float  # across nodes
    ll_between_nodes: float  # LL's hops inside a node take this many times longer across nodes
    spare_inter_steps: bool  # a ring allreduce counts 2N steps between nodes, not 2(N-1)
    net_latency: str  # what a plugin's latency does: "ignored", "instead" of the table's, "added"
    net_overhead: bool  # a step inside a node takes at least the time to post to the network
    lone_gpu_tree_net: bool  # one GPU a node: the tree's network latency for all
    plateau_by_channels: bool  # the plateau of rings begins by size, channels and ranks; before: by size and ranks
    plateau: Mapping[str, float]  # times the latency of a ring, Simple
    collnet_hop_us: float
    nvls: str  # how NVLS is computed: "none", "min", "pipelined"
    pat: bool

    @property
    def name(self) -> str:
        return f"{self.version[0]}.{self.version[1]}"


def _rows(volta: Nodes, ampere: Nodes, hopper: Nodes, blackwell: Nodes | None = None) -> ByArch:
    return {"volta": volta, "ampere": ampere, "hopper": hopper, "blackwell": blackwell or hopper}


def _each(value: float) -> ByArch:
    return _rows((value,) * 3, (value,) * 3, (value,) * 3)


def _simple(value: float) -> Protocols:
    return (0.0, 0.0, value)


V28 = Tables(
    version=(2, 28),
    until="2.30",
    base={"Tree": (6.8, 14, 8.4), "Ring": (6.6, 14, 8.4), "PAT": (8, 8, 8)},
    nvlink={
        "Tree": (0.6, 1.25, 4), "Ring": (0.6, 1.9, 3.4), "CollNetDirect": _simple(3.7), "CollNetChain": _simple(2.8),
        "NVLS": _simple(25), "NVLSTree": _simple(25), "PAT": _simple(4),
    },
    pci={
        "Tree": (1, 1.9, 4), "Ring": (1, 2.5, 5.7), "CollNetDirect": _simple(3.7), "CollNetChain": _simple(2.8),
        "PAT": _simple(4),
    },
    net={
        "Tree": (5, 8.5, 14), "Ring": (2.7, 4, 14), "CollNetDirect": _simple(31), "CollNetChain": _simple(30),
        "NVLS": _simple(18), "NVLSTree": _simple(20.9), "PAT": _simple(14),
    },
    ll_max=_rows((39, 39, 20.4), (87.7, 22.5, 19), (141, 45, 35), (282, 90, 70)),
    ring_ll128=_rows((20, 20, 20), (20, 20, 20), (36.7, 36.7, 36.7), (40, 40, 40)),
    tree_ll128=_rows((20, 20, 20), (20, 20, 20), (36.7, 36.7, 29), (55.6, 31.67, 20)),
    tree_max=_rows((26.5, 18.5, 10), (24, 23.6, 17.8), (38.7, 41.4, 36), (70, 42.8, 24)),
    tree_share=0.92,
    nvls_tree_max=_rows((26.5, 18.5, 10), (24, 23.6, 17.8), (0, 57.7, 45.5), (0, 96, 80)),
    nvls_efficiency={"hopper": 0.85, "blackwell": 0.74},
    correction=(LL_CORRECTION, LL128_CORRECTION, SIMPLE_CORRECTION),
    bus_max={},
    ring_ll_share=0.5,
    lone_gpu_ll128_share=0.92,
    tree_ll128_share=120 / 128,
    ll_between_nodes=1.0,
    spare_inter_steps=False,
    net_latency="added",
    net_overhead=True,
    lone_gpu_tree_net=True,
    plateau_by_channels=True,
    plateau={"volta": 1.9, "ampere": 1.4, "hopper": 1.4, "blackwell": 1.4},
    collnet_hop_us=0.4,
    nvls="pipelined",
    pat=True,
)  # fmt: skip

V23 = replace(
    V28,
    version=(2, 23),
    until="2.27",
    net={**V28.net, "NVLSTree": _simple(14)},
    ring_ll128=_rows((20, 20, 20), (20, 20, 20), (36.7, 36.7, 36.7), (73.4, 73.4, 73.4)),
    tree_ll128=_rows((20, 20, 20), (20, 20, 20), (36.7, 36.7, 29), (73.4, 73.4, 58)),
    tree_max=_rows((26.5, 18.5, 10), (24, 23.6, 17.8), (38.7, 41.4, 36), (77.4, 82.8, 72)),
    nvls_tree_max=None,
    nvls_efficiency={},
    nvls="min",
)

V18 = replace(
    V23,
    version=(2, 18),
    until="2.22",
    base={"Tree": (6.8, 14, 0), "Ring": (6.6, 14, 8.4)},
    nvlink={**V23.nvlink, "Tree": (0.6, 1.25, 28), "NVLS": _simple(23), "NVLSTree": _simple(23)},
    pci={**V23.pci, "Tree": (1, 1.9, 28)},
    net={**V23.net, "Tree": (5, 8.5, 28)},
    ll_max=_rows((39, 39, 20.4), (87.7, 22.5, 19), (87.7, 22.5, 19)),
    ring_ll128=_rows((20, 20, 20), (20, 20, 20), (36.7, 36.7, 36.7)),
    tree_ll128=_rows((20, 20, 20), (20, 20, 20), (36.7, 36.7, 29)),
    tree_max=_rows((26.5, 18.5, 10), (24, 23.6, 17.8), (38.7, 41.4, 36)),
    ring_ll_share=None,
    lone_gpu_ll128_share=0.7,
    spare_inter_steps=True,
    lone_gpu_tree_net=False,
    pat=False,
)

V12 = replace(
    V18,
    version=(2, 12),
    until="2.17",
    base={"Tree": (4.4, 4.4, 0), "Ring": (3.6, 10, 8.4), "CollNetDirect": (4.4, 4.4, 0), "CollNetChain": (4.4, 4.4, 0)},
    nvlink={
        "Tree": (0.52, 1.25, 28), "Ring": (0.47, 1.9, 3.4), "CollNetDirect": _simple(8), "CollNetChain": _simple(8),
    },
    pci={"Tree": (1, 1.9, 28), "Ring": (1, 2.5, 5.7), "CollNetDirect": _simple(8), "CollNetChain": _simple(8)},
    net={
        "Tree": (5, 8.5, 28), "Ring": (2.7, 4, 9.6), "CollNetDirect": _simple(10.7), "CollNetChain": _simple(10.7),
    },
    ring_ll128=_rows((20, 20, 20), (20, 20, 20), (36.7, 36.7, 36.7)),
    tree_ll128=_rows((20, 20, 20), (20, 20, 20), (36.7, 36.7, 36.7)),
    tree_max=_rows((26.5, 18.5, 10), (24, 23.6, 17.8), (38.7, 41.4, 33)),
    bus_max={"ampere": 235, "hopper": 370},
    ll_between_nodes=1.8,
    net_latency="instead",
    net_overhead=False,
    plateau_by_channels=False,
    plateau={"volta": 1.9, "ampere": 1.9, "hopper": 1.5, "blackwell": 1.5},
    collnet_hop_us=0.5,
    nvls="none",
)  # fmt: skip

V8 = replace(
    V12,
    version=(2, 8),
    until="2.11",
    base={"Tree": (4.4, 4.4, 0), "Ring": (3.6, 10, 8.4)},
    nvlink={"Tree": (0.52, 1.2, 28), "Ring": (0.47, 1.9, 3.4)},
    pci={"Tree": (1, 1.9, 28), "Ring": (1, 2.5, 5.7)},
    net={"Tree": (5, 8.5, 50), "Ring": (2.7, 4, 9.6)},
    ll_max=None,
    ring_ll128=_each(16.7),  # of an allreduce; the other collectives stand in LL128_BY_COLLECTIVE
    tree_ll128=_each(16.7 * 7 / 9),
    tree_max=None,
    tree_share=0.9,
    correction=(LL_CORRECTION[:22], OLD_LL128_CORRECTION, OLD_SIMPLE_CORRECTION),
    bus_max={"ampere": 235},
    tree_ll128_share=0.915,
    spare_inter_steps=False,
    net_latency="ignored",
    plateau={"volta": 1.9, "ampere": 1.9, "hopper": 1.9, "blackwell": 1.9},
)

V6 = replace(
    V8,
    version=(2, 6),
    until="2.7",
    base={"Tree": (4.4, 4.4, 0), "Ring": (3.6, 3.6, 8.4)},
    net={"Tree": (5, 7.5, 50), "Ring": (0.9, 2.5, 6.6)},
)

ALL = (V6, V8, V12, V18, V23, V28)

LL128_BY_COLLECTIVE = {
    "broadcast": 18.8,
    "reduce": 12.0,
    "all_gather": 18.3,
    "reduce_scatter": 15.2,
    "all_reduce": 16.7,
}
"""Before 2.12: GB/s of one channel of a ring, LL128, whatever the GPU."""


def old_tree_max_GBps(arch: str, protocol: str, nodes: int) -> float:  # noqa: N802 - GBps and Gbps are not the same
    """Before 2.12: the most busbw of a tree in total."""
    if arch == "ampere" and protocol == "LL128":
        return 105.0 if nodes > 2 else 130.0
    return 80.0 if nodes > 2 else 110.0


@dataclass(frozen=True, slots=True)
class Found:
    """The constants for a version; ``note`` says where they are another version's."""

    tables: Tables
    note: str


def find(version: str | None) -> Found:
    """The constants of ``version`` (``2.18``, ``2.18.5``); None or ``unknown``: the newest. NcclError if it is none."""
    if version in {None, "", "unknown"}:
        return Found(V28, f"version not stated: constants of {V28.name} to {V28.until}")
    parsed = re.match(r"v?(\d+)\.(\d+)", str(version))
    if parsed is None:
        raise NcclError(f"NCCL version {version!r}: write it as 2.18 or 2.18.5")
    wanted = (int(parsed[1]), int(parsed[2]))
    if wanted < V6.version:
        return Found(V6, f"{version} is older than all known: constants of {V6.name}, the oldest known")
    tables = max((each for each in ALL if each.version <= wanted), key=lambda each: each.version)
    last = tuple(int(part) for part in tables.until.split("."))
    note = f"no constants of {version} known: those of {tables.until}, the nearest older" if wanted > last else ""
    return Found(tables, note)
