"""A run on real packets, looked at while it goes on: an onlooker of the run, a source of the view.

Theory of operation. The run's own thread tells of turns and of rank 0's lines. All else is looked up only when somebody
asks (``sample``): rates, paths and link states from the controller, which reads the switches' counters anyhow; the
ranks' steps from the board that they have mapped (``collectives.perf.step_board``). So a run that nobody looks at pays
for a few bytes in memory a step.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any

from collectives import metrics
from collectives.peers.libraries import LIBRARIES, RINGLAB
from collectives.perf.step_board import Board
from controller import routing
from controller.client import ControllerClient, ControllerError
from emulation.faults import Fault
from emulation.network import Network
from emulation.outages import Controls, Outages
from ringlab.experiments.arms import Arm
from ringlab.experiments.bench import Bench, Installed
from ringlab.experiments.onlooker import Note, Onlooker
from ringlab.experiments.spec import Spec
from ringlab.web import flows, rows
from ringlab.web.events import (
    Event,
    FabricUp,
    Flow,
    FlowsMoved,
    LinkState,
    Loads,
    OperationBegan,
    PhaseChanged,
    PolicyChanged,
    Ranks,
    RowDone,
    Said,
    TurnBegan,
)
from ringlab.web.hand import Hand
from ringlab.web.hub import Hub
from ringlab.web.simulated import policies
from ringlab.web.source import RefusedError, check_size
from ringlab.web.state import View
from topologies import measures
from topologies.fabric import Fabric, Port
from topologies.traffic import Paths

COUNTERS_S = 0.4
"""Between two readings of the switches' counters, so that a page has more than two rates a second."""


