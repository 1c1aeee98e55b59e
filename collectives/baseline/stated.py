"""What a user says of a system because a benchmark's output doesn't: how fast the wires are, first of all. Pure."""
# ruff: noqa: N815 - GBps and Gbps are not the same

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stated:
    """None where nothing is said. What is said goes before what the output says.

    ``line_rate_GBps`` is one way: all NICs of a node together, or one GPU's links where there is a single node.
    """

    line_rate_GBps: float | None = None
    collective: str | None = None
    nranks: int | None = None
    nodes: int | None = None
    gpu: str | None = None
    network: str | None = None
    library: str | None = None
    note: str | None = None

    def line_rate_why(self, program: str) -> str:
        """The reason for the line rate, or for its absence; ``program`` is who doesn't say it."""
        if self.line_rate_GBps is None:
            return (
                f"{program} does not say how fast the wires are: give --line-rate (GB/s, one way, all NICs of a node)"
            )
        return "given with --line-rate"


NOTHING_STATED = Stated()
