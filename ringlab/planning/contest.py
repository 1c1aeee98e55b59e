"""Placements and algorithms on one fabric: each all_reduce simulated, flows on the links they share.

The schedule's flows are routed by one policy and replayed (``simulation.run``), each step a turnaround and its way's
latency after what it waits for. Hosts with several NICs have a channel a NIC, each with its part of the bytes. Groups
of a hierarchical all_reduce are as large as what hangs on one switch, where that divides the ranks, and its own choice.

``screened`` is quicker and coarser, for many fabrics: every step waits for the whole of the one before it, and lasts as
long as its most loaded link and its longest way. (Relays, rings above all, are one flow and quick anyway.) Trees are
left out of it: their steps overlap, and two trees share the ranks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from collectives import algorithms
from collectives.job import connections, demands
from collectives.schedule import Schedule, ScheduleError
from ringlab.errors import UsageError
from ringlab.experiments.placement import KINDS
from ringlab.experiments.simulated_job import route
from simulation.collective import Job, Ways, plan
from simulation.conditions import Conditions
from simulation.links import Links
from simulation.run import simulate
from topologies.fabric import Fabric

ITEMSIZE = 4

SLACK = 0.01
"""Of an average transfer's time: ends nearer to each other are one moment (``simulation.replay``)."""

MOST_TRANSFERS = 20_000
"""Schedules of more, whose steps are not all alike, take too long to replay here and are left out."""

TREES = ("double-binary-tree",)
FLAT = ("ring", "halving-doubling", *TREES)


@dataclass(frozen=True, slots=True)
class Entry:
    """One all_reduce."""

    placement: str
    algorithm: str
    time_s: float


def contest(
    fabric: Fabric,
    ranks: int,
    nbytes: int,
    policy: str,
    turnaround_s: float,
    wanted: Sequence[str] = (),
    say: Callable[[str], None] = lambda _: None,
) -> list[Entry]:
    """All placements and algorithms (``wanted``, or all that fit) on ``fabric``, fastest first, each replayed.

    UsageError where one of ``wanted`` is no algorithm, can't serve so many ranks, or is too large to replay; of the
    others ``say`` hears which are too large.
    """
    channels = _channels(fabric)
    for name in wanted:
        _check(name, ranks, channels)
    large = [name for name in _fitting(fabric, ranks) if _is_large(name, ranks, channels)] if not wanted else ()
    if large:
        say(f"left out, more than {MOST_TRANSFERS:,} transfers: {', '.join(large)}")
    runs = _runs(fabric, ranks, nbytes, policy, turnaround_s, wanted, tuple(KINDS))
    return sorted((Entry(*names, run.replayed_s()) for names, run in runs), key=lambda entry: entry.time_s)


def screened(
    fabric: Fabric, ranks: int, nbytes: int, policy: str, turnaround_s: float, placements: Sequence[str]
) -> list[Entry]:
    """As ``contest``, by steps."""
    names = [name for name in _fitting(fabric, ranks) if name not in TREES]
    runs = _runs(fabric, ranks, nbytes, policy, turnaround_s, names, placements)
    return sorted((Entry(*names, run.stepped_s()) for names, run in runs), key=lambda entry: entry.time_s)


def replayed_s(fabric: Fabric, ranks: int, nbytes: int, policy: str, turnaround_s: float, entry: Entry) -> float:
    """One entry's time, replayed."""
    ((_, run),) = _runs(fabric, ranks, nbytes, policy, turnaround_s, (entry.algorithm,), (entry.placement,))
    return run.replayed_s()


def _runs(
    fabric: Fabric,
    ranks: int,
    nbytes: int,
    policy: str,
    turnaround_s: float,
    wanted: Sequence[str],
    placements: Sequence[str],
) -> list[tuple[tuple[str, str], Run]]:
    channels = _channels(fabric)
    names = list(wanted or _fitting(fabric, ranks))
    found = [
        ((kind, name), Run.of(fabric, KINDS[kind](fabric, ranks), schedule, nbytes, policy, turnaround_s))
        for name in names
        if (schedule := _schedule(name, ranks, channels))
        for kind in placements
    ]
    if not found:
        raise UsageError(f"none of {', '.join(names)} can serve {ranks} ranks: name other algorithms")
    return found


