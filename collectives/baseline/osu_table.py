"""OSU micro-benchmarks' text as a Table: read it, and print it again, byte for byte. Pure.

    # OSU MPI Allreduce Latency Test v5.7
    # Size       Avg Latency(us)   Min Latency(us)   Max Latency(us)  Iterations
    4                      14.04             11.23             16.90        1000

A column ends where its title does; the size stands to the left, in ten places; times have two decimals. Rows are kept
as figures and printed from them, other lines stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from collectives.baseline.model import BaselineError
from collectives.baseline.nccl_table import MARK

SIZE_WIDTH = 10
_TITLES = re.compile(r"\(us\)|Iterations")


@dataclass(frozen=True, slots=True)
class Row:
    """One size: the average, further times where they were asked for, and the iterations."""

    size_bytes: int
    times_us: tuple[float, ...]
    iterations: int | None
    where: str
    mark: str = ""
    tail: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """``widths`` are those of the columns after the size."""

    lines: tuple[str | Row, ...]
    widths: tuple[int, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        return tuple(line for line in self.lines if isinstance(line, Row))

    def text(self) -> str:
        return "\n".join(line if isinstance(line, str) else self._line(line) for line in self.lines)

    def _line(self, row: Row) -> str:
        figures = [f"{time:{width}.2f}" for time, width in zip(row.times_us, self.widths, strict=False)]
        if row.iterations is not None:
            figures.append(f"{row.iterations:{self.widths[-1]}d}")
        return f"{row.mark}{row.size_bytes:<{SIZE_WIDTH}d}{''.join(figures)}{row.tail}"


def read(text: str, name: str) -> Table:
    """The table in ``text``. BaselineError with ``name`` and line for a bad row."""
    lines: list[str | Row] = []
    titles: list[str] = []
    ends: list[int] = []
    for place, line in enumerate(text.split("\n"), start=1):
        mark = found[0] if (found := MARK.match(line)) else ""
        rest = line[len(mark) :]
        words = rest.split()
        if words[:2] == ["#", "Size"]:
            titles, ends = _columns(rest)
        is_row = bool(words) and words[0].isdigit()
        lines.append(_row(rest, words, titles, name, f"line {place}", mark) if is_row else line)
    return Table(tuple(lines), tuple(end - start for start, end in zip([SIZE_WIDTH, *ends], ends, strict=False)))


def _columns(header: str) -> tuple[list[str], list[int]]:
    """What each column after the size is, and where it ends."""
    found = list(_TITLES.finditer(header))
    return [one[0] for one in found], [one.end() for one in found]


def _row(text: str, words: Sequence[str], titles: Sequence[str], name: str, where: str, mark: str) -> Row:
    if not titles:
        raise BaselineError(f"{name}, {where}: a row before OSU's header ('# Size  Avg Latency(us)')")
    wide = 1 + len(titles)
    try:
        figures = dict(enumerate(words[1:wide]))
        times = tuple(float(figures[place]) for place, title in enumerate(titles) if title == "(us)")
        iterations = next((int(figures[place]) for place, title in enumerate(titles) if title != "(us)"), None)
    except (KeyError, ValueError):
        raise BaselineError(f"{name}, {where}: not a row of OSU's: size and average latency; is it cut?") from None
    tail = re.match(rf"(?:\s*\S+){{{wide}}}(.*)", text)
    assert tail is not None
    return Row(int(words[0]), times, iterations, where, mark, tail[1])
