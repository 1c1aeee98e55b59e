"""``ringlab predict SYSTEM``: how long a collective takes on a real machine, with an interval."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ringlab.errors import UsageError
from ringlab.examples_first import Command
from ringlab.json_output import STDOUT, json_option, write_json
from ringlab.text_files import figure_kind, write_bytes

if TYPE_CHECKING:
    from collectives.baseline import Baseline
    from collectives.baseline.predict_machine import Machine

SIZES = ("8", "64", "1K", "8K", "64K", "512K", "4M", "32M", "256M", "2G", "8G")
"""Where no size is asked for."""


@click.command(
    cls=Command,
    examples=[
        "ringlab predict dgx-h100-4 --collective all_reduce --size 1M --size 1G",
        "ringlab predict a100-2x4-slingshot-allreduce-nccl2.18-polaris --nodes 8",
        "ringlab predict gh200-4x4-slingshot11-allreduce-ofi192 --plot predicted.svg",
        "ringlab predict aws-p5-2 --collective all_gather --nccl 2.21 --json - | jq '.sizes[].time_us'",
    ],
)
@click.argument("system")
@click.option("--collective", metavar="NAME", help="all_reduce, all_gather, reduce_scatter, broadcast, reduce, "
              "alltoall.  [default: the sweep's, or all_reduce]")  # fmt: skip
@click.option("--size", "sizes", multiple=True, help="As in 64K; give it several times.  [default: 8 to 8G]")
@click.option("--nodes", type=click.IntRange(1, 1 << 20), help="[default: the sweep's, or 2]")
@click.option("--nccl", "version", metavar="VERSION", help="As in 2.18.  [default: the sweep's, or the newest known]")
@click.option("--plot", type=click.Path(path_type=Path), metavar="FILE", help="Ends in .svg, .png or .pdf.")
@json_option
def command(
    *,
    system: str,
    collective: str | None,
    sizes: tuple[str, ...],
    nodes: int | None,
    version: str | None,
    plot: Path | None,
    json_target: str | None,
) -> None:
    """Predict a collective's time on SYSTEM by size, and tell what NCCL's own model expects of it.

    SYSTEM is a system with its nodes (dgx-h100-4; see: ringlab topo systems), or a published sweep (see: ringlab
    baseline list), whose own figures then stand beside. Times are those of nccl-tests, out of place. Four sizes in five
    of sweeps that were left out of the fit lay in such intervals.
    """
    from collectives.baseline.nccl import NcclError  # noqa: PLC0415 - only where it is used
    from collectives.baseline.predict_machine import machine  # noqa: PLC0415 - likewise
    from ringlab.experiments import nccl_predict  # noqa: PLC0415 - likewise

    if plot:
        kind = figure_kind(plot, "--plot")
    try:
        asked = machine(system, collective, nodes, version)
        found = nccl_predict.predicted(asked, _nbytes(sizes or SIZES), _published(asked))
    except NcclError as error:
        raise UsageError(str(error)) from None
    if json_target:
        write_json(json_target, nccl_predict.data(found))
    if json_target != STDOUT:
        click.echo(nccl_predict.described(found), nl=False)
    if plot:
        from ringlab.experiments.plot import file_of  # noqa: PLC0415 - likewise

        write_bytes(plot, file_of(lambda: nccl_predict.figure(found), kind, f"{asked.name}: predicted busbw by size"))


def _nbytes(sizes: tuple[str, ...]) -> list[int]:
    from collectives.metrics import parse_size  # noqa: PLC0415 - only where it is used

    try:
        return [parse_size(size) for size in sizes]
    except ValueError as error:
        raise UsageError(f"--size: {error}") from None


def _published(asked: Machine) -> Baseline | None:
    """The sweep of the same name, if it measured what is asked."""
    from collectives.baseline import BaselineError, published  # noqa: PLC0415 - likewise

    try:
        sweep = published.load(asked.name)
    except BaselineError:
        return None
    question = asked.question
    same = (sweep.collective, sweep.nodes) == (question.collective, question.system.nodes)
    return sweep if same else None
