"""A run as rows of CSV: one a run, arm and size, every figure with its units in the head; an A/B: one a comparison."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ringlab.experiments.ab.outcome import Outcome
from ringlab.experiments.result import Result
from ringlab.experiments.statistics import spread

HEAD = (
    "run", "name", "backend", "verdict", "collective", "algorithm", "ranks", "channels", "scale", "arm", "group",
    "library", "size_bytes", "dtype", "time_us", "time_us_q1", "time_us_q3", "samples", "algbw_GBps", "busbw_GBps",
    "line_share", "nominal_time_us", "nominal_busbw_GBps", "predicted_us", "wrong", "baseline", "baseline_busbw_GBps",
    "baseline_line_share",
)  # fmt: skip

HEAD_OF_AB = (
    "run", "name", "arm", "than", "size_bytes", "ratio", "low", "high", "confidence", "verdict", "blocks", "method",
    "trim",
)  # fmt: skip
"""Above 1, ``ratio`` says that ``arm`` took less time."""


def csv_text(results: Sequence[Result]) -> str:
    """RFC 4180 with a head; empty where there is no such figure."""
    return _text(HEAD, (row for result in results for row in rows(result)))


def ab_csv_text(outcomes: Sequence[Outcome]) -> str:
    """Likewise of A/Bs."""
    return _text(HEAD_OF_AB, (row for outcome in outcomes for row in ab_rows(outcome)))


def _text(head: Sequence[str], found: Iterable[Mapping[str, Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, head)
    writer.writeheader()
    writer.writerows(found)
    return buffer.getvalue()


def ab_rows(outcome: Outcome) -> Iterator[dict[str, Any]]:
    """Of the last look; where the A/A showed a difference, of that."""
    found = outcome.found or outcome.aa
    for one in found.last.judged if found and found.last else ():
        interval = asdict(one.interval)
        judged = {name: getattr(one, name) for name in ("arm", "than", "size_bytes", "verdict")}
        yield {"run": outcome.id, "name": outcome.name, **judged, **interval}


def rows(result: Result) -> Iterator[dict[str, Any]]:
    baseline = {point.size_bytes: point for point in result.baseline.points} if result.baseline else {}
    for arm in result.arms:
        for found in arm.results:
            beside, quartiles = baseline.get(found.size_bytes), spread(found.samples_us)
            yield {
                "run": result.id,
                "name": result.name,
                "backend": "simulated" if result.is_simulated else "emulated",
                "verdict": result.certificate.verdict,
                "collective": result.collective,
                "algorithm": result.algorithm,
                "ranks": result.ranks,
                "channels": result.channels,
                "scale": result.scale,
                "arm": arm.name,
                "group": arm.group,
                "library": arm.library,
                "size_bytes": found.size_bytes,
                "dtype": found.dtype,
                "time_us": found.time_us,
                "time_us_q1": quartiles.low,
                "time_us_q3": quartiles.high,
                "samples": sum(map(len, found.samples_us)),
                "algbw_GBps": found.algbw_GBps,
                "busbw_GBps": found.busbw_GBps,
                "line_share": found.line_share,
                "nominal_time_us": found.nominal.time_us,
                "nominal_busbw_GBps": found.nominal.busbw_GBps,
                "predicted_us": found.predicted_us,
                "wrong": found.wrong,
                "baseline": result.baseline.name if result.baseline else None,
                "baseline_busbw_GBps": beside.busbw_GBps if beside else None,
                "baseline_line_share": beside.line_share if beside else None,
            }
