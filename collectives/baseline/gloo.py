"""gloo's published figures: CPUs over TCP and InfiniBand, two ranks, host memory. ``names()`` and ``load(name)``.

``gloo.csv`` holds a row a size, as issues of its repository state them; the time is the median (p50). Two sources give
one size only: a single point, no sweep, which says what it says at that size and nothing elsewhere. They are apart from
``published``, for no GPU and no NCCL was there to be modelled.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files

from collectives.baseline.model import Baseline, BaselineError, Point

Row = Mapping[str, str]
_RANKS = 2
_PERCENTILES = ("min", "p99", "max")


def names() -> tuple[str, ...]:
    return tuple(_published())


def load(name: str) -> Baseline:
    """BaselineError if there is none of that name."""
    try:
        return _published()[name]
    except KeyError:
        raise BaselineError(f"no figures of gloo called {name!r}") from None


def parse(lines: Iterable[str]) -> dict[str, Baseline]:
    """The table's lines to baselines by name (pure)."""
    sweeps: dict[str, list[Row]] = {}
    for row in csv.DictReader(lines):
        sweeps.setdefault(row["sweep"], []).append(row)
    return {name: _baseline(rows) for name, rows in sorted(sweeps.items())}


@lru_cache(maxsize=1)
def _published() -> Mapping[str, Baseline]:
    return parse((files("collectives.baseline") / "gloo.csv").read_text(encoding="utf-8").splitlines())


def _baseline(rows: list[Row]) -> Baseline:
    first = rows[0]
    nodes = int(first["nodes"]) if first["nodes"] else None
    rate = float(first["link_rate_GBps"]) if first["link_rate_GBps"] else None
    return Baseline(
        name=first["sweep"],
        collective="all_reduce",
        nranks=_RANKS,
        gpu="none (host memory)",
        nodes=nodes,
        gpus_per_node=_RANKS // nodes if nodes else None,
        network=f"{first['transport']}: {first['link']}",
        library=f"{first['library']}, {first['algorithm']}",
        note="; ".join(["the time is the median", *filter(None, map(_said, rows))]),
        source=f"github.com/{first['source'].replace('#', '/issues/')}",
        nominal_line_rate_GBps=rate,
        line_rate_why=_why(first, rate),
        points=tuple(sorted((_point(row) for row in rows), key=lambda point: point.size_bytes)),
    )


def _point(row: Row) -> Point:
    return Point(int(row["bytes"]), float(row["p50_us"]))


def _said(row: Row) -> str:
    """The other percentiles and the source's words, with the size they belong to."""
    spread = [f"{name} {row[f'{name}_us']} us" for name in _PERCENTILES if row[f"{name}_us"]]
    words = ", ".join([*spread, *filter(None, [row["note"]])])
    return f"at {row['bytes']} B: {words}" if words else ""


def _why(row: Row, rate_GBps: float | None) -> str:  # noqa: N803 - GBps and Gbps are not the same
    if rate_GBps is None:
        return "the source does not state the rate of its links"
    return f"node NIC: \"{row['link']}\"; one rank a node: a ring's busbw is at most the rate of the node's NIC"
