"""Exercise 14: edge training over a thin uplink. Read README.md first."""

from collections.abc import Sequence
from math import ceil

from collectives.algorithms import build
from collectives.schedule import Op, Transfer
from ringlab.exercises.chunks import made
from ringlab.exercises.measure import Setup, fabric, simulate

PREDICTION = None  # a ring's time over yours, for 4 MB

EDGE = "edge-sites:leaves=1,spines=1,hosts=4,sites=2,site_hosts=2,uplink_rate=10M,uplink_latency=10ms"
CORE, SITES = [0, 1, 2, 3], [[4, 5], [6, 7]]  # ranks; the first of each is its leader


def edge_allreduce(core: Sequence[int], sites: Sequence[Sequence[int]]) -> list[list[Transfer]]:
    """Four phases: to the leaders, to the core's leader, back to the leaders, to all."""
    # TODO: four comprehensions of Transfer(step, src, dst, 0, Op.REDUCE or Op.COPY)
    return [[], [], [], []]


def steps_between(compute_s: float, sync_s: float, most: float) -> int:
    """Local steps between two allreduces, as few as keep communication at or below ``most`` of all time."""
    return 1  # TODO: sync_s / (steps * compute_s + sync_s) <= most


def look() -> None:
    network = fabric(EDGE)
    yours = made(8, *edge_allreduce(CORE, SITES), num_chunks=1)
    schedules = {"ring": build("ring", 8), "halving-doubling": build("halving-doubling", 8), "yours": yours}
    for hosts in ("contiguous", "interleaved"):
        for name, schedule in schedules.items():
            if len(schedule):
                found = simulate(Setup(network, schedule, 4_000_000, hosts), "shortest")
                up = found.link_bytes[network.ports("site1")[-1]] / 4_000_000
                print(f"{hosts:11}  {name:16}  {found.time_s:5.1f} s  {up:.2f} messages up from site 1")
    print(f"with 0.5 s a step, at most a tenth of the time: every {steps_between(0.5, 4.3, 0.1)} steps")


if __name__ == "__main__":
    look()
