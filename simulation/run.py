"""Jobs on the same links at the same time: when each rank of each is through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulation.collective import Plan
from simulation.fair_share import Numbers
from simulation.links import Links
from simulation.replay import Change, Flows, replay


@dataclass(frozen=True, eq=False)
class Timeline:
    """A job's flows in time, in the order of ``Plan.flows``; ``rank_s[rank]`` is when each rank is through."""

    start_s: Numbers
    end_s: Numbers
    rank_s: Numbers
    transfers: NDArray[np.int64] | None = None
    """Of which each flow is a part, as in the plan."""

    @property
    def completion_s(self) -> float:
        """When the last rank is through."""
        return float(self.rank_s.max(initial=0.0))


def simulate(
    plans: Sequence[Plan], ranks: Sequence[int], links: Links, changes: Sequence[Change] = (), slack_s: float = 0.0
) -> list[Timeline]:
    """All ``plans`` begin together; ``ranks[job]`` is each job's number of ranks.

    ``changes`` and ``slack_s`` as in ``replay``; a change's rows are those of all plans, as ``joined`` has them.
    StalledError where one can't end.
    """
    flows, limits = joined(plans, len(links.rate_bps))
    capacity = np.concatenate([links.rate_bps, limits])
    limited = [Change(c.at_s, np.concatenate([c.capacity, limits]), c.rows, c.use) for c in changes]
    start, end = replay(flows, capacity, limited, slack_s)
    bounds = np.cumsum([0, *(len(plan.flows) for plan in plans)])
    return [
        _timeline(plan, num_ranks, start[lo:hi], end[lo:hi] + plan.tail_s)
        for plan, num_ranks, lo, hi in zip(plans, ranks, bounds, bounds[1:], strict=False)
    ]


def _timeline(plan: Plan, num_ranks: int, start: Numbers, end: Numbers) -> Timeline:
    if plan.ranks is None:
        through = np.full(num_ranks, end.max(initial=0.0))
    else:
        through = np.zeros(num_ranks)
        np.maximum.at(through, plan.ranks, end[:, None])
    return Timeline(start, end, through, plan.transfers)


def joined(plans: Sequence[Plan], num_links: int) -> tuple[Flows, NDArray[np.float64]]:
    """The plans' flows as one table, and the capacities of further links: one for each flow with a limit of its own."""
    counts = [len(plan.flows) for plan in plans]
    caps = np.concatenate([plan.caps for plan in plans])
    capped = np.flatnonzero(np.isfinite(caps))
    width = max(plan.flows.rows.shape[1] for plan in plans) + (1 if len(capped) else 0)
    rows, use = np.full((sum(counts), width), -1, dtype=np.int64), np.zeros((sum(counts), width))
    needs, starts, first = [], [np.zeros(1, dtype=np.int64)], 0
    for plan, count in zip(plans, counts, strict=True):
        rows[first : first + count, : plan.flows.rows.shape[1]] = plan.flows.rows
        use[first : first + count, : plan.flows.use.shape[1]] = plan.flows.use
        needs.append(plan.flows.needs + first)
        starts.append(plan.flows.starts[1:] + starts[-1][-1])
        first += count
    rows[capped, -1], use[capped, -1] = num_links + np.arange(len(capped)), 1.0
    amount, lag = (np.concatenate([getattr(plan.flows, name) for plan in plans]) for name in ("amount", "lag_s"))
    return Flows(rows, use, amount, lag, np.concatenate(starts), np.concatenate(needs)), caps[capped]
