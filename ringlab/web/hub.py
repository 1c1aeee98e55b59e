"""The one place where a run's threads and the server's meet: events go in, the View can be read."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ringlab.web.events import Event
from ringlab.web.state import View, advance


class Hub:
    """``tell`` and ``view`` may be used from any thread."""

    def __init__(self, view: View, clock: Callable[[], float] = time.monotonic) -> None:
        self._view = view
        self._clock = clock
        self._began_s = clock()
        self._lock = threading.Lock()

    def tell(self, *events: Event) -> None:
        with self._lock:
            for event in events:
                self._view = advance(self._view, event, self.now_s)

    @property
    def view(self) -> View:
        return self._view

    @property
    def now_s(self) -> float:
        """Since the view began."""
        return self._clock() - self._began_s
