"""Layout: a fabric's directed links and switches as numbers, found once for each fabric and remembered.

Placement looks at thousands of flows; hashing names and ports for each would take most of its time. A directed link's
*number* is its place in ``Fabric.directed_links``, so link ``n`` and the way back ``n ^ 1`` are one cable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from topologies.fabric import Fabric, Port

Found = TypeVar("Found")


@dataclass(frozen=True)
class Layout:
    """``ports[number]`` leaves by that link; ``switches`` numbers the switches in the fabric's order.

    ``places[host]``: for each of its NICs the links to and from the switch, and that switch's number.
    """

    ports: tuple[Port, ...]
    number: Mapping[Port, int]
    rate_bps: tuple[float, ...]
    switches: Mapping[str, int]
    places: Mapping[str, tuple[tuple[int, int, int], ...]]


def once_a_fabric(find: Callable[[Fabric], Found]) -> Callable[[Fabric], Found]:
    """Remembers what ``find`` answers for as long as the fabric lives. By identity: to hash a fabric is slow."""
    name = f"once {find.__module__}.{find.__qualname__}"

    def remembered(fabric: Fabric) -> Found:
        found = vars(fabric)  # beside its cached properties: an answer that holds the fabric goes with it
        if name not in found:
            found[name] = find(fabric)
        answer: Found = found[name]
        return answer

    return remembered


@once_a_fabric
def layout(fabric: Fabric) -> Layout:
    ports = tuple(fabric.directed_links())
    number = {port: place for place, port in enumerate(ports)}
    switches = {switch: place for place, switch in enumerate(fabric.switches)}
    places = {
        host: tuple(
            (number[nic], number[fabric.peer(nic)], switches[fabric.peer(nic).node]) for nic in fabric.ports(host)
        )
        for host in fabric.hosts
    }
    return Layout(ports, number, tuple(float(fabric.rate_bps(port)) for port in ports), switches, places)
