"""What the ranks found: as nccl-tests prints it, as its JSON file, and as the entries of all benchmarks. Pure.

The table is written by the same code as that of ``python -m collectives``, so ``ringlab baseline import`` and every
parser of nccl-tests read it.
"""

import numpy as np

from collectives import metrics
from collectives.perf import options as perf_options
from collectives.perf import record, table
from collectives.perf.rows import Device, Half, Row


def flags(sizes, iters):
    """The command line of ``python -m collectives`` that asks for the same."""
    words = ["all_reduce", "--ranks", "1", "-n", str(iters), "-w", "1"]
    return [*words, "--sizes", ",".join(map(metrics.format_size, sizes))]


def rows(said):
    """A row a size from what every rank said (``rank.py``): the mean of the ranks' times, wrong elements of all."""
    return [
        Row(
            nbytes=first["bytes"],
            count=first["bytes"] // 4,
            dtype="float",
            op="sum",
            num_ranks=len(said),
            out_of_place=_half(said, place, "out_of_place"),
            in_place=_half(said, place, "in_place"),
        )
        for place, first in enumerate(said[0]["sizes"])
    ]


def devices(said, hosts):
    return [Device(one["rank"], one["pid"], host, one["device"]) for one, host in zip(said, hosts, strict=True)]


def text(found, devices, iters, library, nccl=""):
    """nccl-tests' table; its first line names who measured it, and the NCCL it was (empty: none took part)."""
    given = perf_options.parse(flags([row.nbytes for row in found], iters))
    head = [_named(line, library, nccl) for line in table.head(given, devices)]
    return "\n".join([*head, *(table.line(row, given) for row in found), *table.foot(found, given)])


def json_text(found, devices, iters, library, times, nccl=""):
    """nccl-tests' JSON file, version 3."""
    words = flags([row.nbytes for row in found], iters)
    given = perf_options.parse(words)
    said = record.record(given, words[1:], devices, found, times, library=library, operations={})
    return said.replace('"nccl_version":0', f'"nccl_version":{nccl_code(nccl)}')


def nccl_code(version):
    """``2.27.3`` -> 22703, as NCCL itself counts from 2.9 on; 0 for none."""
    parts = [int(part) for part in version.split(".")[:3]] if version else []
    return sum(part * weight for part, weight in zip(parts, (10000, 100, 1), strict=False))


def _named(line, library, nccl):
    code = nccl_code(nccl)
    line = line.replace("nccl-headers=0 nccl-library=0", f"nccl-headers={code} nccl-library={code}")
    return line.replace("measured by ringlab over TCP", f"measured by {library}")


def entries(name, found):
    """The busbw of every size and half; nobody promised a figure, so none is missed."""
    return [
        entry(f"{name}, {metrics.format_size(row.nbytes)}, {half_name}", row.busbw(half), half.times_us[:, 0].tolist())
        for row in found
        for half_name, half in (("out of place", row.out_of_place), ("in place", row.in_place))
    ]


def rate_entries(rates):
    return [entry(f"{name} in the GPU's memory", value, [], "GB/s") for name, value in rates.items()]


def entry(name, value, times_us, unit="GB/s busbw"):
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "goal": None,
        "better": "higher",
        "met": True,
        "samples": {"time_us_by_rank": times_us},
    }


def _half(said, place, name):
    halves = [one["sizes"][place][name] for one in said]
    times = np.array([[half["time_us"]] for half in halves])
    return Half(float(times.mean()), sum(half["wrong"] for half in halves), times)
