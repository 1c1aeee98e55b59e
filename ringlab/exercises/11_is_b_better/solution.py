"""Exercise 11: is B really better? A solution."""

from collections import Counter
from collections.abc import Sequence
from math import log, sqrt
from statistics import mean, median, stdev

from ringlab.exercises.noise import Block, experiment, t_quantile

PREDICTION = 5  # blocks that it takes to see a true gain of 5 % in 80 of 100 experiments
BLOCKS = 6  # 5 are just enough with these noises


def interval(blocks: Sequence[Block]) -> tuple[float, float]:
    """The 95 % interval of log(time of A / time of B), one number a block."""
    logs = [log(median(a) / median(b)) for a, b in blocks]
    middle, margin = mean(logs), t_quantile(len(logs) - 1) * stdev(logs) / sqrt(len(logs))
    return middle - margin, middle + margin


def verdict(blocks: Sequence[Block]) -> str:
    """Whether B is "faster" or "slower" than A, or "unknown"."""
    low, high = interval(blocks)
    if low > 0:
        return "faster"
    return "slower" if high < 0 else "unknown"


def look() -> None:
    for name, gain in (("A/A", 0.0), ("a true gain of 5 %", 0.05)):
        said = Counter(verdict(experiment(gain, BLOCKS or 2, seed)) for seed in range(200))
        print(f"{name}: {dict(said)} of 200")


if __name__ == "__main__":
    look()
