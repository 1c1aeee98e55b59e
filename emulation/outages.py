"""Carries a Scenario out on a built fabric while its ranks run, and makes everything whole again at the end.

What stands for a switch that dies, where all switches live in one ovs-vswitchd: its ports lose their carrier (so do its
neighbours'), its controller session is cut, its flows and groups are deleted. When it starts again it has carriers, no
rules, and a controller that fills its tables as it does for any switch that connects. Its port counters live on.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Protocol

from emulation import fault_commands
from emulation.commands import run
from emulation.errors import EmulationError, RunError
from emulation.faults import (
    WHOLE,
    Action,
    Change,
    Condition,
    Fault,
    KillController,
    KillRank,
    KillSwitch,
    PauseHost,
    Scenario,
    conditions,
)
from emulation.network import Network
from topologies.fabric import Port

TCP_RTO_MAX_MS = 1000
"""The least that the kernel takes (6.15 and later). TCP doubles its wait with every vain attempt, so that after an
outage of x seconds it may stand still for x more; with this ceiling for one second at the most."""

Note = Callable[[str], None]


class Controls(Protocol):
    """What a scenario needs of whoever owns the controller; switches call it at ``openflow`` (``tcp:IP:PORT``)."""

    @property
    def openflow(self) -> str: ...

    def kill_controller(self) -> None:
        """Kill its process."""

    def restart_controller(self) -> None:
        """Start it again on the same ports, and tell it the job; returns when it listens."""

    def await_switches(self) -> None:
        """Return when every switch has all its rules."""


class Outages:
    """The faults of one turn on one network; ``note`` hears of every change as it is made.

    ``steps`` are the (operation, step) pairs that ranks must report. Use: ``start`` with the ranks' processes,
    ``work_begins``, then ``carry_out`` whenever ``wait_s`` have passed or ``fileno`` is readable, and ``heal`` at the
    end, whatever happened.
    """

    def __init__(self, network: Network, faults: Sequence[Fault], controls: Controls, note: Note) -> None:
        self._network = network
        self._controls = controls
        self._note = note
        self.scenario = Scenario(faults)
        self.steps = self.scenario.steps
        self.at_failure: tuple[tuple[Fault, float], ...] | None = None
        self._pids: Mapping[str, Sequence[int]] = {}
        self._rank_pids: Sequence[int] = ()
        self._conditions: Mapping[Port, Condition] = {}
        self._slow: list[threading.Thread] = []
        self._trouble: list[EmulationError] = []
        self._asked: SimpleQueue[Fault] = SimpleQueue()
        self._controller = threading.Lock()
        self._controller_kills = 0
        self._controller_away = False
        self._ending = threading.Lock()
        self._ended = False
        self._readable, self.report_fd = os.pipe()
        os.set_blocking(self._readable, False)

    def fileno(self) -> int:
        """Where ranks report the steps that faults wait for; they write to ``report_fd``."""
        return self._readable

    def ask(self, fault: Fault) -> bool:
        """Have a fault that nobody had planned, at once; from any thread. False where the turn is over."""
        with self._ending:
            if self._ended:
                return False
            self._asked.put(fault)
            os.write(self.report_fd, b"0 0 0\n")  # wakes whoever follows the ranks: no operation has the number 0
            return True

    def start(self, pids: Sequence[int], hosts: Sequence[str]) -> None:
        """``pids[rank]`` runs on ``hosts[rank]``."""
        self._rank_pids = tuple(pids)
        self._pids = {host: [pid for pid, on in zip(pids, hosts, strict=True) if on == host] for host in hosts}

    def work_begins(self) -> None:
        self.scenario.work_begins(time.monotonic())

    def rank_failed(self) -> None:
        """Remember what was broken when the first rank gave up."""
        if self.at_failure is None:
            self.at_failure = self.scenario.on

    def wait_s(self) -> float:
        """Until the next change that is scheduled."""
        at = self.scenario.next_at()
        return float("inf") if at is None else max(0.0, at - time.monotonic())

    def carry_out(self) -> None:
        """Take in what ranks reported, and make the changes that are due."""
        with suppress(BlockingIOError):
            for line in os.read(self._readable, 65536).decode().splitlines():
                _, operation, step = map(int, line.split())
                self.scenario.step_begins(operation, step, time.monotonic())
        with suppress(Empty):
            while True:
                self.scenario.ask(self._asked.get_nowait(), time.monotonic())
        self._make(self.scenario.due(time.monotonic()))

    def heal(self) -> None:
        """End every fault; returns when the fabric is whole. RunError where a change could not be made."""
        with self._ending:
            self._ended = True
        try:
            self._make(self.scenario.end())
        finally:
            for thread in self._slow:
                thread.join()
            os.close(self._readable)
            os.close(self.report_fd)
        if self._trouble:
            raise self._trouble[0]

    # -- making changes -----------------------------------------------------------------
    def _make(self, changes: Sequence[Change]) -> None:
        """Ports first: the rest may take its time."""
        if not changes:
            return
        self._set_ports()
        for change in changes:
            said = str(change)
            if not change.on and self._goes_on(change.fault.action):
                said = f"{change.fault.action.target}: one fault ends, another like it goes on"
            else:
                self._make_one(change)
            self._note(f"{said} ({self.scenario.since_s(time.monotonic()):.2f} s after its work began)")

    def _goes_on(self, action: Action) -> bool:
        """Does another fault do the same?"""
        return any(
            type(fault.action) is type(action) and fault.action.target == action.target for fault, _ in self.scenario.on
        )

    def _make_one(self, change: Change) -> None:
        action = change.fault.action
        match action:
            case KillSwitch(switch) if change.on:
                self._kill_switch(switch)
            case KillSwitch(switch):
                self._start_switch(switch)
                self._beside(self._controls.await_switches, f"switch {switch} has its rules again")
            case KillController() if change.on:
                self._kill_controller()
            case KillController():
                kills = self._controller_kills
                self._beside(lambda: self._restart_controller(kills), "controller and switches agree again")
            case PauseHost(host):
                for pid in self._pids.get(host, ()):
                    _signal(pid, signal.SIGSTOP if change.on else signal.SIGCONT)
            case KillRank(rank) if change.on:
                _signal(self._rank_pids[rank], signal.SIGKILL)

    def _set_ports(self) -> None:
        """Bring every port whose condition has changed to what it should be now."""
        plan = self._network.plan
        actions: list[Action] = [fault.action for fault, _ in self.scenario.on]
        wanted = conditions(plan.interfaces, actions)
        lines: dict[str, list[str]] = {}
        for port in {**self._conditions, **wanted}:
            before, after = self._conditions.get(port, WHOLE), wanted.get(port, WHOLE)
            on_host = not plan.fabric.is_switch(port.node)
            if on_host:  # its address would go with it: the switch's end takes the carrier of both
                before, after = _carrying(before), _carrying(after)
            where, interface = port.node if on_host else "", plan.interfaces[port]
            wire = plan.wire(port) if port in plan.relayed else ""
            found = fault_commands.commands(interface, plan.settings, before, after, wire)
            lines.setdefault(where, []).extend(found)
            if wire and self._network.relay:
                self._network.relay.impair(port, fault_commands.impairment(interface, after))
        self._conditions = wanted
        for where, script in lines.items():
            if script:
                self._run_script(where, "\n".join(script))

    def _run_script(self, host: str, script: str) -> None:
        argv = ["mnexec", "-a", str(self._network.pid(host))] if host else []
        run([*argv, "sh", "-e"], stdin=script)

    def _kill_switch(self, switch: str) -> None:
        bridge = self._network.plan.bridge(switch)
        run(["ovs-vsctl", "--timeout=10", "clear", "Bridge", bridge, "controller"])
        run(["ovs-ofctl", "-O", "OpenFlow13", "del-flows", bridge])
        run(["ovs-ofctl", "-O", "OpenFlow13", "del-groups", bridge])

    def _start_switch(self, switch: str) -> None:
        """It calls its controller as the plan has it do."""
        plan = self._network.plan
        run(["ovs-vsctl", "--timeout=10", *plan.controller_transaction(switch, self._controls.openflow)])

    def _kill_controller(self) -> None:
        """Not in the middle of a restart: that would fail, and what it started would live on."""
        with self._controller:
            self._controls.kill_controller()
            self._controller_kills += 1
            self._controller_away = True

    def _restart_controller(self, kills: int) -> None:
        """After so many ``kills``; unless it is back already, or was killed once more."""
        with self._controller:
            if self._controller_away and kills == self._controller_kills:
                self._controls.restart_controller()
                self._controller_away = False
        self._controls.await_switches()

    def _beside(self, work: Callable[[], None], done: str) -> None:
        """In a thread: other faults do not wait for it."""

        def body() -> None:
            try:
                work()
                self._note(f"{done} ({self.scenario.since_s(time.monotonic()):.2f} s after its work began)")
            except Exception as error:  # noqa: BLE001 - it is raised by heal, in the thread that waits
                self._trouble.append(error if isinstance(error, EmulationError) else RunError(str(error)))

        thread = threading.Thread(target=body, daemon=True)
        thread.start()
        self._slow.append(thread)


def prepare_hosts(network: Network, longest_s: float) -> None:
    """TCP of all hosts outlives an outage of ``longest_s`` and comes back soon after it."""
    attempts = min(255, 16 + round(longest_s * 1000 / TCP_RTO_MAX_MS))
    script = (
        f"test ! -e /proc/sys/net/ipv4/tcp_rto_max_ms || echo {TCP_RTO_MAX_MS} > /proc/sys/net/ipv4/tcp_rto_max_ms\n"
        f"echo {attempts} > /proc/sys/net/ipv4/tcp_retries2\n"
    )
    for host in network.plan.hosts:
        run(["mnexec", "-a", str(network.pid(host)), "sh", "-e"], stdin=script)


def _carrying(condition: Condition) -> Condition:
    """The condition but for the carrier."""
    return Condition(True, condition.rate_bps, condition.delay_s, condition.jitter_s, condition.loss)


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
