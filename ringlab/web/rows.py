"""nccl-tests' lines, as rank 0 prints them, to the rows of the page's table. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ringlab.web.events import Row

COLUMNS = 9
"""size, count, type, redop, root, and of the half out of place time, algbw, busbw, #wrong."""


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the table: its out-of-place half. busbw follows from the time: two decimals of GB/s are too few here."""

    size_bytes: int
    time_us: float
    wrong: int | None

    def row(self, arm: str, block: int, bus_factor: float, line_rate_bps: float) -> Row:
        busbw = self.size_bytes / self.time_us / 1e3 * bus_factor
        return Row(arm, block, self.size_bytes, self.time_us, busbw, busbw * 8e9 / line_rate_bps, self.wrong)


def parsed(text: str) -> Line | None:
    """None for a line that is no row."""
    words = text.split()
    if len(words) < COLUMNS or not words[0].isdigit():
        return None
    try:
        time_us, wrong = float(words[5]), None if words[8] == "N/A" else int(float(words[8]))
    except ValueError:
        return None
    return Line(int(words[0]), time_us, wrong) if time_us > 0 else None
