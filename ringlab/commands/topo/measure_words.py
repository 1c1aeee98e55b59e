"""The measures of fabrics in words and figures for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from topologies.measures import Measures

MEANINGS = {
    "hosts": "",
    "switches": "",
    "links": "",
    "switch_ports": "in use",
    "line_rate_bps": "each host, when all of it leaves its switch",
    "oversubscription": "host links to uplinks of the worst switch",
    "bisection_bps": "from the first half of the hosts to the second",
    "diameter": "links between the two hosts furthest apart",
    "path_diversity": "paths without a link in common, where they are fewest",
    "equal_cost_paths": "shortest paths between the switches furthest apart",
}
"""What each field of ``Measures`` says, in the order in which they are shown."""


def label(field: str) -> str:
    """``line_rate_bps`` -> ``line rate``."""
    return field.removesuffix("_bps").replace("_", " ")


def figure(field: str, found: Measures) -> str:
    """A measure's value with its unit: ``100Gb/s``, ``2:1``, ``4``."""
    from topologies.rates import format_rate  # noqa: PLC0415 - only where it is used

    value: Any = getattr(found, field)
    if field.endswith("_bps"):
        return f"{format_rate(round(value))}b/s"
    if field == "oversubscription":
        return f"{value:g}:1" if value else "none"
    return str(value)
