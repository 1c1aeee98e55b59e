"""What one case came to, as plain data: for the table, the plot and ``--json`` alike."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from simulation.collisions import Case, Draws, Spread, flows_on
from simulation.next_hops import NextHops

SHOWN_FLOWS = 8
"""Of a link, in JSON; the table has fewer."""


@dataclass(frozen=True, slots=True)
class WorstLink:
    """A directed link (``leaf1->spine2``) that was the worst in ``draws`` draws, with so many flows in their mean.

    It was fullest, of these, with ``seed``; ``some_flows`` are among the ``most`` that crossed it then.
    """

    link: str
    draws: int
    mean_flows: float
    most: float
    seed: int
    some_flows: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Outcome:
    """``draws`` as they were drawn, and figures of them."""

    policy: str
    qps: int
    draws: Draws
    fullest: Spread
    slowdown: Spread
    busbw: Spread
    throughput: Spread
    slowest: Spread
    links: tuple[WorstLink, ...]

    @property
    def label(self) -> str:
        """What stands beside its figures."""
        return f"{self.policy}, {self.qps} QP{'s' if self.qps > 1 else ''}"

    def as_data(self) -> dict[str, Any]:
        """For JSON. ``distribution`` is of the slowdown: values, with the number of draws that had each."""
        values: dict[float, int] = {}
        for value in self.draws.slowdown.round(9).tolist():
            values[value] = values.get(value, 0) + 1
        spreads = ("fullest", "slowdown", "busbw", "throughput", "slowest")
        return {
            "policy": self.policy,
            "qps": self.qps,
            "draws": len(self.draws.seed),
            **{name: asdict(getattr(self, name)) for name in spreads},
            "distribution": sorted(values.items()),
            "worst_links": [asdict(link) for link in self.links],
        }


def outcome(tables: NextHops, case: Case, draws: Draws, links: int) -> Outcome:
    """With the ``links`` links that were most often the worst."""
    worst = tuple(_worst_link(tables, case, draws, int(link)) for link in draws.worst_links()[:links])
    return Outcome(
        "spray" if case.spray else "ecmp",
        case.queues,
        draws,
        Spread.of(draws.fullest),
        Spread.of(draws.slowdown),
        Spread.of(draws.busbw),
        Spread.of(draws.throughput),
        Spread.of(draws.slowest),
        worst,
    )


def _worst_link(tables: NextHops, case: Case, draws: Draws, link: int) -> WorstLink:
    times, seed = int(draws.times[link]), int(draws.most_seed[link])
    pairs, _ = flows_on(tables, case, seed, link)
    hosts = tables.fabric.hosts
    columns = (getattr(pairs, name)[:SHOWN_FLOWS].tolist() for name in ("src", "dst", "channel", "queue"))
    names = tuple(
        f"{hosts[src]}->{hosts[dst]}"
        + (f" channel {channel}" if case.channels > 1 else "")
        + (f" QP {queue}" if case.queues > 1 else "")
        for src, dst, channel, queue in zip(*columns, strict=True)
    )
    name = tables.fabric.direction(tables.links.ports[link])
    return WorstLink(name, times, float(draws.flows[link]) / times, float(draws.most[link]), seed, names)
