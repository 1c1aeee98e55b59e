"""``ringlab report RUN ...``: runs to hand in, as one HTML file, as CSV, as figures for a paper."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ringlab import completions
from ringlab.errors import UsageError
from ringlab.examples_first import Command
from ringlab.json_output import STDOUT
from ringlab.talk import say
from ringlab.text_files import read_text, write_text

if TYPE_CHECKING:
    from ringlab.experiments.ab.outcome import Outcome
    from ringlab.report.figures import Drawn
    from ringlab.report.page import Reported

FORMATS = ("svg", "png", "pdf")


@click.command(
    cls=Command,
    examples=[
        "ringlab report runs/20260314T150926Z-leaf-spine-3f7a",
        "ringlab report runs/*leaf-spine* --out report.html --title 'Homework 3'",
        "ringlab report last",
        "ringlab report result.json --csv rows.csv --figures figures --format pdf",
        "ringlab report result.json --baseline h100-2x8-efa3200-allreduce-p5",
    ],
)
@click.argument("runs", nargs=-1, required=True, shell_complete=completions.runs)
@click.option("--out", type=click.Path(path_type=Path), default=Path("report.html"), show_default=True,
              help="The HTML file.")  # fmt: skip
@click.option("--title", help="The page's heading; default: the run's name.")
@click.option("--baseline", help="A published baseline beside every run, instead of its own.")
@click.option(
    "--csv",
    "csv_target",
    metavar="FILE|-",
    help="A row a run, arm and size (of A/Bs: a comparison), too; - is standard output.",
)
@click.option("--figures", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER",
              help="Each figure as a file of its own, too.")  # fmt: skip
@click.option("--format", "formats", type=click.Choice(FORMATS), multiple=True, default=["svg"], show_default=True,
              help="Of --figures; give it several times.")  # fmt: skip
def command(
    runs: tuple[str, ...],
    out: Path,
    title: str | None,
    baseline: str | None,
    csv_target: str | None,
    figures: Path | None,
    formats: tuple[str, ...],
) -> None:
    """Report RUNS: one self-contained HTML file of at most 2 MB.

    A run, or an A/B, is a folder in runs/, a file of --json, an id or a part of one, or `last`.

    It holds the fabric with what its links carried, tables, busbw and latency by size, what happened when, prediction
    and GPU baseline beside the measurement, the certificate, and the command to repeat the run.
    """
    from ringlab.experiments.runs_folder import path_of  # noqa: PLC0415 - slow to import
    from ringlab.report import figures as drawings  # noqa: PLC0415 - matplotlib and Jinja2 are slow to import
    from ringlab.report import page, rows  # noqa: PLC0415 - likewise

    paths = [path_of(run) for run in runs]
    ab_files = [_ab_file(path) for path in paths]
    comparisons = [_read_ab(file) for file in ab_files if file]
    found = [_read(path, baseline) for path, file in zip(paths, ab_files, strict=True) if not file]
    if csv_target and comparisons and found:
        raise UsageError(f"--csv {csv_target}: an A/B's rows are not those of a run; report the A/Bs by themselves")
    results = [one.result for one in found]
    names = [*(result.name for result in results), *(one.name for one in comparisons)]
    write_text(out, page.html(found, title or " and ".join(dict.fromkeys(names)), comparisons))
    say(f"the report is {out}")
    if csv_target:
        _write_csv(csv_target, rows.ab_csv_text(comparisons) if comparisons else rows.csv_text(results))
    if figures:
        drawn = [(result.id, drawings.of(result)) for result in results]
        drawn += [(one.id, drawings.of_ab(one)) for one in comparisons]
        for own_id, ours in drawn:
            for file in _save_figures(f"{own_id}-" if len(drawn) > 1 else "", ours, figures, formats):
                click.echo(file, err=csv_target == STDOUT)


def _write_csv(target: str, text: str) -> None:
    if target == STDOUT:
        click.echo(text, nl=False)
    else:
        write_text(target, text)
        say(f"its rows are {target}")


def _ab_file(run: Path) -> Path | None:
    """The file of an A/B: in its folder, or one of ``--json``. None for anything else, whatever it is."""
    from ringlab.experiments import store  # noqa: PLC0415 - slow to import
    from ringlab.experiments.ab.outcome import KIND  # noqa: PLC0415 - likewise

    if run.is_dir():
        return run / store.AB if (run / store.AB).is_file() else None
    if not run.is_file():  # a pipe can be read once
        return None
    try:
        data = json.loads(run.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return run if isinstance(data, dict) and data.get("kind") == KIND else None


def _read_ab(file: Path) -> Outcome:
    from ringlab.experiments.ab.outcome import from_data  # noqa: PLC0415 - slow to import

    try:
        return from_data(json.loads(read_text(file, "A/B")))
    except json.JSONDecodeError as error:
        raise UsageError(f"{file}, line {error.lineno}: not JSON ({error.msg})") from None


def _read(run: Path, baseline: str | None) -> Reported:
    """A run's folder, or a file of ``--json``. UsageError if it is neither."""
    from dataclasses import replace  # noqa: PLC0415 - beside its one use

    from ringlab.experiments import baselines, session, store  # noqa: PLC0415 - slow to import
    from ringlab.experiments.compare import beside  # noqa: PLC0415 - likewise
    from ringlab.report.page import Reported  # noqa: PLC0415 - likewise

    result = store.load(run)
    if baseline:
        result = replace(result, baseline=beside(baselines.choose(baseline), result.sizes()))
    if not run.is_dir():
        return Reported(result)
    spec, other = run / store.SPEC, run / session.SIMULATED
    return Reported(
        result,
        spec.read_text(encoding="utf-8") if spec.is_file() else None,
        store.load(other) if other.is_file() else None,
    )


def _save_figures(prefix: str, drawn: Sequence[Drawn], folder: Path, formats: tuple[str, ...]) -> list[Path]:
    from ringlab.experiments import plot  # noqa: PLC0415 - slow to import

    files = []
    for one in drawn:
        for kind in formats:
            file = folder / f"{prefix}{one.name}.{kind}"
            try:
                folder.mkdir(parents=True, exist_ok=True)
                file.write_bytes(plot.file_of(one.draw, kind, one.alt))
            except OSError as error:
                raise UsageError(f"{file}: can't be written: {error.strerror}; name another folder") from None
            files.append(file)
    return files
