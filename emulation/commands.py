"""Running a program of the system: one way, with its error as one line."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from emulation.errors import MachineError, RunError

TIMEOUT_S = 60.0


def run(args: Sequence[str], stdin: str | None = None, timeout_s: float = TIMEOUT_S) -> str:
    """The program's standard output.

    Raises MachineError where the program is missing, RunError (its last line of stderr) where it fails or hangs.
    """
    try:
        done = subprocess.run(args, input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False)
    except FileNotFoundError:
        raise MachineError(f"{args[0]} is not installed: run 'make setup', or see 'ringlab doctor'") from None
    except subprocess.TimeoutExpired:
        raise RunError(f"{args[0]} did not answer within {timeout_s:g} s: {' '.join(args)[:200]}") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or [f"exit status {done.returncode}"]
        raise RunError(f"{' '.join(args)[:120]}: {said[-1]}")
    return done.stdout
