"""Runs in the terminal: a line each; one with its files; two with what differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ringlab import tables
from ringlab.experiments.figures import UNKNOWN, size_text, time_text
from ringlab.experiments.runs_diff import Change, Diff, Figure
from ringlab.experiments.runs_index import Listed

WIDEST = 48
"""Characters of a value in a table of differences."""


def listing(runs: Sequence[Listed]) -> str:
    heads = ("id", "kind", "backend", "verdict", "tags", "what")
    return tables.table(heads, [_line(run) for run in runs])


def _line(run: Listed) -> tuple[str, ...]:
    entry = run.entry
    return entry.id, entry.kind, entry.backend, _verdict(run), " ".join(run.tags), entry.what


def _verdict(run: Listed) -> str:
    return ", ".join(run.entry.verdicts)


def head(run: Listed) -> str:
    """What a run is, line by line."""
    entry = run.entry
    files = " ".join(sorted(path.name for path in run.folder.iterdir()))
    lines = [
        ("run", entry.id),
        ("created", entry.created),
        ("kind", f"{entry.kind}, {entry.backend}" if entry.backend else entry.kind),
        ("verdict", _verdict(run)),
        ("tags", " ".join(run.tags)),
        ("what", entry.what),
        ("files", f"{run.folder}: {files}"),
    ]
    return "".join(f"{name:8} {value}\n" for name, value in lines if value)


def differences(found: Diff, one: str, other: str) -> str:
    return "\n".join(_parts(found, one, other))


def _parts(found: Diff, one: str, other: str) -> Iterator[str]:
    yield f"a: {one}\nb: {other}\n"
    for title, changed in (("spec", found.spec), ("fingerprint", found.fingerprint)):
        if changed:
            yield tables.table((title, "a", "b"), [_change(change) for change in changed])
        else:
            yield f"{title}: the same\n"
    if found.figures:
        yield tables.table(("size", "arm", "a", "b", "b / a"), [_figure(figure) for figure in found.figures])


def _change(change: Change) -> tuple[str, str, str]:
    return change.field, _short(change.one), _short(change.other)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 3]}..."


def _figure(figure: Figure) -> tuple[str, ...]:
    ratio = UNKNOWN if figure.ratio is None else f"{figure.ratio:.3f}"
    return size_text(figure.size_bytes), figure.arm, _value(figure, figure.one), _value(figure, figure.other), ratio


def _value(figure: Figure, value: float | None) -> str:
    if value is None:
        return UNKNOWN
    return time_text(value) if figure.unit == "us" else f"{value:.3f}x"
