"""Predictions by size: as a table, as data, and as a figure beside what was published and what NCCL expects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from collectives.baseline import Baseline
from collectives.baseline.nccl import find
from collectives.baseline.predict_machine import Machine
from collectives.baseline.predictor import Known, Prediction, line_GBps_of, network, predict
from collectives.metrics import busbw_factor
from ringlab.experiments.figures import UNKNOWN, bandwidth_text, size_text, time_text
from ringlab.tables import table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEADINGS = ("size", "time", "four in five", "algbw", "busbw", "by", "NCCL expects", "published")

EVIDENCE = {
    "network": "fitted to sweeps of this network",
    "site": "fitted to sweeps of this hardware with other versions of NCCL",
    "kind": "of this kind of network, fitted to sweeps of others",
    "default": "a default: no sweep of this kind of network is known",
}


@dataclass(frozen=True, slots=True)
class Predicted:
    """A machine's predictions; ``published`` is the sweep of the same question, where there is one."""

    machine: Machine
    known: Known
    sizes: tuple[Prediction, ...]
    published: Baseline | None


def predicted(machine: Machine, sizes: Sequence[int], published: Baseline | None) -> Predicted:
    """NcclError for what makes no sense."""
    known = network(machine.key, line_GBps_of(machine.question))
    rows = tuple(predict(machine.question, machine.key, size) for size in sizes)
    return Predicted(machine, known, rows, published)


def described(found: Predicted) -> str:
    """What it is, the network's figures and from what, and a row a size."""
    rows = [_row(found, prediction) for prediction in found.sizes]
    return "\n".join([*_facts(found), "", table(HEADINGS, rows)])


def data(found: Predicted) -> dict[str, Any]:
    question = found.machine.question
    return {
        "system": found.machine.name,
        "title": found.machine.title,
        "collective": question.collective,
        "nodes": question.system.nodes,
        "gpus_per_node": question.system.gpus_per_node,
        "ranks": question.system.ranks,
        "nccl": question.version,
        "nccl_constants": find(question.version).tables.name,
        "network": {"kind": found.machine.key.kind, "hardware": found.machine.network}
        | asdict(found.known.figures)
        | {"evidence": found.known.evidence, "fitted_on": list(found.known.fitted_on)},
        "sizes": [asdict(row) | {"published_us": _published_us(found, row.size_bytes)} for row in found.sizes],
    }


def figure(found: Predicted) -> Figure:
    """Bandwidth by size: the prediction with its interval, NCCL's own, and the published sweep's points."""
    from ringlab.experiments.plot import empty  # noqa: PLC0415 - numpy only where it is used

    fig = empty((6.8, 4.2))
    axes = fig.add_subplot()
    _draw(axes, found)
    question = found.machine.question
    axes.set_title(f"{found.machine.name}: {question.collective}, {question.system.ranks} ranks", fontsize=9)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_ylabel("busbw, GB/s")
    axes.set_xlabel("size")
    shown = [row.size_bytes for row in found.sizes][:: max(1, -(-len(found.sizes) // 9))]
    axes.set_xticks(shown, labels=[size_text(size) for size in shown])
    axes.minorticks_off()
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    axes.legend(frameon=False, loc="upper left")
    return fig


def _draw(axes: Axes, found: Predicted) -> None:
    from ringlab.experiments.plot import BASELINE_COLOUR, COLOURS  # noqa: PLC0415 - numpy only where it is used

    factor = busbw_factor(found.machine.question.collective, found.machine.question.system.ranks) / 1e3
    sizes = [row.size_bytes for row in found.sizes]
    ours = [row.busbw_GBps for row in found.sizes]
    low = [row.size_bytes * factor / row.high_us for row in found.sizes]
    high = [row.size_bytes * factor / row.low_us for row in found.sizes]
    axes.fill_between(sizes, low, high, color=COLOURS[0], alpha=0.18, linewidth=0, label="four sizes in five")
    axes.plot(sizes, ours, color=COLOURS[0], marker="o", markersize=4, label="predicted")
    nccl = [(row.size_bytes, row.size_bytes * factor / row.nccl_us) for row in found.sizes if row.nccl_us]
    if nccl:
        axes.plot(*zip(*nccl, strict=True), color=COLOURS[1], linestyle="--", marker="s", markersize=3,
                  label="NCCL expects")  # fmt: skip
    if found.published:
        points = [(point.size_bytes, point.size_bytes * factor / point.time_us) for point in found.published.points]
        axes.plot(*zip(*points, strict=True), color=BASELINE_COLOUR, linestyle="", marker="x", markersize=5,
                  label="published")  # fmt: skip


def _facts(found: Predicted) -> list[str]:
    machine, known = found.machine, found.known
    system = machine.question.system
    shape = f"{system.nodes} node{'s' if system.nodes != 1 else ''} x {system.gpus_per_node}"
    constants = find(machine.question.version)
    library = f"NCCL {machine.question.version or '(version not stated)'}, constants of {constants.tables.name}"
    return [
        f"{machine.name}: {machine.question.collective}, {shape} = {system.ranks} ranks, {machine.title}",
        f"  network     {machine.key.kind}: {machine.network}",
        f"  library     {'MPI, host memory' if machine.question.mpi else library}",
        f"  figures     {_figures(known)}",
        f"  from        {EVIDENCE[known.evidence]}{_names(known.fitted_on)}",
    ]


def _figures(known: Known) -> str:
    figures = known.figures
    rendezvous = f"rendezvous {figures.rendezvous_us:.3g} us around {size_text(round(figures.rendezvous_bytes))}"
    return f"a hop {figures.latency_us:.3g} us, {rendezvous}, {figures.efficiency:.0%} of NCCL's bandwidth"


def _names(names: Sequence[str]) -> str:
    more = len(names) - 3
    listed = "".join(f"\n                {name}" for name in names[:3])
    return listed + (f"\n                and {more} more" if more > 0 else "")


def _row(found: Predicted, row: Prediction) -> list[object]:
    published = _published_us(found, row.size_bytes)
    beside = UNKNOWN if published is None else f"{time_text(published)} ({row.time_us / published - 1:+.0%})"
    return [
        size_text(row.size_bytes),
        time_text(row.time_us),
        f"{time_text(row.low_us)} to {time_text(row.high_us)}",
        bandwidth_text(row.algbw_GBps),
        bandwidth_text(row.busbw_GBps),
        f"{row.algorithm} {row.protocol}",
        time_text(row.nccl_us),
        beside,
    ]


def _published_us(found: Predicted, size_bytes: int) -> float | None:
    return found.published.at(size_bytes).time_us if found.published else None
