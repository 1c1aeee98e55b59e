"""What a worker does: a scenario in, a record out. Knows no engine, never raises.

What it remembers from one scenario to the next (fabrics, schedules) makes no difference to a record, only to its time.

A record is ``{id, ok, result, meta}``, or ``{id, ok, error, exit_code, meta}``. ``result`` holds a run's figures
without its links, samples and fabric: about a kilobyte, to be sent and kept by the thousand. All but ``meta`` follows
from the scenario: times of day, the machine and how long it took are in there.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ringlab import __version__
from ringlab.errors import RunError, exit_code_of
from ringlab.sweeps.scenario import EMULATED

if TYPE_CHECKING:
    from ringlab.experiments.result import Arm, Result, SizeResult
    from ringlab.experiments.simulated_figures import Figures

Record = dict[str, Any]


def run(scenario: Mapping[str, Any]) -> Record:
    """The record of one scenario. Errors of any kind are in it, as one line."""
    began, started = datetime.now(UTC), time.perf_counter()
    meta: dict[str, Any] = {"began": began.isoformat(timespec="milliseconds"), "host": socket.gethostname()}
    try:
        outcome = {"ok": True, "result": _figures(_checked(_run(scenario)))}
    except Exception as error:  # noqa: BLE001 - one scenario's failure is not the sweep's
        outcome = {"ok": False, "error": one_line(error), "exit_code": exit_code_of(error) or RunError.exit_code}
    meta["wall_s"] = round(time.perf_counter() - started, 6)
    return {"id": scenario["id"], **outcome, "meta": meta}


def run_all(scenarios: Sequence[Mapping[str, Any]]) -> list[Record]:
    """One after the other: what is sent as one message."""
    return [run(scenario) for scenario in scenarios]


def failed(scenario: Mapping[str, Any], why: str) -> Record:
    """The record of a scenario whose worker gave none."""
    return {"id": scenario["id"], "ok": False, "error": why, "exit_code": RunError.exit_code, "meta": {}}


def one_line(error: BaseException) -> str:
    """What an error says, without line ends; its kind where it is none of ours."""
    words = " ".join(str(error).split())
    return words if exit_code_of(error) is not None and words else f"{type(error).__name__}: {words}".rstrip(": ")


def _run(scenario: Mapping[str, Any]) -> Result | Figures:
    from ringlab.experiments import simulated_figures  # noqa: PLC0415 - slow to import, and not on the sender's side
    from ringlab.experiments import spec as specs  # noqa: PLC0415 - likewise

    spec = specs.from_data(scenario["spec"], f"scenario {scenario['id']}")
    if scenario["backend"] == EMULATED:
        from ringlab.experiments import runner  # noqa: PLC0415 - likewise; a simulation needs none of it

        return runner.run(spec, _unheard, _unheard).result
    return simulated_figures.figures(spec)


def _unheard(_text: str) -> None:
    """A sweep's progress is its scenarios."""


def _checked(result: Result | Figures) -> Result | Figures:
    if result.failure:
        raise RunError(result.failure)
    wrong = sum(found.wrong for arm in result.arms for found in arm.results)
    if wrong:
        raise RunError(f"{wrong} elements came out wrong")
    return result


def _figures(result: Result | Figures) -> dict[str, Any]:
    """Units as in ``ringlab.experiments.result``."""
    names = ("name", "collective", "algorithm", "channels", "ranks", "scale", "line_rate_bps", "nominal_line_rate_bps")
    return {
        **{name: getattr(result, name) for name in names},
        "verdict": result.certificate.verdict,
        "arms": [_arm(arm) for arm in result.arms],
    }


def _arm(arm: Arm) -> dict[str, Any]:
    names = ("name", "group", "library", "objective", "lower_bound")
    return {**{name: getattr(arm, name) for name in names}, "results": [_size(found) for found in arm.results]}


def _size(found: SizeResult) -> dict[str, Any]:
    names = ("size_bytes", "time_us", "algbw_GBps", "busbw_GBps", "line_share", "predicted_us")
    return {name: getattr(found, name) for name in names}


def versions() -> str:
    """Of what the last digits of a result depend on."""
    import numpy as np  # noqa: PLC0415 - slow to import

    return f"ringlab {__version__}, numpy {np.__version__}"
