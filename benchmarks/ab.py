"""Do A/B verdicts hold? Equal arms that are called different, a true 5 % that is found, and what it costs.

    python benchmarks/ab.py                  # some minutes: experiments in invented times, noisy as real ones
    python benchmarks/ab.py --quick          # within a minute: fewer
    python benchmarks/ab.py --real           # and a real A/A and a true 5 % on a small fabric: as root, ten minutes

The experiments are those of ``ringlab ab`` (its very code: looks, spending, intervals, verdicts) with its default
budget, on times drawn from what was fitted to real A/A blocks (``ab_noise.json``); and, so that nothing hangs on the
fit, on the real blocks themselves, drawn again with arms changed about at random. Goals: of 100 A/A comparisons at most
5 call a difference; a true 5 % is called so in at least 80 %. A comparison is one arm beside another at all its sizes.
"""

import argparse
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext, redirect_stdout
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # before this folder, where files have packages' names

from benchmarks import ab_noise
from ringlab.experiments.ab import ab_file, arms, session
from ringlab.experiments.ab.ab_file import BLOCKS, SAME, WITHIN
from ringlab.experiments.ab.interval import interval
from ringlab.experiments.ab.runner import Blocks
from ringlab.experiments.ab.stopping import Course, Rules, looks
from ringlab.experiments.ab.table import stop_text
from ringlab.experiments.ab.verdict import figures
from ringlab.tables import table

DIFFERENT = ("faster", "slower")
TRUE = 0.05
FALSE_GOAL, FOUND_GOAL = 0.05, 0.80
LARGE = 1 << 20
LAUNCHES = 3
"""A turn's, as specs have it by default."""
REAL = """
base:
  fabric: leaf-spine:leaves=2,spines=2,hosts=2,rate=100G
  placement: interleaved
  algorithm: ring
  policy: pinned
  sizes: [1M, 4M]
arms: {full: {}, less: {fabric.rate: RATE}}
"""


def main():
    given = arguments()
    with redirect_stdout(sys.stderr) if given.json == "-" else nullcontext():
        data = measured(given)
    if given.json:
        text = json.dumps(data, indent=1) + "\n"
        sys.stdout.write(text) if given.json == "-" else Path(given.json).write_text(text)
    return 0


def measured(given):
    """All tables and verdicts, printed; and as data."""
    times = 200 if given.quick else 1000
    cases, origin, seconds = ab_noise.load()
    print(f"noise: {origin['by']}; {origin['measured']}, {origin['cpus']} processors, turns {origin['verdicts']}")
    with ProcessPoolExecutor() as pool:
        rows = [row for bench in seconds for row in of_bench(bench, cases, times, pool)]
        show(rows, seconds)
        covered = coverage(times, pool)
        peeking = {"plain": share(many(naive, times, pool)), "ours": share(many(spent, times, pool))}
    plain, ours = (f"{rate:.1%} +-{error(rate, times):.1%}" for rate in peeking.values())
    print(f"equal arms, wrong at one or more of the looks after {', '.join(map(str, looks(BLOCKS)))} blocks:")
    print(f"  plain 95 % intervals {plain}, ours {ours}\n")
    results = judged(rows, covered, peeking)
    if given.real:
        results += real()
    for one in results:
        word = "met" if one["met"] else "MISSED"
        print(f"{one['name']}: {one['value']} {one['unit']}, goal {one['goal']}: {word}")
    return {"results": results, "samples": rows, "coverage": covered, "peeking": peeking}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="200 experiments a row instead of 1,000")
    parser.add_argument("--real", action="store_true", help="also on a real fabric, as root")
    parser.add_argument("--json", metavar="FILE", help="results and rows; - for standard output")
    return parser.parse_args()


def of_bench(bench, cases, times, pool):
    """A row a way of drawing times, a truth, and a choice of sizes and of fabrics (the arms share one, or have two)."""
    all_sizes = sorted(size for name, size in cases if name == bench)
    choices = [[size for size in all_sizes if size >= LARGE], all_sizes]
    for sizes, fabrics, (way, draw), truth in product(choices, (1, 2), WAYS.items(), (0.0, TRUE)):
        own = [cases[bench, size] for size in sizes]
        found = many(partial(experiment, own, sizes, partial(draw, fabrics), truth), times, pool)
        yield {
            "bench": bench, "sizes": sizes, "fabrics": fabrics, "way": way, "truth": truth,
            "experiments": times,
            "called_different": share(any(word in DIFFERENT for word in words) for words, _, _ in found),
            "faster_by_size": [
                share(words[place] == "faster" for words, _, _ in found) for place in range(len(sizes))
            ],
            "interval_misses": share(missed for _, missed, _ in found),
            "blocks": float(np.mean([blocks for _, _, blocks in found])),
        }  # fmt: skip


