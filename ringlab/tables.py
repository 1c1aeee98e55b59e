"""Plain tables for standard output: aligned, without frames, good to read and to pipe."""

from __future__ import annotations

from collections.abc import Sequence


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns two spaces apart; a column of numbers stands to the right. Ends with a newline."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in (list(headings), *cells)) for column in range(len(headings))]
    right = [all(isinstance(row[column], (int, float)) for row in rows) and bool(rows) for column in range(len(widths))]

    def line(row: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(row, widths, right, strict=True)
        )
        return "  ".join(padded).rstrip()

    return "\n".join(map(line, [list(headings), *cells])) + "\n"
