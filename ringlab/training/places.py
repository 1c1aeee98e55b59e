"""The placements of a training spec, as its file names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ringlab.experiments import placement
from topologies.fabric import Fabric
from topologies.spelling import did_you_mean
from topologies.yaml_lines import FieldPath, Problems


@dataclass(frozen=True, slots=True)
class Place:
    """One placement: ``hosts[rank]`` is the rank's host, one rank a host."""

    name: str
    hosts: tuple[str, ...]


def read_places(
    wanted: Sequence[str | list[str]], ranks: int | None, fabric: Fabric, problems: Problems
) -> tuple[Place, ...]:
    """The placements, all of as many ranks; problems are added for what can't be."""
    before = len(problems.errors)
    if ranks is not None and ranks > len(fabric.hosts):
        problems.add(("ranks",), f"{ranks} ranks, but the fabric has {len(fabric.hosts)} hosts; one rank runs on each")
    if len(problems.errors) > before:
        return ()
    found: dict[str, Place] = {}
    for index, one in enumerate(wanted):
        place = _place(one, ranks, fabric, ("placements", index), problems)
        if place and place.name in found:
            problems.add(("placements", index), f"the placement {place.name!r} is there twice; keep one")
        if place:
            found[place.name] = place
    counts = {len(place.hosts) for place in found.values()}
    if len(counts) > 1:
        problems.add(("placements",), f"they place {_and(counts)} ranks; place equally many, or write ranks")
    return tuple(found.values()) if len(problems.errors) == before else ()


def _place(
    wanted: str | list[str], ranks: int | None, fabric: Fabric, path: FieldPath, problems: Problems
) -> Place | None:
    if isinstance(wanted, str):
        hosts = placement.by_name(wanted, fabric, ranks, path, problems)
        return Place(wanted, hosts) if hosts else None
    unknown = [host for host in wanted if host not in fabric.hosts]
    if unknown:
        problems.add(path, f"no host {unknown[0]!r} in this fabric; {did_you_mean(unknown[0], fabric.hosts)}")
    elif len(set(wanted)) < len(wanted):
        problems.add(path, "names a host twice; one rank runs on each")
    elif len(wanted) < 2:
        problems.add(path, "places fewer than two ranks; name a host a rank")
    else:
        return Place(" ".join(wanted), tuple(wanted))
    return None


def _and(numbers: set[int]) -> str:
    return " and ".join(map(str, sorted(numbers)))
