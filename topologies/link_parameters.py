"""The parameters of links that generators share, with the help that ``ringlab topo`` prints, and their defaults."""

from __future__ import annotations

from typing import Annotated

HostRate = Annotated[int, "rate of a host's link"]
FabricRate = Annotated[int, "rate of a link between switches"]
HostLatency = Annotated[float, "one-way latency of a host's link"]
FabricLatency = Annotated[float, "one-way latency of a link between switches"]
Links = Annotated[int, "parallel links between switches that are joined"]

RATE_BPS = 100_000_000_000
"""One port of a 100 Gb/s switch."""

LATENCY_S = 1e-6
"""A switch and some metres of cable."""
