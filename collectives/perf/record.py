"""nccl-tests' JSON file, version 3, with its quirks: ``/`` escaped, six decimals, booleans as words, a padded root."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import isnan

import numpy as np

from collectives.perf.options import Options
from collectives.perf.rows import Device, Half, Row, average_busbw, total_wrong
from collectives.perf.table import NOTHING

FILE_VERSION = 3

Value = None | bool | int | float | str | Sequence["Value"] | Mapping[str, "Value"]


def record(
    options: Options,
    words: Sequence[str],
    devices: Sequence[Device],
    rows: Sequence[Row],
    times: tuple[str, str],
    *,
    operations: Mapping[int, int],
) -> str:
    """The whole file. ``times`` are those of the start and the end, ``YYYY-MM-DD HH:MM:SS``.

    One key is ours: ``operations``, pairs of bytes and how many collectives of so many bytes were run in all.

    The environment is left out, as it may hold secrets; its key is there.
    """
    wrong = total_wrong(rows)
    return encode(
        {
            "version": FILE_VERSION,
            "start_time": times[0],
            "args": list(words),
            "env": [],
            "nccl_version": NOTHING,
            "config": {**_config(options), "devices": [_device(device) for device in devices]},
            "results": [_result(row) for row in rows],
            "out_of_bounds": {"count": wrong, "okay": wrong == 0},
            "average_bus_bandwidth": {"bandwidth": average_busbw(rows), "okay": "unchecked"},
            "errors": [""],
            "operations": [[nbytes, number] for nbytes, number in sorted(operations.items())],
            "end_time": times[1],
        }
    )


def encode(value: Value) -> str:
    """Compact JSON, as nccl-tests writes it."""
    if isinstance(value, bool):
        return '"true"' if value else '"false"'
    if isinstance(value, float):
        return '"nan"' if isnan(value) else f"{value:f}"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{encode(key)}:{encode(item)}" for key, item in value.items()) + "}"
    if isinstance(value, str):
        return json.dumps(value).replace("/", "\\/")
    if isinstance(value, Sequence):
        return "[" + ",".join(map(encode, value)) + "]"
    return json.dumps(value)


def _config(options: Options) -> dict[str, Value]:
    by_factor = options.step_factor > 1
    return {
        "nthreads": 1,
        "ngpus": 1,
        "minimum_bytes": options.min_bytes,
        "maximum_bytes": options.max_bytes,
        **({"step_factor": options.step_factor} if by_factor else {"step_bytes": options.step_bytes}),
        "warmup_iters": options.warmup_iters,
        "iterations": options.iters,
        "aggregated_iterations": 1,
        "validation": options.checks,
        "graph": 0,
        "blocking_collectives": False,
        "per_iter_timing": True,
        "per_iter_skip": 0,
        "parallel_init": False,
    }


def _device(device: Device) -> dict[str, Value]:
    return {
        "rank": device.rank,
        "group": 0,
        "pid": device.pid,
        "hostname": device.host,
        "device": 0,
        "device_hex": "0000:00:00",
        "device_info": device.text,
    }


def _result(row: Row) -> dict[str, Value]:
    found: dict[str, Value] = {
        "size": row.nbytes,
        "count": row.count,
        "type": row.dtype,
        "redop": row.op,
        "root": f"{-1:6d}",
    }
    for name, half in (("out_of_place", row.out_of_place), ("in_place", row.in_place)):
        found[name] = _half(row, half)
        if half is not None:
            found[f"{name}_per_iter"] = _per_iter(half)
    return {**found, "actual_iterations": row.out_of_place.times_us.shape[1], "experiment_name": ""}


def _half(row: Row, half: Half | None) -> dict[str, Value]:
    if half is None:
        return {"time": 0.0, "alg_bw": 0.0, "bus_bw": 0.0, "nwrong": None}
    wrong = None if half.wrong is None else float(half.wrong)
    return {"time": half.time_us, "alg_bw": row.algbw(half), "bus_bw": row.busbw(half), "nwrong": wrong}


def _per_iter(half: Half) -> dict[str, Value]:
    """Of an iteration's slowest rank; percentiles are those of nccl-tests (nearest rank)."""
    slowest = half.times_us.max(axis=0)
    ordered = np.sort(slowest)
    count = len(ordered)
    mean, deviation = float(ordered.mean()), float(ordered.std())
    return {
        "skipped_iterations": 0,
        "min_us": float(ordered[0]),
        "max_us": float(ordered[-1]),
        "avg_us": mean,
        "p50_us": float(ordered[count // 2]),
        "p95_us": float(ordered[min(count - 1, (count * 95 + 99) // 100 - 1)]),
        "p99_us": float(ordered[min(count - 1, (count * 99 + 99) // 100 - 1)]),
        "stdev_us": deviation,
        "cv_pct": deviation / mean * 100 if mean > 0 else 0.0,
        "times_us": slowest.tolist(),
        "per_process_max_times_us": half.times_us.tolist(),
    }
