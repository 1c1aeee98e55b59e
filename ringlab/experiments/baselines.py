"""The baseline that a user asks for: a published one, one of their own by name, or a file of a benchmark's output."""

from __future__ import annotations

import sys
from pathlib import Path

from collectives.baseline import Baseline, BaselineError, gloo, published
from collectives.baseline.outputs import parse
from collectives.baseline.stated import NOTHING_STATED, Stated
from ringlab.errors import UsageError
from ringlab.experiments import baseline_store

STDIN = "-"


def choose(wanted: str, line_rate_GBps: float | None = None) -> Baseline:  # noqa: N803 - GBps and Gbps differ
    """``--baseline WANTED``: a file where there is one of that name, else by name. UsageError otherwise."""
    if Path(wanted).is_file():
        return from_file(wanted, Stated(line_rate_GBps))
    return from_name(wanted)


def names() -> tuple[str, ...]:
    """The user's own, then the published GPU sweeps, then gloo's figures."""
    return (*baseline_store.names(), *published.names(), *gloo.names())


def everything() -> list[Baseline]:
    """All baselines, in order of ``names``."""
    return [from_name(name) for name in names()]


def from_name(name: str) -> Baseline:
    """The user's own or a published one. UsageError if there is none of that name."""
    if name in baseline_store.names():
        return baseline_store.load(name)
    if name in gloo.names():
        return gloo.load(name)
    try:
        return published.load(name)
    except BaselineError as error:
        raise UsageError(str(error)) from None


def from_file(file: str, stated: Stated = NOTHING_STATED) -> Baseline:
    """A benchmark's output or a kept baseline in ``file`` (``-``: standard input). UsageError if it is none."""
    try:
        return parse(text_of(file), "standard input" if file == STDIN else file, stated)
    except BaselineError as error:
        raise UsageError(str(error)) from None


def check_line_rate(line_rate_GBps: float | None) -> None:  # noqa: N803 - likewise
    """UsageError for a ``--line-rate`` that is none."""
    if line_rate_GBps is not None and not 0 < line_rate_GBps < float("inf"):
        raise UsageError(f"--line-rate {line_rate_GBps:g}: must be above 0 GB/s")


def text_of(file: str) -> str:
    """UsageError where it can't be read. Output of a cluster may hold any bytes: what is no UTF-8 becomes a sign."""
    try:
        return sys.stdin.read() if file == STDIN else Path(file).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"{file}: can't be read: {error.strerror}; name a file of nccl-tests output") from None


def wrong_name(name: str) -> str | None:
    """What is wrong with a baseline's name; None if there is one of that name."""
    if name in (*baseline_store.names(), *gloo.names()):
        return None
    try:
        published.load(name)
    except BaselineError as error:
        return str(error)
    return None
