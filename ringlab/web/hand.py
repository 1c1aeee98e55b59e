"""A hand in an emulated run: links cut and restored while ranks run, by the run's own faults.

Theory of operation. What breaks a fabric, heals it and explains what came of it is ``emulation.outages``; it lives as
long as a turn's ranks. The hand outlives turns: it remembers which links are cut, and every turn begins with them.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from emulation.faults import At, Down, Fault, Restore
from emulation.network import Network
from emulation.outages import Controls, Note, Outages
from ringlab.web.source import RefusedError, check_link
from topologies.fabric import Fabric

NOW = At(0.0)


class Hand:
    def __init__(self, fabric: Fabric) -> None:
        self._links = {link.name: link for link in fabric.links}
        self._fabric = fabric
        self._cut: dict[str, Fault] = {}
        self._turn: Outages | None = None
        self._lock = threading.Lock()

    def outages(self, network: Network, faults: Sequence[Fault], controls: Controls, note: Note) -> Outages:
        """Of the turn that is about to start; ``note`` hears of what breaks in it."""
        with self._lock:
            self._turn = Outages(network, faults, controls, note)
            for fault in self._cut.values():
                self._turn.ask(fault)
            return self._turn

    def turn_ends(self) -> None:
        with self._lock:
            self._turn = None

    def set_link(self, link: str, *, down: bool) -> bool:
        """Whether it is so at once; else, as no ranks run, from the next turn on. RefusedError if it is so already."""
        check_link(self._fabric, link)
        with self._lock:
            if down == (link in self._cut):
                raise RefusedError(f"link {link} is {'cut already' if down else 'not cut'}")
            action = Down(self._links[link])
            fault = Fault(NOW, action if down else Restore((action.target,)))
            if down:
                self._cut[link] = fault
            else:
                del self._cut[link]
            return self._turn is not None and self._turn.ask(fault)
