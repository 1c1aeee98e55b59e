"""Exercise 9: cut a cable. Read README.md first."""

from collections import Counter
from collections.abc import Mapping, Sequence

from controller.routing import CLEAR, Situation, policy
from ringlab.exercises.measure import Setup, link_names, simulate, ways
from topologies.fabric import Fabric
from topologies.traffic import Demand, FlowKey, Path

PREDICTION = None  # busbw after the cut, as a share of B


def on_port_down(fabric: Fabric, paths: Mapping[FlowKey, Path], link: str) -> dict[FlowKey, Path]:
    """New paths for the flows that cross ``link``, and for no others."""
    moved: dict[FlowKey, Path] = {}
    load = Counter(port for path in paths.values() for port in path.hops)  # noqa: F841 - flows on each directed link
    # TODO: for each flow whose path crosses the link: of its other ways the one whose fullest link is the least full
    # TODO: and count the flow on its new way, so that the next one sees it
    return moved


def route(fabric: Fabric, demands: Sequence[Demand], situation: Situation = CLEAR) -> dict[FlowKey, Path]:
    """The policy: pinned while all is well; then what ``on_port_down`` makes of it, link by link."""
    paths = dict(policy("pinned").route(fabric, demands))
    for link in sorted(situation.dead):
        paths.update(on_port_down(fabric, paths, link))
    return paths


def look() -> None:
    setup = Setup.of("leaf-spine:leaves=4,spines=2,hosts=2", "ring", 8, 8_000_000, "interleaved")
    print(f"all is well    busbw {simulate(setup, 'pinned').busbw:.3f} B")
    for link in setup.fabric.links:
        if link.a.node not in setup.fabric.hosts:
            paths = route(setup.fabric, setup.demands, Situation(frozenset([link.name])))
            still = sum(link.name in link_names(setup.fabric, path) for path in paths.values())
            print(f"{link.name:13}  busbw {simulate(setup, paths).busbw:.3f} B  {still} flows still on it")


if __name__ == "__main__":
    look()