def many(one, times, pool):
    """``one`` with the seeds 0 to ``times``."""
    return list(pool.map(one, range(times), chunksize=25))


def experiment(cases, sizes, draw, truth, seed):
    """A whole A/B of two arms: the verdict at each size, whether an interval misses the truth, the blocks it took."""
    rng = np.random.default_rng(seed)
    course = Course(Rules(BLOCKS, WITHIN, SAME, seed), ["a", "b"], sizes)
    while course.stopped is None:
        drawn = draw(cases, rng)
        course.add({
            "a": {size: one[0] * (1 + truth) for size, one in zip(sizes, drawn, strict=True)},
            "b": {size: one[1] for size, one in zip(sizes, drawn, strict=True)},
        })  # fmt: skip
    judged = course.looked[-1].judged
    missed = any(not one.interval.low <= 1 + truth <= one.interval.high for one in judged)
    return [one.verdict for one in judged], missed, course.blocks


def naive(seed):
    """Equal arms, plain 95 % intervals at the same looks, stopped as soon as one shows a difference: does it?"""
    logs = np.random.default_rng(seed).normal(0, 0.02, BLOCKS)
    rng = np.random.default_rng(seed)
    found = [interval(logs[:look].tolist(), 0.05, rng) for look in looks(BLOCKS)]
    return any(not one.low <= 1 <= one.high for one in found)


def spent(seed):
    """The same numbers, as a course has them: is the truth in its interval at every look?"""
    logs = np.random.default_rng(seed).normal(0, 0.02, BLOCKS)
    course = Course(Rules(BLOCKS, 1e-9, SAME, seed), ["a", "b"], [1])
    for log in logs:
        course.add({"a": {1: float(np.exp(log))}, "b": {1: 1.0}})
    return any(not look.judged[0].interval.low <= 1 <= look.judged[0].interval.high for look in course.looked)


def fitted_block(fabrics, cases, rng):
    return [noise.times(rng, LAUNCHES, fabrics) for noise, _ in cases]


def real_block(fabrics, cases, rng):
    """Some launches of one real block, the same at all sizes; who is who is drawn."""
    blocks, _, measured = cases[0][1].shape
    place, turns, which = rng.integers(blocks), rng.permutation(2), rng.permutation(measured)
    one, other = which[:LAUNCHES], which[LAUNCHES : 2 * LAUNCHES]
    if fabrics == 1:
        turns[1] = turns[0]
    logs = [np.log(times[place]) for _, times in cases]
    return [np.exp([own[turns[0]][one].mean(), own[turns[1]][other].mean()]) for own in logs]


WAYS = {"fitted": fitted_block, "real blocks": real_block}


def share(facts):
    return float(np.mean(list(facts)))


def error(rate, experiments):
    """Standard error of a share."""
    return (max(rate * (1 - rate), 1 / experiments) / experiments) ** 0.5


def show(rows, seconds):
    heads = [
        "bench",
        "sizes",
        "fabrics",
        "drawn from",
        "truth",
        "called different",
        "faster, by size",
        "misses",
        "blocks",
        "minutes",
    ]
    print(table(heads, [line_of(row, seconds[row["bench"]]) for row in rows]))


def line_of(row, seconds):
    called = f"{row['called_different']:.1%} +-{error(row['called_different'], row['experiments']):.1%}"
    found = " ".join(f"{rate:.0%}" for rate in row["faster_by_size"]) if row["truth"] else ""
    a_block = seconds_of(row["fabrics"], seconds)
    minutes = f"{(row['blocks'] + 1) * a_block / 60:.1f}"  # with the warm-up
    sizes = " ".join(f"{size >> 10}K" for size in row["sizes"])
    drawn = [row["bench"], sizes, str(row["fabrics"]), row["way"], f"{row['truth']:.0%}"]
    return [*drawn, called, found, f"{row['interval_misses']:.1%}", f"{row['blocks']:.1f}", minutes]


