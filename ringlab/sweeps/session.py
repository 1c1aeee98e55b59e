"""A sweep as its user sees it: what is known is skipped, records are kept as they come, failed scenarios tried again.

What a record says follows from its scenario; so do the order of ``outcome`` (the sweep file's) and its JSON object.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ringlab.errors import UsageError
from ringlab.json_output import STDOUT, write_json
from ringlab.sweeps import plot, progress, store, table
from ringlab.sweeps.engines import Work
from ringlab.sweeps.scenario import Scenario
from ringlab.sweeps.store import Store
from ringlab.sweeps.sweep_file import Sweep
from ringlab.sweeps.work import Record
from ringlab.talk import say
from ringlab.text_files import write_text

SCHEMA = 1
SWEEP = "sweep.yaml"


@dataclass(frozen=True, slots=True)
class Found:
    """A scenario and its record."""

    scenario: Scenario
    record: Mapping[str, Any]

    @property
    def ok(self) -> bool:
        return bool(self.record["ok"])


def run(scenarios: Sequence[Scenario], engine: AbstractContextManager[Work], kept: Store, retries: int) -> list[Found]:
    """Each scenario's record, in their order. What ``kept`` knows is not run again, unless it had failed."""
    by_id = {scenario.id: scenario for scenario in scenarios}
    records = {id_: record for id_, record in kept.known.items() if id_ in by_id and record["ok"]}
    todo = [scenario for scenario in scenarios if scenario.id not in records]
    if records:
        say(f"{len(records)} of {len(scenarios)} scenarios are there already")
    if todo:
        with progress.shown(len(todo)) as done, engine as work:
            attempt = 0
            while todo:
                attempt += 1
                again = []
                for record in work([scenario.data for scenario in todo]):
                    scenario = by_id[record["id"]]
                    if _may_change(record) and attempt <= retries:
                        again.append(scenario)
                        continue
                    kept.add(_line(scenario, record, attempt))
                    records[scenario.id] = record
                    done(not record["ok"])
                todo = again
    return [Found(scenario, records[scenario.id]) for scenario in scenarios]


def _may_change(record: Record) -> bool:
    """Is a second try worth it? Not where the scenario itself can't be."""
    return not record["ok"] and record["exit_code"] != UsageError.exit_code


def _line(scenario: Scenario, record: Record, attempt: int) -> dict[str, Any]:
    """A line of the store: the record, with what its scenario is, and what does not follow from it at the end."""
    return {**_plain(scenario, record), "meta": {**record["meta"], "attempts": attempt}}


def _plain(scenario: Scenario, record: Mapping[str, Any]) -> dict[str, Any]:
    """What is the same on every engine."""
    outcome = {key: record[key] for key in ("ok", "result", "error", "exit_code") if key in record}
    own = {key: scenario.data[key] for key in ("id", "backend", "seed")}
    return {**own, "changes": dict(scenario.changes), **outcome}


def to_data(sweep: Sweep, found: Iterable[Found]) -> dict[str, Any]:
    """The JSON object of ``ringlab sweep --json``: the same whatever engine ran it."""
    return {
        "schema": SCHEMA,
        "name": sweep.name,
        "backend": sweep.backend,
        "seed": sweep.seed,
        "fields": list(sweep.fields),
        "results": [_plain(one.scenario, one.record) for one in found],
    }


def run_and_keep(
    sweep: Sweep,
    text: str,
    engine: AbstractContextManager[Work],
    folder: Path,
    *,
    resume: bool,
    retries: int,
    json_target: str | None,
) -> list[Found]:
    """Run, keep in ``folder``, print the table (or, with ``-``, the JSON object alone) on standard output."""
    scenarios = list(sweep.scenarios())
    with store.opened(folder, resume=resume) as kept:
        write_text(folder / SWEEP, text)
        try:
            found = run(scenarios, engine, kept, retries)
        except KeyboardInterrupt:
            say(f"what is done is in {folder / store.RESULTS}; --resume goes on with it")
            raise
    plots = plot.save(sweep, found, folder)
    if json_target:
        write_json(json_target, to_data(sweep, found))
    if json_target != STDOUT:
        table.show(sweep, found, table.console())
        if plots:
            click.echo(f"plots: {' '.join(map(str, plots))}")
        click.echo(f"results: {folder / store.RESULTS}" + (f" and {json_target}" if json_target else ""))
    return found


def dry_run(sweep: Sweep, json_target: str | None) -> None:
    """What would run: a line a scenario, or every scenario as it would be sent."""
    scenarios = list(sweep.scenarios())
    if json_target:
        data = [{**scenario.data, "changes": dict(scenario.changes)} for scenario in scenarios]
        write_json(json_target, {"schema": SCHEMA, "scenarios": data})
    if json_target != STDOUT:
        click.echo(table.listing(sweep, scenarios), nl=False)
