"""Exercise 2: write ring allreduce. Read README.md first."""

from collectives.schedule import Op, Transfer
from ringlab.exercises.chunks import show

PREDICTION = None  # how many times its message does each of 8 ranks send?


def ring_reduce_scatter(n: int) -> list[Transfer]:
    """N - 1 steps; then rank r has the whole sum of chunk r + 1."""
    # TODO: a comprehension of Transfer(step, src, dst, chunk, Op.REDUCE) for each step and each rank
    return []


def ring_all_gather(n: int) -> list[Transfer]:
    """N - 1 steps; then every rank has every chunk."""
    # TODO: a comprehension of Transfer(step, src, dst, chunk, Op.COPY) for each step and each rank
    return []


if __name__ == "__main__":
    show(4, ring_reduce_scatter(4), ring_all_gather(4))
