"""nccl-tests' text, line by line, as version 2.19.6 prints it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from collectives.perf.options import Options
from collectives.perf.rows import Device, Half, Row, average_busbw, total_wrong

PROGRAM = "all_reduce_perf"
FORMAT_VERSION = "2.19.6"
NOTHING = 0  # NCCL's version numbers, as no NCCL takes part


def head(options: Options, devices: Iterable[Device]) -> Iterator[str]:
    """The lines before the rows."""
    by_factor = options.step_factor > 1
    step = f"{options.step_factor}(factor)" if by_factor else f"{options.step_bytes}(bytes)"
    yield (
        f"# nccl-tests version {FORMAT_VERSION} nccl-headers={NOTHING} nccl-library={NOTHING}"
        " (its format; measured by ringlab over TCP)"
    )
    yield f"# Collective test starting: {PROGRAM}"
    yield (
        f"# nThread 1 nGpus 1 minBytes {options.min_bytes} maxBytes {options.max_bytes} step: {step} "
        f"warmup iters: {options.warmup_iters} iters: {options.iters} agg iters: 1 "
        f"validation: {options.checks} graph: 0 unalign: 0"
    )
    yield "#"
    yield "# Using devices"
    for device in devices:
        yield (
            f"#  Rank {device.rank:2d} Group {0:2d} Pid {device.pid:6d} on {device.host:>10} "
            f"device {0:2d} [0000:00:00] {device.text}"
        )
    yield "#"
    yield _header("", "", "", "", "") + "           out-of-place                       in-place          "
    columns = ("time", "algbw", "busbw", "#wrong")
    units = ("(us)", "(GB/s)", "(GB/s)", "")
    yield _header("size", "count", "type", "redop", "root") + _titles(columns) + _titles(columns) + " "
    yield _header("(B)", "(elements)", "", "", "") + _titles(units) + _titles(units) + " "


def line(row: Row) -> str:
    """One row."""
    root = f"{-1:6d}"
    start = f"{row.nbytes:12d}  {row.count:12d}  {row.dtype:>8}  {row.op:>6}  {root:>6}"
    return start + _half(row, row.out_of_place) + _half(row, row.in_place)


def foot(rows: Sequence[Row]) -> Iterator[str]:
    """The lines after the rows."""
    wrong = total_wrong(rows)
    failed = sum(1 for row in rows for half in row.halves() if half.wrong)
    yield f"# {'Out of bounds values':<20} : {failed} {'FAILED' if wrong else 'OK'}"
    yield f"# {'Avg bus bandwidth':<20} : {average_busbw(rows):g} "
    yield "#"
    yield f"# Collective test concluded: {PROGRAM}"
    yield "#"
    yield ""


def number(value: float, width: int) -> str:
    """As many decimals, up to two, as ``width`` characters hold; an exponent if there is no other way."""
    for decimals in (2, 1, 0):
        text = f"{value:{width}.{decimals}f}"
        if len(text) <= width:
            return text
    return f"{value:{width}.{1 if width >= 7 else 0}e}"


def _header(size: str, count: str, dtype: str, op: str, root: str) -> str:
    return f"# {size:>10}  {count:>12}  {dtype:>8}  {op:>6}  {root:>6}"


def _titles(words: tuple[str, str, str, str]) -> str:
    time, algbw, busbw, wrong = words
    return f"  {time:>7}  {algbw:>6}  {busbw:>6}  {wrong:>6}"


def _half(row: Row, half: Half | None) -> str:
    time, algbw, busbw = (half.time_us, row.algbw(half), row.busbw(half)) if half else (0.0, 0.0, 0.0)
    wrong = "    N/A" if half is None or half.wrong is None else f"  {half.wrong:6g}"
    return f"  {number(time, 7)}  {number(algbw, 6)}  {number(busbw, 6)}{wrong}"
