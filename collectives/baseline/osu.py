"""OSU micro-benchmarks' output as a Baseline: the latency tests of collectives, with ``-f`` or without. Pure.

    # OSU MPI Allreduce Latency Test v5.7
    # Size       Avg Latency(us)   Min Latency(us)   Max Latency(us)  Iterations
    4                      14.04             11.23             16.90        1000

The time is the average over ranks. OSU's size is what MPI calls the count: of allgather, alltoall, gather and scatter
it is one rank's block, and nccl-tests' size is that times the ranks. How many ranks took part it does not say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from collectives.baseline.model import Baseline, BaselineError, Point
from collectives.baseline.osu_table import read
from collectives.baseline.stated import NOTHING_STATED, Stated

_TITLE = re.compile(r"#\s*OSU MPI(?P<device>-\w+)?\S*\s+(?P<test>.+?) Latency Test\s*(?P<version>v\S+)?")

_TESTS = {
    "Allreduce": ("all_reduce", False),
    "Allgather": ("all_gather", True),
    "Reduce_scatter": ("reduce_scatter", False),
    "All-to-All Personalized Exchange": ("alltoall", True),
    "Broadcast": ("broadcast", False),
    "Reduce": ("reduce", False),
    "Gather": ("gather", True),
    "Scatter": ("scatter", True),
}
"""OSU's names; nccl-tests' names, and whether the size is one rank's block."""


def is_one(text: str) -> bool:
    return _TITLE.search(text) is not None


def parse(text: str, name: str, stated: Stated = NOTHING_STATED) -> Baseline:
    """The text as the baseline ``name``. BaselineError with the line for what is no table of it."""
    found = _TITLE.search(text)
    if not found:
        raise BaselineError(f"{name}: no title of an OSU latency test ('# OSU MPI Allreduce Latency Test')")
    if found["test"] not in _TESTS:
        raise BaselineError(f"{name}: OSU's test {found['test']!r} has no busbw; known: {', '.join(_TESTS)}")
    collective, is_block = _TESTS[found["test"]]
    nranks = stated.nranks
    if nranks is None:
        raise BaselineError(f"{name}: OSU's output does not say how many ranks took part; import it with --ranks")
    points = sorted(_points(text, name, nranks if is_block else 1), key=lambda point: point.size_bytes)
    if not points:
        raise BaselineError(f"{name}: no rows under OSU's title; is the file complete?")
    nodes = stated.nodes
    version = f" {found['version']}" if found["version"] else ""
    return Baseline(
        name=name,
        collective=collective,
        nranks=nranks,
        gpu=stated.gpu or (f"not stated (MPI{found['device']})" if found["device"] else "none (host memory)"),
        nodes=nodes,
        gpus_per_node=nranks // nodes if nodes and nranks % nodes == 0 else None,
        network=stated.network or "not stated by OSU",
        library=stated.library or f"MPI (OSU micro-benchmarks{version})",
        note=stated.note or "average over ranks",
        source=name,
        nominal_line_rate_GBps=stated.line_rate_GBps,
        line_rate_why=stated.line_rate_why("OSU"),
        points=tuple(points),
    )


def _points(text: str, name: str, blocks: int) -> Iterator[Point]:
    """Of each size the average; rows of size 0 time nothing."""
    seen: set[int] = set()
    for row in read(text, name).rows:
        if not 0 < row.times_us[0] < float("inf"):
            raise BaselineError(f"{name}, {row.where}: a time is not above 0, or not finite")
        if row.size_bytes in seen:
            raise BaselineError(f"{name}, {row.where}: {row.size_bytes} is there twice; keep the rows of one sweep")
        seen.add(row.size_bytes)
        if row.size_bytes > 0:
            yield Point(row.size_bytes * blocks, row.times_us[0])
