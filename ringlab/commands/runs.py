"""``ringlab runs list | show | tag | untag | diff | delete``: what was kept, found again."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ringlab.errors import UsageError
from ringlab.examples_first import Command, Group
from ringlab.json_output import STDOUT, json_option, write_json

if TYPE_CHECKING:
    from ringlab.experiments.runs_index import Listed

runs_option = click.option(
    "--runs", "root", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Where runs are."
)


@click.group(
    cls=Group,
    examples=[
        "ringlab runs list --since 7d --verdict valid",
        "ringlab runs show last",
        "ringlab runs tag last keep",
        "ringlab runs diff 3f7a 9c21",
        "ringlab runs delete 3f7a",
    ],
)
def command() -> None:
    """Runs that were kept: list, show, tag, compare, delete. RUN is an id or a part of it, a folder, or last."""


@command.command(
    "list",
    cls=Command,
    examples=[
        "ringlab runs list",
        "ringlab runs list --name leaf --backend emulated --verdict valid",
        "ringlab runs list --tag keep --since 2026-11-01 --json -",
    ],
)
@click.option("--name", help="Only those with this in their name.")
@click.option("--tag", help="Only those with this tag.")
@click.option("--backend", type=click.Choice(["emulated", "simulated"]), help="Only of this backend.")
@click.option("--since", metavar="DATE|7d", help="Only as new as that.")
@click.option("--verdict", help="Only with this verdict: valid, doubtful, invalid, failed; of an ab faster, same, ...")
@runs_option
@json_option
def list_runs(root: Path, since: str | None, json_target: str | None, **filters: str | None) -> None:
    """List runs, the newest last. Folders whose files can't be read are listed as broken."""
    from ringlab.experiments import runs_index, runs_table  # noqa: PLC0415 - only where it is used

    after = runs_index.moment(since, datetime.now(UTC)) if since is not None else None
    runs = runs_index.chosen(runs_index.listed(root), since=after, **filters)
    if json_target:
        write_json(json_target, [_data(run) for run in runs])
    if json_target != STDOUT:
        click.echo(runs_table.listing(runs), nl=False)


@command.command(
    "show", cls=Command, examples=["ringlab runs show last", "ringlab runs show 3f7a --json - | jq .result.certificate"]
)
@click.argument("run")
@runs_option
@json_option
def show(run: str, root: Path, json_target: str | None) -> None:
    """Show RUN: what it is, its files, and its table as it was printed."""
    from ringlab.experiments import runs_folder, runs_table  # noqa: PLC0415 - only where it is used

    found = runs_folder.find(root, run)
    if json_target:
        write_json(json_target, {**_data(found), "result": _result(found)})
    if json_target != STDOUT:
        click.echo(runs_table.head(found))
        _show_table(found)


@command.command("tag", cls=Command, examples=["ringlab runs tag last keep", "ringlab runs tag 3f7a paper figure-2"])
@click.argument("run")
@click.argument("tags", nargs=-1, required=True)
@runs_option
@json_option
def tag(run: str, tags: tuple[str, ...], root: Path, json_target: str | None) -> None:
    """Give RUN one or more TAGS: words, kept in its folder as tags.txt."""
    from ringlab.experiments import runs_folder, runs_tags  # noqa: PLC0415 - only where it is used

    found = runs_folder.find(root, run)
    _say_tags(found, runs_tags.add(found.folder, tags), json_target)


@command.command("untag", cls=Command, examples=["ringlab runs untag last keep"])
@click.argument("run")
@click.argument("tags", nargs=-1, required=True)
@runs_option
@json_option
def untag(run: str, tags: tuple[str, ...], root: Path, json_target: str | None) -> None:
    """Take TAGS from RUN, if it has them, and say which it has then."""
    from ringlab.experiments import runs_folder, runs_tags  # noqa: PLC0415 - only where it is used

    found = runs_folder.find(root, run)
    _say_tags(found, runs_tags.remove(found.folder, tags), json_target)


@command.command(
    "diff",
    cls=Command,
    examples=[
        "ringlab run examples/ring.yaml --backend simulated && ringlab runs diff 3f7a last",
        "ringlab runs diff 3f7a last --json - | jq .figures",
    ],
)
@click.argument("one")
@click.argument("other")
@runs_option
@json_option
def diff(one: str, other: str, root: Path, json_target: str | None) -> None:
    """Tell what differs between two runs: spec, machine and versions, and the times by size (nominal)."""
    from ringlab.experiments import runs_diff, runs_folder, runs_table  # noqa: PLC0415 - only where it is used

    a, b = runs_folder.find(root, one), runs_folder.find(root, other)
    found = runs_diff.diff(_result(a), _result(b))
    if json_target:
        write_json(json_target, {"a": a.entry.id, "b": b.entry.id, **runs_diff.to_data(found)})
    if json_target != STDOUT:
        click.echo(runs_table.differences(found, a.entry.id, b.entry.id), nl=False)


@command.command(
    "delete",
    cls=Command,
    examples=["ringlab ab examples/ab.yaml --backend simulated && ringlab runs delete last --yes"],
)
@click.argument("runs", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Don't ask.")
@runs_option
@json_option
def delete(runs: tuple[str, ...], yes: bool, root: Path, json_target: str | None) -> None:
    """Delete RUNS: their folders, if they are runs and nothing else. Asks first."""
    from ringlab.experiments import runs_folder  # noqa: PLC0415 - only where it is used

    found = list({run.folder: run for run in (runs_folder.find(root, word) for word in runs)}.values())
    for run in found:
        runs_folder.check_deletable(run)
    if not yes:
        for run in found:
            click.echo(f"{run.folder}  {run.entry.what}", err=True)
        click.confirm(f"Delete {'it' if len(found) == 1 else f'these {len(found)}'}?", abort=True, err=True)
    for run in found:
        runs_folder.delete(run)
    if json_target:
        write_json(json_target, [run.entry.id for run in found])
    if json_target != STDOUT:
        for run in found:
            click.echo(f"deleted {run.folder}")


def _data(run: Listed) -> dict[str, Any]:
    return {**asdict(run.entry), "tags": list(run.tags), "folder": str(run.folder)}


def _result(run: Listed) -> dict[str, Any]:
    """The run's main file as it is; of a sweep, which has many records, nothing. UsageError where it is broken."""
    from ringlab.experiments import runs_entry  # noqa: PLC0415 - only where it is used

    if run.entry.kind == runs_entry.BROKEN:
        raise UsageError(f"{run.folder}: {run.entry.what}; it can't be shown")
    file = runs_entry.main_file(run.folder)
    if file is None or file.name == runs_entry.SWEEP_RECORDS:
        return {}
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _show_table(run: Listed) -> None:
    from ringlab.experiments import store, table  # noqa: PLC0415 - only where it is used

    if run.entry.kind == "run":
        table.show(store.load(run.folder), table.console())
    elif run.entry.kind == "ab":
        from ringlab.experiments.ab import outcome  # noqa: PLC0415 - only where it is used
        from ringlab.experiments.ab import table as ab_table  # noqa: PLC0415 - likewise

        ab_table.show(outcome.from_data(_result(run)), table.console())


def _say_tags(run: Listed, tags: tuple[str, ...], json_target: str | None) -> None:
    if json_target:
        write_json(json_target, {"id": run.entry.id, "tags": list(tags)})
    if json_target != STDOUT:
        click.echo(f"{run.entry.id}: {' '.join(tags) or 'no tags'}")
