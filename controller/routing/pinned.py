"""pinned: tuned for collectives; flows that meet in time are spread over the fabric on purpose, not by luck.

On a leaf-spine, exactly: the flows between leaves are edges of a bipartite multigraph (source leaf, destination
leaf); an even colouring with one colour for each uplink puts at most ceil(degree / uplinks) flows on every up- and
down-link, which no placement can beat for flows of equal size (König; ``edge_colouring.py``). On a fat tree it is done
twice: the first colour picks the plane, evenly at each leaf and in each pod, and in each plane an even colouring of
(source pod, destination pod) picks the core. Demands that share no step, not even through others, are coloured apart;
the channels of a pair of ranks are flows of their own, so one pair's bytes are split where one path is too little.

Elsewhere, and where that misses the bound (unequal sizes, demands that overlap in part, dead links, links that other
jobs use): local search from the colouring, the flows that it put on dead links placed anew; and from the greedy rule,
the longest flow first (``least_loaded.py``). The best is taken, and never one that is worse than seeded ecmp.

``standing`` paths are kept where they can be: a flow leaves its path because a link of it is dead, or because that
makes the objective smaller.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from controller.routing import ecmp
from controller.routing.clos import Clos, clos
from controller.routing.edge_colouring import colour_evenly
from controller.routing.least_loaded import improved, spread
from controller.routing.placement import Problem, Walk
from controller.routing.situation import CLEAR, Situation
from topologies.fabric import Fabric
from topologies.traffic import Demand, FlowKey, Path, Paths

GUARD_SEED = 0
"""The ecmp that a placement is never worse than."""

ROUNDING = 1e-9
"""Objectives that differ by less than this share are equal: they are sums of floats."""

_NOTHING_STANDS: Paths = {}


def route(
    fabric: Fabric, demands: Sequence[Demand], situation: Situation = CLEAR, standing: Paths = _NOTHING_STANDS
) -> dict[FlowKey, Path]:
    """The best placement found; the first that meets the lower bound. RoutingError for a flow that has no way."""
    problem = Problem(fabric, demands, situation)
    least_s, best = float("inf"), None
    for walks in _placements(problem, standing):
        assessment = problem.assess(walks)
        if best is None or assessment.objective_s < least_s * (1 - ROUNDING):
            least_s, best = assessment.objective_s, walks
        if assessment.optimal:
            break
    assert best is not None
    return problem.paths(best)


def _placements(problem: Problem, standing: Paths) -> Iterator[Sequence[Walk]]:
    """What is looked at, the cheap first; of equally good ones the first is taken."""
    if standing:
        yield improved(problem, _kept(problem, standing), churn=False)
    shape = clos(problem.fabric)
    if shape is not None:
        coloured = _coloured(problem, shape)
        whole = problem.situation == CLEAR or all(map(problem.alive, coloured))
        if whole:
            yield coloured
        yield improved(problem, coloured if whole else [w if problem.alive(w) else None for w in coloured])
    yield spread(problem)
    guard = ecmp.route(problem.fabric, problem.demands, GUARD_SEED, problem.situation)
    yield [problem.walk(guard[demand.key]) for demand in problem.demands]


def _kept(problem: Problem, standing: Paths) -> list[Walk | None]:
    """The walks that stand and live."""
    walks = [standing.get(demand.key) for demand in problem.demands]
    found = [None if path is None else problem.walk(path) for path in walks]
    return [walk if walk is not None and problem.alive(walk) else None for walk in found]


def _coloured(problem: Problem, shape: Clos) -> list[Walk]:
    walks: list[Walk] = [()] * len(problem.demands)
    for together in _meeting(problem):
        crossing = [number for number in together if problem.sources[number] != problem.targets[number]]
        ends = [(problem.sources[number], problem.targets[number]) for number in crossing]
        if not shape.core_width:
            colours, tops = colour_evenly(ends, shape.width), [0] * len(ends)
        else:
            colours, tops = _twice_coloured(shape, ends)
        for number, walk in zip(crossing, shape.walks(ends, colours, tops), strict=True):
            walks[number] = walk
    return walks


def _twice_coloured(shape: Clos, ends: Sequence[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """For each flow between two leaves its colour and, 0 within a pod, its core colour."""
    pods = [(shape.pod[source], shape.pod[target]) for source, target in ends]
    colours = colour_evenly(ends, shape.width, [pair if pair[0] != pair[1] else (-1, -1) for pair in pods])
    tops = [0] * len(ends)
    for plane in range(shape.width // shape.parallel):
        up = [
            number
            for number, (here, there) in enumerate(pods)
            if here != there and colours[number] // shape.parallel == plane
        ]
        core_colours = colour_evenly([pods[number] for number in up], shape.core_width)
        for number, top in zip(up, core_colours, strict=True):
            tops[number] = top
    return colours, tops


def _meeting(problem: Problem) -> list[list[int]]:
    """The numbers of the demands in sets that share no step with one another, the largest demand of each first."""
    sizes = [0] * len(problem.demands)
    parent = list(range(len(sizes)))

    def find(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    if len(problem.groups) == 1 and len(problem.groups[0].nbytes) == len(sizes):
        nbytes = problem.groups[0].nbytes  # the usual case: all flows meet
        return [sorted(nbytes, key=nbytes.__getitem__, reverse=True)]
    for group in problem.groups:
        root = find(next(iter(group.nbytes)))
        for number, sent in group.nbytes.items():
            sizes[number] += sent
            parent[find(number)] = root
    together: dict[int, list[int]] = {}
    for number in range(len(sizes)):
        together.setdefault(find(number), []).append(number)
    return [sorted(members, key=sizes.__getitem__, reverse=True) for members in together.values()]
