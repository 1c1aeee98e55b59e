"""Process: starts ``python -m controller``, waits until it listens, and ends it."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from controller.client import ControllerClient, ControllerStartError
from topologies.fabric import Fabric
from topologies.formats import dumps

START_S = 30.0
"""How long the process may take to listen: about 1 s on an idle machine."""

END_S = 5.0


@dataclass(frozen=True, slots=True)
class RunningController:
    """``openflow``: ``ip:port`` for switches, as in ``tcp:127.0.0.1:6653``; ``client`` for programs."""

    pid: int
    openflow: str
    client: ControllerClient
    framework: str


@contextmanager
def running_controller(
    fabric: Fabric, *, framework: str = "auto", openflow: str = "127.0.0.1:0", log: str | None = None
) -> Iterator[RunningController]:
    """The controller of ``fabric`` in a process of its own, which ends with the block and with this process.

    Ports are any that are free unless ``openflow`` says one. ControllerStartError, in its own words, if it can't start.
    """
    command = [sys.executable, "-m", "controller", "--fabric", "-", "--framework", framework]
    command += ["--openflow", openflow, "--northbound", "127.0.0.1:0", "--parent-pid", str(os.getpid())]
    command += ["--log", log] if log else []
    with TemporaryFile("w+") as talk:
        # A session of its own: Ctrl-C is for the program that started us, which ends us when it has cleaned up.
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=talk,
            text=True,
            env=_environment(),
            start_new_session=True,
        )
        with process:
            try:
                said = _announcement(process, dumps(fabric), talk)
                yield RunningController(
                    process.pid,
                    f"{openflow.rpartition(':')[0]}:{said['openflow']}",
                    ControllerClient(f"127.0.0.1:{said['northbound']}"),
                    said["framework"],
                )
            finally:
                _end(process)


def _environment() -> dict[str, str]:
    """Ours, with the folder that this package is in on the path: it need not be installed."""
    here = str(Path(__file__).parent.parent)
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))}


def _announcement(process: subprocess.Popen[str], fabric: str, talk: IO[str]) -> Any:
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(BrokenPipeError), process.stdin:  # it may end before it reads; its own words say why
        process.stdin.write(fabric)
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(START_S):
            raise ControllerStartError(f"the controller did not listen within {START_S:g} s")
    line = process.stdout.readline()
    if not line:
        talk.seek(0)
        raise ControllerStartError(talk.read().strip() or f"the controller ended with exit code {process.wait()}")
    return json.loads(line)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
