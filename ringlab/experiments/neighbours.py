"""Other jobs at the same time on the same fabric: the field ``neighbours`` of a spec.

A neighbour is a collective of its own on hosts of its own; it begins with each of the spec's operations and moves as
many bytes. A policy routes the flows of all of them together, as a controller does that knows every job.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from topologies.fabric import Fabric
from topologies.spelling import did_you_mean
from topologies.yaml_lines import FieldPath, Problems

if TYPE_CHECKING:
    from ringlab.experiments.spec_file import NeighbourFile

ONLY_SIMULATED = "neighbours: several jobs at once can only be simulated: --backend simulated"

CheckAlgorithm = Callable[[str, int, int, FieldPath], None]
"""Adds a problem, below that path, where there is no such schedule of so many ranks and channels."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """``placement[rank]`` is the rank's host; no host is another job's."""

    name: str
    placement: tuple[str, ...]
    algorithm: str
    channels: int


def read_neighbours(
    written: Sequence[NeighbourFile],
    fabric: Fabric,
    own: Sequence[str],
    algorithm: str,
    check: CheckAlgorithm,
    problems: Problems,
) -> tuple[Neighbour, ...]:
    """``own`` are the hosts of the spec's job, ``algorithm`` its schedule, which neighbours have that name none."""
    taken = dict.fromkeys(own, "the spec's own job")
    found: dict[str, Neighbour] = {}
    for index, one in enumerate(written):
        path: FieldPath = ("neighbours", index)
        if one.name in found:
            problems.add((*path, "name"), f"{one.name!r} is there twice; give each job a name of its own")
        _check_hosts(one.hosts, fabric, taken, path, problems)
        check(one.algorithm or algorithm, len(one.hosts), one.channels, path)
        taken |= dict.fromkeys(one.hosts, one.name)
        found[one.name] = Neighbour(one.name, tuple(one.hosts), one.algorithm or algorithm, one.channels)
    return tuple(found.values())


def _check_hosts(
    hosts: Sequence[str], fabric: Fabric, taken: dict[str, str], path: FieldPath, problems: Problems
) -> None:
    known = set(fabric.hosts)
    for place, host in enumerate(hosts):
        if host not in known:
            problems.add(
                (*path, "hosts", place), f"no host {host!r} in this fabric; {did_you_mean(host, fabric.hosts)}"
            )
        elif host in taken:
            what = f"{host} has a rank of {taken[host]} already; give each job hosts of its own (ranks, placement)"
            problems.add((*path, "hosts", place), what)
        elif host in hosts[:place]:
            problems.add((*path, "hosts", place), f"{host} is there twice; a rank a host")


def arm_name(name: str, neighbour: str) -> str:
    """What a neighbour's row is called beside that of the arm, or group, ``name``."""
    return f"{name} @ {neighbour}"
