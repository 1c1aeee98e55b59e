"""A published sweep's machine as NCCL sees it: from the GPU's name and the words that tell its network.

What a source does not state is taken as usual for such machines, and that is all: NVLink by the GPU's model, an AMD CPU
where the system is known to have one, the latency that the AWS plugin reports (aws-ofi-nccl, src/platform-aws.cpp).
"""
# ruff: noqa: N803, N815 - GBps and Gbps are not the same

from __future__ import annotations

import re
from dataclasses import dataclass

from collectives.baseline.model import Baseline
from collectives.baseline.nccl.graphs import Hardware, system_of
from collectives.baseline.nccl.system import NcclError, System


@dataclass(frozen=True, slots=True)
class Gpu:
    """A model of GPU: NCCL's architecture row, NVLink by NCCL's figures, and whether an NVSwitch joins a node's."""

    words: str
    arch: str
    nvlink_GBps: float
    nvswitch: bool


GPUS = (
    Gpu(r"GB200|GB300|B200|B300|B100", "blackwell", 18 * 40.1, nvswitch=True),
    Gpu(r"GH200", "hopper", 18 * 20.6, nvswitch=False),
    Gpu(r"(?:H100|H200|H800).*(?:PCIe|NVL)", "hopper", 0.0, nvswitch=False),
    Gpu(r"H800", "hopper", 8 * 20.6, nvswitch=True),
    Gpu(r"H100|H200|H20\b", "hopper", 18 * 20.6, nvswitch=True),
    Gpu(r"A100.*PCI|A10\b|A10G|A30|A40|RTX A|L40|L4\b|RTX ?[345]0", "ampere", 0.0, nvswitch=False),
    Gpu(r"A800", "ampere", 8 * 20.0, nvswitch=True),
    Gpu(r"A100", "ampere", 12 * 20.0, nvswitch=True),
    Gpu(r"V100.*PCI|T4\b|RTX ?20|2080|Titan|TITAN|P40|K80", "volta", 0.0, nvswitch=False),
    Gpu(r"V100", "volta", 6 * 20.0, nvswitch=False),
    Gpu(r"P100", "volta", 4 * 18.0, nvswitch=False),
    # RCCL is made from NCCL: GB/s of one xGMI link in its src/graph/topo.h, times the links of a GPU.
    Gpu(r"MI3\d\d", "ampere", 7 * 48.0, nvswitch=False),
    Gpu(r"MI2\d\d|MI100", "ampere", 4 * 36.0, nvswitch=False),
)

AMD_CPU = re.compile(r"polaris|dgx[ -]a100|p5\b|p5e", re.IGNORECASE)
PLUGIN_LATENCY_US = (
    (re.compile(r"\bp5en|\bp6"), 35.0),
    (re.compile(r"\bp3dn"), 150.0),
    (re.compile(r"EFA|\bp[45]"), 75.0),
)
"""What aws-ofi-nccl tells NCCL, by platform."""


_SEVERAL = re.compile(r"(\d+) ?[x\u00d7] ?(\d+(?:\.\d+)?) ?(?:Gb/s|Gbps|Gbit/s|Gb?E\b|G\b)")
_SINGLE = re.compile(r"(\d+(?:\.\d+)?) ?(?:Gb/s|Gbps|Gbit/s|Gb?E\b)")
_TOTAL = re.compile(r"(\d+(?:\.\d+)?) ?GB/s per node")


def gpu_of(name: str) -> Gpu:
    """The model of a GPU by its name. NcclError for one that is not known."""
    for gpu in GPUS:
        if re.search(gpu.words, name):
            return gpu
    raise NcclError(f"GPU {name!r} is not one that NCCL's model knows here (V100 to B200, MI200, MI300)")


def is_gpu(baseline: Baseline) -> bool:
    """Whether NCCL or RCCL ran it, on a GPU known here or not; host memory and MPI have other models."""
    return "MPI" not in baseline.library and not baseline.gpu.startswith("none")


