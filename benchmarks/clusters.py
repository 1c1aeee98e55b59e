"""Published clusters, emulated: the busbw share that our ring reaches on the same wires, against what was published.

    python benchmarks/clusters.py                        # all specs of examples/clusters, about 15 minutes, as root
    python benchmarks/clusters.py --only polaris-2       # one of them
    python benchmarks/clusters.py --quick                # one of them, small messages: under a minute
    python benchmarks/clusters.py --read runs            # no run: the latest kept result of each spec
    python benchmarks/clusters.py --into docs/explanation/clusters.md     # and put the tables where its marks are
    python benchmarks/clusters.py --json FILE

Both shares are of the sweep's line rate (all NICs of a node, one way), ours at nominal rates. Beside them stands what
explains their difference: the *predicted* share (what the schedule and the paths allow, with the latency measured on
the idle fabric), and for both sides what a step of the algorithm took beyond its bytes at line rate. An emulation that
runs k times slower shows the machine's own time for a step divided by k, so small messages look too good. A run whose
verdict is not ``valid`` is marked; no figure of it should be quoted.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # before this folder, where files have packages' names

from collectives import algorithms, metrics
from collectives.baseline import Baseline
from ringlab.experiments import baselines, progress, result, runner, spec, store
from ringlab.experiments.figures import size_text
from ringlab.experiments.result import Arm, Result, SizeResult
from ringlab.experiments.spec import Spec
from ringlab.tables import table

SPECS = Path(__file__).resolve().parent.parent / "examples" / "clusters"
QUICK, QUICK_BYTES = "polaris-2", 1 << 20
HEADINGS = ("size", "arm", "ours", "predicted", "published", "difference", "our step", "published step")


@dataclass(frozen=True)
class Row:
    """One arm at one size; shares of the sweep's line rate, step times in nominal us beyond the bytes.

    ``published`` is None where the sweep says nothing; steps are None for a library whose schedule nobody knows.
    """

    cluster: str
    arm: str
    size_bytes: int
    share: float
    predicted: float | None
    published: float | None
    interpolated: bool
    step_us: float | None
    published_step_us: float | None
    verdict: str

    @property
    def difference(self) -> float | None:
        return None if self.published is None else self.share - self.published


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    found = []
    for cluster in [QUICK] if options.quick else options.only or names():
        one = kept(cluster, options.read) if options.read else measured(cluster, options.quick, options.out)
        if one is None:
            print(f"{cluster}: no result in {options.read}", file=sys.stderr)
            continue
        found.append(one)
        if options.json != "-":
            print(described(one), flush=True)
    if options.into:
        options.into.write_text(with_tables(options.into.read_text(encoding="utf-8"), found), encoding="utf-8")
    if options.json:
        text = json.dumps([entry for one in found for entry in entries(one)], indent=2) + "\n"
        sys.stdout.write(text) if options.json == "-" else Path(options.json).write_text(text)
    return 0 if found else 1


def names() -> list[str]:
    """The specs, each named as its file."""
    return sorted(path.stem for path in SPECS.glob("*.yaml"))


def measured(cluster: str, quick: bool, out: Path) -> Result:
    """Run the spec, and keep its result."""
    wanted, text = spec.read(SPECS / f"{cluster}.yaml")
    wanted = _shorter(wanted) if quick else wanted
    with progress.talk(total=runner.turns(wanted)) as talk:
        outcome = runner.run(wanted, talk.say, talk.step)
    store.save(out, outcome.result, outcome.nccl_tests, text, {})
    return outcome.result


def kept(cluster: str, root: Path) -> Result | None:
    """The spec's latest emulated result in ``root``."""
    files = sorted(root.glob(f"*-{cluster}-*/{store.RESULT}"), reverse=True)  # their names begin with the time
    for file in files:
        one = result.loads(file.read_text(encoding="utf-8"))
        if one.name == cluster and not one.is_simulated:
            return one
    return None


def rows(one: Result, baseline: Baseline) -> list[Row]:
    """Every size and arm of a result beside its sweep (pure)."""
    return [_row(one, arm, found, baseline) for size in one.sizes() for arm, found in _at(one, size)]


