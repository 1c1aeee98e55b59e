"""Starts the ranks of a benchmark on this machine, and ends every one of them."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Sequence
from time import monotonic, sleep

from collectives.perf.layout import alike

GRACE_S = 3.0
"""How long the other ranks may take to notice that one failed, and to say so."""


def run_local(words: Sequence[str], peers: Sequence[str]) -> int:
    """Run ``words`` as every rank of ``peers``; the exit code of the first rank that failed, or 0."""
    words = [*_without_ranks(words), "--peers", ",".join(peers)]
    if "--token" not in words:
        words += ["--token", secrets.token_hex(8)]
    cores = sorted(os.sched_getaffinity(0))  # in turn: two ranks that talk would be drawn to one core
    ranks: list[subprocess.Popen[bytes]] = []
    previous = signal.signal(signal.SIGTERM, _stop)
    try:
        for rank in range(len(peers)):
            command = [*alike(), sys.executable, "-m", "collectives", *words, "--rank", str(rank)]
            ranks.append(subprocess.Popen(command))
            os.sched_setaffinity(ranks[-1].pid, {cores[rank % len(cores)]})
        return _first_failure(ranks)
    finally:
        _end(ranks)
        signal.signal(signal.SIGTERM, previous)


def _without_ranks(words: Sequence[str]) -> list[str]:
    """The words without ``--ranks N`` and ``--address A``."""
    kept: list[str] = []
    skip = False
    for word in words:
        if not skip and word.split("=")[0] not in ("--ranks", "--address"):
            kept.append(word)
        skip = not skip and word in ("--ranks", "--address")
    return kept


def _stop(number: int, _: object) -> None:
    raise SystemExit(128 + number)


def _first_failure(ranks: Sequence[subprocess.Popen[bytes]]) -> int:
    failed, deadline = 0, float("inf")
    while any([rank.poll() is None for rank in ranks]) and monotonic() < deadline:  # noqa: C419 - all are polled
        code = next((rank.returncode for rank in ranks if rank.returncode), 0)
        if code and not failed:
            failed, deadline = code, monotonic() + GRACE_S
        sleep(0.01)
    failed = failed or next((rank.returncode for rank in ranks if rank.returncode), 0)
    return 4 if failed < 0 else failed  # killed by a signal: the run failed


def _end(ranks: Sequence[subprocess.Popen[bytes]]) -> None:
    for rank in ranks:
        if rank.poll() is None:
            rank.terminate()
    for rank in ranks:
        try:
            rank.wait(timeout=GRACE_S)
        except subprocess.TimeoutExpired:
            rank.kill()
            rank.wait()
