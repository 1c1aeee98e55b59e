"""Draws the schedules of docs/explanation/algorithms.md, and writes its table: both from the schedules themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from collectives import algorithms
from collectives.drawing import draw
from collectives.verify import verify

DOCS = Path(__file__).resolve().parent
FIGURES = DOCS / "figures" / "algorithms"
PAGE = DOCS / "explanation" / "algorithms.md"
RANKS = 8
NAMES = (
    "ring", "bidirectional-ring", "halving-doubling", "recursive-doubling", "double-binary-tree", "hierarchical:4",
    "torus:4", "pairwise", "rooted",
)  # fmt: skip
BEGIN, END = "<!-- table of algorithms: begin -->", "<!-- table of algorithms: end -->"


def main() -> None:
    FIGURES.mkdir(parents=True, exist_ok=True)
    rows = [
        "| algorithm | steps | transfers | bytes that the busiest rank sends, of the buffer | connections |",
        "|---|---|---|---|---|",
    ]
    for name in NAMES:
        schedule = algorithms.build(name, RANKS)
        verify(schedule)
        (FIGURES / f"{name.partition(':')[0]}.svg").write_text(draw(schedule, f"{name}, all_reduce"), encoding="utf-8")
        sent = np.bincount(schedule.src, weights=schedule.count, minlength=RANKS).max() / schedule.num_chunks
        flows = len({(one.src, one.dst, one.channel) for one in schedule.transfers()})
        rows.append(f"| {name} | {schedule.num_steps} | {len(schedule)} | {sent:.4g} | {flows} |")
    head, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    tail = rest.split(END)[1]
    PAGE.write_text("\n".join([head + BEGIN, *rows, END + tail]), encoding="utf-8")


if __name__ == "__main__":
    main()
