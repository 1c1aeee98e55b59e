"""Exercise 7: spanning tree wastes links. Read README.md first."""

from collectives.algorithms.ring import ring
from collectives.schedule import Schedule
from ringlab.exercises.measure import Setup, fabric, link_names, simulate

PREDICTION = None  # busbw of two counter-rotating rings over all links, as a share of B
SINGLE_RING = None  # TODO: busbw of a single ring by shortest paths, over that by spanning tree

CIRCLE = "ring:switches=8,hosts=1,host_rate=200M,fabric_rate=100M"


def two_rings(n: int) -> Schedule:
    """Two rings beside each other, each with half of the buffer, in opposite directions."""
    return ring(n)  # TODO: put another beside it, whose ranks are relabelled n - 1, ..., 0


def unused(setup: Setup, policy: str) -> list[str]:
    """The links between switches that no flow crosses."""
    return []  # TODO: of all link names, those that no path crosses


def look() -> None:
    for name, schedule in (("one ring", ring(8)), ("two rings", two_rings(8))):
        setup = Setup(fabric(CIRCLE), schedule, 8_000_000)
        for policy in ("shortest", "spanning-tree"):
            print(f"{name:9}  {policy:13}  busbw {simulate(setup, policy).busbw:.3f} B  unused {unused(setup, policy)}")


if __name__ == "__main__":
    look()
