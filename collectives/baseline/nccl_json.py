"""nccl-tests' JSON file (``-J``, versions 1 and 3): what it holds, as an Output. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from collectives.baseline.model import BaselineError
from collectives.baseline.nccl_output import Device, Output
from collectives.baseline.nccl_table import Half, Row
from collectives.baseline.nccl_version import version_of

VERSIONS = (1, 3)
_PROGRAM = re.compile(r"(?P<name>\w+_perf)\b")


def output(text: str, name: str) -> Output:
    """The file's devices and rows. BaselineError with the line, or with the place in the data."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise BaselineError(f"{name}, line {error.lineno}: not JSON ({error.msg}); is the file complete?") from None
    if data.get("version") not in VERSIONS:
        known = " and ".join(map(str, VERSIONS))
        raise BaselineError(f"{name}: nccl-tests JSON of version {data.get('version')!r}; this reads {known}")
    place = "its head"
    try:
        found = _PROGRAM.search(str((data.get("args") or [""])[0]))
        code = int(data["nccl_version"])
        devices = tuple(_device(device) for device in data["config"]["devices"])
        rows = []
        for number, result in enumerate(data["results"]):
            place = f"results[{number}]"
            rows.append(_row(result, place))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        why = f"{error} is missing or of another kind"
        raise BaselineError(f"{name}: not an nccl-tests JSON file: {place}: {why}") from None
    return Output(
        program=found["name"] if found else "",
        library=f"NCCL {version_of(code)}" if code else str(data.get("library", "NCCL (version not stated)")),
        devices=devices,
        rows=tuple(row for row in rows if row.size_bytes > 0),
    )


def _device(device: Mapping[str, Any]) -> Device:
    return Device(int(device["rank"]), int(device.get("group", 0)), device["hostname"], device["device_info"].strip())


def _row(result: Mapping[str, Any], where: str) -> Row:
    return Row(
        size_bytes=int(result["size"]),
        count=int(result.get("count", 0)),
        dtype=result["type"],
        redop=result["redop"],
        root=int(result["root"]),
        out_of_place=_half(result["out_of_place"]),
        in_place=_half(result.get("in_place") or _LEFT_OUT),
        where=where,
    )


def _half(half: Mapping[str, Any]) -> Half:
    wrong = half.get("nwrong")
    time = float(half["cpu_time"] if "cpu_time" in half else half["time"])
    return Half(time, float(half["alg_bw"]), float(half["bus_bw"]), None if wrong is None else float(wrong))


_LEFT_OUT: Mapping[str, Any] = {"time": 0.0, "alg_bw": 0.0, "bus_bw": 0.0}
