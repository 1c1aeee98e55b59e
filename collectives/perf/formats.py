"""The same rows in the forms of other benchmarks: CSV, OSU micro-benchmarks, param. Pure.

csv     one header, one line a row and half: for spreadsheets and data frames.
osu     OSU micro-benchmarks 5.7 with full statistics: size, average, least and most latency, iterations.
param   param's communication benchmark: COMMS-RES lines with percentiles.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Protocol

from collectives.perf.kinds import Kind
from collectives.perf.percentiles import Spread
from collectives.perf.rows import Row

CSV_COLUMNS = (
    *("collective", "ranks", "size_bytes", "count", "type", "redop", "root", "in_place"),
    *("time_us", "algbw_GBps", "busbw_GBps", "wrong"),
    *("min_us", "p50_us", "p95_us", "p99_us", "max_us"),
)

_OSU = {
    "all_reduce": "Allreduce",
    "all_gather": "Allgather",
    "reduce_scatter": "Reduce_scatter",
    "alltoall": "All-to-All Personalized Exchange",
    "broadcast": "Broadcast",
    "reduce": "Reduce",
    "gather": "Gather",
    "scatter": "Scatter",
    "sendrecv": "Ring Send-Receive",
}


_OF_ONE_RANK = {"all_gather", "alltoall", "gather", "scatter"}
"""OSU's size is what MPI calls the count: of these one rank's block."""


class Form(Protocol):
    """The lines before the rows, and those of one row."""

    def head(self, kind: Kind) -> Iterator[str]: ...

    def lines(self, row: Row) -> Iterator[str]: ...


class Csv:
    def head(self, kind: Kind) -> Iterator[str]:  # noqa: ARG002 - every row names it
        yield _csv(CSV_COLUMNS)

    def lines(self, row: Row) -> Iterator[str]:
        for in_place, half in enumerate(row.halves()):
            spread = Spread.of(half.times_us)
            figures = (half.time_us, row.algbw(half), row.busbw(half))
            single = (spread.min_us, spread.p50_us, spread.p95_us, spread.p99_us, spread.max_us)
            yield _csv(
                (
                    *(row.kind.name, row.num_ranks, row.nbytes, row.count, row.dtype, row.redop, row.root, in_place),
                    *(f"{value:.6g}" for value in figures),
                    "" if half.wrong is None else half.wrong,
                    *(f"{value:.6g}" for value in single),
                )
            )


class Osu:
    def head(self, kind: Kind) -> Iterator[str]:
        yield ""
        yield f"# OSU MPI {_OSU[kind.name]} Latency Test v5.7"
        yield f"{'# Size':<10}{'Avg Latency(us)':>20}{'Min Latency(us)':>20}{'Max Latency(us)':>20}{'Iterations':>12}"

    def lines(self, row: Row) -> Iterator[str]:
        means = row.out_of_place.times_us.mean(axis=1)
        figures = f"{means.mean():20.2f}{means.min():20.2f}{means.max():20.2f}"
        size = row.nbytes // row.num_ranks if row.kind.name in _OF_ONE_RANK else row.nbytes
        yield f"{size:<10d}{figures}{row.out_of_place.times_us.shape[1]:>12d}"


class Param:
    def head(self, kind: Kind) -> Iterator[str]:  # noqa: ARG002 - every row names it
        words = ("total-size (B)", "nElementsPerRank", "Latency(us):p50", "p75", "p95", "Min", "Max")
        yield "\tCOMMS-RES" + _tabs((*words, "AlgBW(GB/s)", "BusBW(GB/s)"))

    def lines(self, row: Row) -> Iterator[str]:
        half = row.out_of_place
        spread = Spread.of(half.times_us)
        times = (spread.p50_us, spread.p75_us, spread.p95_us, spread.min_us, spread.max_us)
        middle = row.nbytes / spread.p50_us / 1e3 if spread.p50_us > 0 else 0.0
        rates = (middle, middle * row.kind.busbw_factor(row.num_ranks))
        numbers = (*(f"{time:.1f}" for time in times), *(f"{rate:.3f}" for rate in rates))
        yield f"\tCOMMS-RES-{row.kind.name}-{row.dtype}" + _tabs((str(row.nbytes), str(row.count), *numbers))


FORMS: Mapping[str, Form] = {"csv": Csv(), "osu": Osu(), "param": Param()}

_WIDTHS = (15, 18, 18, 12, 12, 12, 12, 15, 12)


def _tabs(words: tuple[str, ...]) -> str:
    return "".join(f"\t{word:>{width}}" for word, width in zip(words, _WIDTHS, strict=True))


def _csv(values: tuple[object, ...]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(values)
    return line.getvalue()
