"""Exercise 1: what is bus bandwidth? A solution."""

from ringlab.exercises.measure import B, Setup, simulate

PREDICTION = 1.0  # busbw at 8 hosts, as a share of B: a number like 0.25


def algbw(nbytes: int, time_s: float) -> float:
    """Algorithm bandwidth, bytes a second."""
    return nbytes / time_s


def busbw_factor(n: int) -> float:
    """Bus bandwidth over algorithm bandwidth, for an allreduce of n ranks."""
    return 2 * (n - 1) / n


def look() -> None:
    """The table."""
    print("hosts   time ms   algbw/B   busbw/B")
    for n in (2, 4, 8):
        found = simulate(Setup.of(f"star:hosts={n}", "ring", n, 16_000_000))
        share = 8 * algbw(found.setup.nbytes, found.time_s) / B
        print(f"{n:5}  {found.time_s * 1e3:8.1f}  {share:8.3f}  {share * busbw_factor(n):8.3f}")


if __name__ == "__main__":
    look()
