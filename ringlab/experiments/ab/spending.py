"""How sure each look must be, where a comparison is looked at several times and may stop at any of them.

Theory of operation. Who looks five times at a 95 % interval and stops when he likes is wrong more often than once in
twenty. So the error that is allowed is *spent*: of ``alpha`` in all, the share t after the share t of the blocks (Kim
and DeMets, "Design and Analysis of Group Sequential Tests Based on the Type I Error Spending Rate Function",
Biometrika 1987; any increasing function will do, this one keeps early looks useful). What a look may spend gives the
bound that its statistic must cross: a sum of normal increments that has crossed no bound so far has a density, which is
carried from look to look on a grid (Armitage, McPherson and Rowe, "Repeated Significance Tests on Accumulating Data",
JRSS A 1969). Intervals at these levels hold the truth at *all* looks together with probability 1 - alpha, whatever made
anyone stop (repeated confidence intervals: Jennison and Turnbull, JRSS B 1989).

The bounds are for normal statistics; a level is what carries over to Student's t with few blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FURTHEST = 40.0
"""Standard deviations: no sum gets there."""

GRID_POINTS = 401
"""Simpson's rule on so many: Pocock's tabulated bounds (2.178 at two looks, 2.413 at five) come out to three digits."""


def level_of_last(looks: Sequence[int], most: int, alpha: float, *, ends: bool) -> float:
    """The two-sided level of the last of ``looks`` (numbers of blocks, rising, of ``most`` planned).

    ``ends``: nothing comes after it, for a reason that is not in the data (the budget), so all that is left is spent.
    """
    return _level(tuple(looks), most, alpha, ends)


@lru_cache(maxsize=4096)
def _level(looks: tuple[int, ...], most: int, alpha: float, ends: bool) -> float:
    from scipy.special import ndtr  # noqa: PLC0415 - scipy is slow to import

    times = [look / most for look in looks]
    spent = [alpha * time for time in times]
    if ends:
        spent[-1] = alpha
    return float(2 * ndtr(-_bounds(tuple(times), tuple(spent))[-1]))


def _bounds(times: tuple[float, ...], spent: tuple[float, ...]) -> list[float]:
    """The bound of each look for the standardised statistic; its sum up to time t has variance t."""
    from scipy.special import ndtri  # noqa: PLC0415 - scipy is slow to import

    bounds = [float(-ndtri(spent[0] / 2))]
    points, weights = _grid(bounds[0] * times[0] ** 0.5)
    density = _normal(points, times[0] ** 0.5)
    for place in range(1, len(times)):
        deviation = (times[place] - times[place - 1]) ** 0.5
        mass = density * weights
        reach = _reach(points, mass, deviation, spent[place] - spent[place - 1])
        bounds.append(reach / times[place] ** 0.5)
        before = points
        points, weights = _grid(reach)
        density = _normal(points[:, None] - before[None, :], deviation) @ mass
    return bounds


def _reach(points: Array, mass: Array, deviation: float, allowed: float) -> float:
    """How far the sum may go, so that it goes further with the probability ``allowed``, and had not gone before."""
    from scipy.optimize import brentq  # noqa: PLC0415 - scipy is slow to import
    from scipy.special import ndtr  # noqa: PLC0415 - likewise

    def too_often(reach: float) -> float:
        beyond = ndtr((-reach - points) / deviation) + ndtr((points - reach) / deviation)
        return float(mass @ beyond) - allowed

    return float(brentq(too_often, 0.0, FURTHEST))


def _grid(reach: float) -> tuple[Array, Array]:
    """Points from -reach to reach, and Simpson's weights for them."""
    points = np.linspace(-reach, reach, GRID_POINTS)
    weights = np.ones(GRID_POINTS)
    weights[1:-1:2], weights[2:-1:2] = 4.0, 2.0
    return points, weights * (points[1] - points[0]) / 3


def _normal(distance: Array, deviation: float) -> Array:
    density: Array = np.exp(-0.5 * (distance / deviation) ** 2) / (deviation * np.sqrt(2 * np.pi))
    return density
