"""Starts the process that holds frames for a network's relayed links, talks to it, and ends it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from emulation.cleanup import end
from emulation.delay import Impairment
from emulation.errors import RunError
from emulation.plan import tc_lines
from topologies.fabric import Port

if TYPE_CHECKING:
    from emulation.network import Network


class Relay:
    """The running process, or none where no link is relayed."""

    def __init__(self, network: Network, process: subprocess.Popen[str]) -> None:
        self._network = network
        self._process = process

    def allow_for(self, own_s: float) -> None:
        """Hold every frame ``own_s`` less: what the machine takes by itself on each link."""
        self._order({"own_s": own_s})

    def impair(self, port: Port, impairment: Impairment) -> None:
        """Change what the direction that leaves by ``port`` does to frames, from now on."""
        self._order({"wire": self._network.plan.wire(port), **asdict(impairment)})

    def _order(self, order: object) -> None:
        _tell(self._process, order, "ok")


@contextmanager
def relayed(network: Network) -> Iterator[Relay | None]:
    """The links of ``network`` that the plan wants relayed are, until leaving; None where there is none."""
    ends = list(_ends(network))
    if not ends:
        yield None
        return
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "emulation.delay_relay"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        network.lab.add_process(process.pid)
        _tell(process, ends, "ready")
        yield Relay(network, process)
    finally:
        end([process.pid])
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()


def _ends(network: Network) -> Iterator[dict[str, Any]]:
    plan = network.plan
    for port in plan.relayed:
        interface, wire = plan.interfaces[port], plan.wire(port)
        yield {
            "pid": 0 if plan.fabric.is_switch(port.node) else network.pid(port.node),
            "interface": interface.name,
            "wire": wire,
            "mtu": plan.settings.mtu,
            "shaping": tc_lines(replace(interface, name=wire), plan.settings.mtu),
            **asdict(interface.shape.impairment),
        }


def _tell(process: subprocess.Popen[str], order: object, answer: str) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        said = process.stdout.readline().strip()
    except BrokenPipeError:
        said = ""
    if said != answer:
        raise RunError(f"the process that delays frames has ended: {_last_words(process)}")


def _last_words(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    process.kill()
    lines = process.stderr.read().strip().splitlines()
    return lines[-1] if lines else "it said nothing"
