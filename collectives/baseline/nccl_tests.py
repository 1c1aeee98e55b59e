"""A user's own nccl-tests output as a Baseline: the text of any version, or the JSON file (``-J``, versions 1 and 3).

Pure: text in, Baseline out. nccl-tests prints one row a size; what the columns are, its header says:

    #     size    count   type  redop  root    time  algbw  busbw #wrong    time  algbw  busbw #wrong
       1048576   262144  float    sum    -1  339.61   3.09   3.09      0  335.85   3.12   3.12      0

The two halves (out of place, in place) are equally wide, so a row is read from its right end: that holds for old tables
without ``root``, for rows with an empty ``redop``, and with the four extra columns of ``-I``. Launchers put their mark
before each line (``0: `` of srun, ``[1,0]<stdout>:`` of Open MPI): it is taken off. Nothing in the output says how fast
the wires are: the line rate comes from the user, or is unknown.
"""
# ruff: noqa: N803, N815 - GBps and Gbps are not the same

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from collectives.baseline.model import Baseline, BaselineError, Point
from collectives.metrics import busbw_factor
from topologies.spelling import did_you_mean

PROGRAMS = tuple(
    f"{collective}_perf"
    for collective in (
        "all_reduce", "all_gather", "reduce_scatter", "alltoall", "broadcast", "reduce", "gather", "scatter", "sendrecv"
    )
)  # fmt: skip
"""nccl-tests' programs whose busbw is known here."""

JSON_VERSIONS = (1, 3)

_MARK = re.compile(r"^\s*(?:\d+:\s|\[\d+,\d+\]<std(?:out|err)>:)")
_DEVICE = re.compile(
    r"Rank\s+(?P<rank>\d+)\s+(?:Group\s+(?P<group>\d+)\s+)?Pid\s+\d+\s+on\s+(?P<host>\S+)"
    r"\s+device\s+\d+\s+\[(?P<bus>[^\]]*)\]\s*(?P<gpu>.*)"
)
_VERSION = re.compile(r"nccl-tests version (?P<tests>\S+).*nccl-library=(?P<library>\d+)")
_STATED = re.compile(r"\bNCCL version (?P<library>\d[\d.]*\d)")  # NCCL's own line, with NCCL_DEBUG=VERSION
_PROGRAM = re.compile(r"(?P<name>\w+_perf)\b")
_TIMESTAMP = re.compile(r"\s\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\S*\s*$")
_TIMES = ("time", "cputime")


@dataclass(frozen=True, slots=True)
class _Device:
    rank: int
    group: int
    host: str
    gpu: str


@dataclass(frozen=True, slots=True)
class _Row:
    """One row's identity (type, redop, root) and its out-of-place half; ``wrong`` is None where nothing was checked."""

    size_bytes: int
    kind: str
    time_us: float
    algbw_GBps: float
    busbw_GBps: float
    wrong: float | None


@dataclass(frozen=True, slots=True)
class _Output:
    """What both forms hold."""

    program: str
    library: str
    devices: tuple[_Device, ...]
    rows: tuple[_Row, ...]


def parse(text: str, name: str, line_rate_GBps: float | None = None) -> Baseline:
    """nccl-tests' text or JSON as a Baseline called ``name``; BaselineError says what is missing.

    ``line_rate_GBps`` is what the user knows of the wires: a node's NICs together, or one GPU's links in a single node.
    """
    output = _read_json(text, name) if text.lstrip()[:1] == "{" else _read_text(text, name)
    rows = _one_kind(output.rows, name)
    nranks = _ranks(output.devices, name)
    hosts = {device.host for device in output.devices}
    collective = _collective(output.program, rows, nranks, name)
    return Baseline(
        name=name,
        collective=collective,
        nranks=nranks,
        gpu=" and ".join(sorted({device.gpu for device in output.devices if device.gpu})) or "not stated",
        nodes=len(hosts),
        gpus_per_node=len(output.devices) // len(hosts) if len(output.devices) % len(hosts) == 0 else None,
        network="not stated by nccl-tests",
        library=output.library,
        note=rows[0].kind.removesuffix(" -1") + ("; each time is the median of its repeats" if _repeats(rows) else ""),
        source=name,
        nominal_line_rate_GBps=line_rate_GBps,
        line_rate_why=_why(line_rate_GBps),
        points=_points(rows),
    )


