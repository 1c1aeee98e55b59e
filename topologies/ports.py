"""TCP ports of ranks and channels: known before any socket opens, so that a path can be pinned beforehand.

A *slot* is a rank's number among the ranks of its host (0 where a host has one rank). This module imports nothing
heavy: every rank process reads it as it starts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

LISTEN_PORT = 20000
"""Rank r of a host (0 where a host has one rank) listens on ``LISTEN_PORT + r``."""

CONNECT_PORT = 30000
"""A connection leaves by ``CONNECT_PORT + MAX_CHANNELS * r + channel``: known before any socket opens."""

MAX_CHANNELS = 64

ANY_PORT = 0
"""No connection has it: in a flow's key it stands for every port."""

MAX_SLOTS = (65536 - CONNECT_PORT) // MAX_CHANNELS
"""Ranks of one address, those of all groups together: there are no more ports."""


def listen_port(slot: int) -> int:
    """TCP port that rank number ``slot`` of its host (0 is the first) listens on."""
    return LISTEN_PORT + slot


def connect_port(slot: int, channel: int) -> int:
    """TCP source port of a connection that rank number ``slot`` of its host opens for ``channel``."""
    if not 0 <= channel < MAX_CHANNELS:
        raise ValueError(f"channel {channel}: from 0 to {MAX_CHANNELS - 1}")
    return CONNECT_PORT + MAX_CHANNELS * slot + channel


def channel(src_port: int, dst_port: int) -> int:
    """The channel of a connection, seen from either end; 0 where neither port is a ``connect_port``."""
    port = src_port if src_port >= CONNECT_PORT else dst_port
    return (port - CONNECT_PORT) % MAX_CHANNELS if port >= CONNECT_PORT else 0


def slots(placement: Sequence[str]) -> tuple[int, ...]:
    """Each rank's slot: how many ranks before it are on its host (a name or an address)."""
    seen: Counter[str] = Counter()
    found = []
    for host in placement:
        found.append(seen[host])
        seen[host] += 1
    return tuple(found)
