"""The fabric of a run, its links as loaded as an arm made them; beyond what a drawing can show, the fullest links.

A link's load is the time that its bytes need at its rate. The fullest link of all arms is 100 %, so that arms can be
compared by eye: a better policy's drawing has fewer and paler full links.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ringlab.experiments.result import Result
from topologies import formats
from topologies.drawing import draw
from topologies.fabric import Fabric, Port

MOST_NODES = 200
"""More of them are a blur, and a large file."""

MOST_DRAWINGS = 4
MOST_LINKS = 10


@dataclass(frozen=True, slots=True)
class HotLink:
    """``share`` of the fullest link's load; bytes as counted (simulated: as computed)."""

    arm: str
    name: str
    nbytes: int
    share: float


@dataclass(frozen=True, slots=True)
class Picture:
    """One arm's drawing."""

    arm: str
    svg: str


def pictures(result: Result) -> tuple[Picture, ...]:
    """A drawing of the first arm of each group; of the fabric alone where no bytes were counted; none of a huge one."""
    fabric = formats.from_data(result.fabric)
    if len(fabric.nodes) > MOST_NODES:
        return ()
    shares = _shares(result, fabric)
    firsts = [next(arm.name for arm in result.arms if arm.group == group) for group in result.groups()]
    drawn = [arm for arm in firsts if arm in shares][:MOST_DRAWINGS]
    if not drawn:
        return (Picture("", draw(fabric)),)
    return tuple(Picture(arm, draw(fabric, shares[arm], f"{fabric.name}: {arm}")) for arm in drawn)


def hot_links(result: Result) -> tuple[HotLink, ...]:
    """The fullest links of all arms, the fullest first."""
    fabric = formats.from_data(result.fabric)
    ports = _ports(fabric)
    shares = _shares(result, fabric)
    links = [
        HotLink(link.arm, link.name, link.bytes_counted, shares[link.arm][ports[link.name]])
        for link in result.links
        if link.bytes_counted and link.name in ports
    ]
    return tuple(sorted(links, key=lambda link: -link.share)[:MOST_LINKS])


def _ports(fabric: Fabric) -> Mapping[str, Port]:
    return {fabric.direction(port): port for port in fabric.directed_links()}


def _shares(result: Result, fabric: Fabric) -> dict[str, dict[Port, float]]:
    """Of each arm and directed link, its load as a share of the fullest of all."""
    ports = _ports(fabric)
    seconds: dict[str, dict[Port, float]] = {}
    for link in result.links:
        if (port := ports.get(link.name)) is not None:
            seconds.setdefault(link.arm, {})[port] = link.bytes_counted * 8 / fabric.link(port).rate_bps
    fullest = max((load for links in seconds.values() for load in links.values()), default=0.0)
    if not fullest:
        return {}
    return {arm: {port: load / fullest for port, load in links.items()} for arm, links in seconds.items()}
