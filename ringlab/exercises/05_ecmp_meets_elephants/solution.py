"""Exercise 5: ECMP meets elephants. A solution."""

from collections import Counter
from collections.abc import Sequence
from itertools import product

from ringlab.exercises.measure import Setup, simulate

PREDICTION = 16  # of 256 outcomes, in how many do no two flows share a link?
POLICY = "pinned"

FLOWS = [(rank % 4, (rank + 1) % 4) for rank in range(8)]  # (source leaf, destination leaf) of each rank's flow


def collide(spines: Sequence[int], flows: Sequence[tuple[int, int]] = FLOWS) -> bool:
    """Do two flows share a link, when flow number i goes over spine number ``spines[i]``?"""
    up = {(source, spine) for (source, _), spine in zip(flows, spines, strict=True)}
    down = {(spine, target) for (_, target), spine in zip(flows, spines, strict=True)}
    return len(up) < len(flows) or len(down) < len(flows)


def setup() -> Setup:
    return Setup.of("leaf-spine:leaves=4,spines=2,hosts=2", "ring", 8, 16_000_000, "interleaved")


def look() -> None:
    clean = sum(not collide(spines) for spines in product(range(2), repeat=8))
    print(f"{clean} of {2**8} outcomes are clean")
    drawn = Counter(round(simulate(setup(), f"ecmp:seed={seed}").busbw, 2) for seed in range(20))
    for share in sorted(drawn):
        print(f"busbw {share:.2f} B  {'#' * drawn[share]}")
    if POLICY:
        print(f"{POLICY}: {simulate(setup(), POLICY).busbw:.3f} B")


if __name__ == "__main__":
    look()
