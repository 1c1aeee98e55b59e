"""Where a live view has its facts from, and what it may be asked to do."""

from __future__ import annotations

from typing import Protocol

from ringlab.errors import UsageError
from topologies.fabric import Fabric
from topologies.spelling import did_you_mean


class RefusedError(Exception):
    """What was asked for can't be done now, or never: one line that says why."""


class Source(Protocol):
    """``sample`` looks how things are and tells the hub; the others raise RefusedError. From any thread."""

    def sample(self) -> None: ...
    def set_link(self, link: str, *, down: bool) -> None:
        """Cut the link, or restore it."""

    def set_policy(self, policy: str) -> None:
        """Have the running job's flows go by another policy."""


MAX_NODES = 256
"""Of more a drawing says nothing, and a snapshot takes long."""


def check_size(fabric: Fabric) -> None:
    """UsageError where the fabric is too large to be looked at."""
    if len(fabric.nodes) > MAX_NODES:
        raise UsageError(
            f"{fabric.name} has {len(fabric.nodes)} hosts and switches, and a page can show {MAX_NODES}: "
            "view a smaller fabric, or read the result of 'ringlab run'"
        )


def check_link(fabric: Fabric, link: str) -> None:
    """RefusedError where there is no such link."""
    names = [one.name for one in fabric.links]
    if link not in names:
        raise RefusedError(f"no link {link!r}; {did_you_mean(link, names)}")
