"""Exercise 16: why RDMA fabrics need entropy. Read README.md first."""

from collections.abc import Sequence
from statistics import mean

from ringlab.exercises.entropy import LOWEST_PORT, loads_of

PREDICTION = None  # mean busbw with 16 queue pairs a connection, as a share of B
QUEUES = None  # TODO: the fewest of 1, 2, 4, 8, 16, 32 that reach 0.6 B


def source_ports(pair: int, queues: int) -> list[int]:
    """A UDP source port for each queue pair of connection number ``pair``, from 49152 to 65535."""
    return [LOWEST_PORT] * queues  # TODO: one line


def busbw(loads: Sequence[float]) -> float:
    """The ring's busbw, as a share of B, with so many flows on each link."""
    return 0.0  # TODO: one line


def look() -> None:
    for queues in (1, 2, 4, 8, 16, 32):
        yours = mean(busbw(loads_of(source_ports, queues, seed)) for seed in range(10))
        same = mean(busbw(loads_of(lambda _, number: [LOWEST_PORT] * number, queues, seed)) for seed in range(10))
        print(f"{queues:2} queue pairs: {yours:.2f} B with your ports, {same:.2f} B with one port for all")


if __name__ == "__main__":
    look()
