"""``ringlab train SPEC``: a training's steps, split and kept in ``runs/``; real on an emulated fabric, or simulated."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ringlab.errors import CheckError, RunError, UsageError
from ringlab.examples_first import Command
from ringlab.json_output import json_option

if TYPE_CHECKING:
    from ringlab.training.result import TrainResult


@click.command(
    cls=Command,
    examples=[
        "ringlab train examples/train.yaml",
        "ringlab train examples/train.yaml --scale 500 --repeats 3",
        "ringlab train examples/train-link-cut.yaml --json - | jq .timeline",
        "ringlab train examples/train-simulated.yaml --backend simulated",
    ],
)
@click.argument("spec", type=click.Path(path_type=Path))
@click.option(
    "--backend",
    type=click.Choice(["emulated", "simulated"]),
    default="emulated",
    show_default=True,
    help="A small model on real packets, or a large one in numbers; each has specs of its own.",
)
@click.option("--scale", type=float, help="Time dilation, instead of the spec's.")
@click.option("--repeats", type=click.IntRange(min=1), help="Turns of every combination, instead of the spec's.")
@click.option("--steps", type=click.IntRange(min=2), help="Steps of every training, instead of the spec's.")
@click.option("--framework", type=click.Choice(["auto", "ryu", "os_ken"]), default="auto", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Where runs go.")
@click.option("--dry-run", is_flag=True, help="Print what would be built, and build nothing.")
@json_option
def command(
    spec: Path,
    backend: str,
    scale: float | None,
    repeats: int | None,
    steps: int | None,
    framework: str,
    out: Path,
    dry_run: bool,
    json_target: str | None,
) -> None:
    """Train a small model with PyTorch's DDP, one rank a host, and split each step into computation and communication.

    Every backend, policy and placement of SPEC takes its turns. Exit code 1 if the loss curves differ.

    With --backend simulated: a step of a large model (GPT-3, Llama, Mixtral, ...) cut over many devices, by what its
    time goes to. Nothing is built and no root is needed. Exit code 1 if the model does not fit the devices' memory.
    """
    from ringlab.text_files import read_text  # noqa: PLC0415 - only where it is used
    from ringlab.training import kinds  # noqa: PLC0415 - likewise

    kinds.check_kind(read_text(spec, "training spec"), str(spec), backend)
    if backend == kinds.SIMULATED:
        _refuse({"--scale": scale, "--repeats": repeats, "--steps": steps, "--dry-run": dry_run or None})
        from ringlab.training import simulated_session  # noqa: PLC0415 - likewise

        simulated_session.run_and_keep(spec, out, json_target)
        return
    from ringlab.training import session  # noqa: PLC0415 - likewise
    from ringlab.training import spec as specs  # noqa: PLC0415 - likewise

    wanted, text = specs.read(spec)
    wanted = specs.with_changes(wanted, scale=scale, repeats=repeats, steps=steps)
    if dry_run:
        click.echo("\n".join(session.dry_run(wanted)))
        return
    _check(session.run_and_keep(wanted, text, out, framework, json_target))


def _refuse(options: dict[str, object]) -> None:
    """UsageError that names the first of the options that is given."""
    for name, value in options.items():
        if value is not None:
            raise UsageError(f"{name}: is for --backend emulated; a simulated training has none, leave it out")


def _check(result: TrainResult) -> None:
    """RunError where the run failed, CheckError where losses differ by more than they may."""
    if result.failure:
        raise RunError(result.failure)
    for check in result.losses:
        if not check.ok:
            raise CheckError(
                f"the loss with buckets of {check.bucket_mb:g} MiB differs by {check.largest:.2g} of it from "
                f"{check.reference}'s, more than {check.allowed:g}: see the plot"
            )