class Emulated(Onlooker):
    """``board`` is mapped by all ranks. With ``control`` the run may be disturbed."""

    controller_options: Sequence[str] = ("--poll", str(COUNTERS_S))

    def __init__(self, spec: Spec, board: Board, *, control: bool) -> None:
        check_size(spec.fabric)
        view = View(
            spec.fabric, spec.name, "emulated", spec.collective, spec.algorithm, spec.placement,
            policies=policies(spec, sprayed=False) if control else (), can_cut=control,
        )  # fmt: skip
        self.hub = Hub(view)
        self.has_hand = control
        self._spec, self._board = spec, board
        self._scale = 1.0
        self._note: Note = lambda _: None
        self._bench: Bench | None = None
        self._client: ControllerClient | None = None
        self._hand = Hand(spec.fabric) if control else None
        self._deeds: list[str] = []
        self._turn: tuple[Arm, int] | None = None
        self._last_of_sizes: list[int] = []
        self._asked_s = 0.0
        self._epoch = -1
        self._looking = threading.Lock()

    # -- as an onlooker, in the run's thread ------------------------------------------------
    def said(self, text: str) -> None:
        self.hub.tell(PhaseChanged("starting", text))

    def fabric_up(self, spec: Spec, bench: Bench, note: Note) -> None:
        self._spec, self._bench, self._note = spec, bench, note
        self._scale = bench.network.plan.settings.scale
        self._client = ControllerClient(bench.control.client.address)
        self.hub.tell(FabricUp(self._scale), Said(f"fabric up: {bench.control.framework}"))

    def turn_begins(self, arm: Arm, block: int, installed: Installed, iterations: Sequence[int]) -> None:
        assert self._bench is not None
        self._board.clear()
        self._turn = arm, block
        self._last_of_sizes = list(accumulate(iterations))
        steps = self._bench.job.schedule.num_steps if LIBRARIES[arm.library] is RINGLAB else None
        self.hub.tell(TurnBegan(arm.name, arm.policy, block, steps, self._flows(installed.paths)))

    def line(self, text: str) -> None:
        if self._turn and (found := rows.parsed(text)):
            arm, block = self._turn
            rate_bps = measures.ring_line_rate_bps(self._spec.fabric) / self._scale
            factor = metrics.busbw_factor(self._spec.collective, len(self._spec.placement))
            self.hub.tell(RowDone(found.row(arm.name, block, factor, rate_bps)))

    def turn_ends(self) -> None:
        self._turn = None
        if self._hand:
            self._hand.turn_ends()

    def rank_options(self) -> Sequence[str]:
        return ("--step-board", str(self._board.path)) if self._turn else ()

    def outages(self, network: Network, faults: Sequence[Fault], controls: Controls, note: Note) -> Outages | None:
        if self._hand is None or self._turn is None:
            return super().outages(network, faults, controls, note)
        name = self._where()

        def heard(event: str) -> None:
            (note if faults else lambda text: self._note(f"{name}: {text}"))(event)
            self.hub.tell(Said(event))

        return self._hand.outages(network, faults, controls, heard)

    def deeds(self) -> Sequence[str]:
        return tuple(self._deeds)

    def run_ends(self, ending: PhaseChanged) -> None:
        """The fabric is gone, or about to go."""
        self._turn = self._client = None
        self.hub.tell(ending)

    # -- as a source, in the server's threads -----------------------------------------------
    def sample(self) -> None:
        with self._looking:
            self.hub.tell(*self._looked())

    def set_link(self, link: str, *, down: bool) -> None:
        if self._hand is None or self._client is None:
            raise RefusedError("the fabric is not up: it is still being built, or the run has ended")
        done = "cut" if down else "restored"
        if not self._hand.set_link(link, down=down):
            self.hub.tell(Said(f"link {link} is {done} from the next turn on: no ranks run at the moment"))
        self._deeds.append(f"link {link} {done} in {self._where()}")

    def set_policy(self, policy: str) -> None:
        client = self._client
        if self._hand is None or client is None or self._turn is None:
            raise RefusedError("no ranks run at the moment; try again when the next turn has begun")
        try:
            routing.policy(policy)
            for job in client.status()["jobs"]:
                client.set_policy(job, policy)
        except (ValueError, ControllerError) as error:
            raise RefusedError(str(error)) from None
        self._deeds.append(f"policy {policy} in {self._where()}")
        self._note(f"by hand: policy {policy}")
        self.hub.tell(PolicyChanged(policy))

    def _where(self) -> str:
        return f"block {self._turn[1]}, {self._turn[0].name}" if self._turn else "the next turn"

    def _looked(self) -> Iterator[Event]:
        if self._turn is None:
            yield Ranks(())
        elif LIBRARIES[self._turn[0].library] is RINGLAB:
            at = tuple(self._board.read())
            yield Ranks(at)
            yield from self._size_of(max(operation for operation, _ in at))
        client, now_s = self._client, time.monotonic()
        if client is not None and now_s - self._asked_s >= COUNTERS_S:
            self._asked_s = now_s
            yield from _told(lambda: self._counted(client))

    def _size_of(self, operation: int) -> Iterator[Event]:
        """Timed operations run through the sizes, each with its iterations."""
        index = bisect_left(self._last_of_sizes, operation)
        if operation and index < len(self._spec.sizes) and self.hub.view.size_bytes != self._spec.sizes[index]:
            yield OperationBegan(self._spec.sizes[index])

    def _counted(self, client: ControllerClient) -> Iterator[Event]:
        yield Loads(_rates(self._spec.fabric, client.counters()["ports"]))
        status = client.status()
        for link in {*self.hub.view.states, *status["links"]}:
            yield LinkState(link, status["links"].get(link, "up"))
        if status["epoch"] != self._epoch and self._turn:
            self._epoch = status["epoch"]
            yield FlowsMoved(self._flows(client.paths()))

    def _flows(self, paths: Paths) -> tuple[Flow, ...]:
        assert self._bench is not None
        hops = {key: path.hops for key, path in paths.items()}
        if self._turn and LIBRARIES[self._turn[0].library] is not RINGLAB:
            return flows.of_pairs(hops)
        return flows.named(self._bench.job.connections, hops, self._spec.placement)


def _told(ask: Callable[[], Iterator[Event]]) -> list[Event]:
    """Nothing while the controller does not answer: faults may have killed it, or the run is over."""
    try:
        return list(ask())
    except ControllerError:
        return []


def _rates(fabric: Fabric, ports: Sequence[dict[str, Any]]) -> dict[Port, float]:
    """Bits a second by directed link: what switches send, and what comes in from hosts, which count nothing."""
    found: dict[Port, float] = {}
    for one in ports:
        node, _, number = one["port"].rpartition(":")
        port = Port(node, int(number))
        found[port] = one["tx_bps"]
        peer = fabric.peer(port)
        if not fabric.is_switch(peer.node):
            found[peer] = one["rx_bps"]
    return found
