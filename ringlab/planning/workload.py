"""Computation against communication, in closed form: efficiency, and where the one is as long as the other.

Theory of operation. Each of n devices computes its tasks, then all sum a model's m bytes with an all_reduce, over
links of b bits a second and a latency of d a step. Computation takes C = k t where each device has k tasks of t seconds
(the work grows with n), or C = K t / n where K tasks are dealt out. A ring's all_reduce takes

    T = 2 (n - 1) (d + 8 m / (n b))

of which a share of C can hide behind computation (``overlap`` o): exposed is max(0, T - o C), and the efficiency is

    E = C / (C + exposed)

Communication dominates where more than C is exposed, T > (1 + o) C = C'. With k tasks each, T = C' is quadratic in n,

    2 d n^2 + (16 m / b - 2 d - C') n - 16 m / b = 0

with one root above 1; with d = 0 only where C' < 16 m / b. With K tasks in all it is, with W = (1 + o) K t,

    2 d n^2 + (16 m / b - 2 d) n - (16 m / b + W) = 0

In m it is linear: m = n b (C' / (2 (n - 1)) - d) / 8; none where latency alone is too long. ``devices_numerically``
and ``bytes_numerically`` find the same by halving intervals, from the times of ``collectives.cost``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, sqrt

from collectives.cost import COSTS, cost

MOST_DEVICES = 2**40
"""Where the search for a crossing ends: further is never."""

MOST_BYTES = 2.0**60


@dataclass(frozen=True, slots=True)
class Workload:
    """``tasks`` of each device, or of all together where ``shared``; ``step_s``: latency of a step."""

    tasks: float
    task_s: float
    nbytes: float
    rate_bps: float
    step_s: float
    shared: bool = False
    overlap: float = 0.0

    def computation_s(self, devices: float) -> float:
        return self.tasks * self.task_s / (devices if self.shared else 1)

    def communication_s(self, devices: float, nbytes: float | None = None, algorithm: str = "ring") -> float:
        size = self.nbytes if nbytes is None else nbytes
        return COSTS[algorithm](devices, size).time_s(self.step_s, 8 / self.rate_bps)  # type: ignore[arg-type]  # real n

    def exposed_s(self, devices: float, communication_s: float) -> float:
        return max(0.0, communication_s - self.overlap * self.computation_s(devices))

    def efficiency(self, devices: float, communication_s: float) -> float:
        """E, where the all_reduce takes ``communication_s``."""
        computation_s = self.computation_s(devices)
        return computation_s / (computation_s + self.exposed_s(devices, communication_s))

    def step_time_s(self, devices: float, communication_s: float) -> float:
        return self.computation_s(devices) + self.exposed_s(devices, communication_s)

    def best(self, devices: int) -> tuple[str, float]:
        """The algorithm of least cost among those with a closed form, and its seconds."""
        times = {name: cost(name, devices, self.nbytes).time_s(self.step_s, 8 / self.rate_bps) for name in COSTS}
        name = min(times, key=times.__getitem__)
        return name, times[name]


def devices_at_balance(work: Workload) -> float | None:
    """The number of devices (a real number) from which a ring's communication dominates; None where it never does."""
    bytes_s, d = 16 * work.nbytes / work.rate_bps, work.step_s
    limit_s = (1 + work.overlap) * work.tasks * work.task_s
    if work.shared:
        return _root(2 * d, bytes_s - 2 * d, -(bytes_s + limit_s))
    return _root(2 * d, bytes_s - 2 * d - limit_s, -bytes_s)


def bytes_at_balance(work: Workload, devices: int) -> float | None:
    """The message size at which a ring's communication is as long as computation; None: it is longer without a byte."""
    limit_s = (1 + work.overlap) * work.computation_s(devices)
    nbytes = devices * work.rate_bps * (limit_s / (2 * (devices - 1)) - work.step_s) / 8
    return nbytes if nbytes > 0 else None


def _root(a: float, b: float, c: float) -> float | None:
    """The positive root of a x^2 + b x + c, for c below 0; without cancellation."""
    if c == 0:
        return None
    if a == 0:
        return -c / b if b > 0 else None
    root = sqrt(b * b - 4 * a * c)
    return 2 * -c / (b + root) if b > 0 else (root - b) / (2 * a)


def devices_numerically(work: Workload) -> float | None:
    """As ``devices_at_balance``, by search: communication's share of the step only grows with n."""

    def too_long(devices: float) -> bool:
        return work.communication_s(devices) > (1 + work.overlap) * work.computation_s(devices)

    return _first(too_long, 1.0, MOST_DEVICES)


def bytes_numerically(work: Workload, devices: int) -> float | None:
    """As ``bytes_at_balance``, by search."""
    limit_s = (1 + work.overlap) * work.computation_s(devices)
    if work.communication_s(devices, 0.0) >= limit_s:
        return None
    return _first(lambda nbytes: work.communication_s(devices, nbytes) > limit_s, 0.0, MOST_BYTES)


def _first(holds: Callable[[float], bool], low: float, high: float) -> float | None:
    """Where ``holds`` becomes true between ``low`` (where it is not) and ``high``; None if it is not there either."""
    if not holds(high):
        return None
    previous = inf
    while previous != (middle := (low + high) / 2):
        previous = middle
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
