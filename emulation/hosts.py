"""Starts a rank in each host, follows them to their end, and ends by pid what does not end by itself."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO

from emulation.cleanup import end
from emulation.errors import RunError
from emulation.network import Network

GRACE_S = 3.0  # what the other ranks get to say their own error after the first has ended badly


@dataclass(frozen=True, slots=True)
class Rank:
    """One running rank; its standard error goes to a file that has no name."""

    number: int
    host: str
    process: subprocess.Popen[str]
    errors: IO[str]


def run_ranks(
    network: Network,
    placement: Sequence[str],
    argv: Callable[[int], Sequence[str]],
    timeout_s: float,
    on_line: Callable[[str], None] = lambda _: None,
) -> str:
    """Run ``argv(rank)`` in the host of each rank and wait for all; what rank 0 printed.

    ``on_line`` gets each line of rank 0 as it comes. Raises RunError, naming rank and host, when a rank fails or when
    ``timeout_s`` pass; no rank is left running, whatever happens.
    """
    ranks: list[Rank] = []
    try:
        for number, host in enumerate(placement):
            ranks.append(_start(network, number, host, argv(number)))
        output = _follow(ranks, timeout_s, on_line)
        _raise_failures(ranks)
        return output
    finally:
        end([rank.process.pid for rank in ranks if rank.process.poll() is None])
        for rank in ranks:
            rank.process.wait()
            rank.errors.close()
            if rank.process.stdout:
                rank.process.stdout.close()


def _start(network: Network, number: int, host: str, argv: Sequence[str]) -> Rank:
    errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the rank
    stdout = subprocess.PIPE if number == 0 else subprocess.DEVNULL
    process = network.popen(host, argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=errors)
    return Rank(number, host, process, errors)


def _follow(ranks: Sequence[Rank], timeout_s: float, on_line: Callable[[str], None]) -> str:
    """Wait for every rank, reading rank 0's lines; a rank's bad end shortens the wait for the others."""
    deadline = time.monotonic() + timeout_s
    lines: list[str] = []
    with selectors.DefaultSelector() as waiting:
        stdout = ranks[0].process.stdout
        assert stdout is not None
        waiting.register(stdout, selectors.EVENT_READ)
        pidfds = {os.pidfd_open(rank.process.pid): rank for rank in ranks}
        for pidfd in pidfds:
            waiting.register(pidfd, selectors.EVENT_READ)
        try:
            while waiting.get_map():
                ready = waiting.select(max(0.0, deadline - time.monotonic()))
                if not ready:
                    break
                for key, _ in ready:
                    if key.fileobj is stdout:
                        line = stdout.readline()
                        if not line:
                            waiting.unregister(stdout)
                            continue
                        lines.append(line)
                        on_line(line.rstrip("\n"))
                    else:
                        waiting.unregister(key.fileobj)
                        if pidfds[key.fd].process.wait():
                            deadline = min(deadline, time.monotonic() + GRACE_S)
        finally:
            for pidfd in pidfds:
                os.close(pidfd)
    return "".join(lines)


def _raise_failures(ranks: Sequence[Rank]) -> None:
    """One line for whatever went wrong first: a killed rank explains what its neighbours say."""
    codes = {rank: rank.process.poll() for rank in ranks}
    killed = [rank for rank, code in codes.items() if code is not None and code < 0]
    failed = [rank for rank, code in codes.items() if code is not None and code > 0]
    stuck = [rank for rank, code in codes.items() if code is None]
    if not (killed or failed or stuck):
        return
    said = next((text for rank in failed if (text := _last_words(rank))), "")
    if killed:
        rank = killed[0]
        name = signal.Signals(-(codes[rank] or 0)).name
        raise RunError(f"rank {rank.number} ({rank.host}) was ended by {name}" + (f"; {said}" if said else ""))
    if failed:
        rank = failed[0]
        raise RunError(said or f"rank {rank.number} ({rank.host}) ended with status {codes[rank]} and said nothing")
    rank = stuck[0]
    raise RunError(f"rank {rank.number} ({rank.host}) did not end in time, nor did {len(stuck) - 1} others")


def _last_words(rank: Rank) -> str:
    rank.errors.seek(0)
    lines = rank.errors.read().strip().splitlines()
    return lines[-1] if lines else ""
