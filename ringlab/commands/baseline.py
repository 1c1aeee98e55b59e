"""``ringlab baseline list | show``: published GPU figures, or a user's own nccl-tests output."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ringlab.errors import UsageError
from ringlab.examples_first import Command, Group
from ringlab.json_output import STDOUT, json_option, write_json

if TYPE_CHECKING:
    from collectives.baseline import Baseline


@click.group(cls=Group, examples=["ringlab baseline list", "ringlab baseline show h100-2x8-efa3200-allreduce-p5"])
def command() -> None:
    """Published GPU figures to stand beside ours: busbw as a share of each system's own line rate."""


@command.command(
    "list",
    cls=Command,
    examples=[
        "ringlab baseline list",
        "ringlab baseline list --collective all_reduce",
        "ringlab baseline list --json -",
    ],
)
@click.option("--collective", metavar="NAME", help="Only this collective: all_reduce, all_gather, alltoall.")
@json_option
def list_baselines(collective: str | None, json_target: str | None) -> None:
    """List the published baselines: GPU, nodes, network, sizes, best busbw and its share of line rate."""
    from ringlab.experiments.baseline_table import listing, listing_data  # noqa: PLC0415 - rich only where it is used
    from ringlab.experiments.table import console  # noqa: PLC0415 - likewise

    baselines = _published(collective)
    if json_target:
        write_json(json_target, [listing_data(baseline) for baseline in baselines])
    if json_target != STDOUT:
        console().print(listing(baselines))


@command.command(
    "show",
    cls=Command,
    examples=[
        "ringlab baseline show h100-2x8-efa3200-allreduce-p5",
        "ringlab baseline show --file all_reduce_perf.log --line-rate 50",
        "ringlab baseline show a100-4x8-hdr-ib-allreduce --json -",
    ],
)
@click.argument("name", required=False)
@click.option("--file", "file", type=click.Path(path_type=Path), metavar="FILE",
              help="Your own nccl-tests output: its text, or the JSON file of -J; - is standard input.")  # fmt: skip
@click.option("--line-rate", "line_rate", type=float, metavar="GB/s",
              help="With --file: all NICs of one node together, one way; in one node, one GPU's links.")  # fmt: skip
@json_option
def show_baseline(name: str | None, file: Path | None, line_rate: float | None, json_target: str | None) -> None:
    """Show the baseline NAME (or --file's) size by size: time, algbw, busbw, share of line rate, and its source."""
    from ringlab.experiments.baseline_table import details, details_data  # noqa: PLC0415 - rich only where it is used
    from ringlab.experiments.table import console  # noqa: PLC0415 - likewise

    baseline = _chosen(name, file, line_rate)
    if json_target:
        write_json(json_target, details_data(baseline))
    if json_target != STDOUT:
        console().print(details(baseline))


def _published(collective: str | None) -> list[Baseline]:
    """All, or those of one collective. UsageError if there are none of it."""
    from collectives.baseline import published  # noqa: PLC0415 - reads the tables
    from topologies.spelling import did_you_mean  # noqa: PLC0415 - only for a misspelt one

    baselines = [published.load(name) for name in published.names()]
    chosen = [baseline for baseline in baselines if collective in {None, baseline.collective}]
    if not chosen:
        known = sorted({baseline.collective for baseline in baselines})
        raise UsageError(f"no published baseline of {collective!r}; {did_you_mean(str(collective), known)}")
    return chosen


def _chosen(name: str | None, file: Path | None, line_rate: float | None) -> Baseline:
    """The baseline that the command line names, in one of its two ways."""
    from collectives.baseline.stated import Stated  # noqa: PLC0415 - numpy only where it is used
    from ringlab.experiments.baselines import from_file, from_name  # noqa: PLC0415 - reads the tables

    if (name is None) == (file is None):
        raise UsageError("baseline show: give either a NAME (see: ringlab baseline list) or --file FILE")
    if name is not None and line_rate is not None:
        raise UsageError("--line-rate goes with --file: the line rate of a published baseline is known")
    if line_rate is not None and not 0 < line_rate < float("inf"):
        raise UsageError(f"--line-rate {line_rate}: must be above 0 GB/s")
    if name is not None:
        return from_name(name)
    return from_file(str(file), Stated(line_rate))
