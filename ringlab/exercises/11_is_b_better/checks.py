"""Verdicts of a thousand synthetic experiments, whose truth is known: few false alarms, and a true gain is found."""

from math import log, sqrt

from ringlab.exercises.checking import Checks, Trial, expect
from ringlab.exercises.noise import ITERATION, TURN, Block, experiment, share, t_quantile

EXPERIMENTS = 500
FALSE = 0.05
ALLOWED = FALSE + 2 * sqrt(FALSE * (1 - FALSE) / EXPERIMENTS)
"""5 of 100, and two standard errors for the luck of these 500."""

FOUND, GAIN, MOST = 0.8, 0.05, 20
LOSS = 1 / (1 - GAIN) - 1
"""A takes 5 % less than B: as far from nothing as the gain."""

ENOUGH = FOUND - 2 * sqrt(FOUND * (1 - FOUND) / EXPERIMENTS)
"""80 of 100, and two standard errors for luck."""

MEDIAN_OF_5 = 0.2868
"""The variance of the median of five normal numbers, over theirs."""

WORDS = ("faster", "slower", "unknown")

checks = Checks()


def _blocks(trial: Trial) -> int:
    number = trial.value("BLOCKS")
    expect(number == int(number) and 2 <= number <= MOST, f"BLOCKS is {number:g}; from 2 to {MOST} are possible")
    return int(number)


def _verdicts(trial: Trial, gain: float, blocks: int, first_seed: int) -> list[str]:
    found = []
    for seed in range(first_seed, first_seed + EXPERIMENTS):
        said = trial.call("verdict", experiment(gain, blocks, seed))
        expect(said in WORDS, f"verdict says {said!r}; its words are {', '.join(WORDS)}")
        found.append(str(said))
    return found


def _needed() -> float:
    """By the power of the t test (its statistic is noncentral t): the fewest blocks with 80 %."""
    from scipy.special import nctdtr  # noqa: PLC0415 - slow to import

    deviation = sqrt(2 * (TURN**2 + MEDIAN_OF_5 * ITERATION**2))
    for blocks in range(2, 100):
        away = -log(1 - GAIN) / deviation * sqrt(blocks)
        if 1 - nctdtr(blocks - 1, away, t_quantile(blocks - 1)) >= FOUND:
            return blocks
    raise AssertionError


checks.prediction("blocks for 80 of 100", "", lambda _: _needed())


@checks.check(
    "interval", "Compare within blocks: log(median of A / median of B). Then mean, standard error, Student's t."
)
def _interval(trial: Trial) -> str:
    times: list[Block] = [([1.0, 2.0, 3.0], [1.0, 1.0, 1.0]), ([4.0, 4.0, 9.0], [4.0, 4.0, 4.0])]
    low, high = trial.call("interval", times)
    middle, margin = 0.34657, 4.40363  # of ln 2 and 0; t of 1 degree is 12.706
    good = abs(low - (middle - margin)) < 1e-3 and abs(high - (middle + margin)) < 1e-3
    expect(good, f"of log ratios 0.693 and 0 it is -4.057 to 4.750; you say {low:.3f} to {high:.3f}")
    return "one number a block, and Student's t"


@checks.check("a-a", "Does each block count as one sample? The iterations of a turn share its luck.")
def _a_a(trial: Trial) -> str:
    said = []
    for blocks in (_blocks(trial), 10):
        verdicts = _verdicts(trial, 0.0, blocks, 10_000)
        wrong = 1 - share(verdicts, "unknown")
        expect(wrong <= ALLOWED, f"A against A with {blocks} blocks: you call {wrong:.1%} different; 5 % are promised")
        said.append(f"{wrong:.1%} with {blocks} blocks")
    return "A against A is called different in " + ", ".join(said)


@checks.check(
    "finds-5-percent", "More blocks make the interval narrower; verdict must look at which side of 0 it is on."
)
def _finds(trial: Trial) -> str:
    blocks = _blocks(trial)
    faster = share(_verdicts(trial, GAIN, blocks, 20_000), "faster")
    expect(faster >= ENOUGH, f"with {blocks} blocks a true gain of 5 % is found in {faster:.1%}; 80 % are wanted")
    slower = share(_verdicts(trial, -LOSS, blocks, 30_000), "slower")
    expect(slower >= ENOUGH, f"with {blocks} blocks a true loss of 5 % is found in {slower:.1%}; 80 % are wanted")
    return f"a true gain of 5 % is found in {faster:.1%}, a loss in {slower:.1%}, with {blocks} blocks"


@checks.check("few-blocks", "Try fewer: each block costs minutes of a machine.")
def _few(trial: Trial) -> str:
    blocks = _blocks(trial)
    expect(blocks <= 8, f"{blocks} blocks are more than are needed for 80 %")
    return f"{blocks} blocks"
