"""Exercise 12: three answers to one question. Read README.md first."""

from collections.abc import Sequence

from ringlab.exercises.measure import ALPHA_S, Setup, simulate

PREDICTION = None  # 64 kB, 8 ranks: the time at 100 Mb/s over the time at 10 Gb/s


def formula_s(n: int, nbytes: int, rate_bps: float, alpha_s: float = ALPHA_S) -> float:
    """A streaming ring's seconds."""
    return 0.0  # TODO: max(all steps' alphas, all bytes at the rate) + alpha


def link_bytes(n: int, nbytes: int) -> float:
    """Payload bytes on a rank's link, in each direction."""
    return 0.0  # TODO: one line


def honest_rate(rows: Sequence[tuple[float, float, float]], within: float) -> float:
    """The largest rate up to which every row's measured time is within that share of the predicted one."""
    return 0.0  # TODO: go through the rows from the slowest rate up, and stop at the first that disagrees


def look() -> None:
    print("    Mb/s   formula ms  simulated ms")
    for rate in (10, 100, 1_000, 10_000):
        setup = Setup.of(f"star:hosts=8,rate={rate}M", "ring", 8, 4_000_000)
        found = simulate(setup, "shortest")
        print(f"{rate:8}  {formula_s(8, 4_000_000, rate * 1e6) * 1e3:11.2f}  {found.time_s * 1e3:12.2f}")


if __name__ == "__main__":
    look()
