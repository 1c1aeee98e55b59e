"""Exercise 8: two tiers, hierarchical allreduce. A solution."""

from collectives.algorithms import halving_doubling, ring
from collectives.algorithms.ring import ring_all_gather, ring_reduce_scatter
from collectives.schedule import Schedule, union
from ringlab.exercises.measure import Setup, fabric, simulate

PREDICTION = 3.6  # a ring's time over that of a hierarchical allreduce, for 16 MB

TIERS = "leaf-spine:leaves=4,spines=4,hosts=4,host_rate=1G,fabric_rate=100M"


def hierarchical(groups: int, size: int) -> Schedule:
    """Reduce-scatter in each group, allreduce among ranks of equal place, all-gather in each group."""
    n = groups * size
    rows = [range(first, first + size) for first in range(0, n, size)]
    columns = [range(place, n, size) for place in range(size)]
    scatter = ring_reduce_scatter(size, ahead=0).refine(groups)
    gather = ring_all_gather(size, ahead=0).refine(groups)
    across = ring.ring(groups)
    inside = union(*(scatter.relabel(row, n) for row in rows))
    between = union(*(across.relabel(column, n).shifted(i * groups, n) for i, column in enumerate(columns)))
    outwards = union(*(gather.relabel(row, n) for row in rows))
    return inside.then(between).then(outwards)


def look() -> None:
    for name, schedule in (
        ("ring", ring.ring(16)),
        ("halving-doubling", halving_doubling.halving_doubling(16)),
        ("yours", hierarchical(4, 4)),
    ):
        found = simulate(Setup(fabric(TIERS), schedule, 16_000_000))
        network = found.setup.fabric
        up = [found.link_bytes[port] / 1e6 for leaf in network.switches[:4] for port in network.ports(leaf)[4:]]
        print(f"{name:16}  {found.time_s * 1e3:6.0f} ms   MB up: {' '.join(f'{mb:.0f}' for mb in up)}")


if __name__ == "__main__":
    look()