def _why(line_rate: float | None) -> str:
    if line_rate is None:
        return "nccl-tests does not say how fast the wires are: give --line-rate (GB/s, one way, all NICs of a node)"
    return "given with --line-rate"


def _read_text(text: str, name: str) -> _Output:
    lines = [_MARK.sub("", line) for line in text.splitlines()]
    devices = tuple(_devices(lines))
    rows = tuple(_rows(lines, name))
    programs = [found["name"] for line in lines if "ollective test" in line and (found := _PROGRAM.search(line))]
    return _Output(programs[0] if programs else "", _library(lines), devices, rows)


def _library(lines: Iterable[str]) -> str:
    """NCCL's version, from nccl-tests' first line or from NCCL's own."""
    for line in lines:
        if found := _VERSION.search(line):
            return f"NCCL {_nccl_version(int(found['library']))}"
        if found := _STATED.search(line):
            return f"NCCL {found['library']}"
    return "NCCL (version not stated)"


def _devices(lines: Iterable[str]) -> Iterator[_Device]:
    for line in lines:
        if found := _DEVICE.search(line):
            yield _Device(int(found["rank"]), int(found["group"] or 0), found["host"], found["gpu"].strip())


def _rows(lines: Iterable[str], name: str) -> Iterator[_Row]:
    header: list[str] = []
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if words[:2] == ["#", "size"]:
            header = words[1:]
        elif words and words[0].isdigit() and len(words) > 6:
            if not header:
                raise BaselineError(f"{name}, line {number}: a row before nccl-tests' header ('# size count type ...')")
            row = _row(header, line, f"{name}, line {number}")
            if row.size_bytes > 0:
                yield row


def _row(header: list[str], line: str, where: str) -> _Row:
    """One row; the header's words from the first time to the second are one half."""
    times = [place for place, word in enumerate(header) if word in _TIMES]
    words = _TIMESTAMP.sub("", line).split()
    if len(times) != 2:
        raise BaselineError(f"{where}: the table's header has {len(times)} time columns, not two")
    half = times[1] - times[0]
    start = len(words) - 2 * half
    columns = dict(zip(header[times[0] : times[1]], words[start : start + half], strict=False))
    if start < 3 or len(columns) < half:
        raise BaselineError(f"{where}: {len(words)} columns do not fit the header; is the line cut?")
    try:
        return _Row(
            size_bytes=int(words[0]),
            kind=" ".join(words[2:start]),
            time_us=float(columns[header[times[0]]]),
            algbw_GBps=float(columns["algbw"]),
            busbw_GBps=float(columns["busbw"]),
            wrong=_wrong(columns.get("#wrong", "N/A")),
        )
    except (ValueError, KeyError) as error:
        raise BaselineError(f"{where}: not a row of nccl-tests ({error})") from None


def _wrong(word: str) -> float | None:
    return None if word == "N/A" else float(word)


def _read_json(text: str, name: str) -> _Output:
    try:
        data = json.loads(text)
        if data.get("version") not in JSON_VERSIONS:
            known = " and ".join(map(str, JSON_VERSIONS))
            raise BaselineError(f"{name}: nccl-tests JSON of version {data.get('version')!r}; this reads {known}")
        found = _PROGRAM.search(str((data.get("args") or [""])[0]))
        return _Output(
            program=found["name"] if found else "",
            library=f"NCCL {_nccl_version(int(data['nccl_version']))}",
            devices=tuple(_json_device(device) for device in data["config"]["devices"]),
            rows=tuple(row for result in data["results"] if (row := _json_row(result)).size_bytes > 0),
        )
    except BaselineError:
        raise
    except json.JSONDecodeError as error:
        raise BaselineError(f"{name}, line {error.lineno}: not JSON ({error.msg}); is the file complete?") from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BaselineError(f"{name}: not an nccl-tests JSON file: {error} is missing or of another kind") from None


