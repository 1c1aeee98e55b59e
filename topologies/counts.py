"""A generator's counts: their limits, so that a slip of the pen gets an answer and not a full memory; and numbering."""

from __future__ import annotations

from topologies.fabric import FabricError

MAX_LINKS = 1_000_000
"""Links a generator makes at most; a fat tree of k = 64, 65,536 hosts, has 196,608."""


class ParameterError(FabricError):
    """A generator's parameter that can't be; ``parameter`` is its name."""

    def __init__(self, parameter: str, what: str) -> None:
        super().__init__(f"{parameter}: {what}")
        self.parameter = parameter
        self.what = what


def check_at_least(least: int, **counts: int) -> None:
    """ParameterError that names the first of ``counts`` below ``least``."""
    for name, count in counts.items():
        if count < least:
            raise ParameterError(name, f"{count} is too few; give at least {least}")


def check_at_most(most: int, **counts: int) -> None:
    """ParameterError that names the first of ``counts`` above ``most``."""
    for name, count in counts.items():
        if count > most:
            raise ParameterError(name, f"{count} is too many; give at most {most}")


def check_links(count: int) -> None:
    """FabricError where a generator would make more than ``MAX_LINKS`` links."""
    if count > MAX_LINKS:
        raise FabricError(f"{count} links are too many; at most {MAX_LINKS}: ask for fewer switches, hosts or links")


def numbered(prefix: str, count: int) -> list[str]:
    """``numbered("h", 3)`` -> ``["h1", "h2", "h3"]``."""
    return [f"{prefix}{number + 1}" for number in range(count)]
