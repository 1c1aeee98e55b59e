"""Is the simulator true? The same specs on packets and on flows: simulated against emulated completion time.

    python benchmarks/backends.py              # some eight minutes, as root
    python benchmarks/backends.py --quick      # three fabrics

Every fabric is emulated once, its policies taking turns; then each arm is simulated at the emulated run's rates, with
the time that an empty step took there. What counts is the largest message wherever the run's certificate is valid:
goal, at most 10 % apart. Runs that are doubtful or invalid are shown, and not counted.
"""

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # before this folder, where files have packages' names

from ringlab.experiments import both, progress, runner, spec
from topologies.catalog import from_short_form

GOAL = 0.10

CASES = [
    ("leaf-spine:leaves=4,spines=2,hosts=2", "ring", ("spanning-tree", "ecmp:seed=1", "pinned")),
    ("leaf-spine:leaves=2,spines=4,hosts=4", "halving-doubling", ("spanning-tree", "ecmp:seed=2", "pinned")),
    ("leaf-spine:leaves=3,spines=2,hosts=2", "double-binary-tree", ("spanning-tree", "ecmp:seed=1", "pinned")),
    ("ring:switches=6,hosts=1", "bidirectional-ring", ("spanning-tree", "shortest", "least-loaded")),
    ("tree:depth=3,fanout=2", "ring", ("spanning-tree", "shortest", "pinned")),
    ("mesh:x=3,y=2,hosts=1", "ring", ("spanning-tree", "ecmp:seed=1", "least-loaded")),
    ("torus:x=3,y=3,hosts=1", "recursive-doubling", ("spanning-tree", "ecmp:seed=3", "least-loaded")),
    ("fat-tree:k=4", "ring", ("spanning-tree", "ecmp:seed=1", "pinned")),
    ("dragonfly:a=2,p=1,h=1", "pairwise", ("spanning-tree", "ecmp:seed=1", "least-loaded")),
    ("star:hosts=6", "ring", ("spanning-tree", "shortest", "pinned")),
    ("edge-sites:leaves=2,spines=2,hosts=2,sites=2,site_hosts=2", "ring", ("spanning-tree", "shortest", "pinned")),
]

SPEC = """
name: backends
fabric: {fabric}
placement: interleaved
algorithm: {algorithm}
ranks: {ranks}
sizes: [1M, 4M]
arms: [{arms}]
repeats: 2
iterations: 2
warmup: 1
"""


def main():
    given = arguments()
    rows = []
    for fabric, algorithm, arms in CASES[:3] if given.quick else CASES:
        rows += measured(fabric, algorithm, arms, given.ranks)
        if given.json != "-":
            show(rows)
    results = judged(rows)
    for one in results if given.json != "-" else ():
        print(f"{one['name']}: {one['value']} {one['unit']}, goal {one['goal']}: {'met' if one['met'] else 'MISSED'}")
    if given.json:
        text = json.dumps({"results": results, "samples": rows}, indent=1) + "\n"
        sys.stdout.write(text) if given.json == "-" else Path(given.json).write_text(text)
    return 0


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three fabrics")
    parser.add_argument("--ranks", type=int, default=8, help="at most; default 8")
    parser.add_argument("--json", metavar="FILE", help="results and rows; - for standard output")
    return parser.parse_args()


def measured(fabric, algorithm, arms, most):
    """One row an arm at the largest size."""
    ranks = min(most, len(from_short_form(fabric).hosts))
    text = SPEC.format(fabric=fabric, algorithm=algorithm, ranks=ranks, arms=", ".join(arms))
    wanted = spec.loads(text)
    with progress.talk(total=runner.turns(wanted)) as talk:
        result = runner.run(wanted, talk.say, talk.step).result
    other = both.simulated_beside(wanted, result)
    largest = max(wanted.sizes)
    return [
        {
            "fabric": fabric, "algorithm": algorithm, "arm": row.arm, "bytes": row.size_bytes,
            "emulated_us": row.emulated_us, "simulated_us": row.simulated_us, "ratio": round(row.ratio, 4),
            "verdict": result.certificate.verdict, "why": list(result.certificate.reasons[:1]),
        }
        for row in both.rows(result, other) if row.size_bytes == largest
    ]  # fmt: skip


def show(rows):
    table = Table("fabric", "algorithm", "policy", "emulated ms", "simulated ms", "simulated / emulated", "verdict")
    for row in rows:
        times = [f"{row[name] / 1e3:.1f}" for name in ("emulated_us", "simulated_us")]
        table.add_row(row["fabric"], row["algorithm"], row["arm"], *times, f"{row['ratio']:.3f}", row["verdict"])
    Console(width=None if sys.stdout.isatty() else 150).print(table)


def judged(rows):
    valid = [row for row in rows if row["verdict"] == "valid"]
    if not valid:
        return []
    worst = max(abs(row["ratio"] - 1) for row in valid)
    apart = f"furthest apart of {len(valid)} valid of {len(rows)} arms, {valid[0]['bytes'] >> 20} MiB"
    return [
        {"name": apart, "value": round(worst, 4), "unit": "1", "goal": GOAL, "better": "lower", "met": worst <= GOAL}
    ]


if __name__ == "__main__":
    sys.exit(main())