def _json_device(device: Mapping[str, Any]) -> _Device:
    return _Device(int(device["rank"]), int(device.get("group", 0)), device["hostname"], device["device_info"].strip())


def _json_row(result: Mapping[str, Any]) -> _Row:
    half = result["out_of_place"]
    wrong = half.get("nwrong")
    return _Row(
        size_bytes=int(result["size"]),
        kind=" ".join((result["type"], result["redop"], result["root"].strip())),
        time_us=float(half["cpu_time"] if "cpu_time" in half else half["time"]),
        algbw_GBps=float(half["alg_bw"]),
        busbw_GBps=float(half["bus_bw"]),
        wrong=None if wrong is None else float(wrong),
    )


def _one_kind(rows: tuple[_Row, ...], name: str) -> tuple[_Row, ...]:
    """The rows, if they are one right sweep: of one type, operation and root, and without wrong results."""
    if not rows:
        raise BaselineError(f"{name}: no rows of nccl-tests in it; give the output of all_reduce_perf or its JSON file")
    kinds = sorted({row.kind for row in rows})
    if len(kinds) > 1:
        raise BaselineError(f"{name}: holds {len(kinds)} sweeps ({', '.join(kinds[:4])}); keep the rows of one")
    wrong = next((row for row in rows if row.wrong), None)
    if wrong:
        raise BaselineError(f"{name}: {wrong.wrong:g} wrong elements at {wrong.size_bytes} bytes: no baseline to trust")
    return rows


def _ranks(devices: tuple[_Device, ...], name: str) -> int:
    """The ranks that work together: all, or those of one group where NCCL_TESTS_SPLIT made groups."""
    if not devices:
        raise BaselineError(f"{name}: no '#  Rank ...' lines: the number of ranks is not known; keep the whole output")
    groups: dict[int, set[int]] = {}
    for device in devices:
        groups.setdefault(device.group, set()).add(device.rank)
    counts = {len(ranks) for ranks in groups.values()}
    if len(counts) > 1:
        raise BaselineError(f"{name}: groups of {', '.join(map(str, sorted(counts)))} ranks; all must be of one size")
    return counts.pop()


def _collective(program: str, rows: tuple[_Row, ...], nranks: int, name: str) -> str:
    """Named by the output; in old text, found from busbw / algbw and the operation where only one collective fits."""
    if program:
        if program not in PROGRAMS:
            raise BaselineError(f"{name}: {program} is not known here; {did_you_mean(program, PROGRAMS)}")
        return program.removesuffix("_perf")
    row = max(rows, key=lambda row: row.algbw_GBps)
    reduces = any(word in row.kind.split() for word in ("sum", "prod", "min", "max", "avg"))
    fitting = [
        collective
        for collective in (("all_reduce", "reduce_scatter", "reduce") if reduces else ("all_gather", "broadcast"))
        if row.algbw_GBps and abs(row.busbw_GBps / row.algbw_GBps / busbw_factor(collective, nranks) - 1) < 0.01
    ]
    if len(fitting) != 1:
        raise BaselineError(f"{name}: it does not say which collective it is; add '# Collective test starting: X_perf'")
    return fitting[0]


def _points(rows: tuple[_Row, ...]) -> tuple[Point, ...]:
    """One point a size; the median where a size was repeated."""
    times: dict[int, list[float]] = {}
    for row in rows:
        times.setdefault(row.size_bytes, []).append(row.time_us)
    return tuple(Point(size, median(times[size])) for size in sorted(times))


def _repeats(rows: tuple[_Row, ...]) -> bool:
    return len({row.size_bytes for row in rows}) < len(rows)


def _nccl_version(code: int) -> str:
    """NCCL_VERSION_CODE: 22907 is 2.29.7; up to 2.8 it was shorter, 2708 is 2.7.8 (nccl.h)."""
    if code < 10000:
        return f"{code // 1000}.{code // 100 % 10}.{code % 100}"
    return f"{code // 10000}.{code // 100 % 100}.{code % 100}"
