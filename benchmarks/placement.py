"""How good ``pinned`` places flows, how fast, and how honest ``ecmp`` is. Pure: no fabric is built, no root needed.

Use:
    python benchmarks/placement.py             # about a minute
    python benchmarks/placement.py --json -

What is compared. *Speed*: the time of ``pinned`` alone on a fabric whose tables of ports and links are made; the first
run on a fabric makes them, and is told beside it. *Exhaustive*: on small random cases every choice of shortest ways is
tried, and the best objective is the optimum. *LP bound*: on larger random cases flows may be split at will over their
shortest ways (a linear program); no single-path placement can beat it, and few can reach it. *ECMP*: a hash that
spreads well is as uneven as balls thrown into bins: chi-square over the spines, and the fullest spine's mean over 200
seeds against the exact expectation. *Failures*: on random fabrics with one to three dead links, the objective of
``pinned`` over that of ``ecmp`` on the same links, which must never be above 1.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from math import factorial
from pathlib import Path
from random import Random

import numpy as np
from scipy.optimize import linprog
from scipy.stats import chi2

sys.path.insert(0, str(Path(__file__).parent.parent))

from controller.routing import RoutingError, Situation, policy
from controller.routing.next_hops import NextHops, ends, host_to_host
from controller.routing.placement import assess
from topologies.fabric import Fabric
from topologies.fat_tree import fat_tree
from topologies.leaf_spine import leaf_spine
from topologies.traffic import Demand, FlowKey, Paths

SEEDS = 200
CLEAR = Situation()


@dataclass(frozen=True)
class Row:
    """A figure and its goal: ``value`` at the most ``goal``."""

    name: str
    value: float
    unit: str
    goal: float
    detail: str

    @property
    def met(self) -> bool:
        return self.value <= self.goal * (1 + 1e-9)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE", help="write the figures there, - for standard output")
    parser.add_argument("--cases", type=int, default=1000, help="random cases with dead links")
    options = parser.parse_args(arguments)
    rows = []
    for row in _rows(options.cases):
        rows.append(row)
        if options.json != "-":
            verdict = "met" if row.met else "MISSED"
            print(f"{row.name:<44} {row.value:9.3f} {row.unit:<6} goal {row.goal:<6g} {verdict:<7} {row.detail}")
    if options.json:
        text = json.dumps([{**asdict(row), "met": row.met} for row in rows], indent=2) + "\n"
        sys.stdout.write(text) if options.json == "-" else Path(options.json).write_text(text)
    return 0 if all(row.met for row in rows) else 1


def _rows(cases: int) -> Iterator[Row]:
    yield from speed()
    yield exhaustive(Random(1), 200)
    yield relaxed(Random(2), 100)
    yield spread()
    yield fullest()
    yield after_failures(Random(3), cases)


def ring_over(hosts: Sequence[str], nbytes: int = 1 << 20) -> list[Demand]:
    """Each host sends to the next."""
    return [
        Demand(FlowKey(a, b, 30000, 20000), (0,), (nbytes,)) for a, b in zip(hosts, (*hosts[1:], hosts[0]), strict=True)
    ]


def interleaved(fabric: Fabric, leaves: int) -> list[str]:
    """Neighbours on different leaves: every flow crosses the spines."""
    return [
        host
        for first in range(len(fabric.hosts) // leaves)
        for host in fabric.hosts[first :: len(fabric.hosts) // leaves]
    ]


def objective_s(fabric: Fabric, demands: Sequence[Demand], paths: Paths, situation: Situation = CLEAR) -> float:
    return assess(fabric, demands, paths, situation).objective_s


def speed() -> Iterator[Row]:
    for name, fabric, leaves in [
        ("64 leaves x 32 spines, 2048 flows", leaf_spine(64, 32, 32), 64),
        ("fat-tree k=16, 1024 flows", fat_tree(16), 128),
    ]:
        demands, chosen = ring_over(interleaved(fabric, leaves)), policy("pinned")
        times_ms, paths = [], {}
        for _ in range(9):
            begin = time.perf_counter()
            paths = chosen.route(fabric, demands)
            times_ms.append(1e3 * (time.perf_counter() - begin))
        gap = assess(fabric, demands, paths).gap
        first_ms, others_ms = times_ms[0], times_ms[1:]
        detail = f"{min(others_ms):.1f} to {max(others_ms):.1f}; the first {first_ms:.1f}; gap to the bound {gap:.2%}"
        yield Row(f"time, {name}", statistics.median(others_ms), "ms", 10.0, detail)


def random_demands(fabric: Fabric, random: Random, number: int, sizes: Sequence[int]) -> list[Demand]:
    return [
        Demand(FlowKey(*random.sample(fabric.hosts, 2), 30000 + place, 20000), (0,), (random.choice(sizes),))
        for place in range(number)
    ]


def ways(fabric: Fabric, key: FlowKey, situation: Situation = CLEAR) -> list[tuple]:
    return list(NextHops(fabric, situation.dead).walks(*ends(fabric, key), limit=64))


def exhaustive(random: Random, cases: int) -> Row:
    gaps = []
    for _ in range(cases):
        fabric = leaf_spine(random.randint(2, 3), random.randint(2, 3), 2, links=random.randint(1, 2))
        demands = random_demands(fabric, random, random.randint(3, 5), (1000, 2000, 3000))
        choices = [[host_to_host(fabric, one.key, way) for way in ways(fabric, one.key)] for one in demands]
        best_s = min(
            objective_s(fabric, demands, {one.key: path for one, path in zip(demands, paths, strict=True)})
            for paths in product(*choices)
        )
        gaps.append(objective_s(fabric, demands, policy("pinned").route(fabric, demands)) / best_s - 1)
    worse = sum(gap > 1e-9 for gap in gaps)
    return Row("worst gap to exhaustive search", max(gaps), "ratio", 0.0, f"{worse} of {cases} cases above the optimum")


def relaxed(random: Random, cases: int) -> Row:
    ratios = []
    for _ in range(cases):
        fabric = leaf_spine(random.randint(3, 6), random.randint(2, 4), random.randint(2, 4))
        demands = random_demands(fabric, random, 24, (1000, 1500, 2000, 4000))
        ratios.append(
            objective_s(fabric, demands, policy("pinned").route(fabric, demands)) / lp_bound_s(fabric, demands)
        )
    ordered = sorted(ratios)
    detail = f"median {statistics.median(ratios):.3f}, 90th percentile {ordered[int(0.9 * cases)]:.3f}, {cases} cases"
    return Row("worst objective over the LP bound", max(ratios), "ratio", 1.5, detail)


def lp_bound_s(fabric: Fabric, demands: Sequence[Demand]) -> float:
    """The smallest possible seconds of the fullest link, flows split at will over their shortest ways."""
    columns = [
        (flow, host_to_host(fabric, one.key, way)) for flow, one in enumerate(demands) for way in ways(fabric, one.key)
    ]
    ports = {port: row for row, port in enumerate({port for _, path in columns for port in path.hops})}
    loads = np.zeros((len(ports), len(columns) + 1))
    shares = np.zeros((len(demands), len(columns) + 1))
    for column, (flow, path) in enumerate(columns):
        shares[flow, column] = 1
        for port in path.hops:
            loads[ports[port], column] += 8 * demands[flow].nbytes / fabric.rate_bps(port) * 1e9  # ns: well scaled
    loads[:, -1] = -1
    cost = np.zeros(len(columns) + 1)
    cost[-1] = 1
    solved = linprog(cost, loads, np.zeros(len(ports)), shares, np.ones(len(demands)), method="highs")
    return float(solved.fun) * 1e-9


def _spines(seed: int, flows: int, spines: int) -> Counter[str]:
    fabric = leaf_spine(2, spines, 2)
    demands = [Demand(FlowKey("h1", "h3", 30000 + number, 20000), (0,), (1,)) for number in range(flows)]
    return Counter(path.hops[2].node for path in policy(f"ecmp:seed={seed}").route(fabric, demands).values())


def spread() -> Row:
    flows, spines = 4096, 16
    statistic = 0.0
    for seed in range(20):
        found = _spines(seed, flows, spines)
        statistic += sum(
            (found[f"spine{number}"] - flows / spines) ** 2 / (flows / spines) for number in range(1, spines + 1)
        )
    freedom = 20 * (spines - 1)
    chance = float(chi2.sf(statistic, freedom))
    detail = f"chi-square {statistic:.0f} for {freedom} degrees of freedom; chance of a worse one {chance:.2f}"
    return Row("ecmp over 16 spines: 1 - chance", 1 - chance, "", 0.999, detail)


def fullest() -> Row:
    flows, spines = 64, 8
    mean = statistics.mean(max(_spines(seed, flows, spines).values()) for seed in range(SEEDS))
    expected = expected_fullest(flows, spines)
    detail = (
        f"mean fullest spine {mean:.3f}, balls in bins {expected:.3f} ({flows} flows, {spines} spines, {SEEDS} seeds)"
    )
    return Row("ecmp's fullest spine off the theory", abs(mean / expected - 1), "ratio", 0.03, detail)


def expected_fullest(balls: int, bins: int) -> float:
    """E[max] of n balls in m bins: P(max <= k) is n! / m^n times the x^n coefficient of (sum of x^i / i!, i <= k)^m."""
    scale = factorial(balls) / bins**balls
    below = []
    for most in range(balls + 1):
        one, power = np.array([1 / factorial(i) for i in range(most + 1)]), np.array([1.0])
        for _ in range(bins):
            power = np.convolve(power, one)[: balls + 1]
        below.append(scale * float(power[balls]) if len(power) > balls else 0.0)
    return sum(1 - chance for chance in below)


def after_failures(random: Random, cases: int) -> Row:
    ratios, drawn = [], 0
    while len(ratios) < cases:
        drawn += 1
        fabric = random.choice([leaf_spine(4, 3, 2), leaf_spine(3, 2, 3, links=2), fat_tree(4)])
        demands = ring_over(random.sample(fabric.hosts, len(fabric.hosts)))
        between = [
            link.name for link in fabric.links if fabric.is_switch(link.a.node) and fabric.is_switch(link.b.node)
        ]
        situation = Situation(frozenset(random.sample(between, random.randint(1, 3))))
        try:
            hashed = policy(f"ecmp:seed={drawn}").route(fabric, demands, situation)
        except RoutingError:  # cut in two
            continue
        pinned = policy("pinned").route(fabric, demands, situation)
        ratios.append(objective_s(fabric, demands, pinned, situation) / objective_s(fabric, demands, hashed, situation))
    detail = f"median {statistics.median(ratios):.3f}, best {min(ratios):.3f}, {cases} cases of 1 to 3 dead links"
    return Row("worst objective of pinned over ecmp's", max(ratios), "ratio", 1.0, detail)


if __name__ == "__main__":
    sys.exit(main())
