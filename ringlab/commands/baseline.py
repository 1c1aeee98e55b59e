"""``ringlab baseline list | show | plot | import``: published GPU figures, and a user's own measurements."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ringlab import completions
from ringlab.errors import UsageError
from ringlab.examples_first import Command, Group
from ringlab.json_output import STDOUT, json_option, write_json
from ringlab.text_files import figure_kind, write_bytes

if TYPE_CHECKING:
    from collectives.baseline import Baseline


@click.group(
    cls=Group,
    examples=[
        "ringlab baseline list",
        "ringlab baseline show h100-2x8-efa3200-allreduce-p5",
        "ringlab baseline import all_reduce_perf.log --name mine --line-rate 50",
        "ringlab baseline plot mine a100-4x8-hdr-ib-allreduce --out shares.svg",
    ],
)
def command() -> None:
    """Published GPU figures and your own to stand beside ours: busbw as a share of each system's own line rate."""


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
    """List baselines, yours first: GPU, nodes, network, sizes, best busbw and its share of line rate."""
    from ringlab.experiments import baseline_store  # noqa: PLC0415 - rich only where it is used
    from ringlab.experiments.baseline_table import listing, listing_data  # noqa: PLC0415 - likewise
    from ringlab.experiments.table import console  # noqa: PLC0415 - likewise

    baselines = _chosen_by(collective)
    own = baseline_store.names()
    if json_target:
        write_json(json_target, [listing_data(baseline, own) for baseline in baselines])
    if json_target != STDOUT:
        console().print(listing(baselines, own))


@command.command(
    "show",
    cls=Command,
    examples=[
        "ringlab baseline show h100-2x8-efa3200-allreduce-p5",
        "ringlab baseline show --file all_reduce_perf.log --line-rate 50",
        "ringlab baseline show --file all_reduce_perf.log --again | diff - all_reduce_perf.log",
        "ringlab baseline show a100-4x8-hdr-ib-allreduce --json -",
    ],
)
@click.argument("name", required=False, shell_complete=completions.baselines)
@click.option("--file", "file", type=click.Path(path_type=Path), metavar="FILE",
              help="Output of nccl-tests, rccl-tests (text or JSON) or OSU; - is standard input.")  # fmt: skip
@click.option("--line-rate", "line_rate", type=float, metavar="GB/s",
              help="With --file: all NICs of one node together, one way; in one node, one GPU's links.")  # fmt: skip
@click.option("--ranks", type=click.IntRange(min=2), help="With --file: how many ranks, where it does not say.")
@click.option("--again", is_flag=True, help="With --file: print its table again from the figures that were read.")
@json_option
def show_baseline(
    name: str | None,
    file: Path | None,
    line_rate: float | None,
    ranks: int | None,
    again: bool,
    json_target: str | None,
) -> None:
    """Show the baseline NAME (or --file's) size by size: time, algbw, busbw, share of line rate, and its source."""
    if again:
        click.echo(_table_again(file), nl=False)
        return
    from ringlab.experiments.baseline_table import details, details_data  # noqa: PLC0415 - rich only where it is used
    from ringlab.experiments.table import console  # noqa: PLC0415 - likewise

    baseline = _chosen(name, file, line_rate, ranks)
    if json_target:
        write_json(json_target, details_data(baseline))
    if json_target != STDOUT:
        console().print(details(baseline))


@command.command(
    "plot",
    cls=Command,
    examples=[
        "ringlab baseline plot a100-4x8-hdr-ib-allreduce h100-2x8-efa3200-allreduce-p5 --out busbw.svg",
        "ringlab baseline plot all_reduce_perf.log a100-4x8-hdr-ib-allreduce --line-rate 50 --out mine.pdf",
    ],
)
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=completions.baselines)
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="FILE", help="Ends in .svg, .png, .pdf.")
@click.option("--line-rate", "line_rate", type=float, metavar="GB/s", help="Of a NAME that is a file of output.")
def plot_baselines(names: tuple[str, ...], out: Path, line_rate: float | None) -> None:
    """Draw busbw by size of each NAME (a baseline, or a file of output), and its share of its own line rate."""
    from ringlab.experiments.baselines import check_line_rate, choose  # noqa: PLC0415 - reads the tables

    kind = figure_kind(out, "--out")
    check_line_rate(line_rate)
    baselines = [choose(name, line_rate) for name in dict.fromkeys(names)]
    from ringlab.experiments import baseline_plot  # noqa: PLC0415 - matplotlib is slow to import

    write_bytes(out, baseline_plot.file(baselines, kind))
    click.echo(f"plot: {out}", err=True)


@command.command(
    "import",
    cls=Command,
    examples=[
        "ringlab baseline import all_reduce_perf.log --name mine --line-rate 50",
        "ringlab baseline import all_reduce_perf.log --name mine-h100 --line-rate 400 --network '8 x 400G InfiniBand'",
    ],
)
@click.argument("file")
@click.option("--name", required=True, help="Its name from now on, in list, show, plot, compare and --baseline.")
@click.option("--line-rate", "line_rate_GBps", type=float, metavar="GB/s",
              help="All NICs of one node together, one way; in one node, one GPU's links.")  # fmt: skip
