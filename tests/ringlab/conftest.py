"""A result as a run gives it, without a run: times from a simple model with seeded noise."""

from collections.abc import Callable
from functools import lru_cache
from itertools import combinations

import numpy as np
import pytest

from collectives.baseline import published
from ringlab.experiments.compare import beside, compare
from ringlab.experiments.result import Arm, Certificate, Check, Comparison, LinkBytes, Moment, Result, SizeResult

LINE_RATE_BPS = 400e6
SCALE = 250.0
SIZES = (65536, 1048576, 16777216)
SHARES = {"spanning-tree": 0.31, "ecmp:seed=1": 0.47, "ecmp:seed=2": 0.33, "ecmp:seed=3": 0.49, "pinned": 0.945}


def _arm(name: str, share: float, sizes: tuple[int, ...], rng: np.random.Generator) -> Arm:
    results = []
    for size in sizes:
        time_us = (1.75 * size * 8 / LINE_RATE_BPS / share + 0.002) * 1e6
        noise = 1 + 0.005 * rng.standard_normal((5, 1)) + 0.01 * rng.standard_normal((5, 4))
        results.append(
            SizeResult.measured(
                (time_us * noise).tolist(),
                size_bytes=size,
                count=size // 4,
                dtype="float",
                redop="sum",
                bus_factor=1.75,
                line_rate_bps=LINE_RATE_BPS,
                scale=SCALE,
                predicted_us=time_us * 0.97,
                wrong=0,
            )
        )
    return Arm(name, name.partition(":")[0], 2.0, 1.0, tuple(results))


@lru_cache  # frozen, and the slowest part
def _arms(
    sizes: tuple[int, ...], shares: tuple[tuple[str, float], ...]
) -> tuple[tuple[Arm, ...], tuple[Comparison, ...]]:
    """The arms with their comparisons."""
    rng = np.random.default_rng(7)
    arms = tuple(_arm(name, share, sizes, rng) for name, share in shares)
    return arms, compare(arms, combinations(dict.fromkeys(arm.group for arm in arms), 2), rng)


@pytest.fixture
def make_result() -> Callable[..., Result]:
    """``make_result(sizes=..., shares=..., certificate=..., baseline="name" or None)``."""

    def make(sizes=SIZES, shares=SHARES, certificate=None, baseline="a100-4x8-hdr-ib-allreduce", **changes) -> Result:
        arms, comparisons = _arms(sizes, tuple(shares.items()))
        check = Check("cpu headroom", 21.0, "%", 10.0, "valid", "idle share of the busiest core")
        fields = {
            "id": "20260314T150926Z-leaf-spine-3f7a",
            "name": "leaf-spine",
            "created": "2026-03-14T15:09:26Z",
            "spec": {"fabric": "leaf-spine:leaves=4,spines=2,hosts=2", "sizes": ["64K", "16M"]},
            "fabric": {"name": "leaf-spine", "hosts": 8},
            "collective": "allreduce",
            "algorithm": "ring",
            "channels": 1,
            "ranks": 8,
            "placement": tuple(f"h{host}" for host in range(1, 9)),
            "scale": SCALE,
            "line_rate_bps": LINE_RATE_BPS,
            "nominal_line_rate_bps": 100e9,
            "arms": arms,
            "comparisons": comparisons,
            "certificate": certificate or Certificate("valid", ("21 % of the CPU was idle",), (check,)),
            "fingerprint": {"seed": 7, "python": "3.11"},
            "links": (LinkBytes.of("pinned", "leaf1->spine1", 10_100_000, 10_000_000),),
            "baseline": beside(published.load(baseline), sizes) if baseline else None,
            "timeline": (Moment(0.0, "fabric built"), Moment(1.5, "block 1")),
        }
        return Result(**(fields | changes))

    return make


@pytest.fixture(autouse=True)
def _no_terminal_width(monkeypatch):
    """Whoever runs the tests may have a terminal; what is printed must not depend on it."""
    monkeypatch.delenv("COLUMNS", raising=False)
