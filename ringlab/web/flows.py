"""The running job's flows as a reader knows them: by ranks and hosts. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ringlab.web.events import Flow
from topologies.fabric import Port
from topologies.traffic import FlowKey

Connections = Mapping[tuple[int, int, int], FlowKey]
"""The flow of each connection (source rank, destination rank, channel)."""


def named(
    connections: Connections, hops: Mapping[FlowKey, Sequence[Port]], placement: Sequence[str]
) -> tuple[Flow, ...]:
    """Of the connections that have a way; those within a host have none."""
    channels = {channel for _, _, channel in connections}
    return tuple(
        Flow(_name(src, dst, channel, placement, several=len(channels) > 1), tuple(hops[key]))
        for (src, dst, channel), key in sorted(connections.items())
        if key in hops
    )


def of_pairs(hops: Mapping[FlowKey, Sequence[Port]]) -> tuple[Flow, ...]:
    """Of a library that is not ours nobody knows the ranks' ports: there is one way from host to host."""
    return tuple(Flow(f"{key.src} to {key.dst}", tuple(way)) for key, way in sorted(hops.items()) if key.is_any_port)


def _name(src: int, dst: int, channel: int, placement: Sequence[str], *, several: bool) -> str:
    beside = f", channel {channel}" if several else ""
    return f"rank {src} to {dst} ({placement[src]} to {placement[dst]}{beside})"
