"""The noise of an emulated bench: measured in real A/A blocks, fitted, kept as data, and drawn from again.

    python benchmarks/ab_noise.py            # as root; some ten minutes: measures here, and writes ab_noise.json

The logarithm of an iteration's time is taken to be the sum of
    the size's usual one
    + the block's    normal: what drifts, and meets both arms of a block alike
    + the turn's     Student's t: what differs between two turns of one block; few degrees of freedom are a long tail
    + its own        normal; and ``late`` of all iterations are later still by an exponential amount
``ab_noise.json`` holds the samples with their origin, and what was fitted to them.
"""

import json
import os
import platform
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from scipy.stats import t as student

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # before this folder, where files have packages' names

from ringlab.experiments.ab import ab_file, arms, session
from ringlab.experiments.ab.runner import Blocks
from ringlab.experiments.ab.stopping import Rules

FILE = Path(__file__).with_suffix(".json")
BLOCKS = 24
FEWEST = 8

BENCHES = {
    "leaf-spine, 4 hosts": """
base:
  fabric: leaf-spine:leaves=2,spines=2,hosts=2,rate=100G
  placement: interleaved
  algorithm: ring
  policy: pinned
  sizes: [64K, 1M, 4M]
  iterations: 2
  warmup: 1
arms: {one: {}, other: {}}
""",
    "ring of switches, 4 hosts": """
base:
  fabric: ring:switches=4,hosts=1,host_rate=400G,fabric_rate=100G
  algorithm: bidirectional-ring
  policy: shortest
  sizes: [64K, 1M, 4M]
  iterations: 2
  warmup: 1
arms: {one: {}, other: {}}
""",
}
"""Equal arms, each turn on a fabric of its own: what an A/B of two fabrics does."""

LATE = 4.0
"""Robust deviations of an iteration, beyond which it is late."""


@dataclass(frozen=True)
class Noise:
    """Standard deviations (of ``turn``: the scale of Student's t with ``freedom`` degrees) of logarithms."""

    block: float
    turn: float
    freedom: float
    iteration: float
    late: float
    late_by: float

    def times(self, rng, iterations, arms):
        """Medians of one block's turns beside their usual times: a number an arm."""
        own = rng.normal(0, self.iteration, (arms, iterations))
        own += (rng.random((arms, iterations)) < self.late) * rng.exponential(self.late_by, (arms, iterations))
        turns = self.turn * rng.standard_t(self.freedom, arms)
        return np.exp(rng.normal(0, self.block) + turns + np.median(own, axis=1))


def fitted(samples):
    """``samples`` in any unit: (blocks, 2, iterations)."""
    logs = np.log(np.asarray(samples, dtype=float))
    middles = np.median(logs, axis=2)
    left = logs - middles[:, :, None]
    iterations = logs.shape[2]
    # the median of n takes about 1/n of the variance; of two, half is left in the differences
    deviation = 1.4826 * np.median(np.abs(left)) * (iterations / (iterations - 1)) ** 0.5
    late = left[left > LATE * deviation] if deviation else left[left > 0]
    apart = (middles[:, 0] - middles[:, 1]) / 2**0.5
    freedom, _, scale = student.fit(apart, floc=0)
    freedom = float(np.clip(freedom, 2.5, 50))
    of_median = deviation**2 * (1 if iterations < 3 else np.pi / 2) / iterations
    turn = max(scale**2 - of_median, 0.0) ** 0.5
    block = max(float(np.cov(middles.T)[0, 1]), 0.0) ** 0.5
    return Noise(block, turn, freedom, deviation, late.size / left.size, float(late.mean()) if late.size else 0.0)


def load():
    """{(bench, bytes): (Noise, samples)}, and where they come from."""
    data = json.loads(FILE.read_text())
    cases = {
        (case["bench"], case["bytes"]): (Noise(**case["noise"]), np.array(case["samples_us"])) for case in data["cases"]
    }
    return cases, data["origin"], data["seconds_a_block"]


def main():
    blocks = int(sys.argv[1]) if len(sys.argv) > 1 else BLOCKS
    cases, seconds, verdicts = [], {}, Counter()
    for bench, text in BENCHES.items():
        found = measured(bench, text, blocks)
        counted = [block for block in found.blocks if block.counted]
        if len(counted) < FEWEST:
            say(f"{bench}: {len(counted)} whole blocks are too few to fit anything to")
            continue
        seconds[bench] = round(float(np.median([block.seconds for block in counted])), 2)
        verdicts.update(verdict for block in counted for verdict in block.verdicts.values())
        verdicts["refused"] += len(found.refused)
        cases += [case_of(bench, size, found.arms, counted) for size in counted[0].times_us[found.arms[0]]]
    origin = {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "by": "benchmarks/ab_noise.py: equal arms, each turn on a fabric built for it; times nominal",
        "cpus": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "load_of_15_minutes": round(os.getloadavg()[2], 2),
        "verdicts": dict(verdicts),
    }
    if not cases:
        return 1
    FILE.write_text(json.dumps({"origin": origin, "seconds_a_block": seconds, "cases": cases}) + "\n")
    return 0


def case_of(bench, size, names, counted):
    """What one size's blocks gave, and what is fitted to them."""
    samples = [[block.samples_us[arm][size] for arm in names] for block in counted]
    noise = {name: round(float(value), 6) for name, value in asdict(fitted(samples)).items()}
    print(f"{bench}, {size >> 10} KiB, {len(samples)} blocks: {noise}", flush=True)
    return {"bench": bench, "bytes": size, "noise": noise, "samples_us": np.round(samples, 3).tolist()}


def measured(bench, text, blocks, limit_s=None):
    """Equal arms, counted blocks only; nothing is decided, so nothing stops early."""
    wanted = ab_file.loads(text, bench)
    one, other = wanted.arms
    pair = [one, apart(other)]
    benches = session.Benches("auto")
    sizes = arms.check(pair, 1)
    scale = session.common_scale(pair, 1, None, say)
    rules = Rules(blocks, within=1e-9, same=0.02, seed=1)
    return Blocks(pair, rules, sizes, benches.run, time.monotonic, say, scale, limit_s).all()


def apart(arm):
    """On a fabric of its own, though it be the other's equal."""
    return replace(arm, apart="apart")


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
