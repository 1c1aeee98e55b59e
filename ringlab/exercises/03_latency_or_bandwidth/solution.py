"""Exercise 3: latency or bandwidth? A solution."""

from collections.abc import Callable

from ringlab.exercises.measure import ALPHA_S, B, Setup, simulate

PREDICTION = 22_000  # bytes at which both formulas are equal, for 8 ranks

BETA_S = 8 / B  # seconds a byte


def ring_s(n: int, nbytes: float, alpha_s: float = ALPHA_S, beta_s: float = BETA_S) -> float:
    """By the alpha-beta formula."""
    return 2 * (n - 1) * alpha_s + 2 * (n - 1) / n * nbytes * beta_s


def recursive_doubling_s(n: int, nbytes: float, alpha_s: float = ALPHA_S, beta_s: float = BETA_S) -> float:
    """By the alpha-beta formula, for a power of two."""
    steps = n.bit_length() - 1
    return steps * (alpha_s + nbytes * beta_s)


def find_crossing(time_of: Callable[[str, int], float], low: int = 1_000, high: int = 1_000_000) -> float:
    """The size at which "ring" and "recursive-doubling" take as long: the first is slower at ``low``, faster above."""
    for _ in range(12):
        middle = round((low * high) ** 0.5) // 4 * 4  # sizes are seen on a log scale, and hold whole floats
        if time_of("ring", middle) > time_of("recursive-doubling", middle):
            low = middle
        else:
            high = middle
    return float((low * high) ** 0.5)


def time_of(algorithm: str, nbytes: int) -> float:
    return simulate(Setup.of("star:hosts=8", algorithm, 8, nbytes // 4 * 4), "shortest").time_s


def look() -> None:
    print("    bytes   ring ms  formula   recursive-doubling ms  formula   halving-doubling ms")
    for nbytes in (1_000, 4_000, 16_000, 64_000, 256_000, 1_000_000, 4_000_000, 16_000_000):
        ring, doubling, halving = (time_of(a, nbytes) * 1e3 for a in ("ring", "recursive-doubling", "halving-doubling"))
        formulas = ring_s(8, nbytes) * 1e3, recursive_doubling_s(8, nbytes) * 1e3
        print(f"{nbytes:9} {ring:9.2f} {formulas[0]:8.2f} {doubling:23.2f} {formulas[1]:8.2f} {halving:21.2f}")
    print(f"they cross at {find_crossing(time_of):.0f} bytes")


if __name__ == "__main__":
    look()
