"""A plan as a table for the terminal, as data for JSON, and as a plot of efficiency against the number of devices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ringlab.experiments.figures import rate_text, share_text, size_text, time_text
from ringlab.experiments.plot import COLOURS, empty, png_of, svg_of
from ringlab.planning.contest import Entry
from ringlab.planning.ranking import Ranking
from ringlab.planning.workload import (
    Workload,
    bytes_at_balance,
    bytes_numerically,
    devices_at_balance,
    devices_numerically,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMAT = "ringlab-plan-1"
POINTS = 200
"""Of the curve."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked, and what was found; ``ranking`` and ``entries`` where they were asked for."""

    work: Workload
    devices: int
    fabric: str | None = None
    entries: tuple[Entry, ...] = ()
    ranking: Ranking | None = None

    def points(self) -> list[int]:
        """Powers of two up to ``devices``, which is the last."""
        powers = [2**power for power in range(1, self.devices.bit_length()) if 2**power < self.devices]
        return [*powers, self.devices]


def to_data(plan: Plan) -> dict[str, Any]:
    """As JSON has it."""
    work = plan.work
    return {
        "format": FORMAT,
        "workload": asdict(work),
        "devices": plan.devices,
        "curve": [_point(work, devices) for devices in plan.points()],
        "balance": {
            "devices": devices_at_balance(work),
            "devices_numerically": devices_numerically(work),
            "nbytes": bytes_at_balance(work, plan.devices),
            "nbytes_numerically": bytes_numerically(work, plan.devices),
        },
        "fabric": plan.fabric,
        "entries": [{**asdict(entry), **_judged(work, plan.devices, entry.time_s)} for entry in plan.entries],
        "fabrics": None if plan.ranking is None else _ranking_data(plan.ranking),
    }


def _point(work: Workload, devices: int) -> dict[str, Any]:
    ring_s = work.communication_s(devices)
    best, best_s = work.best(devices)
    return {
        "devices": devices,
        "computation_s": work.computation_s(devices),
        "ring_s": ring_s,
        "efficiency": work.efficiency(devices, ring_s),
        "best": best,
        "best_s": best_s,
        "best_efficiency": work.efficiency(devices, best_s),
    }


def _judged(work: Workload, devices: int, time_s: float) -> dict[str, float]:
    return {"step_s": work.step_time_s(devices, time_s), "efficiency": work.efficiency(devices, time_s)}


def _ranking_data(ranking: Ranking) -> dict[str, Any]:
    rows = [
        {
            "fabric": one.candidate.form,
            "hosts": len(one.candidate.fabric.hosts),
            **asdict(one.candidate.parts),
            "placement": one.best.placement,
            "algorithm": one.best.algorithm,
            "all_reduce_s": one.best.time_s,
            "step_s": one.step_s,
            "efficiency": one.efficiency,
        }
        for one in ranking.ranked
    ]
    return {"found": ranking.found, "ranked": rows}


def render(plan: Plan) -> RenderableType:
    parts: list[RenderableType] = [_head(plan), Text()]
    if plan.entries:
        parts += [Text(f"all_reduce on {plan.fabric}, simulated:", "bold"), _entries(plan), Text()]
    else:
        parts += [_curve(plan), Text(), *map(Text, _balance(plan))]
    if plan.ranking is not None:
        parts += [Text(), *_ranking(plan.ranking)]
    return Group(*parts)


def _head(plan: Plan) -> Text:
    work = plan.work
    tasks = f"{work.tasks:g} {'task' if work.tasks == 1 else 'tasks'} {'in all' if work.shared else 'each'}"
    hidden = f", {work.overlap:.0%} of computation hides communication" if work.overlap else ""
    rate = rate_text(work.rate_bps)
    links = f"over links of {rate}" if plan.fabric is None else f"at a line rate of {rate}"
    return Text(
        f"{plan.devices} devices, {tasks} of {time_text(work.task_s * 1e6)}; then an all_reduce of "
        f"{size_text(int(work.nbytes))} {links}, "
        f"{time_text(work.step_s * 1e6)} a step{hidden}"
    )


def _plain(gap: int = 2) -> Table:
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold", show_edge=False)


