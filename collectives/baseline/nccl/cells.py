"""One cell of NCCL's table: a collective by an algorithm and a protocol; latency and bandwidth, with their terms."""
# ruff: noqa: N802 - GBps and Gbps are not the same

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from collectives.baseline.nccl.bandwidth import Step, bandwidth_steps
from collectives.baseline.nccl.latency import Term, latency_terms
from collectives.baseline.nccl.system import NcclError, System
from collectives.baseline.nccl.tables import ALGORITHMS, PROTOCOLS, Tables
from topologies.spelling import did_you_mean

COLLECTIVES = ("all_reduce", "all_gather", "reduce_scatter", "broadcast", "reduce")

_SIMPLE_ONLY = {"NVLS", "NVLSTree", "PAT", "CollNetDirect", "CollNetChain"}


@dataclass(frozen=True, slots=True)
class Cell:
    """``off`` says why NCCL does not use the cell by default; empty where it does."""

    collective: str
    algorithm: str
    protocol: str
    latency: tuple[Term, ...]
    bandwidth: tuple[Step, ...]
    off: str = ""

    @property
    def latency_us(self) -> float:
        return sum(term.us for term in self.latency)

    @property
    def bandwidth_GBps(self) -> float:
        """Algorithm bandwidth; 0 where the cell is off, as NCCL prints it."""
        return 0.0 if self.off or not self.bandwidth else self.bandwidth[-1].GBps


@lru_cache(maxsize=512)
def cells(tables_version: Tables, system: System, collective: str) -> tuple[Cell, ...]:
    """All cells of ``collective`` on ``system``, those that are off among them. NcclError for another collective."""
    if collective not in COLLECTIVES:
        raise NcclError(f"NCCL's model has no {collective!r}; {did_you_mean(collective, COLLECTIVES)}")
    return tuple(
        _cell(tables_version, system, collective, algorithm, protocol)
        for algorithm in ALGORITHMS
        if _exists(tables_version, system, collective, algorithm)
        for protocol in PROTOCOLS
        if protocol == "Simple" or algorithm not in _SIMPLE_ONLY
    )


def _cell(tables: Tables, system: System, collective: str, algorithm: str, protocol: str) -> Cell:
    off = ""
    if protocol == "LL128" and not _ll128(tables, system):
        off = "LL128 is off by default here: it needs NVLink inside the nodes and a NIC close to the GPU"
    return Cell(
        collective,
        algorithm,
        protocol,
        latency_terms(tables, system, collective, algorithm, protocol),
        bandwidth_steps(tables, system, collective, algorithm, protocol),
        off,
    )


def _ll128(tables: Tables, system: System) -> bool:
    """By default only where it was tested: Volta and Ampere from the first, Hopper since 2.12, Blackwell since 2.23."""
    since = {"volta": (0, 0), "ampere": (0, 0), "hopper": (2, 12), "blackwell": (2, 23)}[system.arch]
    return system.ll128 and tables.version >= since


def _exists(tables: Tables, system: System, collective: str, algorithm: str) -> bool:
    """Whether this version knows the algorithm for the collective, and the machine has what it needs."""
    all_reduce, scattered = collective == "all_reduce", collective in {"all_gather", "reduce_scatter"}
    match algorithm:
        case "Ring":
            return True
        case "Tree":
            return all_reduce
        case "PAT":
            return scattered and tables.pat and system.gpus_per_node == 1 and system.nodes > 1
        case "CollNetDirect" | "CollNetChain":
            return all_reduce and system.collnet and system.nodes > 1 and algorithm in tables.net
        case "NVLS":
            has = system.nvls is not None and tables.nvls != "none"
            across = system.nodes == 1 or (system.collnet and all_reduce)
            return has and (all_reduce or scattered) and across
        case _:  # NVLSTree
            return system.nvls is not None and tables.nvls != "none" and all_reduce and system.nodes > 1
