"""``ringlab compare RUN BASELINE...``: a run's shares of line rate beside those of real systems."""

from __future__ import annotations

from pathlib import Path

import click

from ringlab import completions
from ringlab.errors import UsageError
from ringlab.examples_first import Command
from ringlab.json_output import STDOUT, json_option, write_json
from ringlab.text_files import figure_kind, write_bytes

SEED = 0
"""Of the resampling that tells which arms differ: the same comparison gives the same words."""


@click.command(
    cls=Command,
    examples=[
        "ringlab compare runs/20260314T150926Z-leaf-spine-3f7a a100-4x8-hdr-ib-allreduce",
        "ringlab compare 20260314T150926Z-leaf-spine-3f7a gh200-4x4-slingshot11-allreduce-ofi192 --plot shares.svg",
        "ringlab compare result.json predict:dgx-h100-4 predict:a100-4x8-hdr-ib-allreduce@2",
        "ringlab compare result.json all_reduce_perf.log --line-rate 50",
        "ringlab compare 20260314T150926Z-leaf-spine-3f7a result.json --json shares.json",
    ],
)
@click.argument("run", shell_complete=completions.runs)
@click.argument("baselines", nargs=-1, required=True, metavar="BASELINE...", shell_complete=completions.baselines)
@click.option("--line-rate", type=float, metavar="GB/s", help="Of a BASELINE that is a file of output.")
@click.option("--ranks", type=click.IntRange(min=2), help="Likewise, where it does not say (OSU).")
@click.option("--plot", type=click.Path(path_type=Path), metavar="FILE", help="Ends in .svg, .png or .pdf.")
@json_option
def command(
    run: str,
    baselines: tuple[str, ...],
    line_rate: float | None,
    ranks: int | None,
    plot: Path | None,
    json_target: str | None,
) -> None:
    """Put RUN beside each BASELINE, both at nominal rates: share of line rate by size, small messages, crossovers.

    RUN is a folder in runs/, its id or `last`, or a result's file, emulated or simulated. BASELINE is a published
    name, one of your own (ringlab baseline list), a file of nccl-tests, rccl-tests or OSU, another run, or
    predict:SYSTEM, which predicts what a system (as in ringlab predict) takes for RUN's collective and sizes:
    predict:dgx-h100-4 is four nodes, predict:NAME@8 the machine of the baseline NAME with eight.
    """
    import numpy as np  # noqa: PLC0415 - only where it is used

    from collectives.baseline.stated import Stated  # noqa: PLC0415 - likewise
    from ringlab.experiments.baselines import check_line_rate  # noqa: PLC0415 - likewise
    from ringlab.experiments.compare_baseline import (  # noqa: PLC0415 - likewise
        NotComparableError,
        check_figures,
        side_by_side,
    )
    from ringlab.experiments.compare_baseline_read import read_other, read_run  # noqa: PLC0415 - likewise

    kind = figure_kind(plot, "--plot") if plot else ""
    check_line_rate(line_rate)
    first = read_run(run)
    stated = Stated(line_rate_GBps=line_rate, nranks=ranks)
    try:
        check_figures(first)  # a prediction is made for its sizes
        others = [read_other(word, first, stated) for word in dict.fromkeys(baselines)]
        found = side_by_side(first, others, np.random.default_rng(SEED))
    except NotComparableError as error:
        raise UsageError(str(error)) from None
    if plot:
        from ringlab.experiments import compare_baseline_plot  # noqa: PLC0415 - matplotlib is slow to import

        write_bytes(plot, compare_baseline_plot.file(found, kind))
        click.echo(f"plot: {plot}", err=True)
    if json_target:
        write_json(json_target, found.as_data())
    if json_target != STDOUT:
        from ringlab.experiments.compare_baseline_table import render  # noqa: PLC0415 - rich only where it is used
        from ringlab.experiments.table import console  # noqa: PLC0415 - likewise

        console().print(render(found))
