"""Process: starts ``python -m controller``, waits until it listens, and ends it."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryFile, gettempdir
from typing import IO, Any

from controller import own_policies
from controller.client import ControllerClient, ControllerStartError
from topologies.fabric import Fabric
from topologies.formats import dumps

START_S = 30.0
"""How long the process may take to listen: about 1 s on an idle machine."""

END_S = 5.0


@dataclass(slots=True)
class RunningController:
    """``openflow``: ``ip:port`` for switches, as in ``tcp:127.0.0.1:6653``; ``client`` for programs.

    It can be killed and started again, on the same ports; a new process goes on from what the
    one before saved.
    """

    pid: int
    openflow: str
    client: ControllerClient
    framework: str
    _start: Callable[[str, str], tuple[subprocess.Popen[str], dict[str, Any]]]
    _process: subprocess.Popen[str]

    def kill(self) -> None:
        """As a crash would."""
        _end(self._process, signal.SIGKILL)

    def restart(self) -> None:
        """Returns when it listens. ControllerStartError if it can't."""
        self._process, said = self._start(self.openflow, self.client.address)
        self.pid = said["pid"]

    def end(self) -> None:
        _end(self._process, signal.SIGTERM)


@contextmanager
def running_controller(
    fabric: Fabric,
    *,
    framework: str = "auto",
    openflow: str = "127.0.0.1:0",
    log: str | None = None,
    options: Sequence[str] = (),
) -> Iterator[RunningController]:
    """The controller of ``fabric`` in a process of its own, which ends with the block and with this process.

    Ports are any that are free unless ``openflow`` says one; ``options`` are more of its command's.
    ControllerStartError, in its own words, if it can't start.
    """
    with TemporaryFile("w+") as talk, _state_file() as state:

        def start(openflow: str, northbound: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
            command = [sys.executable, "-m", "controller", "--fabric", "-", "--framework", framework]
            command += ["--openflow", openflow, "--northbound", northbound, "--parent-pid", str(os.getpid())]
            command += ["--state", state, *options]
            for text, file in own_policies.loaded().items():
                command += ["--own-policy", text, str(file)]
            return _started([*command, *(["--log", log] if log else [])], dumps(fabric), talk)

        process, said = start(openflow, "127.0.0.1:0")
        control = RunningController(
            process.pid,
            f"{openflow.rpartition(':')[0]}:{said['openflow']}",
            ControllerClient(f"127.0.0.1:{said['northbound']}"),
            said["framework"],
            start,
            process,
        )
        try:
            yield control
        finally:
            control.end()


@contextmanager
def _state_file() -> Iterator[str]:
    """The name of a file that does not exist yet. Should this process be killed, the controller removes it."""
    name = Path(gettempdir()) / f"ringlab-controller-{token_hex(8)}.json"  # the controller makes it for its user alone
    try:
        yield str(name)
    finally:
        name.unlink(missing_ok=True)


def _started(command: list[str], fabric: str, talk: IO[str]) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    """The process, and what it announced; no process is left where it announces nothing."""
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
    try:
        return process, _announcement(process, fabric, talk)
    except BaseException:
        _end(process, signal.SIGTERM)
        raise


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


def _end(process: subprocess.Popen[str], number: signal.Signals) -> None:
    process.send_signal(number)
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()
