"""NCCL's bandwidth of one (collective, algorithm, protocol): channels times their speed, cut down step by step.

LL spends half of each store on a flag, LL128 an eighth; both, and trees, have a most that a channel reaches. In the end
*bus* bandwidth becomes *algorithm* bandwidth: the collective's bytes over time. GB/s are 1e9 bytes a second.
"""

from __future__ import annotations

from dataclasses import dataclass

from collectives.baseline.nccl.latency import ring_steps
from collectives.baseline.nccl.system import Graph, System
from collectives.baseline.nccl.tables import LL128_BY_COLLECTIVE, Tables, old_tree_max_GBps


@dataclass(frozen=True, slots=True)
class Step:
    """What was done, and the bandwidth after it."""

    name: str
    GBps: float


def bandwidth_steps(tables: Tables, system: System, collective: str, algorithm: str, protocol: str) -> tuple[Step, ...]:
    """The steps; the last is the algorithm bandwidth that NCCL prints. Empty where there is no such graph."""
    if algorithm in {"NVLS", "NVLSTree"}:
        return _nvls(tables, system, collective, algorithm)
    graph = system.ring if algorithm == "Ring" else system.tree
    fast = system.nodes <= 2 or algorithm.startswith("CollNet")
    speed = graph.bw_intra_GBps if fast else graph.bw_inter_GBps
    place = "inside" if fast else "between nodes"
    bus = graph.channels * speed
    steps = [Step(f"{graph.channels} channels x {speed:g} {place}", bus)]
    most = tables.bus_max.get(system.arch)
    if most is not None and bus > most:
        bus = most
        steps.append(Step(f"at most {most:g}", bus))
    refine = {"Ring": _ring, "Tree": _tree}.get(algorithm, _others)
    steps += refine(tables, system, collective, algorithm, protocol, bus)
    return (*steps, _to_algorithm(system, collective, algorithm, steps[-1].GBps))


def _ring(tables: Tables, system: System, collective: str, _algorithm: str, protocol: str, bus: float) -> list[Step]:
    if protocol == "LL":
        share = tables.ring_ll_share
        if share is None:
            reduces = system.nodes > 1 or collective in {"all_reduce", "reduce"}
            share = 1 / 4 if reduces else 1 / 3
        return _cut(bus * share, f"LL x {share:.3g}", _ll_max(tables, system))
    if protocol == "LL128":
        share = tables.lone_gpu_ll128_share if system.gpus_per_node < 2 else 0.92
        each = LL128_BY_COLLECTIVE[collective] if tables.tree_max is None else _row(tables.ring_ll128, system)
        return _cut(bus * share, f"LL128 x {share:.3g}", system.ring.channels * each)
    return []


def _tree(tables: Tables, system: System, _collective: str, _algorithm: str, protocol: str, bus: float) -> list[Step]:
    channels = system.tree.channels
    if tables.tree_max is None:
        most = old_tree_max_GBps(system.arch, protocol, system.nodes)
    else:
        most = channels * _row(tables.tree_max, system)
    steps = _cut(bus * tables.tree_share, f"tree x {tables.tree_share:.3g}", most)
    bus = steps[-1].GBps
    if protocol == "LL":
        most_ll = None if tables.tree_max is None else _ll_max(tables, system)
        steps += _cut(bus / 3.8, "LL / 3.8", most_ll)
    elif protocol == "LL128":
        share = 7 / 9 if system.nodes == 1 else tables.tree_ll128_share
        steps += _cut(bus * share, f"LL128 x {share:.3g}", channels * _row(tables.tree_ll128, system))
    if system.plain_tree and tables.net_latency == "added":  # since 2.18
        steps.append(Step("plain tree x 0.85", steps[-1].GBps * 0.85))
    return steps