def _fitting(fabric: Fabric, ranks: int) -> Iterator[str]:
    yield from FLAT
    on_switch = Counter(fabric.attachment(host).node for host in fabric.hosts[:ranks])
    sizes = {size for size, _ in Counter(on_switch.values()).most_common(1)}
    for size in sorted(sizes | {max(d for d in range(1, int(ranks**0.5) + 1) if ranks % d == 0)}):
        if 1 < size < ranks and ranks % size == 0:
            yield f"hierarchical:{size}"


def _channels(fabric: Fabric) -> int:
    return max(len(fabric.ports(host)) for host in fabric.hosts)


@lru_cache(64)
def _built(name: str, ranks: int, channels: int) -> Schedule | ScheduleError:
    try:
        return algorithms.build(name, ranks, channels)
    except ScheduleError as error:
        return error


def _schedule(name: str, ranks: int, channels: int) -> Schedule | None:
    built = _built(name, ranks, channels)
    return None if isinstance(built, ScheduleError) or _is_large(name, ranks, channels) else built


def _is_large(name: str, ranks: int, channels: int) -> bool:
    built = _built(name, ranks, channels)
    return isinstance(built, Schedule) and not built.relays and len(built) > MOST_TRANSFERS


def _check(name: str, ranks: int, channels: int) -> None:
    built = _built(name, ranks, channels)
    if isinstance(built, ScheduleError):
        raise UsageError(f"--algorithm: {built}")
    if _is_large(name, ranks, channels):
        raise UsageError(
            f"--algorithm {name}: {len(built):,} transfers of {ranks} ranks are too many to replay here, at most "
            f"{MOST_TRANSFERS:,}; take fewer --devices, or leave it out"
        )


@dataclass(frozen=True, eq=False)
class Run:
    """One all_reduce on its ways."""

    schedule: Schedule
    job: Job
    ways: Ways
    links: Links
    turnaround_s: float

    @classmethod
    def of(
        cls, fabric: Fabric, placement: Sequence[str], schedule: Schedule, nbytes: int, policy: str, turnaround_s: float
    ) -> Run:
        """RoutingError where a flow has no way."""
        count = max(1, nbytes // ITEMSIZE)
        wanted = demands(schedule, placement, count, ITEMSIZE)
        routed = route(fabric, policy, wanted).there
        ways = {pair: routed[key] for pair, key in connections(schedule, placement).items()}
        return cls(schedule, Job.of(schedule, count, ITEMSIZE), ways, Links.of(fabric), turnaround_s)

    def replayed_s(self) -> float:
        """Seconds until the last rank is through."""
        planned = plan(self.job, self.ways, {}, self.links, Conditions(self.turnaround_s, 1.0, 0.0, 1.0))
        average_s = 8 * float(self.job.nbytes.mean()) / float(self.links.rate_bps.mean())
        (timeline,) = simulate([planned], [self.schedule.num_ranks], self.links, slack_s=SLACK * average_s)
        return timeline.completion_s

    def stepped_s(self) -> float:
        """The sum over steps of the most loaded link's time, a turnaround, and the longest way's latency."""
        if self.schedule.relays:
            return self.replayed_s()
        schedule, num_links = self.schedule, len(self.links.rate_bps)
        keys, which = np.unique(
            np.stack((schedule.src, schedule.dst, schedule.channel), axis=1), axis=0, return_inverse=True
        )
        load_s = np.zeros((schedule.num_steps, num_links))
        way_s = np.zeros(schedule.num_steps)
        order = np.argsort(which.reshape(-1), kind="stable")
        ends = np.cumsum(np.bincount(which.reshape(-1)))[:-1]
        for key, transfers in zip(keys.tolist(), np.split(order, ends), strict=True):
            steps = schedule.step[transfers]
            latency_s = 0.0
            for port, share in self.ways.get((key[0], key[1], key[2]), ()):
                link = self.links.number[port]
                np.add.at(load_s[:, link], steps, 8 * share * self.job.nbytes[transfers] / self.links.rate_bps[link])
                latency_s += share * float(self.links.latency_s[link])
            np.maximum.at(way_s, steps, latency_s)
        return float((load_s.max(axis=1) + way_s + self.turnaround_s).sum())
