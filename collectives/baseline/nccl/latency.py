"""NCCL's latency of one (collective, algorithm, protocol): a base, and so many steps of each kind.

A *hop* inside a node crosses NVLink or PCI, one between nodes crosses the network. A ring works n-1 steps (allreduce:
twice that), of which so many cross the network as there are nodes; a tree goes down and up again: a chain inside each
node, log2 of the nodes between them.
"""

from __future__ import annotations

from dataclasses import dataclass

from collectives.baseline.nccl.system import System
from collectives.baseline.nccl.tables import PROTOCOLS, Tables


@dataclass(frozen=True, slots=True)
class Term:
    """``count`` times ``each_us``; ``name`` says of what."""

    name: str
    count: float
    each_us: float

    @property
    def us(self) -> float:
        return self.count * self.each_us


def latency_terms(tables: Tables, system: System, collective: str, algorithm: str, protocol: str) -> tuple[Term, ...]:
    """The terms whose sum is the latency that NCCL prints."""
    proto = PROTOCOLS.index(protocol)
    inside = _inside_us(tables, system, algorithm, proto)
    between = _between_us(tables, system, algorithm, proto)
    base = Term("base", 1, tables.base.get(algorithm, (0.0, 0.0, 0.0))[proto])
    if algorithm == "Ring" and collective in {"broadcast", "reduce"}:
        return (base, _rooted_ring(tables, system, proto))
    if algorithm == "Ring":
        return (base, *_ring(tables, system, collective, protocol, inside, between))
    if algorithm == "NVLS":  # no base, and once through the switch
        return (Term("switch", 1, inside), *([Term("network", 1, between)] if system.nodes > 1 else []))
    return (base, *_others(tables, system, algorithm, inside, between))


def _others(tables: Tables, system: System, algorithm: str, inside: float, between: float) -> tuple[Term, ...]:
    """Trees, CollNet, PAT and NVLSTree."""
    peers, depth = system.gpus_per_node - 1, _log2(system.nodes)
    match algorithm:
        case "Tree":
            return (Term("hop inside", 2 * peers, inside), Term("hop between nodes", 2 * depth, between))
        case "NVLSTree":
            return (Term("switch", 1, inside), Term("hop between nodes", 2 * depth, between))
        case "PAT":
            return (Term("hop between nodes / 3.5", depth, between / 3.5), Term("rank", system.ranks, 2.8))
        case "CollNetDirect":
            gather = Term("gather and scatter inside", 2 * min(1, peers), inside)
            return (gather, Term("peer", 2 * peers, tables.collnet_hop_us), Term("network", 1, between))
        case _:  # CollNetChain; before 2.18 without the network
            network = between if tables.net_latency == "added" else 0.0
            return (Term("hop inside", 2 * peers, inside), Term("network", 1, network))


def _ring(
    tables: Tables, system: System, collective: str, protocol: str, inside: float, between: float
) -> tuple[Term, ...]:
    """A step inside a node costs at least the time to post to the network, as all of a ring work in step."""
    steps, crossing = ring_steps(system, collective), _crossing_steps(tables, system, collective)
    if tables.net_overhead and system.nodes > 1:
        inside = max(inside, (2.0 if system.cpu == "amd" else 1.0) * (3 if protocol == "Simple" else 1))
    return (Term("step inside", steps - crossing, inside), Term("step between nodes", crossing, between))


def _rooted_ring(tables: Tables, system: System, proto: int) -> Term:
    """Broadcast and reduce: one hop where all channels have the same order, else as many as ranks."""
    hardware = _hardware(tables, system, across=system.nodes > 1)
    if system.same_channels:
        return Term("hop", 1, hardware["Ring"][proto])
    chunked = "Tree" if proto == PROTOCOLS.index("Simple") else "Ring"
    return Term("step", system.ranks, hardware[chunked][proto])


def ring_steps(system: System, collective: str) -> int:
    n = system.ranks
    return {"all_reduce": 2 * (n - 1), "all_gather": n - 1, "reduce_scatter": n - 1}.get(collective, n)


def _crossing_steps(tables: Tables, system: System, collective: str) -> int:
    if system.nodes == 1:
        return 0
    if collective == "all_reduce":
        return 2 * system.nodes if tables.spare_inter_steps else 2 * (system.nodes - 1)
    return system.nodes - 1


def _inside_us(tables: Tables, system: System, algorithm: str, proto: int) -> float:
    us = _hardware(tables, system, across=False).get(algorithm, (0.0, 0.0, 0.0))[proto]
    return us * (tables.ll_between_nodes if system.nodes > 1 and proto == 0 else 1.0)


def _between_us(tables: Tables, system: System, algorithm: str, proto: int) -> float:
    """The table's network latency, with what the network's plugin says; twice for Simple, which flushes."""
    row = "Tree" if tables.lone_gpu_tree_net and system.gpus_per_node == 1 else algorithm
    us = tables.net.get(row, (0.0, 0.0, 0.0))[proto]
    if tables.net_latency == "instead":
        return system.net_latency_us or us
    if tables.net_latency == "added":
        return us + system.net_latency_us * (2 if proto == PROTOCOLS.index("Simple") else 1)
    return us


def _hardware(tables: Tables, system: System, *, across: bool) -> dict[str, tuple[float, float, float]]:
    if across:
        return dict(tables.net)
    return dict(tables.nvlink if system.intra == "NVLINK" else tables.pci)


def _log2(number: int) -> int:
    """floor(log2), as NCCL counts the levels of a tree."""
    return number.bit_length() - 1
