"""Regular phases without a list of their transfers: what a link's load alone decides, for any number of ranks.

A ring of 100,000 ranks has 2 * 10^10 transfers, and one bottleneck. Both forms are one count of who crosses which link:

* a *phase*, flows of one size that start together, is over when the fullest link is through (``fair_share``'s theorem);
* a *relay*, whose ranks pass chunks on while they arrive, runs at the rate of its fullest link from the first step to
  the last (``collective``), as all its connections are there all the time.
"""

from __future__ import annotations

import numpy as np

from simulation.fair_share import Numbers, Paths


def fullest_s(paths: Paths, capacity: Numbers, weights: Numbers | None = None) -> float:
    """Seconds that the fullest link takes for a unit of every flow (by ``weights``, if given); 0 if none passes a link.

    ``paths`` (flows, hops) as ``fair_share.rates`` takes them. Infinite where a link that is crossed carries nothing.
    """
    there = paths >= 0
    amount = None if weights is None else np.repeat(weights, there.sum(axis=1))
    load = np.bincount(paths[there], amount, len(capacity))
    crossed = load > 0
    with np.errstate(divide="ignore"):
        return float((load[crossed] / capacity[crossed]).max(initial=0.0))


def phase_s(paths: Paths, capacity: Numbers, amount: float) -> float:
    """When the last of flows of one ``amount`` has ended that start together."""
    return amount * fullest_s(paths, capacity)


def relay_s(paths: Paths, capacity: Numbers, chunk: float, steps: int, step_s: float) -> float:
    """A relay's completion: a row of ``paths`` for each rank's connection, which moves a ``chunk`` a step.

    ``chunk`` is in capacity times seconds; ``step_s`` is a step with nothing to carry: turnaround and latency. A ring's
    all-reduce has 2 (ranks - 1) steps.
    """
    return steps * max(chunk * fullest_s(paths, capacity), step_s) + step_s
