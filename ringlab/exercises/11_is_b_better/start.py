"""Exercise 11: is B really better? Read README.md first."""

from collections import Counter
from collections.abc import Sequence
from math import log, sqrt
from statistics import mean, median, stdev

from ringlab.exercises.noise import Block, experiment, t_quantile

PREDICTION = None  # blocks that it takes to see a true gain of 5 % in 80 of 100 experiments
BLOCKS = None  # TODO: as few as are enough; try some


def interval(blocks: Sequence[Block]) -> tuple[float, float]:
    """The 95 % interval of log(time of A / time of B), one number a block."""
    return -1.0, 1.0  # TODO: about four lines


def verdict(blocks: Sequence[Block]) -> str:
    """Whether B is "faster" or "slower" than A, or "unknown"."""
    return "unknown"  # TODO: by the interval


def look() -> None:
    for name, gain in (("A/A", 0.0), ("a true gain of 5 %", 0.05)):
        said = Counter(verdict(experiment(gain, BLOCKS or 2, seed)) for seed in range(200))
        print(f"{name}: {dict(said)} of 200")


if __name__ == "__main__":
    look()