def described(one: Result) -> str:
    """The cluster's table."""
    baseline = baselines.from_name(str(one.spec["baseline"]))
    heading = f"{one.name}: {one.spec['fabric']}, {one.algorithm}, {one.ranks} ranks, {one.scale:g}x slower"
    words = [_cells(row) for row in rows(one, baseline)]
    lines = [heading, f"published: {baseline.name}, line {baseline.nominal_line_rate_GBps:g} GB/s"]
    why = "" if one.certificate.verdict == "valid" else f": {'; '.join(one.certificate.reasons[:2])}"
    return "\n".join([*lines, f"verdict: {one.certificate.verdict}{why}", table(HEADINGS, words)])


def with_tables(text: str, found: Sequence[Result]) -> str:
    """``text`` with each cluster's table between its marks, ``<!-- cluster: NAME -->`` and ``<!-- end -->`` (pure)."""
    for one in found:
        mark = f"<!-- cluster: {one.name} -->\n"
        before, marked, after = text.partition(mark)
        if marked:
            text = f"{before}{mark}{in_markdown(one)}{after[after.index('<!-- end -->') :]}"
    return text


def in_markdown(one: Result) -> str:
    """The table, and the verdict that its figures stand under."""
    found = rows(one, baselines.from_name(str(one.spec["baseline"])))
    cells = [HEADINGS, ["---"] * len(HEADINGS), *map(_cells, found)]
    lines = "".join(f"| {' | '.join(row)} |\n" for row in cells)
    why = "" if one.certificate.verdict == "valid" else f" ({'; '.join(one.certificate.reasons[:2])})"
    return f"{lines}\nRun of {one.created[:10]}, {one.scale:g} times slower, verdict {one.certificate.verdict}{why}.\n"


def entries(one: Result) -> Iterator[dict[str, object]]:
    """The rows in the form that all benchmarks share; nobody promised a difference, so none is missed."""
    for row in rows(one, baselines.from_name(str(one.spec["baseline"]))):
        yield {
            "name": f"{row.cluster}, {row.arm}, {metrics.format_size(row.size_bytes)}: share, ours less published",
            "value": row.difference,
            "unit": "1",
            "goal": None,
            "better": "lower",
            "met": True,
            "samples": asdict(row),
        }


def _at(one: Result, size: int) -> Iterator[tuple[Arm, SizeResult]]:
    for arm in one.arms:
        for found in arm.results:
            if found.size_bytes == size:
                yield arm, found


def _row(one: Result, arm: Arm, found: SizeResult, baseline: Baseline) -> Row:
    line = baseline.nominal_line_rate_GBps
    if line is None:
        raise ValueError(f"{baseline.name}: nobody states its line rate, so there is no share")
    beside = baseline.at(found.size_bytes)
    share = found.nominal.busbw_GBps / line
    step_us = published_step_us = None
    if arm.is_ours:
        bytes_us = found.size_bytes * metrics.busbw_factor(one.collective, one.ranks) / line / 1e3
        steps = algorithms.build(one.algorithm, one.ranks, one.channels).num_steps
        step_us = (found.nominal.time_us - bytes_us) / steps
        published_step_us = None if beside.time_us is None else (beside.time_us - bytes_us) / steps
    return Row(
        cluster=one.name,
        arm=arm.name,
        size_bytes=found.size_bytes,
        share=share,
        predicted=None if found.predicted_us is None else share * found.time_us / found.predicted_us,
        published=beside.line_share,
        interpolated=beside.interpolated,
        step_us=step_us,
        published_step_us=published_step_us,
        verdict=one.certificate.verdict,
    )


def _cells(row: Row) -> list[str]:
    return [
        size_text(row.size_bytes),
        row.arm,
        _percent(row.share),
        _percent(row.predicted),
        "~" * row.interpolated + _percent(row.published),
        "-" if row.difference is None else f"{100 * row.difference:+.1f}",
        _us(row.step_us),
        _us(row.published_step_us),
    ]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _us(step_us: float | None) -> str:
    return "-" if step_us is None else f"{step_us:.1f} us"


def _shorter(wanted: Spec) -> Spec:
    sizes = tuple(size for size in wanted.sizes if size <= QUICK_BYTES)
    return replace(wanted, sizes=sizes, repeats=1)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=names(), help="this one; may be given again")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} alone, up to 1 MiB, one turn")
    parser.add_argument("--read", type=Path, metavar="FOLDER", help="run nothing; read results kept there")
    parser.add_argument("--out", type=Path, default=Path("runs"), help="where results are kept; default runs")
    parser.add_argument("--into", type=Path, metavar="FILE", help="a page whose marked tables are made anew")
    parser.add_argument("--json", metavar="FILE", help="rows; - for standard output")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
