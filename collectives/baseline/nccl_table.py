"""nccl-tests' text as a Table: read it, and print it again, byte for byte.

Pure: text in, Table out, and back. A table is one row a size; what its columns are, its header says:

    #     size    count   type  redop  root    time  algbw  busbw #wrong    time  algbw  busbw #wrong
       1048576   262144  float    sum    -1  339.61   3.09   3.09      0  335.85   3.12   3.12      0

The two halves (out of place, in place) are equally wide, so a row is read from its right end: that holds for old tables
without ``root``, for rows with an empty ``redop``, and with the further columns of ``-I``. Launchers put their mark
before each line (``0: `` of srun, ``[1,0]<stdout>:`` of Open MPI): it is taken off, and kept for printing.

Rows are kept as figures, and printed from them; all other lines are text and stay as they are. How a row is printed
changed with the versions. Where the header tells it (widths, columns), it is read there; which rule its numbers follow
is found by trying which one gives the text back. Source of the formats: nccl-tests, src/common.cu and src/util.cu.
"""
# ruff: noqa: N815 - GBps and Gbps are not the same

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from collectives.baseline.model import BaselineError
from collectives.perf.table import number

NOT_CHECKED = "N/A"
TIMES = ("time", "cputime")
MARK = re.compile(r"^\s*(?:\d+:\s|\[\d+,\d+\]<std(?:out|err)>:)")
"""What launchers put before each line."""
_TIMESTAMP = re.compile(r"\s+\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\S*\s*$|\s+$")
_FIXED = 4  # the columns of a half that are always there: time, algbw, busbw, #wrong
_BELOW_A_STEP = ("100.00", "10000.0")


@dataclass(frozen=True, slots=True)
class Half:
    """Out of place, or in place. ``wrong`` is None where nothing was checked (N/A); ``more``: columns after it."""

    time_us: float
    algbw_GBps: float
    busbw_GBps: float
    wrong: float | None
    more: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One size. ``redop`` is empty and ``root`` None where the row has none.

    ``where`` is its place (``line 15``); ``mark`` what a launcher put before it, ``tail`` what stands after the halves
    (a time of day, blanks).
    """

    size_bytes: int
    count: int
    dtype: str
    redop: str
    root: int | None
    out_of_place: Half
    in_place: Half
    where: str = ""
    mark: str = ""
    tail: str = ""

    @property
    def kind(self) -> str:
        """Type, operation and root: what is equal in all rows of one sweep."""
        return " ".join((self.dtype, self.redop, "" if self.root is None else str(self.root))).replace("  ", " ")


@dataclass(frozen=True, slots=True)
class Layout:
    """How rows are printed: which columns there are and how wide, and which rule numbers follow.

    ``fits``: as many decimals as fit (from 2.18 on); else fewer of them from 100 and from 10000 on. ``delta``: the last
    column is not a count of wrong elements but the largest difference (``error``, up to 2021).
    """

    columns: tuple[str, ...] = ("type", "redop", "root")
    half: tuple[str, ...] = ("time", "algbw", "busbw", "#wrong")
    dtype_width: int = 8
    wrong_width: int = 6
    fits: bool = True

    @property
    def delta(self) -> bool:
        return "error" in self.half

    def line(self, row: Row) -> str:
        """One row as text."""
        words = [f"{row.size_bytes:12d}", f"{row.count:12d}", f"{row.dtype:>{self.dtype_width}}"]
        words += [f"{row.redop:>6}"] if "redop" in self.columns else []
        words += [f"{'' if row.root is None else row.root:>6}"] if "root" in self.columns else []
        halves = self._half(row.out_of_place) + self._half(row.in_place)
        return row.mark + "  ".join(words) + halves + row.tail

    def _half(self, half: Half) -> str:
        time, *rates = (half.time_us, half.algbw_GBps, half.busbw_GBps)
        if self.fits:
            text = f"  {number(time, 7)}" + "".join(f"  {number(rate, 6)}" for rate in rates)
        else:
            text = f"  {time:7.{_decimals(time)}f}" + "".join(f"  {rate:6.2f}" for rate in rates)
        more = zip(self.half[_FIXED:], half.more, strict=True)
        return text + self._wrong(half.wrong) + "".join(f"  {_further(name, value)}" for name, value in more)

    def _wrong(self, wrong: float | None) -> str:
        if wrong is None:
            return f"    {NOT_CHECKED}"
        return f"  {wrong:{self.wrong_width}{'.0e' if self.delta else 'g'}}"


NEWEST = Layout()
"""As 2.19.6 prints."""


@dataclass(frozen=True, slots=True)
class Table:
    """The text of one run: its rows, and every other line as it stands."""

    lines: tuple[str | Row, ...]
    layout: Layout

    @property
    def rows(self) -> tuple[Row, ...]:
        return tuple(line for line in self.lines if isinstance(line, Row))

    def unmarked(self) -> Iterator[str]:
        """The lines that are no rows, without launchers' marks."""
        return (MARK.sub("", line) for line in self.lines if isinstance(line, str))

    def text(self) -> str:
        """The whole table again, as its own version prints it."""
        return "\n".join(line if isinstance(line, str) else self.layout.line(line) for line in self.lines)


