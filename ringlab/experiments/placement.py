"""Which host each rank runs on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import zip_longest

from controller.routing.layout import once_a_fabric
from topologies.fabric import Fabric
from topologies.spelling import did_you_mean
from topologies.yaml_lines import FieldPath, Problems


def contiguous(fabric: Fabric, ranks: int) -> tuple[str, ...]:
    """Neighbouring ranks on neighbouring hosts: one a host, or blocks where there are more ranks than hosts.

    Fewer ranks than hosts take the first hosts.
    """
    if ranks <= len(fabric.hosts):
        return fabric.hosts[:ranks]
    return tuple(fabric.hosts[rank * len(fabric.hosts) // ranks] for rank in range(ranks))


def interleaved(fabric: Fabric, ranks: int) -> tuple[str, ...]:
    """Neighbouring ranks on different leaves, round robin: the placement that sends a ring's every step up a spine.

    A leaf here is any switch with hosts. More ranks than hosts go round again.
    """
    order = _by_turns(fabric)
    return tuple(order[rank % len(order)] for rank in range(ranks))


@once_a_fabric
def _by_turns(fabric: Fabric) -> tuple[str, ...]:
    on_leaf: dict[str, list[str]] = {}
    for host in fabric.hosts:
        on_leaf.setdefault(fabric.attachment(host).node, []).append(host)
    return tuple(host for row in zip_longest(*on_leaf.values()) for host in row if host is not None)


KINDS: Mapping[str, Callable[[Fabric, int], tuple[str, ...]]] = {"contiguous": contiguous, "interleaved": interleaved}


def by_name(name: str, fabric: Fabric, ranks: int | None, path: FieldPath, problems: Problems) -> tuple[str, ...]:
    """The host of every rank, one a host if ``ranks`` are not given; empty, and a problem added, for a name of none."""
    if name in KINDS:
        return KINDS[name](fabric, ranks or len(fabric.hosts))
    problems.add(path, f"no placement {name!r}; {did_you_mean(name, [*KINDS, 'a list of hosts'])}")
    return ()