def nccl_version(baseline: Baseline) -> str | None:
    """``2.18`` of ``NCCL 2.18, env5: ...``; None where it is not stated."""
    found = re.search(r"NCCL (\d+\.\d+(?:\.\d+)?)", baseline.library)
    return found[1] if found else None


def forced_algorithm(baseline: Baseline) -> str | None:
    """The algorithm that a sweep was forced to (``tree forced``); None where NCCL chose."""
    found = re.search(r"\b(tree|ring|nvlstree|nvls) forced", baseline.note, re.IGNORECASE)
    names = {"tree": "Tree", "ring": "Ring", "nvls": "NVLS", "nvlstree": "NVLSTree"}
    return names[found[1].lower()] if found else None


def nccl_system(baseline: Baseline) -> System:
    """The machine of a published sweep. NcclError where too little is known of it."""
    nodes, gpus = baseline.nodes, baseline.gpus_per_node
    if nodes is None or gpus is None:
        raise NcclError(f"baseline {baseline.name}: how many nodes and GPUs a node is not stated")
    return system_of(hardware_of(baseline, nodes, gpus))


def hardware_of(baseline: Baseline, nodes: int, gpus: int) -> Hardware:
    """The hardware of a published sweep, for this many nodes."""
    words = f"{baseline.name} {baseline.gpu} {baseline.library} {baseline.network}"
    nics, nic = (0, 0.0) if nodes == 1 else nics_of(baseline, gpus)
    return node_hardware(baseline.name, baseline.gpu, (nodes, gpus), (nics, nic), words, tcp=is_tcp(baseline))


def node_hardware(
    name: str, gpu_name: str, shape: tuple[int, int], nics: tuple[int, float], words: str, *, tcp: bool
) -> Hardware:
    """Hardware by the GPU's name; ``shape`` is nodes and GPUs a node, ``nics`` their number a node and GB/s each."""
    gpu, (nodes, gpus) = gpu_of(gpu_name), shape
    return Hardware(
        name=name,
        arch=gpu.arch,
        nodes=nodes,
        gpus_per_node=gpus,
        nvlink_GBps=gpu.nvlink_GBps,
        nics=nics[0],
        nic_GBps=nics[1],
        nvswitch=gpu.nvswitch and gpus >= 8,  # four A100 or GH200 are joined GPU to GPU
        gpu_direct=not tcp,
        cpu="amd" if AMD_CPU.search(words) else "intel",
        net_latency_us=_plugin_latency_us(words) if nodes > 1 else 0.0,
    )


def nics_of(baseline: Baseline, gpus: int) -> tuple[int, float]:
    """Number and GB/s of one node's NICs as NCCL counts them: EFA's many cards are one a GPU. NcclError if unknown."""
    words = baseline.network
    several, single = _SEVERAL.search(words), _SINGLE.search(words)
    total = _TOTAL.search(words)
    if several:
        nics, nic = int(several[1]), float(several[2]) / 8
    elif single:
        nics, nic = 1, float(single[1]) / 8
    elif total or (baseline.nominal_line_rate_GBps and baseline.collective != "alltoall"):
        rate = float(total[1]) if total else float(baseline.nominal_line_rate_GBps or 0)
        return gpus, rate / gpus  # how many NICs is not said: one a GPU
    else:
        raise NcclError(f"baseline {baseline.name}: the rate of its NICs is not stated in {words!r}")
    if nics == 1 and "per GPU" in words:
        nics = gpus
    return one_a_gpu(nics, nic, gpus)


def one_a_gpu(nics: int, nic_GBps: float, gpus: int) -> tuple[int, float]:
    """More NICs than GPUs are used as one a GPU: so the plugin of EFA shows four cards of 100 Gb/s."""
    return (gpus, nics * nic_GBps / gpus) if nics > gpus else (nics, nic_GBps)


def is_tcp(baseline: Baseline) -> bool:
    """Whether the network is used through kernel sockets."""
    return re.search(r"NET/Socket|\bTCP\b|socket|tcp\d+g", f"{baseline.library} {baseline.network}") is not None


def _plugin_latency_us(words: str) -> float:
    return next((us for platform, us in PLUGIN_LATENCY_US if platform.search(words)), 0.0)
