"""A run as rows of CSV: one a run, arm and size, with every figure and its units in the head."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from ringlab.experiments.result import Result
from ringlab.experiments.statistics import spread

HEAD = (
    "run", "name", "backend", "verdict", "collective", "algorithm", "ranks", "channels", "scale", "arm", "group",
    "library", "size_bytes", "dtype", "time_us", "time_us_q1", "time_us_q3", "samples", "algbw_GBps", "busbw_GBps",
    "line_share", "nominal_time_us", "nominal_busbw_GBps", "predicted_us", "wrong", "baseline", "baseline_busbw_GBps",
    "baseline_line_share",
)  # fmt: skip


def csv_text(results: Sequence[Result]) -> str:
    """RFC 4180 with a head; empty where there is no such figure."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, HEAD)
    writer.writeheader()
    writer.writerows(row for result in results for row in rows(result))
    return buffer.getvalue()


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
