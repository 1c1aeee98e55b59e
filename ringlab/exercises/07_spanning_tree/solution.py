"""Exercise 7: spanning tree wastes links. A solution."""

from collectives.algorithms.ring import ring
from collectives.schedule import Schedule
from ringlab.exercises.measure import Setup, fabric, link_names, simulate

PREDICTION = 2  # busbw of two counter-rotating rings over all links, as a share of B
SINGLE_RING = 1.0  # busbw of a single ring by shortest paths, over that by spanning tree

CIRCLE = "ring:switches=8,hosts=1,host_rate=200M,fabric_rate=100M"


def two_rings(n: int) -> Schedule:
    """Two rings beside each other, each with half of the buffer, in opposite directions."""
    return ring(n).beside(ring(n).relabel(range(n)[::-1], n))


def unused(setup: Setup, policy: str) -> list[str]:
    """The links between switches that no flow crosses."""
    crossed = {name for path in setup.paths(policy).values() for name in link_names(setup.fabric, path)}
    return [link.name for link in setup.fabric.links if link.name not in crossed]


def look() -> None:
    for name, schedule in (("one ring", ring(8)), ("two rings", two_rings(8))):
        setup = Setup(fabric(CIRCLE), schedule, 8_000_000)
        for policy in ("shortest", "spanning-tree"):
            print(f"{name:9}  {policy:13}  busbw {simulate(setup, policy).busbw:.3f} B  unused {unused(setup, policy)}")


if __name__ == "__main__":
    look()
