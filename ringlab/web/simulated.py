"""A run without packets, shown as it would go: a film on the wall's clock."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

from collectives.choice import AUTO
from controller.routing import RoutingError
from ringlab.errors import UsageError
from ringlab.experiments.arms import OURS
from ringlab.experiments.simulated_job import SPRAY
from ringlab.experiments.spec import Spec
from ringlab.web.events import Event, PhaseChanged, Said
from ringlab.web.hub import Hub
from ringlab.web.playback import Film, Turn
from ringlab.web.source import RefusedError, check_link, check_size
from ringlab.web.state import View

USUAL_POLICIES = ("spanning-tree", "shortest", "ecmp:seed=1", "ecmp:seed=2", "least-loaded", "pinned", SPRAY)

ENDING = PhaseChanged("ended", "simulated: no packet was sent")


class Simulated:
    """The film of ``spec``, from the moment it is made; ``length_s`` is how long it lasts if nothing breaks."""

    def __init__(
        self,
        spec: Spec,
        length_s: float,
        *,
        control: bool,
        program: Sequence[Turn] = (),
        kind: str = "simulated",
        ending: PhaseChanged = ENDING,
        said: Iterable[str] = (),
    ) -> None:
        _check(spec)
        view = View(
            spec.fabric, spec.name, kind, spec.collective, spec.algorithm, spec.placement,
            policies=policies(spec, sprayed=True) if control else (), can_cut=control,
        )  # fmt: skip
        self.hub = Hub(view)
        self.hub.tell(*map(Said, said))
        turns = program or [Turn(arm, 1, size) for arm in spec.arms for size in spec.sizes]
        try:
            self._film = Film(spec, turns, length_s, ending)
        except RoutingError as error:
            raise UsageError(str(error)) from None
        self.spec = spec
        self._lock = threading.Lock()  # of the film: the server's threads and the program's take turns

    @property
    def is_over(self) -> bool:
        return self._film.is_over

    def sample(self) -> None:
        with self._lock:
            self.hub.tell(*self._film.events(self.hub.now_s))

    def set_link(self, link: str, *, down: bool) -> None:
        check_link(self.spec.fabric, link)
        with self._lock:
            now_s = self._now()
            self.hub.tell(*(self._film.cut(link, now_s) if down else self._film.restore(link, now_s)))

    def set_policy(self, policy: str) -> None:
        with self._lock:
            try:
                self.hub.tell(*self._film.switch(policy, self._now()))
            except (ValueError, RoutingError) as error:
                raise RefusedError(str(error)) from None

    def _now(self) -> float:
        """The moment, up to which the film is told."""
        now_s = self.hub.now_s
        events: list[Event] = list(self._film.events(now_s))
        self.hub.tell(*events)
        if self._film.is_over:
            raise RefusedError("the run has ended: nothing moves that could be disturbed")
        return now_s


def policies(spec: Spec, *, sprayed: bool) -> tuple[str, ...]:
    """What a running job may be switched to: those of the spec's arms, and some that go on most fabrics."""
    known = dict.fromkeys([*(arm.policy for arm in spec.arms), *USUAL_POLICIES])
    return tuple(name for name in known if sprayed or name != SPRAY)


def _check(spec: Spec) -> None:
    check_size(spec.fabric)
    if spec.algorithm == AUTO:
        raise UsageError("algorithm: auto is settled by what a run measures; name an algorithm to see it simulated")
    foreign = next((arm for arm in spec.arms if arm.library != OURS), None)
    if foreign is not None:
        raise UsageError(f"arm {foreign.name}: only our own schedules can be simulated; leave it out")
    if spec.faults:
        raise UsageError("a spec's faults are not played here; leave them out, and cut links by hand with --control")
