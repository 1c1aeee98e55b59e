"""One SVG of a schedule: ranks are lines, time goes to the right, every transfer is an arrow from its step to the next.

An arrow that adds is solid, one that copies is dashed, so that it reads without colours too; hovering tells the chunk.
The drawing follows the reader's light or dark scheme by itself. It is for schedules that an eye can follow: few ranks.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from collectives.schedule import Op, Schedule, ScheduleError

MOST_RANKS, MOST_TRANSFERS = 32, 2000
STEP, RANK, LEFT, TOP = 92.0, 34.0, 64.0, 64.0

STYLE = """\
.schedule { --ink: #1b1f24; --page: #ffffff; --rank: #b9bfc6; --reduce: #0072b2; --copy: #b35900; }
@media (prefers-color-scheme: dark) { .schedule { --ink: #e8eaed; --page: #15181c; --rank: #4a5058; --reduce: #56b4e9;
  --copy: #e69f00; } }
.schedule { background: var(--page); font: 12px system-ui, sans-serif; }
.schedule text { fill: var(--ink); } .schedule .title { font-size: 16px; font-weight: 600; }
.schedule .rank { stroke: var(--rank); stroke-width: 1.5; }
.schedule .reduce { stroke: var(--reduce); fill: var(--reduce); stroke-width: 1.6; }
.schedule .copy { stroke: var(--copy); fill: var(--copy); stroke-width: 1.6; }
.schedule .copy line { stroke-dasharray: 5 3; }
"""


def draw(schedule: Schedule, title: str) -> str:
    """The schedule as one SVG element. ScheduleError where it has too much to be seen."""
    if schedule.num_ranks > MOST_RANKS or len(schedule) > MOST_TRANSFERS:
        raise ScheduleError(
            f"{schedule.num_ranks} ranks and {len(schedule)} transfers are too many to be drawn; "
            f"at most {MOST_RANKS} and {MOST_TRANSFERS}"
        )
    width = max(LEFT + STEP * schedule.num_steps + 40, 420.0)
    height = TOP + RANK * schedule.num_ranks + 40
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="schedule" role="img" {size}>',
            f"<title>{escape(title)}: {schedule.num_ranks} ranks, {schedule.num_steps} steps</title>",
            f"<style>\n{STYLE}</style>",
            f'<text class="title" x="20" y="26">{escape(title)}</text>',
            *_frame(schedule, width),
            *_arrows(schedule),
            *_legend(height - 14),
            "</svg>",
        ]
    ) + "\n"  # fmt: skip


def _frame(schedule: Schedule, width: float) -> Iterator[str]:
    """A line a rank, and the steps' numbers above."""
    for step in range(schedule.num_steps):
        yield f'<text x="{LEFT + STEP * (step + 0.5):.0f}" y="{TOP - 14:.0f}" text-anchor="middle">step {step}</text>'
    for rank in range(schedule.num_ranks):
        y = _y(rank)
        yield f'<line class="rank" x1="{LEFT:.0f}" y1="{y:.0f}" x2="{width - 30:.0f}" y2="{y:.0f}"/>'
        yield f'<text x="{LEFT - 10:.0f}" y="{y + 4:.0f}" text-anchor="end">rank {rank}</text>'


def _arrows(schedule: Schedule) -> Iterator[str]:
    for one in schedule.transfers():
        kind = "reduce" if one.op is Op.REDUCE else "copy"
        x1, x2 = LEFT + STEP * one.step + 8, LEFT + STEP * (one.step + 1) - 8
        y1, y2 = _y(one.src), _y(one.dst)
        length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
        ux, uy = (x2 - x1) / length, (y2 - y1) / length
        corners = (
            (x2, y2),
            (x2 - 8 * ux + 3.5 * uy, y2 - 8 * uy - 3.5 * ux),
            (x2 - 8 * ux - 3.5 * uy, y2 - 8 * uy + 3.5 * ux),
        )
        chunks = f"chunk {one.chunk}" if one.count == 1 else f"chunks {one.chunk} to {one.chunk + one.count - 1}"
        words = (
            f"step {one.step}: rank {one.src} to rank {one.dst}, {chunks}, {'added' if kind == 'reduce' else 'copied'}"
        )
        yield (
            f'<g class="{kind}"><title>{words}</title>'
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2 - 6 * ux:.1f}" y2="{y2 - 6 * uy:.1f}"/>'
            f'<polygon stroke="none" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in corners)}"/></g>'
        )


def _legend(y: float) -> Iterator[str]:
    for x, kind, words in ((20, "reduce", "added to what is there"), (220, "copy", "copied over it")):
        yield f'<g class="{kind}"><line x1="{x}" y1="{y - 4:.0f}" x2="{x + 34}" y2="{y - 4:.0f}"/></g>'
        yield f'<text x="{x + 42}" y="{y:.0f}">{words}</text>'


def _y(rank: int) -> float:
    return TOP + RANK * (rank + 0.5)
