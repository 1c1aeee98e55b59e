"""rccl-tests' own JSON (``-Z json -x FILE``): a list with a record for each size and half. Pure.

[{"numCycle":0, "name":"AllReduce", "nodes":1, "ranks":8, "ranksPerNode":8, "gpusPerRank":1, "size":8,
  "type":"float", "redop":"sum", "inPlace":0, "time":45.92, "algBw":0.000174, "busBw":0.000305, "wrong":"0"}, ...]
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from collectives.baseline.model import BaselineError
from collectives.baseline.nccl_output import Device, Output
from collectives.baseline.nccl_table import Half, Row

_PROGRAMS = {
    "AllReduce": "all_reduce_perf",
    "AllGather": "all_gather_perf",
    "ReduceScatter": "reduce_scatter_perf",
    "AlltoAll": "alltoall_perf",
    "Broadcast": "broadcast_perf",
    "Reduce": "reduce_perf",
    "Gather": "gather_perf",
    "Scatter": "scatter_perf",
    "SendRecv": "sendrecv_perf",
}
_LEFT_OUT = Half(0.0, 0.0, 0.0, None)


def is_one(text: str) -> bool:
    """Is it this form? A text may begin with ``[`` too: Open MPI's mark of a line."""
    return '"inPlace"' in text


def output(text: str, name: str) -> Output:
    """The records as rows, both halves of a size together; the median later sees repeats of a cycle apart."""
    try:
        records = json.loads(text)
    except json.JSONDecodeError as error:
        raise BaselineError(f"{name}, line {error.lineno}: not JSON ({error.msg}); is the file complete?") from None
    place = "the list"
    halves: dict[tuple[Any, ...], dict[int, Half]] = {}
    places: dict[tuple[Any, ...], str] = {}
    try:
        first = records[0]
        for number, record in enumerate(records):
            place = f"record {number}"
            key = (record["numCycle"], int(record["size"]), record["type"], record["redop"])
            halves.setdefault(key, {})[int(record["inPlace"])] = _half(record)
            places.setdefault(key, place)
        devices = _devices(int(first["ranks"]), int(first["ranksPerNode"]))
        rows = tuple(
            Row(key[1], 0, key[2], key[3], -1, found[0], found.get(1, _LEFT_OUT), places[key])
            for key, found in halves.items()
            if key[1] > 0
        )
    except (KeyError, TypeError, IndexError, ValueError, ZeroDivisionError) as error:
        why = f"{error} is missing or of another kind"
        raise BaselineError(f"{name}: not rccl-tests' JSON: {place}: {why}") from None
    return Output(_PROGRAMS.get(first["name"], str(first["name"])), "RCCL (version not stated)", devices, rows)


def _half(record: Mapping[str, Any]) -> Half:
    wrong = str(record["wrong"])
    checked = None if wrong == "N/A" else float(wrong)
    return Half(float(record["time"]), float(record["algBw"]), float(record["busBw"]), checked)


def _devices(nranks: int, ranks_per_node: int) -> tuple[Device, ...]:
    return tuple(Device(rank, 0, str(rank // ranks_per_node), "") for rank in range(nranks))
