"""After a run: can this result be trusted?

An emulation lies when the machine could not carry what the fabric would have carried. Mininet-HiFi (Handigol et al.,
"Reproducible Network Experiments Using Container-Based Emulation", CoNEXT 2012) showed that this can be seen from
outside; here it is judged on every run. ``observe`` samples the machine while a block of the run is on, ``judge``
turns samples into a certificate by the limits below, purely.

What is seen and why it matters:

* *switch lag*: the share of the run that ovs-vswitchd's forwarding thread was ready to run and had no core. With the
  userspace datapath every packet passes through that thread; while it waits, all links stand still.
* *CPU idle*: a machine without a reserve delays ranks, and delay looks like a slow fabric.
* *lost in the switch*: frames that a packet socket had no room for. A fabric's queue drops are its own; these are not.
* *rate*: one stream over one path before the run, against what the shaped rate lets a stream carry; its *departures*
  from a saturated link, against an ideal link (``departures``: Mininet-HiFi's test).
* *round trip*: of an idle path, before and after the run: its median against the delays that are emulated; where none
  are, its floor before against its floor after.
* *reach*: measured over predicted time at the largest size, of the arm that comes closest. Where links are as fast as
  promised, nothing but the network decides. *laggard*: the same of the arm furthest off; flows that share a link lose
  some time to TCP, so its limits are wider. *too fast*: in less time than the bytes need at the shaped rate, packets
  went past the shaping.
* *retransmissions*, *checksum errors*, *log*: a transport in trouble, offloads in trouble, a switch in trouble.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum


class Verdict(IntEnum):
    """How far a result can be trusted; the worst check decides."""

    VALID = 0
    DOUBTFUL = 1
    INVALID = 2

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Check:
    """One figure against its limits; ``limit`` is the one that ``value`` should keep."""

    name: str
    value: float
    unit: str
    limit: float
    verdict: Verdict
    detail: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """The verdict on a run, with every check that led to it."""

    checks: tuple[Check, ...]
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        return max((check.verdict for check in self.checks), default=Verdict.INVALID)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not valid, worst first; then what a reader should know anyway."""
        bad = sorted((check for check in self.checks if check.verdict), key=lambda check: -check.verdict)
        return (*(check.detail for check in bad), *self.notes)


@dataclass(frozen=True, slots=True)
class Limit:
    """Beyond ``doubtful`` a figure is doubtful, beyond ``invalid`` it is invalid (above, or below if ``at_least``)."""

    doubtful: float
    invalid: float
    at_least: bool = False

    def judge(self, value: float) -> Verdict:
        sign = -1 if self.at_least else 1
        if sign * value > sign * self.invalid:
            return Verdict.INVALID
        return Verdict.DOUBTFUL if sign * value > sign * self.doubtful else Verdict.VALID


ROUND_TRIP_SHARE, ROUND_TRIP_S = 0.05, 100e-6
"""What a round trip may be off by, the larger of the two."""

