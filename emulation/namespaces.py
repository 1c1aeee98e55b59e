"""Namespaces for nodes: made by one process for all, gone when it ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from emulation import holder
from emulation.errors import RunError


@contextmanager
def namespaces(tag: str, hosts: Sequence[str], shares: Sequence[Sequence[str]] = ()) -> Iterator[dict[str, int]]:
    """A network namespace for each host, and one for each share of switches: for each node the pid of a process in it.

    They go on leaving, or when this process ends.

    Raises RunError where the kernel makes none.
    """
    nodes = [*((host,) for host in hosts), *shares]
    names = [f"{tag}-{share[0]}" for share in nodes]
    # A session of its own: Ctrl-C is for this process, which ends the holder when it has cleaned up.
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", str(Path(holder.__file__)), *names],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    with process:
        try:
            pids = _pids(process, len(nodes))
            yield {node: pid for share, pid in zip(nodes, pids, strict=True) for node in share}
        finally:
            process.kill()


def _pids(process: subprocess.Popen[str], count: int) -> list[int]:
    assert process.stdout is not None
    assert process.stderr is not None
    pids = [int(line) for _, line in zip(range(count), process.stdout, strict=False)]
    if len(pids) < count:
        raise RunError(f"no namespaces for {count} nodes: {process.stderr.readline().strip() or 'the holder ended'}")
    return pids
