"""What one chunk of one rank is, one version after another: how sums of what came turn into a schedule's transfers.

Theory of operation. A program may keep a chunk in several cells at once: as it was in the input, what came in scratch,
their sum in the output. A schedule has one place for each chunk of a rank, which a transfer overwrites or adds to. So
what comes is put there only when the program needs it: a *chain* is the order in which a place takes what comes so that
everything the rank sends, and must have in the end, stands there once. Where there is no such order, the program needs
two versions of one chunk at once, and no schedule says the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from collectives.interchange.msccl_document import ProgramError
from collectives.interchange.msccl_execution import OWN
from collectives.schedule import Op

Leaves = frozenset[int]


@dataclass(slots=True)
class Chain:
    """``made[leaf]``: the version that a leaf's arrival makes, counted from 1, and how. ``at[sum]``: its version."""

    made: dict[int, tuple[int, Op]] = field(default_factory=dict)
    at: dict[Leaves, int] = field(default_factory=dict)


def chain(uses: Sequence[tuple[int, ...]], last: tuple[int, ...] | None, where: str) -> Chain:
    """The chain through all ``uses`` (leaves of what is sent, in order of first use) that ends with ``last``, if given.

    ``where`` (of the form "gpu 1, chunk 2") goes into ProgramError, for what no chain can do.
    """
    found = Chain()
    held: Leaves = frozenset()
    for leaves in _in_order(uses, last):
        wanted = frozenset(leaves)
        extends = bool(held) and held < wanted
        coming = [leaf for leaf in leaves if not (extends and leaf in held)]
        if OWN in wanted and not found.at:  # the first version of all is there from the start
            coming = [leaf for leaf in coming if leaf != OWN]
            extends = True
        if OWN in coming or any(leaf in found.made for leaf in coming):
            raise _two_at_once(where)
        for leaf in coming:
            found.made[leaf] = len(found.made) + 1, Op.REDUCE if extends else Op.COPY
            extends = True
        found.at[wanted] = len(found.made)
        held = wanted
    if last is not None and held != frozenset(last):
        raise _two_at_once(where)
    return found


def _two_at_once(where: str) -> ProgramError:
    return ProgramError(f"{where}: two versions of it are needed at once, and a schedule keeps one: change the order")


def _in_order(uses: Iterable[tuple[int, ...]], last: tuple[int, ...] | None) -> list[tuple[int, ...]]:
    """Each sum once: those with what was there at the start first, as they grow; then the others, as they come."""
    once = {frozenset(leaves): leaves for leaves in uses}
    if last is not None:
        once.pop(frozenset(last), None)
        once[frozenset(last)] = last
    own = sorted((leaves for leaves in once.values() if OWN in leaves), key=len)
    return [*own, *(leaves for leaves in once.values() if OWN not in leaves)]