LIMITS = {
    # Where sound runs decide (cpu_idle, switch_lag, too_fast), doubtful begins half beyond the worst of 18 sound runs
    # of benchmarks/fidelity.py, or earlier; some had other work beside them. (On a quiet machine the worst of 30
    # were 0.37 idle and a lag of 0.05: these limits are wide.) Where there is a promise (rate, departures, round_trip),
    # it begins at the promise.
    "cpu_idle": Limit(0.12, 0.03, at_least=True),
    "switch_lag": Limit(0.15, 0.25),  # the 18 sound runs: up to 0.125; rings at 0.11 were within 1 % of line rate
    "lost_in_switch": Limit(0, 0),
    "rate": Limit(0.02, 0.08),  # share of the shaped rate missing
    "departures": Limit(0.06, 0.5),
    "round_trip": Limit(1.0, 10.0),
    "reach": Limit(0.05, 0.25),  # share by which the largest size took longer than predicted, in the best arm
    "laggard": Limit(1.0, 3.0),  # and in the worst
    "too_fast": Limit(0.02, 0.06),  # share by which it took less than its bytes need
    "retransmissions": Limit(0.02, 0.10),
    "checksum_errors": Limit(0, 0),
    "log": Limit(0, 0),
}


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen of the machine during a run (shares are from 0 to 1).

    ``cpu_idle`` is None where it tells nothing: ranks polled all the time.
    """

    cpu_idle: float | None
    switch_lag: float
    lost_in_switch: int
    retransmitted: int
    segments_sent: int
    checksum_errors: int
    log_lines: tuple[str, ...]


def allowed_s(round_trip_s: float) -> float:
    """What a round trip may be off by, seconds."""
    return max(ROUND_TRIP_SHARE * round_trip_s, ROUND_TRIP_S)


@dataclass(frozen=True, slots=True)
class Probe:
    """What one path showed: goodput over what its rate lets a stream carry, departures' p99 deviation, round trips.

    ``wanted_s`` is the sum of the emulated delays, 0 where none are; ``round_trips_s`` are those of an idle path.
    """

    rate_share: float
    departures: float | None
    wanted_s: float
    round_trips_s: tuple[float, ...]

    @property
    def round_trip_error(self) -> float:
        """The largest distance from what is wanted (or from the first), over what is allowed."""
        wanted_s = self.wanted_s or self.round_trips_s[0]
        return max(abs(found_s - wanted_s) for found_s in self.round_trips_s) / allowed_s(wanted_s)


def judge(seen: Observation, probe: Probe, reach: Mapping[str, float], fastest: float) -> list[Check]:
    """The checks of one run.

    ``reach[arm]`` is measured over predicted time at the largest size, ``fastest`` the least measured time over what
    the bytes alone need. Without predictions, ``reach`` is empty, and nothing is held against them.
    """
    rate = f"a single stream reached {probe.rate_share:.1%} of what the shaped rate carries"
    return [
        *judge_machine(seen),
        _check("rate", abs(1 - probe.rate_share), "share", rate),
        *_departures(probe),
        _check("round_trip", probe.round_trip_error, "x allowed", _round_trip(probe)),
        *(_against_predictions(reach, fastest) if reach else ()),
    ]


def _against_predictions(reach: Mapping[str, float], fastest: float) -> Iterator[Check]:
    best, worst = min(reach, key=reach.__getitem__), max(reach, key=reach.__getitem__)
    yield _check("reach", reach[best] - 1, "share", _took(best, reach))
    yield _check("laggard", reach[worst] - 1, "share", _took(worst, reach))
    yield _check("too_fast", 1 - fastest, "share", f"the largest size took {fastest:.2f}x what its bytes need")


def judge_machine(seen: Observation) -> list[Check]:
    """The checks that need nothing but what was seen of the machine."""
    retransmissions = seen.retransmitted / max(1, seen.segments_sent)
    lost = seen.lost_in_switch
    log = seen.log_lines[0] if seen.log_lines else "nothing"
    return [
        *_cpu_idle(seen.cpu_idle),
        _check(
            "switch_lag", seen.switch_lag, "share", f"ovs-vswitchd waited {seen.switch_lag:.0%} of the time for a core"
        ),
        _check("lost_in_switch", lost, "frames", f"{lost} frames were lost in full packet sockets"),
        _check("retransmissions", retransmissions, "share", f"{retransmissions:.2%} of TCP segments were sent again"),
        _check("checksum_errors", seen.checksum_errors, "segments", f"{seen.checksum_errors} checksum errors"),
        _check("log", len(seen.log_lines), "lines", f"ovs-vswitchd's log says: {log}"),
    ]


def _cpu_idle(share: float | None) -> list[Check]:
    return [] if share is None else [_check("cpu_idle", share, "share", f"CPU: {share:.0%} idle while measuring")]


def _departures(probe: Probe) -> list[Check]:
    if probe.departures is None:
        return []
    said = f"of the gaps between a saturated link's frames, 99 % are within {probe.departures:.1%} of an ideal link's"
    return [_check("departures", probe.departures, "share", said)]


def _round_trip(probe: Probe) -> str:
    found = " and ".join(f"{found_s * 1e6:.0f}" for found_s in probe.round_trips_s)
    wanted = f"{probe.wanted_s * 1e6:.0f} us are emulated" if probe.wanted_s else "no delays are emulated"
    return f"an idle round trip took {found} us before and after the run; {wanted}"


def _took(arm: str, reach: Mapping[str, float]) -> str:
    return f"{arm} took {reach[arm]:.2f}x the predicted time at the largest size"


def _check(name: str, value: float, unit: str, detail: str) -> Check:
    limit = LIMITS[name]
    return Check(name, value, unit, limit.doubtful, limit.judge(value), detail)
