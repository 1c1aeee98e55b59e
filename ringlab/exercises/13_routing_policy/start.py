"""Exercise 13: write a routing policy. Read README.md first."""

from collections.abc import Sequence
from statistics import median

from ringlab.exercises.measure import Setup, simulate, ways
from topologies.fabric import Fabric
from topologies.traffic import Demand, FlowKey, Path

PREDICTION = None  # ECMP's median busbw for 16 interleaved ranks and 4 spines, as a share of B


def route(fabric: Fabric, demands: Sequence[Demand]) -> dict[FlowKey, Path]:
    """A way for every demand's flow."""
    return {demand.key: ways(fabric, demand.key)[0] for demand in demands}  # TODO: look at what is on the links already


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