def read(text: str, name: str) -> Table:
    """The table in ``text``; without rows where there is none. BaselineError with ``name`` and line for a bad row."""
    lines: list[str | Row] = []
    texts = text.split("\n")
    layout, header, indent = NEWEST, "", ""
    for place, line in enumerate(texts, start=1):
        where = f"line {place}"
        mark = found[0] if (found := MARK.match(line)) else ""
        rest = line[len(mark) :]
        words = rest.split()
        if [word for word in words if word != "#"][:2] == ["size", "count"]:
            layout, header = _layout(rest, f"{name}, {where}"), rest
            indent = rest.partition("#")[0] if words[0] == "#" else ""
        is_row = len(words) > 6 and words[0].isdigit() and words[1].isdigit()
        if is_row and not header:
            raise BaselineError(f"{name}, {where}: a row before nccl-tests' header ('# size count type ...')")
        before = mark + (indent if rest.startswith(indent) else "")  # a table pasted into a text is often indented
        lines.append(replace(_row(rest, layout, f"{name}, {where}"), where=where, mark=before) if is_row else line)
    return Table(tuple(lines), _with_rule(layout, lines, texts))


def _layout(header: str, where: str) -> Layout:
    """Columns and widths from the header's line of titles; a title ends where its column does."""
    words = [(found[0], found.end()) for found in re.finditer(r"[^\s#]\S*|#\w+", header)]
    names = [name for name, _ in words]
    times = [place for place, name in enumerate(names) if name in TIMES]
    if len(times) != 2:
        raise BaselineError(f"{where}: the table's header has {len(times)} time columns, not two")
    ends = dict(words[: times[1]])
    half = tuple(names[times[0] : times[1]])
    if half[1:3] != ("algbw", "busbw") or len(half) < _FIXED or names[:3] != ["size", "count", "type"]:
        raise BaselineError(f"{where}: not a header of nccl-tests: {' '.join(names)}")
    return Layout(
        columns=tuple(names[2 : times[0]]),
        half=half,
        dtype_width=max(0, ends["type"] - ends["count"] - 2),
        wrong_width=max(0, ends[half[3]] - ends["busbw"] - 2),
    )


def _row(text: str, layout: Layout, where: str) -> Row:
    tail = found[0] if (found := _TIMESTAMP.search(text)) else ""
    words = text[: len(text) - len(tail)].split()
    wide = len(layout.half)
    start = len(words) - 2 * wide
    redop, root = _operation(words[3 : max(3, start)])
    if not 3 <= start <= 2 + len(layout.columns) or (root is None) == ("root" in layout.columns):
        raise BaselineError(f"{where}: {len(words)} columns do not fit the header; is the line cut?")
    try:
        halves = (_half(words[start : start + wide]), _half(words[start + wide :]))
        return Row(int(words[0]), int(words[1]), words[2], redop, root, *halves, tail=tail)
    except ValueError as error:
        raise BaselineError(f"{where}: not a row of nccl-tests ({error})") from None


def _operation(words: Sequence[str]) -> tuple[str, int | None]:
    """``sum -1``, ``none 0``; ``0`` alone is a root, ``sum`` alone an operation."""
    root = next((int(word) for word in words if word.lstrip("-").isdigit()), None)
    return next((word for word in words if not word.lstrip("-").isdigit()), ""), root


def _half(words: Sequence[str]) -> Half:
    time, algbw, busbw, wrong, *more = words
    checked = None if wrong == NOT_CHECKED else float(wrong)
    return Half(_figure(time), float(algbw), float(busbw), checked, tuple(map(float, more)))


def _figure(word: str) -> float:
    """A time; one of ``100.00`` was below 100 before it was rounded, or it had fewer decimals, and is kept below it."""
    value = float(word)
    return math.nextafter(value, 0) if word in _BELOW_A_STEP else value


def _with_rule(layout: Layout, lines: Sequence[str | Row], texts: Sequence[str]) -> Layout:
    """The rule of numbers that gives the rows' text back; the newest where both do, or none."""
    read_rows = [(line, text) for line, text in zip(lines, texts, strict=True) if isinstance(line, Row)]
    older = replace(layout, fits=False)
    for rule in (layout, older):
        if all(rule.line(row) == text for row, text in read_rows):
            return rule
    wrongs = [sum(rule.line(row) != text for row, text in read_rows) for rule in (layout, older)]
    return layout if wrongs[0] <= wrongs[1] else older


def _decimals(time_us: float) -> int:
    return 0 if time_us >= 10000 else 1 if time_us >= 100 else 2


def _further(name: str, value: float) -> str:
    """A column after ``#wrong``: those of ``-I`` are times, ``#bitdiff`` is a count."""
    return f"{value:8g}" if name == "#bitdiff" else number(value, 7)