def _curve(plan: Plan) -> Table:
    table = _plain()
    for head in ("devices", "computation", "ring", "E"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("best algorithm", no_wrap=True)
    for head in ("takes", "E"):
        table.add_column(head, justify="right", no_wrap=True)
    for point in (_point(plan.work, devices) for devices in plan.points()):
        table.add_row(
            f"{point['devices']:,}",
            time_text(point["computation_s"] * 1e6),
            time_text(point["ring_s"] * 1e6),
            share_text(point["efficiency"]),
            point["best"],
            time_text(point["best_s"] * 1e6),
            share_text(point["best_efficiency"]),
        )
    return table


def _balance(plan: Plan) -> Iterator[str]:
    work = plan.work
    devices, searched = devices_at_balance(work), devices_numerically(work)
    yield "A ring's exposed communication is as long as computation, E = 50 %,"
    if devices is None or searched is None:
        yield "  at no number of devices: computation stays longer"
    else:
        yield f"  at {devices:,.1f} devices (closed form; by search {searched:,.1f}): beyond, communication dominates"
    nbytes, found = bytes_at_balance(work, plan.devices), bytes_numerically(work, plan.devices)
    if nbytes is None or found is None:
        yield f"  with {plan.devices} devices at no size: latency alone takes as long"
    else:
        yield (
            f"  with {plan.devices} devices at {size_text(int(nbytes))} "
            f"(closed form; by search {size_text(int(found))}): larger messages dominate"
        )


def _entries(plan: Plan) -> Table:
    table = _plain()
    for head in ("algorithm", "placement"):
        table.add_column(head, no_wrap=True)
    for head in ("all_reduce", "of the best", "step", "E"):
        table.add_column(head, justify="right", no_wrap=True)
    for entry in plan.entries:
        judged = _judged(plan.work, plan.devices, entry.time_s)
        table.add_row(
            entry.algorithm,
            entry.placement,
            time_text(entry.time_s * 1e6),
            f"{entry.time_s / plan.entries[0].time_s:.2f}x",
            time_text(judged["step_s"] * 1e6),
            share_text(judged["efficiency"]),
        )
    return table


def _ranking(ranking: Ranking) -> Iterator[RenderableType]:
    """The placement has a column only where it is not the same for all."""
    kinds = sorted({one.best.placement for one in ranking.ranked})
    placed = f", placement {kinds[0]}" if len(kinds) == 1 else ""
    yield Text(f"{ranking.found} fabrics fit the budget; the first {len(ranking.ranked)}, simulated{placed}:", "bold")
    table = _plain(gap=1)
    table.add_column("fabric", overflow="fold")
    for head in ("sw.", "ports", "cables", "cost"):
        table.add_column(head, justify="right", no_wrap=True)
    for head in ("algorithm", "placement")[: 1 if placed else 2]:
        table.add_column(head, no_wrap=True)
    for head in ("takes", "E"):
        table.add_column(head, justify="right", no_wrap=True)
    for one in ranking.ranked:
        parts = one.candidate.parts
        table.add_row(
            one.candidate.form,
            *(str(count) for count in (parts.switches, parts.ports, parts.cables)),
            f"{parts.cost:g}",
            *(one.best.algorithm, one.best.placement)[: 1 if placed else 2],
            time_text(one.best.time_s * 1e6),
            share_text(one.efficiency),
        )
    yield table
    yield Text("sw.: switches; ports: theirs, in use. Steps within 1 % of each other are equal: the cheaper is first.")


def plot(plan: Plan, target: str) -> bytes:
    """E against n, for the ring and for the best algorithm, as SVG or PNG by ``target``'s ending."""
    if target.endswith(".svg"):
        return svg_of(lambda: _figure(plan), _head(plan).plain).encode()
    return png_of(lambda: _figure(plan), dpi=160)


def _figure(plan: Plan) -> Figure:
    work, balance = plan.work, devices_at_balance(plan.work)
    most = max(plan.devices, min(4 * balance, 2.0**24) if balance else plan.devices)
    points = _spread(2, most)
    fig = empty((6.8, 3.8))
    axes = fig.add_subplot()
    ring = [work.efficiency(n, work.communication_s(n)) for n in points]
    powers = [2**power for power in range(1, int(most).bit_length())]
    best = [work.efficiency(n, work.best(n)[1]) for n in powers]
    axes.plot(powers, best, color=COLOURS[1], linewidth=1.5, linestyle="--", label="best algorithm, at powers of two")
    axes.plot(points, ring, color=COLOURS[0], linewidth=1.5, label="ring")
    marked = [(plan.devices, work.efficiency(plan.devices, work.communication_s(plan.devices)))]
    axes.plot(*zip(*marked, strict=True), "o", color=COLOURS[0], label=f"{plan.devices} devices")
    if balance:
        label = f"communication = computation: n = {balance:,.0f}"
        axes.axvline(balance, color="#555555", linewidth=1.0, linestyle=":", label=label)
    for number, entry in enumerate(plan.entries[:3]):
        E = work.efficiency(plan.devices, entry.time_s)  # noqa: N806 - as it is written
        label = f"{plan.fabric}: {entry.algorithm}, {entry.placement}"
        axes.plot([plan.devices], [E], "s^D"[number], color=COLOURS[2 + number], label=label)
    axes.set_xscale("log", base=2)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("devices")
    axes.set_ylabel("E = computation / (computation + exposed)")
    axes.grid(color="#DDDDDD", linewidth=0.6)
    axes.legend(frameon=False)
    fig.suptitle(_head(plan).plain, x=0.01, ha="left", fontsize=8)
    return fig


def _spread(low: float, high: float) -> Sequence[int]:
    """Whole numbers, even on a logarithmic scale."""
    return sorted({round(low * (high / low) ** (step / POINTS)) for step in range(POINTS + 1)})
