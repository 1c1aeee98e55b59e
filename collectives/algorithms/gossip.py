"""Gossip averaging: in each round ranks meet in pairs and both keep the mean of their two vectors.

Steps: rounds
Bytes: rounds * S

(steps, and bytes on the wire sent by each rank that meets another in every round; a message of S bytes.) No rank ever
has the exact average, but all come nearer with every round, and no round needs more than one neighbour to be there.
Source: Boyd, Ghosh, Prabhakar and Shah, "Randomized gossip algorithms", IEEE Trans. Information Theory 2006.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from collectives.schedule import Op, Schedule, ScheduleError, Transfer


def gossip(num_ranks: int, rounds: int, seed: int = 0) -> Schedule:
    """``rounds`` random pairings of all ranks (one is left out where their number is odd).

    Its reductions are means of two (``Communicator.gossip``). ScheduleError if ``rounds`` is negative.
    """
    if rounds < 0:
        raise ScheduleError(f"{rounds} rounds of gossip: 0 or more")
    random = np.random.default_rng(seed)
    transfers = []
    for step in range(rounds):
        order = random.permutation(num_ranks).tolist()
        for one, other in zip(order[::2], order[1::2], strict=False):
            transfers += [Transfer(step, one, other, 0, Op.REDUCE), Transfer(step, other, one, 0, Op.REDUCE)]
    return Schedule.from_transfers(num_ranks, 1, transfers)


def weights(schedule: Schedule) -> NDArray[np.float64]:
    """Shape (ranks, ranks): how much of each rank's vector each rank has in the end. Rows and columns sum to 1."""
    held = np.eye(schedule.num_ranks)
    for step in range(schedule.num_steps):
        now = schedule.step == step
        before = held.copy()
        held[schedule.dst[now]] = (before[schedule.dst[now]] + before[schedule.src[now]]) / 2
    return held


def error(schedule: Schedule) -> float:
    """How far the worst rank is from the average, at most, over the largest distance that a rank began with.

    0 is the exact average, 1 is no progress: the spectral norm of what the rounds leave of any deviation.
    """
    return float(np.linalg.norm(weights(schedule) - 1 / schedule.num_ranks, 2))
