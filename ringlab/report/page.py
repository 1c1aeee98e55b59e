"""The HTML file: a section a run, all pictures in it, nothing fetched from anywhere.

Jinja2 escapes every text; only our own drawings go in as they are. Plots are images, for two inline SVGs of matplotlib
share ids; the fabric is inline, so that hovering tells a link's figures.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from io import StringIO
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined, select_autoescape
from markupsafe import Markup
from rich.console import Console

from ringlab import __version__
from ringlab.experiments import plot, table
from ringlab.experiments.ab import table as ab_table
from ringlab.experiments.ab.outcome import Outcome
from ringlab.experiments.figures import UNKNOWN, bandwidth_text, rate_text, share_text, size_text, time_text
from ringlab.experiments.result import Result
from ringlab.report import figures, picture

MOST_BYTES = 2_000_000
"""What a mail, or a course's upload page, takes."""

VERDICT_MARKS = {"valid": "✓", "doubtful": "?", "invalid": "✗"}


@dataclass(frozen=True, slots=True)
class Reported:
    """A run, the text of its spec where it is known, and what simulation says beside it, if anything does."""

    result: Result
    spec_text: str | None = None
    other: Result | None = None


def html(runs: Sequence[Reported], title: str, comparisons: Sequence[Outcome] = ()) -> str:
    """The whole page. Where drawings would make it larger than ``MOST_BYTES``, the last ones are left out."""
    compared = [_compared(one) for one in comparisons]
    sections = [_section(run) for run in runs]
    for drawings in (picture.MOST_DRAWINGS, 1, 0):
        page = _environment().get_template("report.html").render(
            title=title, version=__version__, runs=sections, comparisons=compared, drawings=drawings
        )  # fmt: skip
        if len(page.encode()) <= MOST_BYTES:
            break
    return page


def _environment() -> Environment:
    from jinja2 import DictLoader  # noqa: PLC0415 - beside its one use

    source = (files("ringlab.report") / "report.html").read_text(encoding="utf-8")
    made = Environment(
        loader=DictLoader({"report.html": source}), autoescape=select_autoescape(default=True),
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {"size": size_text, "time": time_text, "bandwidth": bandwidth_text, "share": share_text,
                     "rate": rate_text, "ratio": _ratio}  # fmt: skip
    return made


def _section(run: Reported) -> dict[str, Any]:
    """What the template needs of one run."""
    result = run.result
    return {
        "result": result,
        "mark": VERDICT_MARKS[result.certificate.verdict],
        "rows": [(size, list(table.rows_at(result, size))) for size in result.sizes()],
        "other": _beside(result, run.other),
        "figures": [(one, _image(one)) for one in figures.of(result)],
        "pictures": [(one.arm, Markup(one.svg)) for one in picture.pictures(result)],  # noqa: S704 - our own drawing, escaped there
        "hot_links": picture.hot_links(result),
        "worst_difference": max((abs(link.difference) for link in result.links if link.difference is not None),
                                default=None),
        "faults": [(moment, figures.is_fault(moment)) for moment in result.timeline],
        "spec": run.spec_text or yaml.safe_dump(json.loads(json.dumps(result.spec)), sort_keys=False),
        "again": again(result),
        "fingerprint": _flat(result.fingerprint),
    }  # fmt: skip


def _compared(outcome: Outcome) -> dict[str, Any]:
    """An A/B as the terminal shows it, with its intervals as a picture."""
    text = StringIO()
    ab_table.show(outcome, Console(file=text, width=100, color_system=None, highlight=False))
    return {
        "outcome": outcome,
        "text": text.getvalue(),
        "image": next(map(_image, figures.of_ab(outcome)), None),
        "specs": {name: yaml.safe_dump(json.loads(json.dumps(spec)), sort_keys=False) for name, spec in
                  outcome.specs.items()},
        "fingerprint": _flat(outcome.fingerprint),
    }  # fmt: skip


def again(result: Result) -> str:
    """The command that repeats the run, given the spec that the page shows as spec.yaml."""
    backend = "simulated" if result.is_simulated else "emulated"
    scale = "" if result.scale == 1 else f" --scale {result.scale:g}"
    return f"ringlab run spec.yaml --backend {backend}{scale}"


def _beside(result: Result, other: Result | None) -> list[tuple[str, int, float, float]]:
    """Arm, size, and both backends' times in microseconds, where both have them."""
    if other is None:
        return []
    theirs = {(arm.name, one.size_bytes): one.time_us for arm in other.arms for one in arm.results}
    return [
        (arm.name, one.size_bytes, one.time_us, theirs[arm.name, one.size_bytes])
        for arm in result.arms
        for one in arm.results
        if (arm.name, one.size_bytes) in theirs
    ]


def _image(one: figures.Drawn) -> str:
    """As a data URL."""
    return "data:image/svg+xml;base64," + b64encode(plot.svg_of(one.draw, one.alt).encode()).decode()


def _flat(fingerprint: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(key, value if isinstance(value, str) else json.dumps(value)) for key, value in fingerprint.items()]


def _ratio(row: table.Row) -> str:
    """Measured over predicted."""
    return f"{row.time_us / row.predicted_us:.2f}x" if row.time_us and row.predicted_us else UNKNOWN
