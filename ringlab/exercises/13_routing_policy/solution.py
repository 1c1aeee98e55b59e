"""Exercise 13: write a routing policy. A solution."""

from collections import defaultdict
from collections.abc import Sequence
from statistics import median

from ringlab.exercises.measure import Setup, simulate, ways
from topologies.fabric import Fabric, Port
from topologies.traffic import Demand, FlowKey, Path

PREDICTION = 0.33  # ECMP's median busbw for 16 interleaved ranks and 4 spines, as a share of B


def route(fabric: Fabric, demands: Sequence[Demand]) -> dict[FlowKey, Path]:
    """A way for every demand's flow."""
    busy_s: dict[Port, float] = defaultdict(float)
    paths = {}
    for demand in sorted(demands, key=lambda one: -one.nbytes):
        after = [
            sorted((busy_s[port] + demand.nbytes / fabric.rate_bps(port) for port in way.hops), reverse=True)
            for way in ways(fabric, demand.key)
        ]
        best = min(range(len(after)), key=lambda number: (after[number][0], sum(after[number])))
        paths[demand.key] = ways(fabric, demand.key)[best]
        for port in paths[demand.key].hops:
            busy_s[port] += demand.nbytes / fabric.rate_bps(port)
    return paths


def look() -> None:
    small, wide, tree = "leaf-spine:leaves=4,spines=2,hosts=2", "leaf-spine:leaves=4,spines=4,hosts=4", "fat-tree:k=4"
    for short_form, ranks, algorithm in (
        *((small, 8, "ring"), (small, 8, "halving-doubling"), (small, 8, "pairwise")),
        *((wide, 16, "ring"), (tree, 16, "ring")),
    ):
        setup = Setup.of(short_form, algorithm, ranks, 8_000_000, "interleaved")
        ecmp = median(simulate(setup, f"ecmp:seed={seed}").busbw for seed in range(9))
        yours, pinned = simulate(setup, route).busbw, simulate(setup, "pinned").busbw
        print(f"{short_form:37} {algorithm:16}  ecmp {ecmp:.2f} B  yours {yours:.2f} B  pinned {pinned:.2f} B")


if __name__ == "__main__":
    look()
