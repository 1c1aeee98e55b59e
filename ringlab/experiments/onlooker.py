"""Who looks on while a run goes on, and may have a hand in it; by default nobody does.

An onlooker hears of what happens in the thread of the run. It must not take long there: the ranks are at work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from emulation.faults import Fault
from emulation.network import Network
from emulation.outages import Controls, Outages
from ringlab.experiments.arms import Arm
from ringlab.experiments.result import Certificate, Check, Result

if TYPE_CHECKING:  # the bench has an onlooker
    from ringlab.experiments.bench import Bench, Installed
    from ringlab.experiments.spec import Spec

Note = Callable[[str], None]


class Onlooker:
    """Does nothing; override what is of interest. ``has_hand``: it may break the fabric while ranks run."""

    has_hand = False
    controller_options: Sequence[str] = ()

    def said(self, text: str) -> None:
        """What is being done before the first turn."""

    def fabric_up(self, spec: Spec, bench: Bench, note: Note) -> None:
        """Before the first turn; ``note`` writes into the run's timeline."""

    def turn_begins(self, arm: Arm, block: int, installed: Installed, iterations: Sequence[int]) -> None:
        """The arm's policy is in force, its ranks are about to start; ``iterations`` are those of each size."""

    def line(self, text: str) -> None:
        """A line that rank 0 printed in a turn."""

    def turn_ends(self) -> None:
        """Only where it ended well."""

    def rank_options(self) -> Sequence[str]:
        """More words of the command line of our own library's ranks."""
        return ()

    def outages(self, network: Network, faults: Sequence[Fault], controls: Controls, note: Note) -> Outages | None:
        """What carries out the faults of the ranks that are about to start, None where nothing can break."""
        return Outages(network, faults, controls, note) if faults else None

    def deeds(self) -> Sequence[str]:
        """What was done to the run by hand, for its certificate."""
        return ()


NOBODY = Onlooker()


def with_deeds(result: Result, deeds: Sequence[str]) -> Result:
    """What was changed by hand while it was measured is no measurement of anything that the spec says."""
    if not deeds:
        return result
    detail = f"changed by hand while it ran: {'; '.join(deeds)}; its figures are of no one fabric or policy"
    old = result.certificate
    check = Check("hands", len(deeds), "changes by hand", 0, "invalid", detail)
    return replace(result, certificate=Certificate("invalid", (detail, *old.reasons), (*old.checks, check)))
