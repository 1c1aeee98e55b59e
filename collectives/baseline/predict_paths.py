"""What a call must go through on each way it can be done: fixed time, steps, hops over the network, bytes on the wire.

Theory of operation. The skeleton is NCCL's own (``collectives.baseline.nccl``): the same algorithms and protocols, the
same graphs, latencies, corrections and plateau. A ``Path`` is one of its cells at one size, taken apart so that four
figures of a network can be put in: so many hops over it, a message of so many bytes each, and a bandwidth that is
reached in part. It differs from NCCL's in what measurements show and NCCL leaves out:

* a ring's item crosses from node to node up to N times, not N-1, and a broadcast passes along the whole ring;
* a step costs at least the time to post to the network, ``POST_US``, as all ranks of a ring wait for the slowest;
* a tree of lone GPUs takes a NIC three times (a parent and two children) where NCCL counts two.

All-to-all has no place in NCCL's model: it is a step for each peer, and the part of the buffer that leaves the node.
Host memory and MPI have Open MPI's algorithms: recursive doubling, Rabenseifner's, the ring.
"""
# ruff: noqa: N815 - GBps and Gbps are not the same

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from collectives.baseline.nccl import Cell, NcclError, System, cells, find
from collectives.baseline.nccl.choice import correction, plateau

POST_US = 6.0
"""NCCL takes 1 to 2 us, times three for Simple (src/graph/tuning.cc); measured steps are like the larger of these."""

TREE_HOP_US = 5.0
"""NCCL's latency of a hop over a network, tree and LL: a network's own latency stands in its place."""

LONE_TREE_SHARE = 2 / 3


@dataclass(frozen=True, slots=True)
class Path:
    """One way of doing a call. ``hop_us`` is NCCL's; ``bandwidth_GBps`` what NCCL thinks all wires together carry."""

    algorithm: str
    protocol: str
    fixed_us: float
    steps: float
    step_us: float
    hops: float
    hop_us: float
    message_bytes: float
    bandwidth_GBps: float
    plateau: float = 1.0


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a machine but the size: a collective, NCCL's version, an algorithm where it is forced."""

    system: System
    collective: str
    version: str | None = None
    algorithm: str | None = None
    mpi: bool = False


def paths(question: Question, size_bytes: int) -> tuple[Path, ...]:
    """All ways of a call of ``size_bytes``. NcclError where there is none."""
    if size_bytes < 1:
        raise NcclError(f"size {size_bytes}: must be above 0 bytes")
    if question.mpi:
        return tuple(_mpi(question.system, question.collective, size_bytes))
    if question.collective == "alltoall":
        return tuple(_alltoall(question, size_bytes))
    found = tuple(_nccl(question, size_bytes))
    if not found:
        raise NcclError(f"no {question.algorithm!r} for {question.collective} on {question.system.name}")
    return found


def _nccl(question: Question, size_bytes: int) -> Iterator[Path]:
    # What a plugin says of its latency, and the CPU's posting, are what a network's own figures stand for.
    system, tables = replace(question.system, net_latency_us=0.0, cpu="other"), find(question.version).tables
    for cell in cells(tables, system, question.collective):
        if cell.bandwidth_GBps <= 0 or question.algorithm not in {None, cell.algorithm}:
            continue
        path = _ring(system, cell) if cell.algorithm == "Ring" else _other(system, cell)
        share = LONE_TREE_SHARE if cell.algorithm == "Tree" and system.gpus_per_node == 1 and system.nodes > 2 else 1.0
        yield replace(
            path,
            message_bytes=size_bytes / system.ranks,
            bandwidth_GBps=cell.bandwidth_GBps * share * correction(tables, cell, size_bytes),
            plateau=plateau(tables, system, cell, size_bytes),
        )


def _ring(system: System, cell: Cell) -> Path:
    """A ring: its steps, N of them over the network for each time around."""
    n, nodes = system.ranks, system.nodes
    twice = cell.collective == "all_reduce"
    total = (2 if twice else 1) * (n - 1)
    if nodes == 1:
        each = cell.latency[1].each_us
        return Path("Ring", cell.protocol, cell.latency[0].us, total, each, 1, 0.0, 0.0, 0.0)
    hops = min(total, 2 * nodes - 1 if twice else nodes)
    each = next((term.each_us for term in cell.latency if term.name == "step inside"), 0.0)
    hop = cell.latency[-1].each_us
    return Path("Ring", cell.protocol, cell.latency[0].us, total - hops, max(each, POST_US), hops, hop, 0.0, 0.0)


def _other(system: System, cell: Cell) -> Path:
    """Trees and switches: the terms are NCCL's. In one node one hop of no length carries what the figures say."""
    across = [term for term in cell.latency if "between nodes" in term.name or term.name == "network"]
    fixed = sum(term.us for term in cell.latency if term not in across)
    hops, hop = (across[0].count, across[0].each_us) if across else (0.0, 0.0)
    if system.nodes == 1:
        hops, hop = 1.0, 0.0
    return Path(cell.algorithm, cell.protocol, fixed, 0.0, 0.0, hops, hop, 0.0, 0.0)


def _alltoall(question: Question, size_bytes: int) -> Iterator[Path]:
    """NCCL's send and receive: one step a peer, then the wire; LL spends half of it."""
    system = question.system
    n, nodes, gpus = system.ranks, system.nodes, system.gpus_per_node
    graph = system.ring
    if nodes == 1:
        wire = graph.channels * graph.bw_intra_GBps * n / (n - 1)
    else:
        wire = graph.channels * graph.bw_inter_GBps * n / ((n - gpus) * gpus)
    tables = find(question.version).tables
    step = POST_US if nodes > 1 else (tables.nvlink if system.intra == "NVLINK" else tables.pci)["Ring"][0]
    for protocol, share, place in (("LL", 0.5, 0), ("Simple", 1.0, 2)):
        fixed, hop = tables.base["Ring"][place], tables.net["Ring"][place] if nodes > 1 else 0.0
        yield Path("pairwise", protocol, fixed, n - 1, step, 1, hop, size_bytes / n, wire * share)


def _mpi(system: System, collective: str, size_bytes: int) -> Iterator[Path]:
    """Allreduce in host memory by Open MPI's algorithms. NcclError for other collectives."""
    if collective != "all_reduce":
        raise NcclError(f"host memory: only all_reduce is known, not {collective!r}")
    n = system.ranks
    rounds, wire = (n - 1).bit_length(), system.ring.channels * system.ring.bw_inter_GBps
    for name, hops, message, share in (
        ("recursive doubling", rounds, float(size_bytes), 1 / rounds),
        ("Rabenseifner", 2 * rounds, size_bytes / 2, n / (2 * (n - 1))),
        ("ring", 2 * (n - 1), size_bytes / n, n / (2 * (n - 1))),
    ):
        yield Path(name, "host", 0.0, 0.0, 0.0, hops, TREE_HOP_US, message, wire * share)
