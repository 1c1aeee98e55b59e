"""How ranks are started so that those of one core do not make each other slow.

A processor guesses branches by their addresses. Ranks that take turns on a core run the same code, but Linux loads it
at other addresses in every process, so that each finds the guesses of another one's: eight ranks on two cores took 1.6
times as long for a small all_reduce. Without that shuffling (a guard against intruders) they learn from each other.
"""

from __future__ import annotations

import subprocess
from functools import lru_cache

_PLAIN = ("setarch", "-R")


@lru_cache(1)
def alike() -> tuple[str, ...]:
    """Words before a command that give it the same addresses as its fellows; none where the system refuses it."""
    try:
        tried = subprocess.run([*_PLAIN, "true"], capture_output=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return () if tried.returncode else _PLAIN
