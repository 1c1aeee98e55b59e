"""How far ``predict()`` is from published sweeps that it was not fitted to, with NCCL's own model beside it.

Use:
    python benchmarks/predictor.py                  # about 15 seconds
    python benchmarks/predictor.py --json - --quick
    python benchmarks/predictor.py --fit            # fit anew: writes collectives/baseline/predictor.json
    python benchmarks/predictor.py --held-out DIR   # score sweeps that were never fitted, with the file as it is

What is compared. *Own*: a sweep is left out, and its network's figures are fitted to the other sweeps of the same
network (another collective, another number of nodes, another version of NCCL); where there are none, its kind's are
taken. *Kind*: all sweeps of its hardware are left out, and the kind's figures are taken, or the default. The error of
a size is |predicted - measured| / measured, out of place; of a sweep the median and the 90th percentile count, over all
its sizes. ``nccl_time()`` has no model of all-to-all nor of host memory. Nothing is left out of the table.

*Held out*: ``DIR`` has a ``systems.csv`` and a ``sweeps.csv`` in the form of those in ``collectives/baseline``. Nothing
is fitted: this is what ``predict()`` says of them, and how many sizes lie in its interval; it should be four in five.

The constants that all networks share (the time to post, the spread of the rendezvous, what a kind's default is) were
chosen with these sweeps in sight, and are few. The file's figures are fitted to all sweeps; the errors here are not.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # before this folder, where files have packages' names

from collectives.baseline import Baseline, published
from collectives.baseline.nccl import NcclError, nccl_time
from collectives.baseline.predict_fit import Sweep, fit_all, leave_out, sweep_of
from collectives.baseline.predictor import BANDS, key_for, line_GBps_of, network, predict, question_of

FILE = Path(__file__).resolve().parent.parent / "collectives" / "baseline" / "predictor.json"
MEDIAN_GOAL, P90_GOAL = 0.15, 0.50
QUICK = ("gh200", "h100", "mi300x", "rtx2080ti")
"""What ``--quick`` scores; all sweeps are fitted to all the same."""

INSIDE_INTERVAL = (0.1, 0.9)
"""Quantiles of the errors: four in five lie between."""


@dataclass(frozen=True)
class Row:
    """A figure and its goal: ``value`` at the most ``goal``; the errors that it was made of beside it."""

    name: str
    value: float
    unit: str
    goal: float
    samples: list[float] = field(default_factory=list)
    better: str = "lower"

    @property
    def met(self) -> bool:
        return self.value <= self.goal


@dataclass(frozen=True)
class Score:
    """One sweep's errors: left out by itself, left out with its hardware, and NCCL's own."""

    sweep: Sweep
    own: npt.NDArray[np.float64]
    own_from: str
    kind: npt.NDArray[np.float64]
    kind_from: str
    nccl: npt.NDArray[np.float64] | None


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE", help="write the figures there, - for standard output")
    parser.add_argument("--fit", action="store_true", help=f"fit anew and write {FILE.name}")
    parser.add_argument("--quick", action="store_true", help="score a few sweeps only")
    parser.add_argument("--held-out", type=Path, metavar="DIR", help="score the sweeps in DIR instead, without a fit")
    options = parser.parse_args(arguments)
    if options.fit and options.quick:
        parser.error(f"--fit with --quick: {FILE.name} would get the intervals of a few sweeps; leave one of them out")
    if options.held_out:
        return held_out(options.held_out, options.json)
    sweeps = [sweep_of(published.load(name)) for name in published.names()]
    wanted = [sweep for sweep in sweeps if not options.quick or sweep.name.startswith(QUICK)]
    scores = [_progress(score(sweeps, sweep), place, wanted) for place, sweep in enumerate(wanted)]
    if options.fit:
        FILE.write_text(json.dumps(fitted(sweeps, scores), indent=1) + "\n", encoding="utf-8")
        print(f"wrote {FILE.name}", file=sys.stderr)
    rows = list(_rows(scores))
    if options.json != "-":
        _print(scores, rows)
    return _finish(rows, options.json)


def held_out(folder: Path, target: str | None) -> int:
    """Score the sweeps in ``folder`` with the file's figures. One without a model is told, and counts as missed."""
    tables = (folder / "systems.csv", folder / "sweeps.csv")
    sweeps = published.parse(*(table.read_text(encoding="utf-8").splitlines() for table in tables), ())
    rows: list[Row] = []
    for baseline in sweeps.values():
        try:
            found, line = _held_out(baseline)
        except NcclError as error:
            found, line = [Row(f"{baseline.name}: median", 1.0, "share", MEDIAN_GOAL)], f"no model: {error}"
        rows += found
        if target != "-":
            print(f"{baseline.name:<56}{line}")
    return _finish(rows, target)


