"""nccl-tests' text, line by line, as version 2.19.6 prints it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from collectives.peers.libraries import RINGLAB
from collectives.perf.options import Options
from collectives.perf.percentiles import Spread
from collectives.perf.rows import Device, Half, Row, average_busbw, total_wrong

FORMAT_VERSION = "2.19.6"
NOTHING = 0  # NCCL's version numbers, as no NCCL takes part

_PER_ITER = ("i_min", "i_max", "i_p99", "i_cv%")
_PER_ITER_UNITS = ("(us)", "(us)", "(us)", "(%)")
_WIDE = 68
"""Characters of a half with the columns of single iterations."""


def head(options: Options, devices: Iterable[Device]) -> Iterator[str]:
    """The lines before the rows."""
    by_factor = options.step_factor > 1
    step = f"{options.step_factor}(factor)" if by_factor else f"{options.step_bytes}(bytes)"
    yield (
        f"# nccl-tests version {FORMAT_VERSION} nccl-headers={NOTHING} nccl-library={NOTHING}"
        f" (its format; measured by ringlab over {'TCP' if options.library is RINGLAB else options.library.device})"
    )
    yield f"# Collective test starting: {options.kind.program}"
    yield (
        f"# nThread 1 nGpus 1 minBytes {options.min_bytes} maxBytes {options.max_bytes} step: {step} "
        f"warmup iters: {options.warmup_iters} iters: {options.iters_text} agg iters: {options.agg_iters} "
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
    columns: tuple[str, ...] = ("cputime" if options.cpu_time else "time", "algbw", "busbw", "#wrong")
    units: tuple[str, ...] = ("(us)", "(GB/s)", "(GB/s)", "")
    if options.per_iter:
        columns += _PER_ITER
        units += _PER_ITER_UNITS
        halves = f"{'out-of-place (+ per-iteration)':^{_WIDE}}{'in-place (+ per-iteration)':^{_WIDE}}"
    else:
        halves = "           out-of-place                       in-place          "
    title, unit = (f"{'timestamp':>19}", " " * 19) if options.timestamps else ("", "")
    yield _header("", "", "", "", "") + halves
    yield _header("size", "count", "type", "redop", "root") + _titles(columns) + _titles(columns) + f" {title}"
    yield _header("(B)", "(elements)", "", "", "") + _titles(units) + _titles(units) + f" {unit}"


def line(row: Row, options: Options) -> str:
    """One row."""
    start = f"{row.nbytes:12d}  {row.count:12d}  {row.dtype:>8}  {row.redop:>6}  {row.root:6d}"
    halves = "".join(_half(row, half, options) for half in (row.out_of_place, row.in_place))
    return start + halves + (f"{row.finished:>21}" if options.timestamps else "")


def foot(rows: Sequence[Row], options: Options, least_busbw: float | None = None) -> Iterator[str]:
    """The lines after the rows; ``least_busbw`` (GB/s) is what the average is held against."""
    wrong = total_wrong(rows)
    failed = sum(1 for row in rows for half in row.halves() if half.wrong)
    yield f"# {'Out of bounds values':<20} : {failed} {'FAILED' if wrong else 'OK'}"
    verdict = "" if least_busbw is None else "OK" if enough(rows, least_busbw) else "FAILED"
    yield f"# {'Avg bus bandwidth':<20} : {average_busbw(rows):g} {verdict}"
    yield "#"
    yield f"# Collective test concluded: {options.kind.program}"
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


def _titles(words: Sequence[str]) -> str:
    time, algbw, busbw, wrong, *single = words
    return f"  {time:>7}  {algbw:>6}  {busbw:>6}  {wrong:>6}" + "".join(f"  {word:>7}" for word in single)


def enough(rows: Sequence[Row], least_busbw: float) -> bool:
    """nccl-tests lets a tenth pass."""
    return average_busbw(rows) >= 0.9 * least_busbw


def _half(row: Row, half: Half | None, options: Options) -> str:
    time, algbw, busbw = (half.time_us, row.algbw(half), row.busbw(half)) if half else (0.0, 0.0, 0.0)
    wrong = "    N/A" if half is None or half.wrong is None else f"  {half.wrong:6g}"
    single = ""
    if options.per_iter:
        spread = Spread.of(half.times_us, options.per_iter_skip) if half else None
        found = (spread.min_us, spread.max_us, spread.p99_us, spread.cv_pct) if spread else (0.0,) * len(_PER_ITER)
        single = "".join(f"  {number(value, 7)}" for value in found)
    return f"  {number(time, 7)}  {number(algbw, 6)}  {number(busbw, 6)}{wrong}{single}"
