"""nccl-tests' JSON file, version 3, with its quirks: ``/`` escaped, six decimals, booleans as words, a padded root."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from math import isnan

from collectives.choice import Network
from collectives.peers.libraries import RINGLAB
from collectives.perf.options import Options
from collectives.perf.percentiles import Spread, stragglers
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
    library: str = RINGLAB.name,
    operations: Mapping[int, int],
    network: Network | None = None,
) -> str:
    """The whole file. ``times`` are those of the start and the end, ``YYYY-MM-DD HH:MM:SS``.

    Four keys are ours: ``library``, which ran it, with its version; ``network``, its alpha, beta and gamma in seconds,
    as text (``auto`` measures them); ``operations``, pairs of bytes and how many
    collectives of so many bytes were run in all by the communicator's own schedule; and ``stragglers`` of a half.

    The environment is left out, as it may hold secrets; its key is there.
    """
    wrong = total_wrong(rows)
    return encode(
        {
            "version": FILE_VERSION,
            "start_time": times[0],
            "args": [options.kind.program, *words],
            "env": [],
            "nccl_version": NOTHING,
            "config": {**_config(options), "devices": [_device(device) for device in devices]},
            "results": [_result(row, options) for row in rows],
            "out_of_bounds": {"count": wrong, "okay": wrong == 0},
            "average_bus_bandwidth": {"bandwidth": average_busbw(rows), "okay": "unchecked"},
            "errors": [""],
            "library": library,
            "network": None if network is None else list(map(repr, astuple(network))),
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
        "aggregated_iterations": options.agg_iters,
        "validation": options.checks,
        "graph": 0,
        "blocking_collectives": options.blocking != 0,
        "per_iter_timing": True,
        "per_iter_skip": options.per_iter_skip,
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


def _result(row: Row, options: Options) -> dict[str, Value]:
    found: dict[str, Value] = {
        "size": row.nbytes,
        "count": row.count,
        "type": row.dtype,
        "redop": row.redop,
        "root": f"{row.root:6d}",
    }
    for name, half in (("out_of_place", row.out_of_place), ("in_place", row.in_place)):
        found[name] = _half(row, half, "cpu_time" if options.cpu_time else "time")
        if half is not None:
            found[f"{name}_per_iter"] = _per_iter(half, options.per_iter_skip)
    return {**found, "actual_iterations": row.out_of_place.times_us.shape[1], "experiment_name": ""}


def _half(row: Row, half: Half | None, time: str) -> dict[str, Value]:
    if half is None:
        return {time: 0.0, "alg_bw": 0.0, "bus_bw": 0.0, "nwrong": None}
    wrong = None if half.wrong is None else float(half.wrong)
    return {time: half.time_us, "alg_bw": row.algbw(half), "bus_bw": row.busbw(half), "nwrong": wrong}


def _per_iter(half: Half, skip: int) -> dict[str, Value]:
    """Of an iteration's slowest rank."""
    spread = Spread.of(half.times_us, skip)
    return {
        "skipped_iterations": skip,
        "min_us": spread.min_us,
        "max_us": spread.max_us,
        "avg_us": spread.avg_us,
        "p50_us": spread.p50_us,
        "p95_us": spread.p95_us,
        "p99_us": spread.p99_us,
        "stdev_us": spread.stdev_us,
        "cv_pct": spread.cv_pct,
        "times_us": half.times_us[:, skip:].max(axis=0).tolist(),
        "per_process_max_times_us": half.times_us[:, skip:].tolist(),
        "stragglers": [
            {"rank": one.rank, "last_share": one.last_share, "waited_us": one.waited_us}
            for one in stragglers(half.times_us[:, skip:])
        ],
    }
