"""What nccl-tests found, whichever form it was written in, and the Baseline that it makes. Pure.

A baseline must be one right sweep: one type, operation and root, every result correct, the ranks known. Each check that
fails names the place of the row in the file.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from collectives.baseline.model import Baseline, BaselineError, Point
from collectives.baseline.nccl_table import Row
from collectives.baseline.stated import Stated
from collectives.metrics import busbw_factor
from topologies.spelling import did_you_mean

COLLECTIVES = (
    "all_reduce", "all_gather", "reduce_scatter", "alltoall", "broadcast", "reduce", "gather", "scatter", "sendrecv"
)  # fmt: skip
"""nccl-tests' names of what has a busbw here."""

PROGRAMS = tuple(f"{collective}_perf" for collective in COLLECTIVES)
_REDUCING = ("all_reduce", "reduce_scatter", "reduce")


@dataclass(frozen=True, slots=True)
class Device:
    """Who a rank is; ranks of one ``group`` work together (NCCL_TESTS_SPLIT makes several)."""

    rank: int
    group: int
    host: str
    gpu: str


@dataclass(frozen=True, slots=True)
class Output:
    """``program`` is empty where the output doesn't name it. Rows of size 0 (they time nothing) are left out."""

    program: str
    library: str
    devices: tuple[Device, ...]
    rows: tuple[Row, ...]


def baseline(output: Output, name: str, stated: Stated) -> Baseline:
    """``output`` as the baseline ``name``; what ``stated`` says goes first. BaselineError if it is no right sweep."""
    rows = _one_kind(output.rows, name)
    nranks = stated.nranks or _ranks(output.devices, name)
    nodes = stated.nodes or len({device.host for device in output.devices}) or None
    gpus = sorted({device.gpu for device in output.devices if device.gpu})
    repeats = len({row.size_bytes for row in rows}) < len(rows)
    return Baseline(
        name=name,
        collective=stated.collective or _collective(output.program, rows, nranks, name),
        nranks=nranks,
        gpu=stated.gpu or " and ".join(gpus) or "not stated",
        nodes=nodes,
        gpus_per_node=nranks // nodes if nodes and nranks % nodes == 0 else None,
        network=stated.network or "not stated by nccl-tests",
        library=stated.library or output.library,
        note=stated.note
        or rows[0].kind.removesuffix(" -1") + ("; each time is the median of its repeats" if repeats else ""),
        source=name,
        nominal_line_rate_GBps=stated.line_rate_GBps,
        line_rate_why=stated.line_rate_why("nccl-tests"),
        points=_points(rows),
    )


def _one_kind(rows: Sequence[Row], name: str) -> Sequence[Row]:
    """The rows, if they are one right sweep: of one type, operation and root, and without wrong results."""
    if not rows:
        raise BaselineError(f"{name}: no rows of nccl-tests in it; give the output of all_reduce_perf or its JSON file")
    kinds = list(dict.fromkeys(row.kind for row in rows))
    if len(kinds) > 1:
        second = next(row.where for row in rows if row.kind == kinds[1])
        found = ", ".join(kinds[:4])
        raise BaselineError(f"{name}, {second}: holds {len(kinds)} sweeps ({found}); keep the rows of one")
    for row in rows:
        wrong = row.out_of_place.wrong or row.in_place.wrong
        if wrong:
            raise BaselineError(
                f"{name}, {row.where}: {wrong:g} wrong elements at {row.size_bytes} bytes: no baseline to trust"
            )
        if not 0 < row.out_of_place.time_us < math.inf:
            raise BaselineError(f"{name}, {row.where}: a time is not above 0, or not finite")
    return rows


def _ranks(devices: Sequence[Device], name: str) -> int:
    """The ranks that work together: all, or those of one group where NCCL_TESTS_SPLIT made groups."""
    if not devices:
        why = "the number of ranks is not known; keep the whole output, or give --ranks"
        raise BaselineError(f"{name}: no '#  Rank ...' lines: {why}")
    groups: dict[int, set[int]] = {}
    for device in devices:
        groups.setdefault(device.group, set()).add(device.rank)
    counts = {len(ranks) for ranks in groups.values()}
    if len(counts) > 1:
        raise BaselineError(f"{name}: groups of {', '.join(map(str, sorted(counts)))} ranks; all must be of one size")
    count = counts.pop()
    if count < 2:
        raise BaselineError(f"{name}: one rank alone, and nothing crosses a wire: measure with 2 GPUs at least (-g 2)")
    return count


def _collective(program: str, rows: Sequence[Row], nranks: int, name: str) -> str:
    """Named by the output; in old text, found from busbw / algbw and the operation where only one collective fits."""
    if program:
        if program not in PROGRAMS:
            raise BaselineError(f"{name}: {program} is not known here; {did_you_mean(program, PROGRAMS)}")
        return program.removesuffix("_perf")
    half = max((row.out_of_place for row in rows), key=lambda half: half.algbw_GBps)
    reduces = rows[0].redop in {"sum", "prod", "min", "max", "avg"}
    fitting = [
        collective
        for collective in (_REDUCING if reduces else ("all_gather", "broadcast"))
        if half.algbw_GBps and abs(half.busbw_GBps / half.algbw_GBps / busbw_factor(collective, nranks) - 1) < 0.01
    ]
    if len(fitting) != 1:
        raise BaselineError(
            f"{name}: it does not say which collective it is; give --collective, or add the line "
            f"'# Collective test starting: X_perf'"
        )
    return fitting[0]


def _points(rows: Sequence[Row]) -> tuple[Point, ...]:
    """One point a size; the median where a size was repeated."""
    by_size: dict[int, list[Row]] = {}
    for row in rows:
        by_size.setdefault(row.size_bytes, []).append(row)
    return tuple(Point(size, _time(by_size[size]), _in_place(by_size[size])) for size in sorted(by_size))


def _time(rows: Sequence[Row]) -> float:
    return _tidy(median(row.out_of_place.time_us for row in rows))


def _in_place(rows: Sequence[Row]) -> float | None:
    """None where that half was left out: nccl-tests writes 0 there."""
    times = [row.in_place.time_us for row in rows if 0 < row.in_place.time_us < math.inf]
    return _tidy(median(times)) if times else None


def _tidy(time_us: float) -> float:
    """Without the last digits, in which a table keeps that a time was just below a round one."""
    return float(f"{time_us:.12g}")
