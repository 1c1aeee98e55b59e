"""Exercise 2: write ring allreduce. A solution."""

from collectives.schedule import Op, Transfer
from ringlab.exercises.chunks import show

PREDICTION = 1.75  # how many times its message does each of 8 ranks send?


def ring_reduce_scatter(n: int) -> list[Transfer]:
    """N - 1 steps; then rank r has the whole sum of chunk r + 1."""
    return [Transfer(s, r, (r + 1) % n, (r - s) % n, Op.REDUCE) for s in range(n - 1) for r in range(n)]


def ring_all_gather(n: int) -> list[Transfer]:
    """N - 1 steps; then every rank has every chunk."""
    return [Transfer(s, r, (r + 1) % n, (r + 1 - s) % n, Op.COPY) for s in range(n - 1) for r in range(n)]


if __name__ == "__main__":
    show(4, ring_reduce_scatter(4), ring_all_gather(4))
