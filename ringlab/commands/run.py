"""``ringlab run SPEC``: every arm on real packets, with its verdict, kept in ``runs/``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ringlab import completions
from ringlab.commands.backend import backend_option
from ringlab.errors import CheckError, RunError
from ringlab.examples_first import Command
from ringlab.json_output import json_option

if TYPE_CHECKING:
    from ringlab.experiments.result import Result


@click.command(
    cls=Command,
    examples=[
        "ringlab run examples/leaf-spine.yaml",
        "ringlab run examples/ring.yaml --scale 500 --repeats 5",
        "ringlab run examples/leaf-spine.yaml --json - | jq .certificate",
        "ringlab run examples/leaf-spine.yaml --dry-run",
        "ringlab run examples/leaf-spine.yaml --backend simulated",
        "ringlab run examples/leaf-spine.yaml --backend both",
    ],
)
@click.argument("spec", type=click.Path(path_type=Path))
@click.option("--scale", type=float, help="Time dilation, instead of the spec's.")
@click.option("--repeats", type=click.IntRange(min=1), help="Turns of every arm, instead of the spec's.")
@click.option("--baseline", shell_complete=completions.baselines,
              help="A published baseline, or a file of your own nccl-tests output.")  # fmt: skip
@click.option("--line-rate", type=float, metavar="GB/s", help="With --baseline FILE: the line rate of its system.")
@click.option("--framework", type=click.Choice(["auto", "ryu", "os_ken"]), default="auto", show_default=True)
@backend_option
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Where runs go.")
@click.option("--dry-run", is_flag=True, help="Print what would be built, and build nothing.")
@json_option
def command(
    spec: Path,
    scale: float | None,
    repeats: int | None,
    baseline: str | None,
    line_rate: float | None,
    framework: str,
    backend: str,
    out: Path,
    dry_run: bool,
    json_target: str | None,
) -> None:
    """Run SPEC: build its fabric, let its policies take turns, and print who is better and whether to believe it.

    With --backend simulated nothing is built and no root is needed: flows share the links of the nominal fabric.

    Exit code 1 if an element came out wrong or the run is invalid.
    """
    from ringlab.experiments import session  # noqa: PLC0415 - only where it is used
    from ringlab.experiments import spec as specs  # noqa: PLC0415 - likewise

    wanted, text = specs.read(spec)
    wanted = specs.with_changes(wanted, scale=scale, repeats=repeats, baseline=baseline, line_rate_GBps=line_rate)
    if dry_run:
        click.echo("\n".join(session.dry_run(wanted)))
        return
    check_outcome(session.run_and_keep(wanted, text, out, framework, json_target, backend))


def check_outcome(result: Result) -> None:
    """RunError where the run failed, CheckError where an element came out wrong or the run cannot be believed."""
    if result.failure:
        raise RunError(result.failure)
    wrong = sum(found.wrong for arm in result.arms for found in arm.results)
    if wrong:
        raise CheckError(f"{wrong} elements came out wrong: see the #wrong column of each arm")
    if result.certificate.verdict == "invalid":
        raise CheckError(f"this run is invalid: {result.certificate.reasons[0]}")
