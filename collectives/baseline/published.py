"""Published sweeps: ``names()`` and ``load(name)``.

Three tables, joined by the sweep's name: ``systems.csv`` (hardware, network, library, source), ``sweeps.csv`` (size,
times out of place and in place) and ``line_rates.csv`` (what one node's NICs or one GPU's links carry one way, with the
words of ``systems.csv`` that state it). A sweep without a line rate is served without a share: none is made up.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files

from collectives.baseline.model import Baseline, BaselineError, Point, ring_line_rate_GBps
from topologies.spelling import did_you_mean

Row = Mapping[str, str]

COLLECTIVES = {"allreduce": "all_reduce", "allgather": "all_gather", "alltoall": "alltoall"}
"""The names in ``systems.csv``, and nccl-tests' names."""


def names() -> tuple[str, ...]:
    """The published sweeps, in order of their names."""
    return tuple(sorted(_published()))


def load(name: str) -> Baseline:
    """The published sweep ``name``. BaselineError if there is none."""
    try:
        return _published()[name]
    except KeyError:
        raise BaselineError(f"no published baseline {name!r}; {_hint(name)}") from None


def parse(systems: Iterable[str], sweeps: Iterable[str], line_rates: Iterable[str]) -> dict[str, Baseline]:
    """The three tables' lines to baselines by name (pure)."""
    points: dict[str, list[Point]] = {}
    for row in csv.DictReader(sweeps):
        points.setdefault(row["sweep"], []).append(_point(row))
    rates = {row["sweep"]: row for row in csv.DictReader(line_rates)}
    return {
        row["sweep"]: _baseline(row, rates.get(row["sweep"]), sorted(points[row["sweep"]], key=lambda p: p.size_bytes))
        for row in csv.DictReader(systems)
    }


def _point(row: Row) -> Point:
    in_place = row["time_us_in_place"]
    return Point(int(row["size_bytes"]), float(row["time_us_out_of_place"]), float(in_place) if in_place else None)


@lru_cache(maxsize=1)
def _published() -> Mapping[str, Baseline]:
    folder = files("collectives.baseline")
    tables = (folder / name for name in ("systems.csv", "sweeps.csv", "line_rates.csv"))
    return parse(*(table.read_text(encoding="utf-8").splitlines() for table in tables))


def _baseline(system: Row, rate: Row | None, points: list[Point]) -> Baseline:
    nodes, gpus = int(system["nodes"]), int(system["gpus_per_node"])
    line_rate, why = _line_rate(system, rate, nodes, gpus)
    return Baseline(
        name=system["sweep"],
        collective=COLLECTIVES[system["collective"]],
        nranks=int(system["nranks"]),
        gpu=system["gpu"],
        nodes=nodes,
        gpus_per_node=gpus,
        network=system["intra"] if nodes == 1 else system["inter"],
        library=_library(system),
        note=system["note"],
        source=system["source"],
        nominal_line_rate_GBps=line_rate,
        line_rate_why=why,
        points=tuple(points),
    )


def _line_rate(system: Row, rate: Row | None, nodes: int, gpus: int) -> tuple[float | None, str]:
    if rate is None:
        return None, "the source does not state the rate of its links"
    line_rate, why = ring_line_rate_GBps(COLLECTIVES[system["collective"]], nodes, gpus, float(rate["link_rate_GBps"]))
    more = f"; {rate['why']}" if rate["why"] else ""
    return line_rate, f'{rate["link"]}: "{rate["quote"]}"{more}; {why}'


def _library(system: Row) -> str:
    """The library and its version, and how it used the network, where the source says so."""
    version, net = system["nccl"], system["net"]
    named = {"-": "", "unknown": "NCCL (version not stated)"}.get(version, version)
    named = f"NCCL {named}" if named[:1].isdigit() else named
    return ", ".join(part for part in (named, net) if part not in {"", "-"})


def _hint(name: str) -> str:
    """A few names that hold ``name``, or the nearest; twenty-odd long names in an error help nobody."""
    holding = [known for known in names() if name.lower() in known]
    if 0 < len(holding) <= 4 and name:
        return f"did you mean {' or '.join(map(repr, holding))}?"
    nearest = did_you_mean(name, names())
    return nearest if nearest.startswith("did you mean") else "see: ringlab baseline list"
