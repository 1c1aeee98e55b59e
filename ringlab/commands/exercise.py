"""``ringlab exercise list|start|check|solution|report``: predict, run, explain; and a class's report."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ringlab.errors import CheckError, UsageError
from ringlab.examples_first import Command, Group
from ringlab.json_output import STDOUT, json_option, write_json
from ringlab.talk import say
from ringlab.text_files import write_text

if TYPE_CHECKING:
    from ringlab.exercises.attempt import Attempt


@click.group(
    cls=Group,
    examples=[
        "ringlab exercise list",
        "ringlab exercise start 1",
        "ringlab exercise check 1",
        "ringlab exercise solution 1 --yes",
        "ringlab exercise report students/* --csv class.csv",
    ],
)
def command() -> None:
    """Learn by predicting: a question, a few lines to write, and checks with a number in them.

    Simulated checks take seconds and no root; `check N --emulated` asks real packets, as root.
    """


@command.command("list", cls=Command, examples=["ringlab exercise list", "ringlab exercise list --json -"])
@json_option
def list_exercises(json_target: str | None) -> None:
    """List the exercises, and which of those in ./exercises are done."""
    from ringlab.exercises import attempt, catalog  # noqa: PLC0415 - only where they are used
    from ringlab.tables import table  # noqa: PLC0415 - likewise

    rows = [
        {
            "number": one.number, "name": one.name, "title": one.title, "minutes": one.minutes,
            "emulated": one.emulated, "done": attempt.is_done(one),
        }
        for one in catalog.EXERCISES
    ]  # fmt: skip
    if json_target:
        write_json(json_target, rows)
    if json_target != STDOUT:
        cells = [[*(row[key] for key in ("number", "title", "minutes")), *_marks(row)] for row in rows]
        click.echo(table(["no", "exercise", "minutes", "real packets", "done"], cells), nl=False)


@command.command(cls=Command, examples=["ringlab exercise start 2", "ringlab exercise start 2 --to lab/02-ring"])
@click.argument("number", type=int)
@click.option("--to", type=click.Path(path_type=Path), metavar="DIR", help="[default: ./exercises/NN-name]")
@json_option
def start(number: int, to: Path | None, json_target: str | None) -> None:
    """Copy exercise NUMBER: its README.md, and exercise.py with what is to be written. Nothing is overwritten."""
    from ringlab.exercises import attempt, catalog  # noqa: PLC0415 - only where they are used

    exercise = catalog.by_number(number)
    folder = to or attempt.HOME / exercise.copy_name
    targets = {"README.md": folder / "README.md", "start.py": folder / attempt.FILE}
    for target in targets.values():
        if target.exists():
            raise UsageError(f"{target}: is there already, and is left as it is; name another folder with --to DIR")
    for source, target in targets.items():
        write_text(target, (exercise.folder / source).read_text(encoding="utf-8"))
    made = [str(target) for target in targets.values()]
    if json_target:
        write_json(json_target, {"exercise": number, "files": made})
    if json_target != STDOUT:
        click.echo("\n".join(made))
    check = str(number) if to is None else str(folder)
    say(f"read the first, finish the second, then: ringlab exercise check {check}")


@command.command(
    cls=Command,
    examples=[
        "ringlab exercise check 2",
        "ringlab exercise check students/ada/02-write-ring-allreduce --json -",
        "ringlab exercise check 2 --emulated",
    ],
)
@click.argument("target", metavar="NUMBER|DIR")
@click.option("--emulated", is_flag=True, help="Ask real packets, as root; takes a minute or more.")
@click.option("--report", metavar="FILE", help="Write the verdicts as CSV, to hand in.")
@json_option
def check(target: str, emulated: bool, report: str | None, json_target: str | None) -> None:
    """Run the checks of an exercise on ./exercises/NN-name/exercise.py, or on the exercise.py in DIR.

    Exit code 1 if a check fails.
    """
    from ringlab.exercises import attempt, class_report  # noqa: PLC0415 - only where they are used

    exercise, file = attempt.find(target)
    if emulated and not exercise.emulated:
        raise UsageError(f"exercise {exercise.number} has no emulated checks; leave --emulated out")
    found = attempt.attempt(exercise, file, emulated=emulated)
    if not emulated:
        attempt.remember(found)
    if json_target:
        write_json(json_target, _data(found))
    if json_target != STDOUT:
        _show(found)
    if report:
        write_text(report, class_report.sheet("all", class_report.rows(_student(file), [found])))
    if emulated and not found.passed:
        _blame_load()
    if not found.passed:
        missed = sum(not verdict.passed for verdict in found.verdicts)
        raise CheckError(f"exercise {exercise.number}: {f'{missed} checks failed' if missed else 'it does not run'}")


@command.command(cls=Command, examples=["ringlab exercise solution 2", "ringlab exercise solution 2 --yes"])
@click.argument("number", type=int)
@click.option("--yes", is_flag=True, help="Do not ask whether you have tried.")
def solution(number: int, yes: bool) -> None:
    """Print a solution of exercise NUMBER."""
    from ringlab.exercises import catalog  # noqa: PLC0415 - only where it is used

    exercise = catalog.by_number(number)
    if not yes:
        click.confirm(f"Show a solution of exercise {number}, {exercise.title}", abort=True, err=True)
    click.echo((exercise.folder / "solution.py").read_text(encoding="utf-8"), nl=False)


@command.command(
    cls=Command,
    examples=[
        "ringlab exercise report students/* --csv class.csv",
        "ringlab exercise report students/* --csv failed.csv --sheet failed",
    ],
)
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--csv", "target", required=True, metavar="FILE", help="Its -summary and -failed go beside it.")
@click.option("--sheet", type=click.Choice(["all", "summary", "failed"]), help="Only this one, into FILE.")
@json_option
def report(folders: tuple[Path, ...], target: str, sheet: str | None, json_target: str | None) -> None:
    """Check all exercises of many students: a folder each, with NN-name folders in it or in its exercises/.

    Three CSV files: every check, a summary by student, and the checks that failed.
    """
    from ringlab.exercises import attempt, class_report  # noqa: PLC0415 - only where they are used
    from ringlab.experiments import progress  # noqa: PLC0415 - likewise
    from ringlab.tables import table  # noqa: PLC0415 - likewise

    work = [(student, folder) for student in folders for folder in attempt.folders_of(student)]
    if not work:
        raise UsageError(f"no exercise in {folders[0]}: a student's folder has folders like 02-name/{attempt.FILE}")
    names = _names(folders)
    rows: list[class_report.Row] = []
    with progress.talk(total=len(work)) as talk:
        for student, folder in work:
            talk.step(f"{names[student]}: {folder.name}")
            found = attempt.attempt(attempt.of_folder(folder), folder / attempt.FILE, emulated=False)
            rows += class_report.rows(names[student], [found])
    path, students = Path(target), list(names.values())
    kinds = {path: sheet or "all"}
    if sheet is None:
        kinds |= {path.with_stem(f"{path.stem}-{kind}"): kind for kind in ("summary", "failed")}
    for file, kind in kinds.items():
        write_text(file, class_report.sheet(kind, rows, students))
    summary = [list(row) for row in class_report.summary(rows, students)]
    if json_target:
        named = [dict(zip(class_report.SUMMARY_COLUMNS, row, strict=True)) for row in summary]
        write_json(json_target, {"summary": named, "checks": [asdict(row) for row in rows]})
    if json_target != STDOUT:
        click.echo(table(["student", "exercises", "passed", "checks", "ok"], summary), nl=False)
    say("written: " + ", ".join(map(str, kinds)))


def _student(file: Path) -> str:
    """By the folder of NN-name, or of exercises/NN-name."""
    from ringlab.exercises import attempt  # noqa: PLC0415 - only where it is used

    folder = file.absolute().parent.parent
    return folder.parent.name if folder.name == attempt.HOME.name else folder.name


def _names(folders: tuple[Path, ...]) -> dict[Path, str]:
    """By the folder's name; by the whole path where two have one."""
    names = [folder.absolute().name for folder in folders]
    return {f: name if names.count(name) == 1 else str(f) for f, name in zip(folders, names, strict=True)}


