"""Faults that meet: what one of them broke stays broken while another like it is on. No fabric, no root."""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from emulation import fault_commands, outages
from emulation.faults import At, Fault, KillController, KillSwitch, PauseHost
from emulation.outages import Outages
from emulation.plan import Plan
from topologies.leaf_spine import leaf_spine

NETWORK = SimpleNamespace(plan=Plan(leaf_spine(2, 1, 1), "rtest"), relay=None)


class Controller:
    """Remembers what was asked of it; a restart takes a while and must not be disturbed."""

    openflow = "tcp:127.0.0.1:6653"

    def __init__(self) -> None:
        self.deeds: list[str] = []
        self.alive = True
        self.restarting = threading.Event()

    def kill_controller(self) -> None:
        self.alive = False
        self.deeds.append("kill")

    def restart_controller(self) -> None:
        assert not self.alive
        self.restarting.set()
        before = len(self.deeds)
        time.sleep(0.1)
        assert self.deeds[before:] == [], "killed in the middle of its restart"
        self.alive = True
        self.deeds.append("restart")

    def await_switches(self) -> None:
        pass


@pytest.fixture
def made(monkeypatch):
    """``made(faults)``: the outages, the controller, and the notes; healed at the end."""
    monkeypatch.setattr(outages, "run", lambda *_, **__: "")
    monkeypatch.setattr(fault_commands, "commands", lambda *_: [])
    found = []

    def make(*faults):
        noted: list[str] = []
        controls = Controller()
        found.append(Outages(NETWORK, faults, controls, lambda text: noted.append(text.partition(" (")[0])))
        found[-1].work_begins()
        return found[-1], controls, noted

    yield make
    for one in found:
        if not one._ended:
            one.heal()


def carried_out(one: Outages, seconds: float) -> None:
    """Everything that is due in the next seconds."""
    until = time.monotonic() + seconds
    while (now := time.monotonic()) < until:
        one.carry_out()
        time.sleep(min(0.005, until - now))


def test_the_first_of_two_kills_to_end_leaves_the_controller_away(made):
    one, controls, noted = made(Fault(At(0), KillController(), 0.05), Fault(At(0.02), KillController(), 0.2))
    carried_out(one, 0.15)
    assert controls.deeds == ["kill", "kill"]
    assert noted[-1] == "controller: one fault ends, another like it goes on"
    carried_out(one, 0.15)
    one.heal()
    assert controls.deeds == ["kill", "kill", "restart"]


def test_a_kill_while_the_controller_restarts_waits_for_it(made):
    one, controls, _ = made(Fault(At(0), KillController(), 0.02), Fault(At(0.06), KillController(), 0.2))
    carried_out(one, 0.04)
    assert controls.restarting.wait(1)
    carried_out(one, 0.05)
    assert controls.deeds == ["kill", "restart", "kill"]
    one.heal()
    assert controls.deeds == ["kill", "restart", "kill", "restart"]


def test_two_kills_that_end_together_are_one_restart(made):
    one, controls, _ = made(Fault(At(0), KillController()), Fault(At(0), KillController()))
    carried_out(one, 0.02)
    one.heal()
    assert controls.deeds == ["kill", "kill", "restart"]


def test_the_first_of_two_pauses_to_end_resumes_nobody(made):
    process = subprocess.Popen(["sleep", "60"])
    try:
        one, _, _ = made(Fault(At(0), PauseHost("h1"), 0.03), Fault(At(0), PauseHost("h1"), 0.2))
        one.start([process.pid], ["h1"])
        carried_out(one, 0.1)
        assert state(process.pid) == "T"
        carried_out(one, 0.15)
        assert state(process.pid) == "S"
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_the_first_of_two_kills_of_a_switch_to_end_starts_it_not(made, monkeypatch):
    one, _, noted = made(Fault(At(0), KillSwitch("spine1"), 0.03), Fault(At(0), KillSwitch("spine1"), 0.1))
    started: list[str] = []
    monkeypatch.setattr(one, "_start_switch", started.append)
    carried_out(one, 0.06)
    assert started == []
    carried_out(one, 0.1)
    assert started == ["spine1"]
    assert "switch spine1: one fault ends, another like it goes on" in noted
