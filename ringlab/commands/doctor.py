"""``ringlab doctor``: what this machine can do, the fix for what it can't, and how much it can switch."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from ringlab.errors import MachineError
from ringlab.examples_first import Command
from ringlab.json_output import STDOUT, json_option, write_json

if TYPE_CHECKING:
    from emulation.doctor import Finding
    from ringlab.experiments.calibrate import Calibration

MARKS = {"ok": ("green", "ok"), "note": ("yellow", "note"), "missing": ("red", "MISSING")}


@click.command(cls=Command, examples=["ringlab doctor", "ringlab doctor --calibrate", "ringlab doctor --json -"])
@click.option("--calibrate", is_flag=True, help="Measure how much this machine can switch (about 40 s).")
@json_option
def command(calibrate: bool, json_target: str | None) -> None:
    """Look at this machine: what an emulation needs, what is there, and the fix for what is not.

    Exit code 3 if a run is not possible.
    """
    from emulation import doctor  # noqa: PLC0415 - only where it is used

    findings = doctor.examine()
    missing = [finding for finding in findings if finding.state is doctor.State.MISSING]
    measured = None
    if calibrate and not missing:
        measured = _calibrate()
    data = {
        "findings": [asdict(finding) for finding in findings],
        "fingerprint": doctor.fingerprint(),
        "calibration": asdict(measured) if measured else None,
    }
    if json_target:
        write_json(json_target, data)
    if json_target != STDOUT:
        _print(findings, measured)
    if missing:
        raise MachineError("; ".join(f"{finding.name}: {finding.fix}" for finding in missing))


def _calibrate() -> Calibration:
    from ringlab.experiments import calibrate, progress  # noqa: PLC0415 - only where it is used

    with progress.talk() as talk:
        return calibrate.measure(talk.say)


def _print(findings: list[Finding], measured: Calibration | None) -> None:
    from rich.table import Table  # noqa: PLC0415 - likewise

    from ringlab.experiments.figures import rate_text  # noqa: PLC0415 - likewise
    from ringlab.experiments.table import console  # noqa: PLC0415 - likewise

    table = Table(box=None, show_header=False, pad_edge=False)
    for finding in findings:
        colour, word = MARKS[finding.state]
        table.add_row(f"[{colour}]{word}[/]", finding.name, finding.found)
        if finding.fix:
            table.add_row("", "", f"[dim]fix:[/] {finding.fix}")
    out = console()
    out.print(table)
    if measured:
        out.print(
            f"This machine switches {rate_text(measured.switched_bps)} in all, over every switch that a packet passes; "
            f"runs will ask for {rate_text(measured.budget_bps)} at most."
        )
