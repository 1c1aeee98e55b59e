"""SimGrid as a second opinion: the same flows on the same links end when it says, within 0.5 %.

Skipped where the system's Python has no SimGrid (Debian and Ubuntu: apt-get install python3-simgrid).
"""

import json
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from simulation.fair_share import EXACT, TOLERANCE, ends

SYSTEM_PYTHON = "/usr/bin/python3"
PROGRAM = Path(__file__).parent / "simgrid_ends.py"
WITHIN = 0.005


@cache
def why_not():
    if not Path(SYSTEM_PYTHON).exists():
        return f"no {SYSTEM_PYTHON}, which SimGrid's package is for"
    asked = subprocess.run([SYSTEM_PYTHON, "-c", "import simgrid"], capture_output=True, text=True, check=False)
    return f"{SYSTEM_PYTHON} has no SimGrid: apt-get install python3-simgrid" if asked.returncode else ""


pytestmark = pytest.mark.process


@pytest.fixture(autouse=True)
def _has_simgrid():
    if why_not():
        pytest.skip(why_not())


def by_simgrid(paths, capacity, amount, start):
    network = {
        "capacity": capacity.tolist(),
        "paths": [[int(link) for link in row if link >= 0] for row in paths],
        "amount": amount.tolist(),
        "start": start.tolist(),
    }
    ran = subprocess.run(
        [SYSTEM_PYTHON, PROGRAM], input=json.dumps(network), capture_output=True, text=True, timeout=50, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return np.array(json.loads(ran.stdout))


def permutation(random, leaves, spines, hosts):
    """Hashed flows of a random permutation: (paths, links), links as hosts up, hosts down, leaves up, leaves down."""
    number = leaves * hosts
    src, dst = np.arange(number), random.permutation(number)
    spine = random.integers(0, spines, number)
    leaf, other = src // hosts, dst // hosts
    up, down = 2 * number + leaf * spines + spine, 2 * number + leaves * spines + other * spines + spine
    crosses = leaf != other
    rows = np.stack([src, np.where(crosses, up, -1), np.where(crosses, down, -1), number + dst], axis=1)
    return rows[src != dst], 2 * number + 2 * leaves * spines


@pytest.mark.parametrize("seed", range(4))
def test_permutations_with_collisions(seed):
    random = np.random.default_rng(seed)
    paths, links = permutation(random, 4, 4, 4)
    capacity, amount, start = np.full(links, 12.5e9), np.full(len(paths), 16e6), np.zeros(len(paths))
    assert ends(paths, capacity, amount) == pytest.approx(by_simgrid(paths, capacity, amount, start), rel=WITHIN)


@pytest.mark.parametrize("seed", range(4))
def test_permutations_of_different_sizes_that_start_one_after_the_other(seed):
    random = np.random.default_rng(seed)
    paths, links = permutation(random, 8, 4, 4)
    capacity = random.uniform(5e9, 12.5e9, links)
    amount, start = random.uniform(1e6, 64e6, len(paths)), random.uniform(0, 5e-3, len(paths))
    theirs = by_simgrid(paths, capacity, amount, start)
    assert ends(paths, capacity, amount, start, tolerance=EXACT) == pytest.approx(theirs, rel=WITHIN)
    assert ends(paths, capacity, amount, start).max() == pytest.approx(theirs.max(), rel=WITHIN + TOLERANCE)


@pytest.mark.parametrize("seed", range(6))
def test_random_networks(seed):
    random = np.random.default_rng(seed)
    links, flows = 12, 40
    paths = np.stack([random.permutation(links)[:4] for _ in range(flows)])
    paths[random.random(paths.shape) < 0.4] = -1
    paths = paths[(paths >= 0).any(axis=1)]
    capacity, amount = random.uniform(1e8, 1e9, links), random.uniform(1e6, 1e8, len(paths))
    start = random.uniform(0, 0.2, len(paths))
    assert ends(paths, capacity, amount, start, tolerance=EXACT) == pytest.approx(
        by_simgrid(paths, capacity, amount, start), rel=WITHIN
    )
