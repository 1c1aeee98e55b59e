"""Starts a rank in each host, follows them to their end, and ends by pid what does not end by itself."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import IO, Any

from emulation.cleanup import end
from emulation.errors import RunError
from emulation.network import Network
from emulation.outages import Outages

GRACE_S = 3.0  # what the other ranks get to say their own error after the first has ended badly


@dataclass(frozen=True, slots=True)
class Rank:
    """One running rank; its standard error goes to a file that has no name."""

    number: int
    host: str
    process: subprocess.Popen[str]
    errors: IO[str]


@dataclass(frozen=True, slots=True)
class Failure:
    """How one rank ended badly: ``signal`` it was killed by (its name), or the last line of what it ``said``."""

    rank: int
    host: str
    signal: str = ""
    said: str = ""

    def __str__(self) -> str:
        me = f"rank {self.rank} ({self.host})"
        if self.signal:
            return f"{me} was ended by {self.signal}"
        return self.said or f"{me} ended badly and said nothing"


class RanksError(RunError):
    """Ranks failed: ``failures`` in the order in which they ended; the text explains them all in one line."""

    def __init__(self, failures: Sequence[Failure]) -> None:
        self.failures = tuple(failures)
        super().__init__(_explained(self.failures))


def run_ranks(
    network: Network,
    placement: Sequence[str],
    argv: Callable[[int], Sequence[str]],
    timeout_s: float,
    on_line: Callable[[str], None] = lambda _: None,
    outages: Outages | None = None,
) -> str:
    """Run ``argv(rank)`` in the host of each rank and wait for all; what rank 0 printed.

    ``on_line`` gets each line of rank 0 as it comes; ``outages`` are carried out meanwhile (work begins with the first
    line) and healed. Raises RanksError, naming rank and host, when a rank fails, RunError when ``timeout_s`` pass; no
    rank is left running, whatever happens.
    """
    ranks: list[Rank] = []
    options: dict[str, Any] = {"pass_fds": (outages.report_fd,)} if outages else {}
    try:
        for number, host in enumerate(placement):
            ranks.append(_start(network, number, host, argv(number), options))
        if outages:
            outages.start([rank.process.pid for rank in ranks], placement)
        follower = _Follower(ranks, timeout_s, on_line, outages)
        output = follower.follow()
        _raise_failures(ranks, follower.ended)
        return output
    finally:
        try:
            if outages:
                outages.heal()
        finally:
            _end_all(ranks)


def _end_all(ranks: Sequence[Rank]) -> None:
    end([rank.process.pid for rank in ranks if rank.process.poll() is None])
    for rank in ranks:
        rank.process.wait()
        rank.errors.close()
        if rank.process.stdout:
            rank.process.stdout.close()


def _start(network: Network, number: int, host: str, argv: Sequence[str], options: dict[str, Any]) -> Rank:
    errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the rank
    stdout = subprocess.PIPE if number == 0 else subprocess.DEVNULL
    process = network.popen(host, argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=errors, **options)
    return Rank(number, host, process, errors)


class _Follower:
    """Waits for every rank, reading rank 0's lines; a rank's bad end shortens the wait for the others."""

    def __init__(
        self, ranks: Sequence[Rank], timeout_s: float, on_line: Callable[[str], None], outages: Outages | None
    ) -> None:
        self.ended: list[Rank] = []
        self._ranks = ranks
        self._deadline = time.monotonic() + timeout_s
        self._on_line = on_line
        self._outages = outages
        self._lines: list[str] = []

    def follow(self) -> str:
        pidfds = {os.pidfd_open(rank.process.pid): rank for rank in self._ranks}
        try:
            with selectors.DefaultSelector() as waiting:
                waiting.register(self._stdout, selectors.EVENT_READ, self._read)
                for pidfd, rank in pidfds.items():
                    waiting.register(pidfd, selectors.EVENT_READ, lambda rank=rank: self._end(rank))
                self._wait(waiting, left=len(pidfds) + 1)
        finally:
            for pidfd in pidfds:
                os.close(pidfd)
        return "".join(self._lines)

    @property
    def _stdout(self) -> IO[str]:
        stdout = self._ranks[0].process.stdout
        assert stdout is not None
        return stdout

    def _wait(self, waiting: selectors.BaseSelector, left: int) -> None:
        """Until all ``left`` things have ended, or time is up."""
        if self._outages:
            waiting.register(self._outages, selectors.EVENT_READ, lambda: True)
        while left and (patience_s := self._deadline - time.monotonic()) > 0:
            due_s = self._outages.wait_s() if self._outages else patience_s
            for key, _ in waiting.select(min(patience_s, due_s)):
                if not key.data():
                    waiting.unregister(key.fileobj)
                    left -= 1
            if self._outages:
                self._outages.carry_out()

    def _read(self) -> bool:
        """A line of rank 0; False at the end of its words."""
        line = self._stdout.readline()
        if line:
            if self._outages and not self._lines:
                self._outages.work_begins()
            self._lines.append(line)
            self._on_line(line.rstrip("\n"))
        return bool(line)

    def _end(self, rank: Rank) -> bool:
        """A rank's end, of which there is one."""
        self.ended.append(rank)
        if rank.process.wait():
            self._deadline = min(self._deadline, time.monotonic() + GRACE_S)
            if self._outages:
                self._outages.rank_failed()
        return False


def _raise_failures(ranks: Sequence[Rank], ended: Sequence[Rank]) -> None:
    """RanksError where any ended badly; RunError where some never ended."""
    failures = list(_failures(ended))
    if failures:
        raise RanksError(failures)
    stuck = [rank for rank in ranks if rank.process.poll() is None]
    if stuck:
        rank = stuck[0]
        raise RunError(f"rank {rank.number} ({rank.host}) did not end in time, nor did {len(stuck) - 1} others")


def _failures(ended: Sequence[Rank]) -> Iterator[Failure]:
    for rank in ended:
        code = rank.process.returncode
        failure = Failure(rank.number, rank.host)
        if code < 0:
            yield replace(failure, signal=signal.Signals(-code).name)
        elif code:
            yield replace(failure, said=_last_words(rank) or f"{failure} (status {code})")


def _explained(failures: Sequence[Failure]) -> str:
    """One line for whatever went wrong first: a killed rank explains what its neighbours say."""
    killed = next((failure for failure in failures if failure.signal), None)
    said = next((failure for failure in failures if not failure.signal), None)
    return "; ".join(str(failure) for failure in (killed, said) if failure)


def _last_words(rank: Rank) -> str:
    rank.errors.seek(0)
    lines = rank.errors.read().strip().splitlines()
    return lines[-1] if lines else ""
