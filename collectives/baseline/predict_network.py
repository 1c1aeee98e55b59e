"""A network's four figures, and where they come from: fitted on its own sweeps, on its kind's, or a default.

    time = plateau x (fixed + steps + hops x latency) + hops x rendezvous + bytes / (bandwidth x efficiency)

``latency_us`` is that of one hop of a tree over the network; NCCL's own figure is 5. ``rendezvous_us`` is what a hop
costs more once messages are too large to be sent without asking; it comes in around ``rendezvous_bytes``, half of it
there. ``efficiency`` is what is reached of the bandwidth that NCCL expects.

Keys, from near to far: a *network* is a kind, the words that tell its hardware, and NCCL's version (2.18); a *site* is
the same with any version; a *kind* is sockets, InfiniBand, RoCE, EFA, Slingshot by libfabric, or inside a node NVLink,
xGMI, PCI. All-to-all has kinds of its own, and so has MPI in host memory.
"""
# ruff: noqa: N803 - GBps and Gbps are not the same

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

from collectives.baseline.model import Baseline
from collectives.baseline.nccl.published import is_gpu, is_tcp, nccl_version
from collectives.baseline.predict_paths import TREE_HOP_US, Path

SPREAD = 1.0
"""How sharply the rendezvous comes in: rank pairs, channels and slices pass the threshold at different sizes."""

MOST_GBPS = {"tcp": 5.2, "tcp-alltoall": 5.2, "mpi-tcp": 1.0, "mpi-ib": 1.0}
"""What a node passes through its kernel, or adds in host memory, however fast the wire. Sockets: 5.2 GB/s on 100GbE
(NVIDIA/nccl issue 450). Host memory: 1 GB/s of Open MPI on 100 Gb/s (the published sweep)."""

INSIDE = ("nvlink", "xgmi", "pci")


@dataclass(frozen=True, slots=True)
class Figures:
    """The four figures of a network."""

    latency_us: float
    rendezvous_bytes: float
    rendezvous_us: float
    efficiency: float

    def logs(self) -> tuple[float, float, float, float]:
        """Their logarithms: what is fitted, as errors are shares."""
        return (
            math.log(self.latency_us),
            math.log(self.rendezvous_bytes),
            math.log(self.rendezvous_us),
            math.log(self.efficiency),
        )


@dataclass(frozen=True, slots=True)
class Key:
    """Which network it is: ``kind``, its hardware in the source's words, NCCL's version as ``2.18`` or empty."""

    kind: str
    hardware: str
    version: str

    @property
    def site(self) -> tuple[str, str]:
        return self.kind, self.hardware


DEFAULT = Figures(10.0, 32768.0, 30.0, 0.9)
DEFAULT_LATENCY_US = {
    "ib": 6.0,  # NCCL's 5 us are of InfiniBand
    "roce": 8.0,
    "slingshot": 7.0,  # some 2 us one way by MPI
    "efa": 20.0,  # 15.5 us one way by MPI (AWS), and a GPU at each end
    "tcp": 20.0,  # 10 to 25 us one way through two kernels, and a GPU at each end
    "tcpx": 20.0,
    "mpi-ib": 2.0,
    "mpi-tcp": 25.0,
}
"""One hop by kind, as the transports are known to be; not fitted."""
DEFAULT_INSIDE = Figures(5.0, 32768.0, 0.5, 0.97)
DEFAULT_ALLTOALL_EFFICIENCY = 0.54
"""All ranks of a node send to all others at once: 40 to 60 % of the wire, measured on Slingshot."""


def default(kind: str, line_GBps: float | None) -> Figures:
    """What is assumed of a kind that was never fitted."""
    transport = kind.removesuffix("-alltoall")
    figures = DEFAULT_INSIDE if transport in INSIDE else DEFAULT
    figures = replace(figures, latency_us=DEFAULT_LATENCY_US.get(transport, figures.latency_us))
    if kind.endswith("-alltoall"):
        figures = replace(figures, efficiency=DEFAULT_ALLTOALL_EFFICIENCY)
    return bounded(figures, kind, line_GBps)


def bounded(figures: Figures, kind: str, line_GBps: float | None) -> Figures:
    """Of sockets and of MPI in host memory (the kinds of ``MOST_GBPS``) the efficiency is *replaced* by the share of
    the line that a node passes there, 0.92 at most; that may be more than it was. Of other kinds, or where the line is
    unknown, the figures stay as they are.
    """
    most = MOST_GBPS.get(kind)
    if most is None or line_GBps is None:
        return figures
    return replace(figures, efficiency=min(0.92, most / line_GBps))


def key_of(baseline: Baseline) -> Key:
    """The network of a published sweep."""
    version = nccl_version(baseline)
    short = ".".join(version.split(".")[:2]) if version else ""
    hardware = baseline.network if baseline.nodes != 1 else baseline.gpu
    return Key(kind_of(baseline), re.sub(r"\s+", " ", hardware).strip(), short)


def kind_of(baseline: Baseline) -> str:
    """The kind of network that a sweep's words tell."""
    kind = _kind(baseline)
    return f"{kind}-alltoall" if baseline.collective == "alltoall" else kind


def time_us(figures: Figures, path: Path, size_bytes: int) -> float:
    """Microseconds of one path over a network of these figures."""
    hop = max(0.0, path.hop_us + figures.latency_us - TREE_HOP_US)
    begun = path.plateau * (path.fixed_us + path.steps * path.step_us + path.hops * hop)
    asked = (figures.rendezvous_bytes / path.message_bytes) ** (1 / SPREAD) if path.message_bytes > 0 else math.inf
    rendezvous = path.hops * figures.rendezvous_us / (1 + asked)
    return begun + rendezvous + size_bytes / (1000 * path.bandwidth_GBps * figures.efficiency)


def _kind(baseline: Baseline) -> str:
    if not is_gpu(baseline):
        return "mpi-tcp" if is_tcp(baseline) else "mpi-ib"
    if baseline.nodes == 1:
        return kind_inside(baseline.gpu)
    return "tcp" if is_tcp(baseline) else kind_between(f"{baseline.network} {baseline.library} {baseline.name}")


def kind_inside(gpu: str) -> str:
    """What joins the GPUs of a node, by the GPU's name."""
    if re.search(r"\bMI\d{3}", gpu):
        return "xgmi"
    return "pci" if re.search(r"PCI|RTX|T4\b|L4\b|L40|A10\b|A40", gpu) else "nvlink"


def kind_between(words: str) -> str:
    """The kind of a network that is not used through sockets, by what is said of it."""
    for kind, pattern in (
        ("slingshot", r"slingshot|\bcxi\b"),
        ("efa", r"\bEFA\b|aws-ofi"),
        ("tcpx", r"TCPX|FasTrak"),
        ("roce", r"RoCE"),
        ("ib", r"InfiniBand|\bIB\b|\b[HNEF]DR\b"),
    ):
        if re.search(pattern, words, re.IGNORECASE if kind == "slingshot" else 0):
            return kind
    return "network"
