"""Exercise 12: three answers to one question. A solution."""

from collections.abc import Sequence

from ringlab.exercises.measure import ALPHA_S, Setup, simulate

PREDICTION = 3  # 64 kB, 8 ranks: the time at 100 Mb/s over the time at 10 Gb/s


def formula_s(n: int, nbytes: int, rate_bps: float, alpha_s: float = ALPHA_S) -> float:
    """A streaming ring's seconds."""
    return max(2 * (n - 1) * alpha_s, link_bytes(n, nbytes) * 8 / rate_bps) + alpha_s


def link_bytes(n: int, nbytes: int) -> float:
    """Payload bytes on a rank's link, in each direction."""
    return 2 * (n - 1) / n * nbytes


def honest_rate(rows: Sequence[tuple[float, float, float]], within: float) -> float:
    """The largest rate up to which every row's measured time is within that share of the predicted one."""
    honest = 0.0
    for rate, predicted_s, measured_s in sorted(rows):
        if abs(measured_s / predicted_s - 1) > within:
            break
        honest = rate
    return honest


def look() -> None:
    print("    Mb/s   formula ms  simulated ms")
    for rate in (10, 100, 1_000, 10_000):
        setup = Setup.of(f"star:hosts=8,rate={rate}M", "ring", 8, 4_000_000)
        found = simulate(setup, "shortest")
        print(f"{rate:8}  {formula_s(8, 4_000_000, rate * 1e6) * 1e3:11.2f}  {found.time_s * 1e3:12.2f}")


if __name__ == "__main__":
    look()