def _blame_load() -> None:
    """Times of packets are worth little where other programs keep the processors busy."""
    import os  # noqa: PLC0415 - only where it is used

    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load > 1.5 * cores:
        say(f"this machine is busy (load {load:.0f}, {cores} cores): try checks of time again when it is not")


def _marks(row: dict[str, Any]) -> tuple[str, str]:
    return "as root" if row["emulated"] else "-", "yes" if row["done"] else ""


def _show(found: Attempt) -> None:
    mode = "real packets" if found.emulated else "simulated"
    click.echo(f"{found.exercise.number}  {found.exercise.title} ({mode})  {found.file}")
    if found.error:
        click.echo(f"  failed  {found.error}")
    for verdict in found.verdicts:
        click.echo(f"  {'ok    ' if verdict.passed else 'failed'}  {verdict.name}: {verdict.message}")
        if verdict.hint:
            click.echo(f"          hint: {verdict.hint}")


def _data(found: Attempt) -> dict[str, Any]:
    return {
        "exercise": found.exercise.number,
        "name": found.exercise.name,
        "file": str(found.file),
        "backend": "emulated" if found.emulated else "simulated",
        "passed": found.passed,
        "error": found.error or None,
        "checks": [
            {"name": one.name, "passed": one.passed, "message": one.message, "hint": one.hint or None}
            for one in found.verdicts
        ],
    }
