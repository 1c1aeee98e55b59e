"""The noise of an emulated bench: measured in real A/A blocks, fitted, kept as data, and drawn from again.

    python benchmarks/ab_noise.py            # as root; some twenty minutes: measures here, and writes ab_noise.json

The logarithm of a launch's time (the median of its iterations) is taken to be the sum of
    the size's usual one
    + the block's    normal: what drifts, and meets both arms of a block alike
    + the turn's     normal: what differs between two fabrics of one block
    + its own        Student's t: what differs between two launches on one fabric; few degrees of freedom, a long tail
and a turn takes the mean of its launches. ``ab_noise.json`` holds the launches with their origin, and what was fitted.
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
BLOCKS = 20
FEWEST = 8
LAUNCHES = 6
BLOCKS_OF_ONE = 2
"""With a single launch a turn, to know what a launch costs."""

BENCHES = {
    "leaf-spine, 4 hosts": """
base:
  fabric: leaf-spine:leaves=2,spines=2,hosts=2,rate=100G
  placement: interleaved
  algorithm: ring
  policy: pinned
  sizes: [64K, 256K, 1M]
  repeats: LAUNCHES
arms: {one: {}, other: {}}
""",
    "ring of switches, 4 hosts": """
base:
  fabric: ring:switches=4,hosts=1,host_rate=400G,fabric_rate=100G
  algorithm: bidirectional-ring
  policy: shortest
  sizes: [64K, 256K, 1M]
  repeats: LAUNCHES
arms: {one: {}, other: {}}
""",
}
"""Equal arms, each turn on a fabric of its own: what an A/B of two fabrics does."""


@dataclass(frozen=True)
class Noise:
    """Standard deviations (of ``launch``: the scale of Student's t with ``freedom`` degrees) of logarithms."""

    block: float
    turn: float
    launch: float
    freedom: float

    def times(self, rng, launches, fabrics):
        """One block's two turns, on one fabric or two, beside their usual times."""
        own = self.launch * rng.standard_t(self.freedom, (2, launches)).mean(axis=1)
        return np.exp(rng.normal(0, self.block) + rng.normal(0, self.turn, fabrics) + own)


def fitted(launches_us):
    """``launches_us`` in any unit: (blocks, 2, launches)."""
    logs = np.log(np.asarray(launches_us, dtype=float))
    middles, launches = logs.mean(axis=2), logs.shape[2]
    left = (logs - middles[:, :, None]).ravel() * (launches / (launches - 1)) ** 0.5
    freedom, _, scale = student.fit(left, floc=0)
    freedom = float(np.clip(freedom, 2.5, 50))
    of_mean = left.var() / launches
    turn = max(float((middles[:, 0] - middles[:, 1]).var()) / 2 - of_mean, 0.0) ** 0.5
    block = max(float(np.cov(middles.T)[0, 1]), 0.0) ** 0.5
    return Noise(block, turn, scale, freedom)


def load():
    """{(bench, bytes): (Noise, launches)}, where they come from, and {bench: {launches a turn: seconds a block}}."""
    data = json.loads(FILE.read_text())
    cases = {
        (case["bench"], case["bytes"]): (Noise(**case["noise"]), np.array(case["launches_us"]))
        for case in data["cases"]
    }
    seconds = {bench: {int(number): one for number, one in of.items()} for bench, of in data["seconds_a_block"].items()}
    return cases, data["origin"], seconds


def main():
    blocks = int(sys.argv[1]) if len(sys.argv) > 1 else BLOCKS
    cases, seconds, verdicts = [], {}, Counter()
    for bench, text in BENCHES.items():
        quick = measured(bench, text.replace("LAUNCHES", "1"), BLOCKS_OF_ONE)
        found = measured(bench, text.replace("LAUNCHES", str(LAUNCHES)), blocks)
        counted = whole(found)
        if len(counted) < FEWEST:
            say(f"{bench}: {len(counted)} whole blocks are too few to fit anything to")
            continue
        seconds[bench] = {1: seconds_of(whole(quick)), LAUNCHES: seconds_of(counted)}
        verdicts.update(verdict for block in counted for verdict in block.verdicts.values())
        verdicts["refused"] += len(found.refused)
        cases += [case_of(bench, size, found.arms, counted) for size in counted[0].times_us[found.arms[0]]]
    origin = {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "by": "benchmarks/ab_noise.py: equal arms, each turn on a fabric built for it; medians of launches, nominal",
        "cpus": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "load_of_15_minutes": round(os.getloadavg()[2], 2),
        "verdicts": dict(verdicts),
    }
    if not cases:
        return 1
    FILE.write_text(json.dumps({"origin": origin, "seconds_a_block": seconds, "cases": cases}) + "\n")
    return 0


def whole(found):
    return [block for block in found.blocks if block.counted]


def seconds_of(blocks):
    return round(float(np.median([block.seconds for block in blocks])), 2)


def case_of(bench, size, names, counted):
    """What one size's blocks gave, and what is fitted to them."""
    samples = [[block.samples_us[arm][size] for arm in names] for block in counted]
    launches = [[np.median(np.reshape(turn, (LAUNCHES, -1)), axis=1) for turn in block] for block in samples]
    noise = {name: round(float(value), 6) for name, value in asdict(fitted(launches)).items()}
    print(f"{bench}, {size >> 10} KiB, {len(samples)} blocks: {noise}", flush=True)
    return {"bench": bench, "bytes": size, "noise": noise, "launches_us": np.round(launches, 3).tolist()}


def measured(bench, text, blocks):
    """Equal arms, counted blocks only; nothing is decided, so nothing stops early."""
    wanted = ab_file.loads(text, bench)
    one, other = wanted.arms
    pair = [one, apart(other)]
    benches = session.Benches("auto")
    sizes = arms.check(pair, 1)
    scale = session.common_scale(pair, 1, None, say)
    rules = Rules(blocks, within=1e-9, same=0.02, seed=1)
    return Blocks(pair, rules, sizes, benches.run, time.monotonic, say, scale).all()


def apart(arm):
    """On a fabric of its own, though it be the other's equal."""
    return replace(arm, apart="apart")


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
