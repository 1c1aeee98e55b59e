"""The time dilation of a run: given, or chosen so that this machine can carry what the fabric would."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ringlab.experiments import calibrate
from topologies.fabric import Fabric
from topologies.measures import line_rate_bps
from topologies.path_counts import diameter
from topologies.traffic import Demand

RELAY_COST = 2.0
"""Measured: eight ranks at 200 Mb/s, 4.8 Gb/s switched, kept two cores 69 % busy, and 92 % with relayed delays, where
the ring fell behind by 5 to 8 %: too much. Half of that load is a cautious choice."""

ROUND = (1.0, 2.0, 2.5, 4.0, 5.0, 8.0, 10.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """The factor, and where it comes from."""

    factor: float
    why: str


def chosen(fabric: Fabric, demands: Sequence[Demand], say: Callable[[str], None], relayed: bool = False) -> Scale:
    """The scale at which ``demands`` stay within the machine's budget; calibrates first if nobody did.

    ``relayed``: a process holds every frame on every link, which costs about as much as switching it.
    """
    found = calibrate.kept() or calibrate.measure(say)
    load = load_bps(fabric, demands) * (RELAY_COST if relayed else 1)
    factor = rounded_up(load / found.budget_bps)
    why = (
        f"this machine may be asked to switch {found.budget_bps / 1e9:.1f} Gb/s in all (measured by calibration); "
        f"the fabric at full speed would ask for {load / 1e9:.0f} Gb/s"
    )
    return Scale(factor, why)


def load_bps(fabric: Fabric, demands: Sequence[Demand]) -> float:
    """Switched bits a second when every host sends at line rate: each bit counts once per switch it passes.

    Without demands every packet is taken to go the whole diameter.
    """
    return line_rate_bps(fabric) * len(fabric.hosts) * _switches_passed(fabric, demands)


def rounded_up(factor: float) -> float:
    """The next of 1, 2, 2.5, 4, 5, 8, 10, 20, ...: a number that a reader can divide by."""
    decade = 1.0
    while factor > 10 * decade:
        decade *= 10
    return next(step * decade for step in ROUND if step * decade >= factor)


def _switches_passed(fabric: Fabric, demands: Sequence[Demand]) -> float:
    """The mean over bytes, by shortest ways."""
    import networkx as nx  # noqa: PLC0415 - slow to import

    total = sum(demand.nbytes for demand in demands)
    if not total:
        return max(1, diameter(fabric) - 1)
    pairs: dict[tuple[str, str], int] = {}
    for demand in demands:
        pair = demand.key.src, demand.key.dst
        pairs[pair] = pairs.get(pair, 0) + demand.nbytes
    lengths = {pair: nx.shortest_path_length(fabric.graph, *pair) - 1 for pair in pairs}
    return float(sum(nbytes * lengths[pair] for pair, nbytes in pairs.items()) / total)
