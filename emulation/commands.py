"""Running programs of the system: one way, with their errors as one line."""

from __future__ import annotations

import os
import selectors
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO

from emulation.errors import MachineError, RunError

TIMEOUT_S = 60.0
MORTAL = ("setpriv", "--pdeathsig", "KILL")


def run(args: Sequence[str], stdin: str | None = None, timeout_s: float = TIMEOUT_S, mortal: bool = False) -> str:
    """The program's standard output. ``mortal``: it dies with this process, so that it changes nothing afterwards.

    Raises MachineError where the program is missing, RunError (its last line of stderr) where it fails or hangs.
    """
    command = [*MORTAL, *args] if mortal else args
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False)
    except FileNotFoundError:
        raise MachineError(f"{command[0]} is not installed: run 'make setup', or see 'ringlab doctor'") from None
    except subprocess.TimeoutExpired:
        raise RunError(f"{args[0]} did not answer within {timeout_s:g} s: {' '.join(args)[:200]}") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or [f"exit status {done.returncode}"]
        raise RunError(f"{' '.join(args)[:120]}: {said[-1]}")
    return done.stdout


@dataclass(frozen=True, slots=True)
class _Shell:
    process: subprocess.Popen[bytes]
    errors: IO[bytes]


def run_scripts(scripts: Sequence[str], on_line: Callable[[], None], timeout_s: float = TIMEOUT_S) -> None:
    """Run scripts, one shell a core, each shell its share one after the other; ``on_line`` at every line they print.

    Raises RunError (the last line of stderr) where one fails, or where nothing is printed for ``timeout_s``.
    """
    shares = [scripts[first :: _cores()] for first in range(_cores())]
    with ExitStack() as stack, selectors.DefaultSelector() as waiting:
        for share in filter(None, shares):
            shell = stack.enter_context(_shell("\n".join(share)))
            assert shell.process.stdout is not None
            waiting.register(shell.process.stdout, selectors.EVENT_READ, shell)
        while waiting.get_map():
            ready = waiting.select(timeout_s)
            if not ready:
                raise RunError(f"a script said nothing for {timeout_s:g} s")
            for key, _ in ready:
                said = os.read(key.fd, 65536)
                for _ in range(said.count(b"\n")):
                    on_line()
                if not said:
                    waiting.unregister(key.fileobj)
                    _check(key.data)


@contextmanager
def _shell(script: str) -> Iterator[_Shell]:
    with tempfile.TemporaryFile() as text, tempfile.TemporaryFile() as errors:
        text.write(script.encode())
        text.seek(0)
        with subprocess.Popen([*MORTAL, "sh", "-e"], stdin=text, stdout=subprocess.PIPE, stderr=errors) as process:
            try:
                yield _Shell(process, errors)
            finally:
                process.kill()


def _check(shell: _Shell) -> None:
    if shell.process.wait():
        shell.errors.seek(0)
        said = shell.errors.read().decode(errors="replace").strip().splitlines()
        raise RunError(said[-1] if said else f"a script ended with status {shell.process.returncode}")


def _cores() -> int:
    return len(os.sched_getaffinity(0))