def seconds_of(fabrics, measured):
    """A block of two arms, from blocks of two fabrics with few and with many launches a turn."""
    (few, few_s), (many_, many_s) = measured.items()
    a_launch = (many_s - few_s) / 2 / (many_ - few)
    return fabrics * (few_s / 2 - few * a_launch) + 2 * LAUNCHES * a_launch


def coverage(times, pool):
    """How often a 95 % interval misses, by blocks: of plain and of skewed numbers."""
    found = []
    for blocks in (6, 10, 20, 40):
        for kind, draw in (("normal", normal), ("skewed", skewed)):
            missed = share(many(partial(misses, blocks, draw), times, pool))
            found.append({"blocks": blocks, "kind": kind, "missed": missed, "method": method(blocks)})
    heads = ["blocks", "numbers", "method", "95 % interval misses"]
    lines = [
        [one["blocks"], one["kind"], one["method"], f"{one['missed']:.1%} +-{error(one['missed'], times):.1%}"]
        for one in found
    ]
    print(table(heads, lines))
    return found


def normal(rng, blocks):
    return rng.standard_normal(blocks)


def skewed(rng, blocks):
    """Exponential, about its mean: as skew as a tenth of all blocks being late makes it."""
    return rng.exponential(1.0, blocks) - 1.0


def misses(blocks, draw, seed):
    rng = np.random.default_rng(seed)
    found = interval((0.01 * draw(rng, blocks)).tolist(), 0.05, rng)
    return not found.low <= 1.0 <= found.high


def method(blocks):
    return interval(np.random.default_rng(0).standard_normal(blocks).tolist(), 0.05, np.random.default_rng(0)).method


def judged(rows, covered, peeking):
    equal = [row for row in rows if not row["truth"]]
    by_size = [
        (size, rate)
        for row in rows if row["truth"] for size, rate in zip(row["sizes"], row["faster_by_size"], strict=True)
    ]  # fmt: skip
    worst = max(one["missed"] for one in covered if one["kind"] == "normal")
    return [
        result(
            "A/A called different, the worst row", max(row["called_different"] for row in equal), FALSE_GOAL, "lower"
        ),
        *(
            result(f"a true 5 % found at {size >> 10} KiB, the worst row", min(own), FOUND_GOAL, "higher")
            for size in sorted({size for size, _ in by_size})
            for own in [[rate for other, rate in by_size if other == size]]
        ),
        result("95 % intervals of normal blocks that miss, the worst", worst, 0.06, "lower"),
        result("equal arms, wrong at one or more looks", peeking["ours"], 0.06, "lower"),
    ]


def result(name, value, goal, better):
    met = value <= goal if better == "lower" else value >= goal
    return {"name": name, "value": round(value, 4), "unit": "share", "goal": goal, "better": better, "met": met}


def real():
    """On packets: the same arm twice, then a link rate that is 5 % less."""
    same, less = (
        ab_file.loads(REAL.replace("RATE", "100G"), "A/A"),
        ab_file.loads(REAL.replace("RATE", "95.238G"), "5 %"),
    )
    equal = (same.arms[0], ab_noise.apart(same.arms[1]))
    return [
        compared("A/A", equal, "faster or slower", DIFFERENT, 0),
        compared("a true 5 %", less.arms, "slower", ("slower",), 2),
    ]


def compared(name, pair, words, wanted, goal):
    benches = session.Benches("auto")
    scale = session.common_scale(pair, 1, None, ab_noise.say)
    rules = Rules(BLOCKS, WITHIN, SAME, seed=1)
    found = Blocks(pair, rules, arms.check(pair, 1), benches.run, time.monotonic, ab_noise.say, scale).all()
    judged = found.last.judged if found.last else ()
    print(f"real {name}: {stop_text(found)} {len(found.refused)} turns refused.")
    for one in judged:
        print(f"  {one.size_bytes >> 10} KiB: {one.verdict}, {figures(one.interval)}")
    value = sum(one.verdict in wanted for one in judged)
    return {
        "name": f"real {name}: sizes called {words}", "value": value, "unit": "of 2", "goal": goal,
        "better": "higher" if goal else "lower", "met": value == goal and len(judged) == 2,
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
