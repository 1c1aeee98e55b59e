"""An A/B as its user sees it: an A/A if it is wanted, the blocks, the table, ``runs/<id>/`` with ``ab.json``."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from controller.routing.spray import ONLY_SIMULATED
from ringlab.errors import CheckError, RunError, UsageError
from ringlab.experiments import progress, runner, simulated, store, table
from ringlab.experiments.ab import arms as ab_arms
from ringlab.experiments.ab import plot
from ringlab.experiments.ab import table as ab_table
from ringlab.experiments.ab.ab_file import Wanted
from ringlab.experiments.ab.arms import Arm
from ringlab.experiments.ab.interval import TRIM
from ringlab.experiments.ab.outcome import Found, Outcome, to_data
from ringlab.experiments.ab.runner import BROKEN, INTERRUPTED, UNFIT, Blocks
from ringlab.experiments.ab.stopping import Rules
from ringlab.experiments.result import Result
from ringlab.experiments.simulated_job import SPRAY
from ringlab.experiments.spec import Spec
from ringlab.json_output import STDOUT
from ringlab.sweeps.scenario import EMULATED, canonical
from ringlab.text_files import write_text

AA_BLOCKS = 10
"""Of an A/A that comes first: half of an A/B by default."""

SVG, PNG = "ab.svg", "ab.png"

Say = Callable[[str], None]


@dataclass
class Benches:
    """Runs a spec on a backend. A simulated one is the same whenever it runs, and is run once."""

    framework: str
    fingerprint: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _simulated: dict[object, Result] = field(default_factory=dict)

    def run(self, spec: Spec, backend: str) -> Result:
        if backend == EMULATED:
            result = runner.run(spec, _unheard, _unheard, self.framework).result
        else:
            key = canonical(spec.data), spec.arms, spec.scale
            result = self._simulated.get(key) or simulated.run(spec)
            self._simulated[key] = result
        self.fingerprint.setdefault(backend, result.fingerprint)
        return result


def run_and_keep(
    wanted: Wanted, text: str, root: Path, framework: str, scale: float | None, json_target: str | None
) -> Outcome:
    """Run, keep in ``root``, print the table (or, with ``-``, the JSON object alone) on standard output."""
    store.check_root(root)
    with progress.talk() as talk:
        outcome = run(wanted, Benches(framework), scale, talk.say)
    data = json.dumps(to_data(outcome), indent=2, allow_nan=False) + "\n"
    files = {store.AB: data.encode(), store.SPEC: text.encode()}
    shown = outcome.found or outcome.aa
    assert shown is not None
    files |= {SVG: plot.svg(outcome.name, shown).encode(), PNG: plot.png(outcome.name, shown)}
    folder = store.save_files(root / outcome.id, files)
    if json_target == STDOUT:
        click.echo(data, nl=False)
        return outcome
    if json_target:
        write_text(json_target, data)
    ab_table.show(outcome, table.console())
    click.echo(f"plots: {folder / PNG} {folder / SVG}")
    click.echo(f"result: {folder / store.AB}" + (f" and {json_target}" if json_target else ""))
    return outcome


def run(wanted: Wanted, benches: Benches, scale: float | None, say: Say) -> Outcome:
    """The A/A, if wanted, and unless it shows a difference the A/B."""
    created, seed = datetime.now(UTC), wanted.seed if wanted.seed is not None else secrets.randbits(31)
    sizes = ab_arms.check(wanted.arms, seed)
    _check_backends(wanted.arms, seed)
    scale = common_scale(wanted.arms, seed, scale, say)
    trim = 0.0 if any(arm.is_drawn for arm in wanted.arms) else TRIM  # a hash's draws are no noise: all of them count
    rules = Rules(wanted.blocks, wanted.within, wanted.same, seed, trim)
    aa = found = None
    left_s, began = wanted.time_s, time.monotonic()
    if wanted.aa:
        of_aa = replace(rules, blocks=min(AA_BLOCKS, wanted.blocks))
        aa = _blocks(ab_arms.twice(wanted.arms), of_aa, sizes, benches, say, scale, wanted.time_s, "A/A: ")
        if aa.stopped == INTERRUPTED:
            raise KeyboardInterrupt
        if left_s is not None:
            left_s = max(0.0, left_s - (time.monotonic() - began))
    if aa is None or not (aa.differs() or aa.stopped in (UNFIT, BROKEN) or not aa.last):
        found = _blocks(wanted.arms, rules, sizes, benches, say, scale, left_s, "")
    return Outcome(
        id=store.run_id(created, wanted.name, f"ab{secrets.token_hex(3)}"),
        name=wanted.name,
        created=created.isoformat(timespec="seconds"),
        specs={arm.name: arm.data for arm in wanted.arms},
        backends={arm.name: arm.backend for arm in wanted.arms},
        scale=scale or 1.0,
        time_s=wanted.time_s,
        found=found,
        aa=aa,
        notes=tuple(ab_arms.notes(wanted.arms, seed)),
        fingerprint=benches.fingerprint,
    )


def check_outcome(outcome: Outcome) -> None:
    """CheckError where the bench is not fit to tell, RunError where something broke it; what was measured is kept."""
    if outcome.aa and outcome.aa.differs():
        raise CheckError(
            "the bench shows a difference between equal arms, so the A/B was not run; "
            "is something else running here? One A/A in twenty does so by chance: try again"
        )
    for found in filter(None, (outcome.aa, outcome.found)):
        if found.stopped == BROKEN:
            raise RunError(f"after {found.counted} blocks, which are kept: {found.error}")
        if not found.last and found.stopped != UNFIT:
            raise CheckError("the time was over before a block was whole; give more --time, or fewer or smaller sizes")
        if found.stopped == UNFIT:
            why = [f"; the last refused one, block {one.block}: {one.reason}" for one in found.refused[-1:]]
            raise CheckError(f"too few valid turns{''.join(why)}")


def common_scale(arms: Sequence[Arm], seed: int, given: float | None, say: Say) -> float | None:
    """One time dilation for all arms, else they could not be compared: the largest that any of them needs."""
    if given is not None:
        return given
    wanted = [(arm.backend, arm.spec(seed, 1)) for arm in arms]
    emulated = [spec.scale or runner.scale_of(spec, say).factor for backend, spec in wanted if backend == EMULATED]
    return max(emulated or [spec.scale or 1.0 for _, spec in wanted])


def _blocks(
    arms: Sequence[Arm],
    rules: Rules,
    sizes: Sequence[int],
    benches: Benches,
    say: Say,
    scale: float | None,
    limit_s: float | None,
    prefix: str,
) -> Found:
    return Blocks(
        arms, rules, sizes, benches.run, time.monotonic, lambda what: say(f"{prefix}{what}"), scale, limit_s
    ).all()


def _check_backends(arms: Sequence[Arm], seed: int) -> None:
    for arm in arms:
        if arm.backend == EMULATED and any(one.policy == SPRAY for one in arm.spec(seed, 1).arms):
            raise UsageError(f"arm {arm.name}: {ONLY_SIMULATED}")


def _unheard(_text: str) -> None:
    """A block's steps are not the A/B's."""