@click.option("--network", help="What joins the nodes, in your words.")
@click.option("--gpu", help="Instead of what FILE says.")
@click.option("--library", help="Instead of what FILE says.")
@click.option("--collective", help="Where FILE does not say: all_reduce, all_gather, ...")
@click.option("--ranks", "nranks", type=click.IntRange(min=2), help="Where FILE does not say (OSU).")
@click.option("--nodes", type=click.IntRange(min=1), help="Likewise.")
@click.option("--note", help="Anything else worth knowing.")
@click.option("--replace", is_flag=True, help="Over an import of the same name.")
@json_option
def import_baseline(*, file: str, name: str, replace: bool, json_target: str | None, **said: Any) -> None:
    """Keep FILE as the baseline NAME in baselines/NAME.json.

    FILE is output of nccl-tests or rccl-tests (text of any version, also under mpirun or srun; JSON of -J or -x) or of
    OSU's micro-benchmarks; - is standard input.
    """
    from dataclasses import replace as renamed  # noqa: PLC0415 - beside the flag of that name

    from collectives.baseline.stated import Stated  # noqa: PLC0415 - numpy only where it is used
    from ringlab.experiments import baseline_store  # noqa: PLC0415 - likewise
    from ringlab.experiments.baseline_table import details_data  # noqa: PLC0415 - likewise
    from ringlab.experiments.baselines import check_line_rate, from_file  # noqa: PLC0415 - likewise

    check_line_rate(said["line_rate_GBps"])
    _check_collective(said["collective"])
    baseline = renamed(from_file(file, Stated(**said)), name=name)
    kept = baseline_store.save(baseline, replace=replace)
    if json_target:
        write_json(json_target, details_data(baseline))
    sizes = f"{len(baseline.points)} size{'s' if len(baseline.points) > 1 else ''}"
    what = f"{baseline.collective}, {baseline.nranks} ranks, {sizes}"
    click.echo(f"{kept}: {what}; see: ringlab baseline show {name}", err=True)
    if baseline.caveat:
        click.echo(f"note: {baseline.caveat}", err=True)


def _chosen_by(collective: str | None) -> list[Baseline]:
    """All, or those of one collective. UsageError if there are none of it."""
    from ringlab.experiments.baselines import everything  # noqa: PLC0415 - reads the tables
    from topologies.spelling import did_you_mean  # noqa: PLC0415 - only for a misspelt one

    baselines = everything()
    chosen = [baseline for baseline in baselines if collective in {None, baseline.collective}]
    if not chosen:
        known = sorted({baseline.collective for baseline in baselines})
        raise UsageError(f"no baseline of {collective!r}; {did_you_mean(str(collective), known)}")
    return chosen


def _chosen(name: str | None, file: Path | None, line_rate: float | None, ranks: int | None) -> Baseline:
    """The baseline that the command line names, in one of its two ways."""
    from collectives.baseline.stated import Stated  # noqa: PLC0415 - numpy only where it is used
    from ringlab.experiments.baselines import check_line_rate, from_file, from_name  # noqa: PLC0415 - reads the tables

    if (name is None) == (file is None):
        raise UsageError("baseline show: give either a NAME (see: ringlab baseline list) or --file FILE")
    if name is not None and (line_rate is not None or ranks is not None):
        raise UsageError("--line-rate and --ranks go with --file: those of a kept or published baseline are known")
    check_line_rate(line_rate)
    if name is not None:
        return from_name(name)
    return from_file(str(file), Stated(line_rate_GBps=line_rate, nranks=ranks))


def _table_again(file: Path | None) -> str:
    """The table in ``file`` as its own version prints it."""
    from collectives.baseline import BaselineError, nccl_table, osu, osu_table  # noqa: PLC0415 - likewise
    from ringlab.experiments.baselines import text_of  # noqa: PLC0415 - likewise

    if file is None:
        raise UsageError("--again goes with --file: it prints the table of a file of nccl-tests, rccl-tests or OSU")
    text = text_of(str(file))
    reader = osu_table.read if osu.is_one(text) else nccl_table.read
    try:
        table = reader(text, str(file))
    except BaselineError as error:
        raise UsageError(str(error)) from None
    if not table.rows:
        raise UsageError(f"{file}: no table in it; --again prints the text of nccl-tests, rccl-tests or OSU")
    return table.text()


def _check_collective(collective: str | None) -> None:
    from collectives.baseline.nccl_output import COLLECTIVES  # noqa: PLC0415 - numpy only where it is used
    from topologies.spelling import did_you_mean  # noqa: PLC0415 - only for a misspelt one

    if collective is not None and collective not in COLLECTIVES:
        raise UsageError(f"--collective {collective}: {did_you_mean(collective, COLLECTIVES)}")