def _others(tables: Tables, system: System, _collective: str, algorithm: str, _protocol: str, bus: float) -> list[Step]:
    """PAT and CollNet, Simple only."""
    if algorithm == "PAT":
        return [Step("PAT x 0.75", bus * 0.75)]
    if algorithm == "CollNetChain":
        return [] if tables.net_latency == "added" else [Step("chain x 0.75", bus * 0.75)]
    share = system.gpus_per_node / system.tree.channels
    share -= (share - 1) / 2
    steps = [Step(f"GPUs over NICs / {share:.3g}", bus / share)]
    if system.arch in {"hopper", "blackwell"} and tables.net_latency == "added":
        steps.append(Step("Hopper and later x 0.85", steps[-1].GBps * 0.85))
    return steps


def _nvls(tables: Tables, system: System, collective: str, algorithm: str) -> tuple[Step, ...]:
    graph = system.nvls
    if graph is None or graph.channels < 2 or tables.nvls == "none":
        return ()
    speed, why = _nvls_speed(tables, system, collective, algorithm, graph)
    steps = [Step(f"{graph.channels} channels x {speed:.4g} ({why})", graph.channels * speed)]
    return (*steps, _to_algorithm(system, collective, algorithm, steps[0].GBps, tables))


def _nvls_speed(tables: Tables, system: System, collective: str, algorithm: str, graph: Graph) -> tuple[float, str]:
    """GB/s of one channel, and what bounds it."""
    inside, between, ppn = graph.bw_intra_GBps, graph.bw_inter_GBps, system.gpus_per_node
    least: dict[str, float]
    if tables.nvls == "min":
        if algorithm == "NVLSTree":
            least = {"inside": inside, "between nodes": between / (1 if system.nodes <= 2 else 2)}
        elif collective == "all_reduce" or not tables.pat:
            least = {"inside": inside, "between nodes": between}
        else:
            least = {"inside": inside * (ppn - 1) / ppn, "between nodes": between * 0.9}
    else:
        inside *= tables.nvls_efficiency.get(system.arch, 0.0) * (graph.channels - 1) / graph.channels
        inside *= 2 if collective == "all_reduce" else (ppn - 1) / ppn
        between *= 2 if system.nodes <= 2 and algorithm == "NVLSTree" else 1
        least = {"inside": inside, "between nodes": between}
        if algorithm == "NVLSTree" and tables.nvls_tree_max is not None:
            least["most of a channel"] = _row(tables.nvls_tree_max, system)
    why = min(least, key=lambda name: least[name])
    return least[why], why


def _to_algorithm(system: System, collective: str, algorithm: str, bus: float, tables: Tables | None = None) -> Step:
    """Bus to algorithm bandwidth. All-gather and reduce-scatter by other than rings are counted right already."""
    share = system.ranks / ring_steps(system, collective)
    if algorithm == "Ring":
        return Step(f"algorithm bandwidth x {share:.4g}", bus * share)
    oldest_nvls = tables is not None and tables.nvls == "min" and not tables.pat
    if collective in {"all_gather", "reduce_scatter"} and not oldest_nvls:
        return Step("algorithm bandwidth", bus)
    if tables is not None:  # NVLS
        share = 5 / 6 if tables.nvls == "min" else share
        return Step(f"algorithm bandwidth x {share:.4g}", bus * share)
    return Step("algorithm bandwidth x 0.5", bus * 0.5)


def _cut(value: float, name: str, most: float | None) -> list[Step]:
    """The step, and a second one where the most bounds it."""
    if most is None or value <= most:
        return [Step(name, value)]
    return [Step(name, value), Step(f"at most {most:.4g}", most)]


def _ll_max(tables: Tables, system: System) -> float | None:
    if tables.ll_max is None:
        return None
    across = "ampere" if system.cpu == "amd" else "volta"
    return tables.ll_max[system.arch if system.nodes == 1 else across][min(system.nodes, 3) - 1]


def _row(rows: object, system: System) -> float:
    assert isinstance(rows, dict)
    return float(rows[system.arch][min(system.nodes, 3) - 1])
