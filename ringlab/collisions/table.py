"""The outcome in the terminal: a row a case, then the links that were the worst, by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ringlab.collisions.outcome import Outcome, WorstLink
from ringlab.tables import table
from simulation.collisions import Spread

SHOWN_FLOWS = 3
"""Of a link, before "and N more"."""

HEADINGS = (
    "policy", "QPs", "draws", "fullest link", "p99", "completion", "p50", "p99", "busbw", "p1", "p99", "flows",
)  # fmt: skip
MEANING = (
    "Means and percentiles over draws. Fullest link: flows on it. Completion: times that without collisions.\n"
    "Busbw, and flows while all of them run (their mean max-min rate): of line rate.\n"
)


def render(outcomes: Sequence[Outcome]) -> str:
    parts = [table(HEADINGS, [_row(found) for found in outcomes]) + MEANING]
    return "\n".join([*parts, *(line for found in outcomes for line in _links(found))])


def _row(found: Outcome) -> list[object]:
    fullest, slowdown, busbw = found.fullest, found.slowdown, found.busbw
    return [
        found.policy,
        found.qps,
        len(found.draws.seed),
        _mean(fullest),
        _short(fullest.p99),
        f"{slowdown.mean:.2f}x",
        f"{_short(slowdown.p50)}x",
        f"{_short(slowdown.p99)}x",
        *(_percent(share) for share in (busbw.mean, busbw.p1, busbw.p99, found.throughput.mean)),
    ]


def _links(found: Outcome) -> Iterator[str]:
    if not found.links:
        if found.slowdown.p99 <= 1 + 1e-9:
            yield f"{found.label}: no link is fuller than the hosts' own; nothing collides.\n"
        return
    total = len(found.draws.seed)
    rows = [
        [link.link, f"{link.draws / total:.1%}", f"{link.mean_flows:.2f}", _short(link.most), _flows(link)]
        for link in found.links
    ]
    yield f"{found.label}: the worst links"
    yield table(["link", "worst in", "flows then", "at most", "on it with that seed"], rows)


def _flows(link: WorstLink) -> str:
    shown = ", ".join(link.some_flows[:SHOWN_FLOWS])
    more = " ..." if len(link.some_flows) > SHOWN_FLOWS else ""
    return f"seed {link.seed}: {shown}{more}"


def _mean(spread: Spread) -> str:
    error = f" +- {spread.standard_error:.2g}" if spread.standard_error else ""
    return f"{spread.mean:.2f}{error}"


def _short(value: float) -> str:
    return f"{value:.3g}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
