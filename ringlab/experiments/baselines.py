"""The baseline that a user asks for: a published one by name, or a file of their own nccl-tests output."""

from __future__ import annotations

import sys
from pathlib import Path

from collectives.baseline import Baseline, BaselineError, nccl_tests, published
from ringlab.errors import UsageError

STDIN = "-"


def choose(wanted: str, line_rate_GBps: float | None = None) -> Baseline:  # noqa: N803 - GBps and Gbps differ
    """``--baseline WANTED``: a file where there is one of that name, else a published sweep. UsageError otherwise."""
    if Path(wanted).is_file():
        return from_file(wanted, line_rate_GBps)
    return from_name(wanted)


def from_name(name: str) -> Baseline:
    """A published sweep. UsageError if there is none of that name."""
    try:
        return published.load(name)
    except BaselineError as error:
        raise UsageError(str(error)) from None


def from_file(file: str, line_rate_GBps: float | None = None) -> Baseline:  # noqa: N803 - likewise
    """nccl-tests' text or JSON in ``file`` (``-``: standard input). UsageError if it is none."""
    try:
        text = sys.stdin.read() if file == STDIN else Path(file).read_text(encoding="utf-8", errors="replace")
        return nccl_tests.parse(text, "standard input" if file == STDIN else file, line_rate_GBps)
    except OSError as error:
        raise UsageError(f"{file}: can't be read: {error.strerror}; name a file of nccl-tests output") from None
    except BaselineError as error:
        raise UsageError(str(error)) from None
