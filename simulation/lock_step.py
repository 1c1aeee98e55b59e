"""Whole collectives from the few different steps that they have: no event, one count of links a step.

Theory of operation. A regular schedule repeats itself: a ring has one matrix of who sends to whom, halving-doubling one
for each distance (and meets it again on the way back), a binomial tree one a level. So

    lock step:  T = sum over different steps of times * (size * max over links of flows(l) / rate(l) + step_s)
    streaming:  T = max over links of bytes(l) / rate(l) + steps * step_s

In *lock step* nobody begins a step before everybody has ended the one before. Ranks don't wait for each other like
that: where all links are equally full it makes no difference; elsewhere it is what barriers would cost.
*Streaming* is a tree whose ranks hand on what they have while more arrives: every connection works all the time, so the
fullest link has all its bytes to move, and what it takes to fill the tree is latency (of messages much longer than the
pieces that are handed on).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from collectives.schedule import Schedule
from simulation.closed_form import fullest_s, phase_s
from simulation.fair_share import EXACT, Numbers, Paths, ends
from simulation.next_hops import Index

Way = Callable[[Index, Index, Index], Paths]
"""Rows of links (as ``fair_share.rates`` takes them) for arrays of source rank, destination rank and channel."""


@dataclass(frozen=True, eq=False)
class Step:
    """What happens ``times`` times: flows from ``src`` to ``dst`` on ``channel``, each ``share`` of the buffer."""

    src: Index
    dst: Index
    channel: Index
    share: Numbers
    times: int


def different_steps(schedule: Schedule) -> list[Step]:
    """The schedule's steps, those alike counted together, in the order in which each comes first."""
    order = np.lexsort((schedule.channel, schedule.dst, schedule.src, schedule.step))
    columns = np.stack([getattr(schedule, name)[order] for name in ("src", "dst", "channel", "count")])
    bounds = np.searchsorted(schedule.step[order], np.arange(schedule.num_steps + 1))
    found: dict[bytes, list[int]] = {}
    for number in range(schedule.num_steps):
        found.setdefault(columns[:, bounds[number] : bounds[number + 1]].tobytes(), []).append(number)
    steps = []
    for alike in found.values():
        mine = slice(bounds[alike[0]], bounds[alike[0] + 1])
        src, dst, channel = columns[:3, mine].astype(np.intp)
        steps.append(Step(src, dst, channel, columns[3, mine] / schedule.num_chunks, len(alike)))
    return steps


def lock_step_s(steps: Sequence[Step], way: Way, rate_bps: Numbers, nbytes: float, step_s: float = 0.0) -> float:
    """Seconds of all steps one after the other, for a buffer of ``nbytes``; ``step_s``: turnaround and latency of each.

    A step whose flows have one size is one count; others are solved (``fair_share.ends``).
    """
    return sum(step.times * (_step_s(step, way, rate_bps, nbytes) + step_s) for step in steps)


def _step_s(step: Step, way: Way, rate_bps: Numbers, nbytes: float) -> float:
    rows = way(step.src, step.dst, step.channel)
    if not len(rows):
        return 0.0
    if step.share.min() == step.share.max():
        return phase_s(rows, rate_bps, 8.0 * nbytes * step.share[0])
    return float(ends(rows, rate_bps, 8.0 * nbytes * step.share, tolerance=EXACT).max())


def streaming_s(schedule: Schedule, way: Way, rate_bps: Numbers, nbytes: float, step_s: float = 0.0) -> float:
    """Seconds that ``schedule`` takes where it streams, all its connections at once."""
    ranks, channels = schedule.num_ranks, schedule.num_channels
    word = (schedule.src.astype(np.intp) * ranks + schedule.dst) * channels + schedule.channel
    connection, which = np.unique(word, return_inverse=True)
    share = np.bincount(which, schedule.count, len(connection)) / schedule.num_chunks
    pair, channel = np.divmod(connection, channels)
    rows = way(*np.divmod(pair, ranks), channel)
    return 8.0 * nbytes * fullest_s(rows, rate_bps, share) + schedule.num_steps * step_s
