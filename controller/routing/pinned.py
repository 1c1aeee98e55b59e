"""pinned: tuned for collectives; flows that meet in time are spread over the fabric on purpose, not by luck.

On a leaf-spine, exactly: the flows between leaves are edges of a bipartite multigraph (source leaf, destination
leaf); an even colouring with one colour for each uplink puts at most ceil(degree / uplinks) flows on every up- and
down-link, which no placement can beat for flows of equal size (König; ``edge_colouring.py``). Demands that share no
step, not even through others, are coloured apart. Elsewhere, and where that misses the bound (unequal sizes, demands
that overlap in part): the longest flow first, each on the least loaded of its shortest paths, then a local search
(``least_loaded.py``). The better of the two is taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from controller.routing.edge_colouring import colour_evenly
from controller.routing.least_loaded import improved, spread
from controller.routing.next_hops import ends, host_to_host
from controller.routing.placement import assess
from controller.routing.two_tier import TwoTier, two_tier
from topologies.fabric import Fabric
from topologies.traffic import Demand, FlowKey, Path


def route(fabric: Fabric, demands: Sequence[Demand]) -> dict[FlowKey, Path]:
    best: tuple[float, dict[FlowKey, Path]] | None = None
    for paths in _placements(fabric, demands):
        assessment = assess(fabric, demands, paths)
        if assessment.optimal:
            return paths
        if best is None or assessment.objective_s < best[0]:
            best = (assessment.objective_s, paths)
    assert best is not None
    return best[1]


def _placements(fabric: Fabric, demands: Sequence[Demand]) -> Iterator[dict[FlowKey, Path]]:
    shape = two_tier(fabric)
    if shape is not None:
        coloured = _coloured(fabric, shape, demands)
        yield coloured
        yield improved(fabric, demands, coloured)
    yield spread(fabric, demands)


def _coloured(fabric: Fabric, shape: TwoTier, demands: Sequence[Demand]) -> dict[FlowKey, Path]:
    paths: dict[FlowKey, Path] = {}
    places = {leaf: place for place, leaf in enumerate(shape.uplinks)}
    for together in _meeting(demands):
        crossing = []
        for demand in sorted(together, key=lambda demand: (-demand.nbytes, demand.key)):
            source, target = ends(fabric, demand.key)
            if source == target:
                paths[demand.key] = host_to_host(fabric, demand.key, ())
            else:
                crossing.append((demand.key, source, target))
        colours = colour_evenly([(places[source], places[target]) for _, source, target in crossing], shape.width)
        for (key, source, target), colour in zip(crossing, colours, strict=True):
            up, down = shape.uplinks[source][colour], fabric.peer(shape.uplinks[target][colour])
            paths[key] = host_to_host(fabric, key, (up, down))
    return {demand.key: paths[demand.key] for demand in demands}


def _meeting(demands: Sequence[Demand]) -> list[list[Demand]]:
    """``demands`` in sets that share no step with one another."""
    parent: dict[int, int] = {}

    def find(step: int) -> int:
        while parent.setdefault(step, step) != step:
            parent[step] = parent[parent[step]]
            step = parent[step]
        return step

    for steps in {demand.steps for demand in demands}:
        for step in steps:
            parent[find(step)] = find(steps[0])
    together: dict[int | None, list[Demand]] = {}
    for demand in demands:
        together.setdefault(find(demand.steps[0]) if demand.steps else None, []).append(demand)
    return list(together.values())