def _held_out(baseline: Baseline) -> tuple[list[Row], str]:
    question, key = question_of(baseline), key_for(baseline)
    points = baseline.points
    predictions = [predict(question, key, point.size_bytes) for point in points]
    pairs = list(zip(predictions, points, strict=True))
    ours = [abs(one.time_us / point.time_us - 1) for one, point in pairs]
    nccl = [abs(one.nccl_us / point.time_us - 1) for one, point in pairs if one.nccl_us is not None]
    inside = sum(one.low_us <= point.time_us <= one.high_us for one, point in pairs) / len(pairs)
    evidence = network(key, line_GBps_of(question)).evidence
    median, p90 = float(np.median(ours)), float(np.quantile(ours, 0.9))
    beside = f"{np.median(nccl):>5.0%}" if nccl else "    -"
    line = f"median {median:>4.0%}  p90 {p90:>4.0%}  nccl {beside}  in the interval {inside:>4.0%}  by its {evidence}"
    rows = [
        Row(f"{baseline.name}: median", median, "share", MEDIAN_GOAL, [round(share, 4) for share in ours]),
        Row(f"{baseline.name}: p90", p90, "share", P90_GOAL),
    ]
    if nccl:
        rows.append(Row(f"{baseline.name}: better than nccl_time()", median, "share", float(np.median(nccl))))
    return rows, line


def _finish(rows: Sequence[Row], target: str | None) -> int:
    if target:
        text = json.dumps([{**asdict(row), "met": row.met} for row in rows], indent=2) + "\n"
        sys.stdout.write(text) if target == "-" else Path(target).write_text(text)
    return 0 if all(row.met for row in rows) else 1


def score(sweeps: Sequence[Sweep], sweep: Sweep) -> Score:
    """Errors as log(predicted / measured), at every size of the sweep."""
    full = sweep_of(published.load(sweep.name), thinned=False)
    own, own_from = leave_out(sweeps, sweep, site=False)
    kind, kind_from = leave_out(sweeps, sweep, site=True)
    return Score(full, full.errors(own.logs()), own_from, full.errors(kind.logs()), kind_from, _nccl(sweep.name))


def fitted(sweeps: Sequence[Sweep], scores: Sequence[Score]) -> dict[str, object]:
    """What ``predictor.json`` holds."""
    return {
        "note": "Made by benchmarks/predictor.py --fit; never edited by hand. Times in us; efficiency is the share of "
        "the bandwidth that NCCL expects. Intervals: what a predicted time is multiplied by for its low and high end "
        "(10th and 90th percentile of measured / predicted of sweeps that were left out of the fit).",
        "intervals": {"network": _intervals(scores, own=True), "kind": _intervals(scores, own=False)},
        **fit_all(sweeps),
    }


