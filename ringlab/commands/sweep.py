"""``ringlab sweep SPEC``: a spec many times over, each with its changes, here or on a cluster."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ringlab.errors import CheckError, MachineError, UsageError
from ringlab.examples_first import Command
from ringlab.json_output import json_option

if TYPE_CHECKING:
    from ringlab.sweeps.engines import Work
    from ringlab.sweeps.sweep_file import Sweep


@click.command(
    cls=Command,
    examples=[
        "ringlab sweep examples/sweep.yaml",
        "ringlab sweep examples/sweep.yaml --workers 8 --resume",
        "ringlab sweep examples/sweep.yaml --out runs/again --json - | jq '.results[].changes'",
        "ringlab sweep examples/sweep.yaml --engine dask --scheduler tcp://head:8786",
        "ringlab sweep examples/sweep.yaml --engine slurm --slurm-partition short --slurm-time 30",
    ],
)
@click.argument("spec", type=click.Path(path_type=Path))
@click.option(
    "--engine",
    "engine_name",
    type=click.Choice(["processes", "serial", "dask", "slurm"]),
    default="processes",
    show_default=True,
    help="Where scenarios are worked on.",
)
@click.option("--workers", type=click.IntRange(min=1), help="Processes (default: one a core), or Slurm jobs at a time.")
@click.option("--scheduler", metavar="TCP://HOST:PORT", help="With --engine dask: its scheduler.")
@click.option("--slurm-partition", help="With --engine slurm: the partition.")
@click.option("--slurm-time", type=click.IntRange(min=1), default=60, show_default=True, help="Minutes a job may take.")
@click.option(
    "--slurm", "settings", multiple=True, metavar="KEY=VALUE", help="Any other: account=, qos=, cpus_per_task=."
)
@click.option(
    "--slurm-cluster", type=click.Choice(["slurm", "local"]), default="slurm", show_default=True,
    help="local: the jobs run on this machine, as a try.",
)  # fmt: skip
@click.option("--batch", type=click.IntRange(min=1), default=1000, show_default=True, help="Scenarios a Slurm job.")
@click.option("--retries", type=click.IntRange(min=0), default=1, show_default=True, help="Of a failed scenario.")
@click.option("--resume", is_flag=True, help="Go on: skip what is in the results already.")
@click.option("--out", type=click.Path(path_type=Path), help="Where results go. [default: runs/sweep-NAME of SPEC]")
@click.option("--dry-run", is_flag=True, help="List the scenarios (with --json: in full), and run none.")
@json_option
def command(
    spec: Path,
    engine_name: str,
    workers: int | None,
    scheduler: str | None,
    slurm_partition: str | None,
    slurm_time: int,
    settings: tuple[str, ...],
    slurm_cluster: str,
    batch: int,
    retries: int,
    resume: bool,
    out: Path | None,
    dry_run: bool,
    json_target: str | None,
) -> None:
    """Run every scenario of SPEC: a base spec, with each combination of a grid of changes, or each of a list.

    Results are kept as they come. They are the same to the bit on any engine, with any number of workers.

    Exit code 1 if a scenario failed.
    """
    from ringlab.sweeps import check, session, sweep_file  # noqa: PLC0415 - only where it is used

    if (engine_name == "dask") != (scheduler is not None):
        raise UsageError("--engine dask and --scheduler tcp://HOST:8786 go together")
    sweep, text = sweep_file.read(spec)
    check.check(sweep)
    if dry_run:
        session.dry_run(sweep, json_target)
        return
    folder = out or Path("runs") / f"sweep-{spec.stem}"
    match engine_name:
        case "dask":
            assert scheduler is not None
            engine = _dask(sweep, scheduler)
        case "slurm":
            engine = _slurm(
                sweep, slurm_cluster, slurm_time, batch, _settings(settings, slurm_partition), folder, workers
            )
        case _:
            engine = _here(sweep, engine_name, workers)
    found = session.run_and_keep(sweep, text, engine, folder, resume=resume, retries=retries, json_target=json_target)
    failed = sum(not one.ok for one in found)
    if failed:
        raise CheckError(f"{failed} of {len(found)} scenarios failed; --resume tries them again")


def _here(sweep: Sweep, name: str, workers: int | None) -> AbstractContextManager[Work]:
    """What has the machine for itself runs in this process, so that Ctrl-C leaves nothing behind."""
    from ringlab.sweeps.engines import processes, serial  # noqa: PLC0415 - only where it is used

    if sweep.exclusive:
        if workers not in (None, 1):
            raise UsageError("--workers: a machine emulates one fabric at a time; leave it out")
        if os.geteuid() != 0:
            raise MachineError("emulated scenarios need root: run it with sudo, or write backend: simulated")
        return serial.engine()
    return serial.engine() if name == "serial" else processes.engine(workers)


def _dask(sweep: Sweep, scheduler: str) -> AbstractContextManager[Work]:
    from ringlab.sweeps.engines import dask  # noqa: PLC0415 - an optional extra

    return dask.engine(scheduler, exclusive=sweep.exclusive)


def _slurm(
    sweep: Sweep,
    cluster: str,
    time_min: int,
    batch: int,
    settings: dict[str, str],
    folder: Path,
    workers: int | None,
) -> AbstractContextManager[Work]:
    from ringlab.sweeps.engines import slurm  # noqa: PLC0415 - an optional extra

    site = slurm.Site(cluster, time_min, batch, settings)
    return slurm.engine(site, folder / "slurm", workers, exclusive=sweep.exclusive)


def _settings(written: tuple[str, ...], partition: str | None) -> dict[str, str]:
    settings = {"partition": partition} if partition else {}
    for one in written:
        key, equals, value = one.partition("=")
        if not (key and equals and value):
            raise UsageError(f"--slurm {one}: write KEY=VALUE, like account=mine")
        settings[key] = value
    return settings
