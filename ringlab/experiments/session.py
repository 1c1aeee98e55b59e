"""A run as its user sees it: progress while it lasts, the table at its end, its files in ``runs/``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from controller.routing.spray import ONLY_SIMULATED
from emulation.errors import MachineError
from emulation.network import require_machine
from emulation.scripts import commands
from ringlab.errors import UsageError
from ringlab.experiments import both, calibrate, progress, runner, simulated, store, table
from ringlab.experiments.onlooker import NOBODY, Onlooker
from ringlab.experiments.result import Result, dumps, to_data
from ringlab.experiments.scale import Scale
from ringlab.experiments.simulated_job import SPRAY
from ringlab.experiments.spec import Spec
from ringlab.json_output import STDOUT
from ringlab.text_files import write_text

SIMULATED = "simulated.json"
UNKNOWN_SCALE = "# scale: measured at the first run"


def dry_run(spec: Spec) -> list[str]:
    """The plan, line by line."""
    head, factor = known_scale(spec.scale, lambda: runner.scale_of(spec, lambda _: None))
    return [head, *commands(runner.plan_of(spec.fabric, spec.transport, factor))]


def known_scale(given: float | None, find: Callable[[], Scale]) -> tuple[str, float]:
    """A plan's head, and its scale: 1 where it is not known yet, for nothing is measured for a plan."""
    if given is None and not calibrate.kept():
        return UNKNOWN_SCALE, 1.0
    scale = find()
    return f"# scale {scale.factor:g}: {scale.why}", scale.factor


def run_and_keep(
    spec: Spec,
    text: str,
    root: Path,
    framework: str,
    json_target: str | None,
    backend: str,
    onlooker: Onlooker = NOBODY,
) -> Result:
    """Run, keep in ``root``, print the table (or, with ``-``, the JSON object alone) on standard output.

    ``backend`` is one of ``ringlab.commands.backend``'s. With ``both`` the emulated result is returned, and kept, with
    the other beside it: ``simulated.json``, and in JSON ``{"emulated": ..., "simulated": ...}``.
    """
    if backend == "auto":
        backend = _best()
    if backend == "simulated":
        return _kept(simulated.run(spec), {}, text, root, json_target)
    if any(arm.policy == SPRAY for arm in spec.arms):
        raise UsageError(ONLY_SIMULATED)
    with progress.talk(total=runner.turns(spec)) as talk:
        outcome = runner.run(spec, talk.say, talk.step, framework, onlooker)
    other = both.simulated_beside(spec, outcome.result) if backend == "both" and not outcome.result.failure else None
    return _kept(outcome.result, outcome.nccl_tests, text, root, json_target, other)


def _best() -> str:
    """Real packets where this machine can send them; else it is said why not."""
    try:
        require_machine()
    except MachineError as error:
        click.echo(f"ringlab: simulated, as nothing can be emulated here: {error}", err=True)
        return "simulated"
    return "emulated"


def _kept(
    result: Result,
    nccl_tests: Mapping[tuple[str, int], str],
    text: str,
    root: Path,
    json_target: str | None,
    other: Result | None = None,
) -> Result:
    beside = {SIMULATED: dumps(other).encode()} if other else {}
    folder = store.save(root, result, nccl_tests, text, beside)
    said = dumps(result)
    if other:
        said = json.dumps({"emulated": to_data(result), "simulated": to_data(other)}, indent=2, allow_nan=False) + "\n"
    if json_target == STDOUT:
        click.echo(said, nl=False)
        return result
    if json_target:
        write_text(json_target, said)
    console = table.console()
    table.show(result, console)
    if other:
        both.show(result, other, console)
    click.echo(f"plots: {folder / store.PNG} {folder / store.SVG}")
    click.echo(f"result: {folder / store.RESULT}" + (f" and {json_target}" if json_target else ""))
    return result