def _intervals(scores: Sequence[Score], *, own: bool) -> dict[str, list[float]]:
    """By band of sizes. ``own``: only sweeps whose own hardware had others. Long sweeps count as thinned ones."""
    chosen = [each for each in scores if not own or each.own_from in {"network", "site"}]
    found, least = {}, 0
    for name, most in BANDS:
        ratios: list[float] = []
        for each in chosen:
            every = -(-len(each.sweep.sizes) // 60)
            sizes, errors = each.sweep.sizes[::every], (each.own if own else each.kind)[::every]
            ratios += list(-errors[(sizes > least) & (sizes <= most)])
        found[name] = [round(float(np.exp(np.quantile(ratios, share))), 3) for share in INSIDE_INTERVAL]
        least = most
    return found


def _rows(scores: Sequence[Score]) -> Iterator[Row]:
    for each in scores:
        for left_out, errors in (("own", each.own), ("kind", each.kind)):
            shares = _shares(errors)
            samples = [round(share, 4) for share in shares]
            yield Row(f"{each.sweep.name}: {left_out}: median", float(np.median(shares)), "share", MEDIAN_GOAL, samples)
            yield Row(f"{each.sweep.name}: {left_out}: p90", float(np.quantile(shares, 0.9)), "share", P90_GOAL)
    for key in dict.fromkeys(each.sweep.key for each in scores):
        group = [each for each in scores if each.sweep.key == key]
        theirs = [each.nccl for each in group if each.nccl is not None]
        if theirs:
            ours, nccl = (np.concatenate(x) for x in ([each.own for each in group], theirs))
            name = f"{key.kind}, {key.hardware}, NCCL {key.version or 'not stated'}: better than nccl_time()"
            yield Row(name, float(np.median(_shares(ours))), "share", float(np.median(_shares(nccl))))


def _print(scores: Sequence[Score], rows: Sequence[Row]) -> None:
    print(f"{'sweep':<56}{'own':>16}{'kind':>16}{'nccl':>8}   fitted on")
    print(f"{'':<56}{'median':>8}{'p90':>8}{'median':>8}{'p90':>8}{'median':>8}")
    for each in scores:
        own, kind = _shares(each.own), _shares(each.kind)
        nccl = "-" if each.nccl is None else f"{np.median(_shares(each.nccl)):.0%}"
        figures = "".join(f"{x:>8.0%}" for e in (own, kind) for x in (np.median(e), np.quantile(e, 0.9)))
        print(f"{each.sweep.name:<56}{figures}{nccl:>8}   {each.own_from} | {each.kind_from}")
    print()
    for left_out in ("own", "kind"):
        for what, goal in (("median", MEDIAN_GOAL), ("p90", P90_GOAL)):
            group = [row for row in rows if row.name.endswith(f": {left_out}: {what}")]
            met = sum(row.met for row in group)
            middle = float(np.median([row.value for row in group]))
            print(
                f"{left_out:<5} {what:<7} at most {goal:.0%}: {met} of {len(group)} sweeps; middle sweep {middle:.0%}"
            )
    better = [row for row in rows if row.name.endswith("better than nccl_time()")]
    print(f"better than nccl_time(): {sum(row.met for row in better)} of {len(better)} networks")
    for row in better:
        verdict, name = "yes" if row.met else "NO ", row.name.rpartition(":")[0]
        print(f"  {verdict} {row.value:>5.0%} against {row.goal:>5.0%}   {name}")


def _shares(errors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    shares: npt.NDArray[np.float64] = np.abs(np.exp(errors) - 1)
    return shares


def _nccl(name: str) -> npt.NDArray[np.float64] | None:
    baseline = published.load(name)
    question = question_of(baseline)
    if question.mpi or question.collective == "alltoall":
        return None
    wanted = (question.version, question.algorithm)
    times = [nccl_time(question.system, question.collective, point.size_bytes, *wanted) for point in baseline.points]
    ratio: npt.NDArray[np.float64] = np.log(np.array(times) / np.array([point.time_us for point in baseline.points]))
    return ratio


def _progress(found: Score, place: int, wanted: Sequence[Sweep]) -> Score:
    end = "\n" if place == len(wanted) - 1 else ""
    print(f"\rscored {place + 1} of {len(wanted)} sweeps", end=end, file=sys.stderr, flush=True)
    return found


if __name__ == "__main__":
    raise SystemExit(main())
